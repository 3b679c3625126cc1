// Package dbtest gives each test a database of its own, on each engine.
//
// SQLite needs nothing. A PostgreSQL server is the one TEST_DATABASE_URL names, else a private one started from
// installed binaries for the life of the test program. Where there is neither, that half is skipped with one loud
// line; with CI=true it fails.
package dbtest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/driver/pgdriver"

	"wxpass/db"
)

// Each runs test as a subtest on SQLite and on PostgreSQL, in parallel, each time with the URL of a fresh database
// that is migrated.
func Each(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	for engine, fresh := range map[string]func(testing.TB) string{"sqlite": SQLite, "postgres": Postgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// A Hook sees every statement a store sends; a QueryEvent is what it sees of one.
type (
	Hook       = bun.QueryHook
	QueryEvent = bun.QueryEvent
)

// Open opens the database at url for the length of the test, with the clock given.
func Open(t testing.TB, url string, now func() time.Time, hooks ...Hook) *db.Store {
	t.Helper()
	store, err := db.Open(db.Options{URL: url, Now: now, Hooks: hooks})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return store
}

// Raw opens the database at url without the store, for what no program should do.
func Raw(t testing.TB, url string) *sql.DB {
	t.Helper()
	path, sqlite := strings.CutPrefix(url, "sqlite:")
	if !sqlite {
		conn := sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(url)))
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	conn, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// SQLite returns the URL of a fresh, migrated SQLite database.
func SQLite(t testing.TB) string {
	t.Helper()
	url := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	if err := migrate(url); err != nil {
		t.Fatal(err)
	}
	return url
}

// Postgres returns the URL of a fresh, migrated PostgreSQL database; the test is skipped, or with CI=true fails, when
// there is no server.
func Postgres(t testing.TB) string {
	t.Helper()
	server, err := theServer()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no PostgreSQL to test on: %v", err)
		}
		t.Skip("the PostgreSQL half is not tested")
	}
	name := "wxpass_test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if err := server.exec("CREATE DATABASE " + name + " TEMPLATE " + server.template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("drop test database: %v", err)
		}
	})
	return server.database(name)
}

// PlayCitus makes the PostgreSQL database at url look like a Citus, by a line in its catalog; the test is skipped where that
// is not allowed.
func PlayCitus(t testing.TB, url string) {
	t.Helper()
	conn, err := Raw(t, url).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range []string{
		"SET allow_system_table_mods = on",
		"INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) VALUES (99999, 'citus', 10, 2200, false, '13.2')",
	} {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Skipf("not allowed to play Citus here: %v", err)
		}
	}
}

// Migrate brings the schema of the database at url up to date.
func Migrate(t testing.TB, url string) {
	t.Helper()
	if err := migrate(url); err != nil {
		t.Fatal(err)
	}
}

// Main runs the tests of a package and then stops the private server, if one was started. A package that uses this one
// calls it from its TestMain.
func Main(m *testing.M) {
	code := m.Run()
	stopServer()
	os.Exit(code)
}

// server is a running PostgreSQL with a migrated template in it.
type server struct {
	url      *url.URL // of a database to create others from
	template string
	stop     func()
}

// The one package-level state of the project: one server for all tests of a program, because starting one takes
// seconds, and a test program has no other place that all its tests share.
var (
	startOnce sync.Once
	shared    *server
	startErr  error
)

func theServer() (*server, error) {
	startOnce.Do(func() {
		shared, startErr = start()
		if startErr != nil {
			fmt.Fprintf(os.Stderr, "\n*** PostgreSQL IS NOT TESTED: %v\n*** Install PostgreSQL, or name a server in TEST_DATABASE_URL.\n\n", startErr)
		}
	})
	return shared, startErr
}

func stopServer() {
	startOnce.Do(func() {})
	if shared == nil {
		return
	}
	if err := shared.exec("DROP DATABASE " + shared.template); err != nil {
		fmt.Fprintln(os.Stderr, "drop template database:", err)
	}
	shared.stop()
}

func start() (*server, error) {
	s := &server{template: "wxpass_template_" + strings.ReplaceAll(uuid.NewString(), "-", ""), stop: func() {}}
	named := os.Getenv("TEST_DATABASE_URL")
	if named == "" {
		private, err := newServer()
		if err != nil {
			return nil, err
		}
		named, s.stop = private.URL("postgres"), private.remove
	}
	var err error
	if s.url, err = url.Parse(named); err == nil {
		if err = s.exec("CREATE DATABASE " + s.template); err == nil {
			err = migrate(s.database(s.template))
		}
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) database(name string) string {
	u := *s.url
	u.Path = "/" + name
	return u.String()
}

// exec runs an administrative statement, patiently: databases are made and dropped one after another by the server.
func (s *server) exec(statement string) error {
	conn := sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(s.url.String()), pgdriver.WithReadTimeout(time.Minute)))
	defer conn.Close()
	_, err := conn.Exec(statement)
	return err
}

func migrate(url string) error {
	store, err := db.Open(db.Options{URL: url, Now: time.Now})
	if err != nil {
		return err
	}
	defer store.Close()
	_, err = store.Migrate(context.Background(), time.Minute)
	return err
}
