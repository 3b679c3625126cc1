package dbtest

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

// startPrivate starts a PostgreSQL server of our own on a free loopback port and returns its URL and how to end it. A
// port that was free may be taken before the server has it, when many tests start at once: then another is tried.
func startPrivate() (dsn string, stop func(), err error) {
	for range 5 {
		if dsn, stop, err = tryPrivate(); !errors.Is(err, errEnded) {
			break
		}
	}
	return dsn, stop, err
}

var errEnded = errors.New("it ended at once")

// tryPrivate starts a server, its data in a temporary folder.
//
// A shell holds it: it waits for the end of its standard input, which comes when the test program ends, however it
// ends, and then stops the server. So no server outlives a test program that was killed.
func tryPrivate() (dsn string, stop func(), err error) {
	bin, err := binaries()
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "wxpass-postgres-")
	if err != nil {
		return "", nil, err
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	script := fmt.Sprintf(`exec 3<&0; cd %[1]q && %[2]q/initdb -D data -U wxpass -A trust --no-sync -E UTF8 --locale=C >initdb.log 2>&1 || { cat initdb.log; exit 1; }
%[2]q/postgres -D data -k %[1]q -c listen_addresses=127.0.0.1 -p %[3]d -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=300 >postgres.log 2>&1 </dev/null &
pid=$!
{ read -r _ <&3; kill -INT $pid; } >/dev/null 2>&1 &
wait $pid || { tail -n 3 postgres.log; exit 1; }`, dir, bin, port)

	cmd, err := asOrdinaryUser(dir, script)
	if err != nil {
		return "", nil, err
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	leash, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	stop = func() {
		leash.Close()
		<-ended
		os.RemoveAll(dir)
	}
	dsn = fmt.Sprintf("postgres://wxpass@127.0.0.1:%d/postgres?sslmode=disable", port)
	if err := await(dsn, ended); err != nil {
		stop()
		return "", nil, fmt.Errorf("a private PostgreSQL from %s did not start: %w\n%s", bin, err, out.String())
	}
	return dsn, stop, nil
}

// binaries finds the folder of initdb and postgres, the newest version where there are several.
func binaries() (string, error) {
	candidates, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	for _, pattern := range []string{"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin", "/usr/pgsql-*/bin"} {
		more, _ := filepath.Glob(pattern)
		candidates = append(candidates, more...)
	}
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

// asOrdinaryUser makes the command that runs script; PostgreSQL refuses to run as root, so root becomes another user.
func asOrdinaryUser(dir, script string) (*exec.Cmd, error) {
	if os.Getuid() != 0 {
		return exec.Command("/bin/sh", "-c", script), nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if _, err := user.Lookup(name); err != nil {
			continue
		}
		if err := exec.Command("chown", name, dir).Run(); err != nil {
			return nil, fmt.Errorf("give %s to %s: %w", dir, name, err)
		}
		return exec.Command("su", "-s", "/bin/sh", name, "-c", script), nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// await returns when the server answers, with an error when it ended or a minute passed.
func await(dsn string, ended <-chan struct{}) error {
	conn := sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(dsn)))
	defer conn.Close()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if err = conn.Ping(); err == nil {
			return nil
		}
		select {
		case <-ended:
			return errEnded
		case <-time.After(50 * time.Millisecond):
		}
	}
	return err
}
