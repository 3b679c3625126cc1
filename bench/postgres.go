package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// What the server is told besides its defaults; synchronous_commit and fsync stay on, as in production.
var (
	productionSettings = []string{"shared_buffers=512MB", "max_wal_size=2GB", "max_connections=100"}
	// A server that is filled may forget everything in a crash: then it is filled anew.
	fillSettings = []string{"shared_buffers=512MB", "max_wal_size=2GB", "fsync=off", "synchronous_commit=off", "full_page_writes=off",
		"wal_level=minimal", "max_wal_senders=0", "autovacuum=off", "maintenance_work_mem=1GB", "work_mem=256MB"}
)

// cluster is a PostgreSQL server of our own.
type cluster struct {
	port    int
	process *process
}

// startCluster starts the server whose data is in dir, making it when there is none.
func startCluster(ctx context.Context, dir, logPath string, settings []string) (*cluster, error) {
	bin, err := postgresBinaries()
	if err != nil {
		return nil, err
	}
	owner, err := ordinaryUser()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "pg")
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); errors.Is(err, os.ErrNotExist) {
		initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "wxpass", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
		initdb.Dir = "/"
		initdb.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
		if out, err := initdb.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("initdb: %w\n%s", err, out)
		}
	}
	c := &cluster{}
	if c.port, err = freePort(); err != nil {
		return nil, err
	}
	args := []string{"-D", data, "-p", strconv.Itoa(c.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	cmd := exec.Command(filepath.Join(bin, "postgres"), args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	if c.process, err = start(cmd, logPath, syscall.SIGINT); err != nil {
		return nil, err
	}
	err = c.process.await(ctx, func() error {
		conn, err := c.connect(ctx, "postgres")
		if err == nil {
			conn.Close(ctx)
		}
		return err
	})
	return c, err
}

func (c *cluster) url(database string) string {
	return fmt.Sprintf("postgres://wxpass@127.0.0.1:%d/%s?sslmode=disable", c.port, database)
}

func (c *cluster) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	return pgx.Connect(ctx, c.url(database))
}

func (c *cluster) stop() error {
	if c == nil {
		return nil
	}
	return c.process.stop()
}

// postgresBinaries finds the folder of initdb and postgres, the newest where there are several.
func postgresBinaries() (string, error) {
	candidates, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if path, err := exec.LookPath("initdb"); err == nil {
		candidates = append(candidates, filepath.Dir(path))
	}
	for i := len(candidates) - 1; i >= 0; i-- {
		if _, err := os.Stat(filepath.Join(candidates[i], "postgres")); err == nil {
			return candidates[i], nil
		}
	}
	return "", errors.New("no PostgreSQL server binaries (initdb, postgres) found")
}

// ordinaryUser is whom root becomes to run PostgreSQL, which refuses root; nil for who is not root.
func ordinaryUser() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses to run as root: %w", err)
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(uidErr, gidErr)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// cpu is what the server's processes have used, those that ended included.
func (c *cluster) cpu() (time.Duration, error) { return familyCPU(c.process.cmd.Process.Pid) }
