package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// runner runs the bench.
type runner struct {
	*options
	work string // a folder for what is forgotten afterwards
	log  func(format string, args ...any)

	tokens, dataKey string // keys, as wxpass takes them
}

// build builds wxpass and reads its keys, which belong to the filled data, or makes them.
func (b *runner) build(ctx context.Context) (err error) {
	if b.binary == "" {
		b.binary = filepath.Join(b.work, "wxpass")
		cmd := exec.CommandContext(ctx, "go", "build", "-o", b.binary, ".")
		cmd.Dir = b.product
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build wxpass: %w\n%s", err, out)
		}
	}
	if b.binary, err = filepath.Abs(b.binary); err != nil {
		return err
	}
	if err := os.MkdirAll(b.data, 0o755); err != nil {
		return err
	}
	if os.Getuid() == 0 { // PostgreSQL runs as somebody else, and has to get through
		if err := os.Chmod(b.work, 0o755); err != nil {
			return err
		}
	}
	if b.tokens, err = b.keys(ctx, "token.key"); err != nil {
		return err
	}
	b.dataKey, err = b.keys(ctx, "data.key")
	return err
}

func (b *runner) keys(ctx context.Context, name string) (string, error) {
	path := filepath.Join(b.data, name)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if text, err = exec.CommandContext(ctx, b.binary, "keys", "new", "bench").Output(); err == nil {
			err = os.WriteFile(path, text, 0o600)
		}
	}
	return string(bytes.TrimSpace(text)), err
}

// run measures on a database of so many users.
func (b *runner) run(ctx context.Context, users int) (t table, err error) {
	if err := b.fill(ctx, users); err != nil {
		return t, err
	}
	pg, err := b.postgres(ctx, users, productionSettings)
	defer func() { err = errors.Join(err, pg.stop()) }()
	if err != nil {
		return t, err
	}
	url := pg.url(database)
	if err := b.migrate(ctx)(url); err != nil {
		return t, err
	}
	w, err := b.openWorld(ctx, pg, url)
	if w != nil {
		defer func() { err = errors.Join(err, w.close()) }()
	}
	if err != nil {
		return t, err
	}
	if b.hold {
		fmt.Printf("PostgreSQL %s\nwxpass     %s pid %d (production), %s pid %d (development)\nfloor      %s pid %d\na token    %s\n", url,
			w.production.addr, w.production.process.cmd.Process.Pid, w.development.addr, w.development.process.cmd.Process.Pid,
			w.floor.addr, w.floor.process.cmd.Process.Pid, w.callers[0].token)
		<-ctx.Done()
		return t, nil
	}
	return b.measureAll(ctx, w, users)
}

// folder is where PostgreSQL keeps so many users; there is a server for each number of them.
func (b *runner) folder(users int) string {
	return filepath.Join(b.data, fmt.Sprintf("v%d-%d", fillVersion, users))
}

// fill makes the database of so many users where there is none yet.
func (b *runner) fill(ctx context.Context, users int) error {
	filled := filepath.Join(b.folder(users), "filled") // there only once all is
	if _, err := os.Stat(filled); err == nil {
		return nil
	}
	if err := os.RemoveAll(b.folder(users)); err != nil {
		return err
	}
	data, err := parseKey(b.dataKey)
	if err != nil {
		return err
	}
	began := time.Now()
	b.log("filling: %d users, %d orders; kept for the next run in %s", users, users/buyerEvery*ordersPerBuyer, b.folder(users))
	pg, err := b.postgres(ctx, users, fillSettings)
	if err != nil {
		return errors.Join(err, pg.stop())
	}
	f := &filler{cluster: pg, users: users, data: data, now: began.UTC().Truncate(time.Second), log: b.log}
	if err := errors.Join(f.fill(ctx, b.migrate(ctx)), pg.stop()); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	exec.CommandContext(ctx, "sync").Run() // nothing was synced: or the first measurements pay for it
	b.log("filled in %.0f s", time.Since(began).Seconds())
	return os.WriteFile(filled, nil, 0o600)
}

func (b *runner) postgres(ctx context.Context, users int, settings []string) (*cluster, error) {
	return startCluster(ctx, b.folder(users), filepath.Join(b.work, "postgres.log"), settings)
}

func (b *runner) migrate(ctx context.Context) func(url string) error {
	return func(url string) error {
		cmd := exec.CommandContext(ctx, b.binary, "migrate", "up")
		cmd.Dir, cmd.Env = b.work, []string{"APP_ENV=production", "DATABASE_URL=" + url}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("wxpass migrate up: %w\n%s", err, out)
		}
		return nil
	}
}

// target is a server under load.
type target struct {
	name    string
	addr    string
	metrics string // where its count of allocations may be read
	process *process
}

// startTarget starts a server of ours with nothing in its environment but env.
func (b *runner) startTarget(ctx context.Context, name, readyPath, binary string, args []string, env ...string) (*target, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	metrics, err := freePort()
	if err != nil {
		return nil, err
	}
	t := &target{name: name, addr: fmt.Sprintf("127.0.0.1:%d", port), metrics: fmt.Sprintf("127.0.0.1:%d", metrics)}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "ADDR", t.addr)
	}
	cmd := exec.Command(binary, args...)
	cmd.Dir = b.work
	cmd.Env = append(env, "ADDR="+t.addr, "METRICS_ADDR="+t.metrics, "DRAIN_DELAY=0s", "DATA_DIR="+filepath.Join(b.work, name+".data"))
	if t.process, err = start(cmd, filepath.Join(b.work, name+".log"), syscall.SIGTERM); err != nil {
		return nil, err
	}
	err = t.process.await(ctx, func() error {
		_, err := get("http://" + t.addr + readyPath)
		return err
	})
	return t, err
}
