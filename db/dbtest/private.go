package dbtest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"testing"
)

// Server is a PostgreSQL of our own on a loopback port, its data in a temporary folder.
type Server struct {
	dir, bin string
	port     int
	leash    io.Closer // see hold
	released chan struct{}
}

// Private starts a server for this test alone, so that the test may stop it and start it again. Where no server can be
// started the test is skipped; with CI=true it fails, unless CI gave us a server of its own, which is nobody's to stop.
func Private(t testing.TB) *Server {
	t.Helper()
	s, err := newServer()
	switch {
	case err == nil:
		t.Cleanup(s.remove)
	case os.Getenv("CI") == "true" && os.Getenv("TEST_DATABASE_URL") == "":
		t.Fatalf("no PostgreSQL to stop and start: %v", err)
	default:
		t.Skipf("no PostgreSQL to stop and start: %v", err)
	}
	return s
}

// newServer makes a server and starts it. A port that was free may be taken before the server has it, when many tests
// start at once: then another is tried.
func newServer() (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "wxpass-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, released: make(chan struct{})}
	if err = s.run("initdb -D data -U wxpass -A trust --no-sync -E UTF8 --locale=C"); err == nil {
		err = s.hold()
	}
	for try := 0; s.leash != nil && try < 5; try++ {
		if s.port, err = freePort(); err != nil {
			break
		}
		if err = s.Start(); err == nil {
			return s, nil
		}
	}
	s.remove()
	return nil, fmt.Errorf("a private PostgreSQL from %s did not start: %w", bin, err)
}

// URL is the address of a database of the server's.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://wxpass@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// Start starts the server and returns when it answers.
func (s *Server) Start() error {
	return s.run(fmt.Sprintf(`pg_ctl -D data -w -t 60 -s -l postgres.log -o "-k '$PWD' -c listen_addresses=127.0.0.1 -p %d `+
		`-c fsync=off -c full_page_writes=off -c max_connections=300" start || { tail -n 3 postgres.log; exit 1; }`, s.port))
}

// Stop stops the server: "fast" ends every transaction and tells the clients, "immediate" is as good as a crash.
func (s *Server) Stop(mode string) error { return s.run("pg_ctl -D data -w -s -m " + mode + " stop") }

// Pause makes every process of the server stand still, with all connections open, until the function it returns is called.
func (s *Server) Pause() (resume func() error, err error) {
	list := `main=$(head -n 1 data/postmaster.pid); all="$main $(ps -A -o pid= -o ppid= | awk -v m=$main '$2 == m {print $1}')"; `
	return func() error { return s.run(list + "kill -CONT $all") }, s.run(list + "kill -STOP $all")
}

// hold sees to it that no server outlives a test program, even one that is killed: a shell waits for the end of its
// standard input, which comes when the test program ends, however it ends.
func (s *Server) hold() error {
	cmd, err := s.command("read -r _; pg_ctl -D data -s -m immediate stop")
	if err != nil {
		return err
	}
	leash, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.leash = leash
	go func() { cmd.Wait(); close(s.released) }()
	return nil
}

// remove ends the server and takes its data away.
func (s *Server) remove() {
	if s.leash != nil {
		s.leash.Close()
		<-s.released
	}
	os.RemoveAll(s.dir)
}

func (s *Server) run(script string) error {
	cmd, err := s.command("{ " + script + "; } >command.log 2>&1") // a file: the server would hold a pipe open
	if err != nil {
		return err
	}
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(filepath.Join(s.dir, "command.log"))
		return fmt.Errorf("%w\n%s", err, said)
	}
	return nil
}

// command runs script in the server's folder, where the server's programs are at hand.
func (s *Server) command(script string) (*exec.Cmd, error) {
	return asOrdinaryUser(s.dir, fmt.Sprintf("cd %q && PATH=%q:$PATH && %s", s.dir, s.bin, script))
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
