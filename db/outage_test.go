package db_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"wxpass/db"
	"wxpass/db/dbtest"
)

// endBackends ends every other connection to the database and returns when they are gone.
func endBackends(t *testing.T, raw *sql.DB) {
	t.Helper()
	const others = `FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`
	conn, err := raw.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) "+others); err != nil {
		t.Fatal(err)
	}
	await(t, conn, "SELECT count(*) = 0 "+others)
}

// await returns when question, asked of the server, is answered with true.
func await(t *testing.T, conn *sql.Conn, question string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var yes bool
		if err := conn.QueryRowContext(t.Context(), question).Scan(&yes); err != nil {
			t.Fatal(err)
		}
		if yes {
			return
		}
	}
	t.Fatalf("it never came to: %s", question)
}

// warm opens n connections of the store's at once.
func warm(t testing.TB, s *db.Store, n int) {
	t.Helper()
	var wait, met sync.WaitGroup
	met.Add(n)
	for range n {
		wait.Go(func() {
			if err := s.InTx(t.Context(), func(*db.Store) error { met.Done(); met.Wait(); return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if got := s.Stats().Idle; got != n {
		t.Fatalf("%d idle connections, want %d", got, n)
	}
}

func TestConnectionsTheServerEndedCostNothing(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	s, raw := dbtest.Open(t, url, time.Now), dbtest.Raw(t, url)
	user := newUser(t, s)
	for what, ask := range map[string]func() error{
		"a read":        func() error { _, err := s.Events(t.Context(), user.ID, 1); return err },
		"a write":       func() error { return s.RecordEvent(t.Context(), db.Event{UserID: user.ID, Kind: db.EventLogin}) },
		"a transaction": func() error { _, err := s.CreateAvatar(t.Context(), user.ID, db.NewID(), 9); return err },
	} {
		warm(t, s, 8)
		endBackends(t, raw)
		for range 8 {
			if err := ask(); err != nil {
				t.Errorf("%s on what was a pool of dead connections: %v", what, err)
			}
		}
	}
}

// blocked runs ask against a table that is locked, lets meanwhile act once ask waits for the lock, and returns what ask
// did after the lock was lifted.
func blocked(t *testing.T, raw *sql.DB, table string, ask func() error, meanwhile func(waiting *sql.Conn)) error {
	t.Helper()
	lock, err := raw.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Rollback()
	if _, err := lock.Exec("LOCK TABLE " + table); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- ask() }()
	conn, err := raw.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	await(t, conn, "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
	meanwhile(conn)
	lock.Rollback()
	return <-done
}

func TestAReadIsAskedAgainAndAWriteIsNot(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	s, raw := dbtest.Open(t, url, time.Now), dbtest.Raw(t, url)
	user := newUser(t, s)
	kill := func(conn *sql.Conn) {
		if _, err := conn.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"); err != nil {
			t.Fatal(err)
		}
	}
	read := func() error { _, err := s.Events(t.Context(), user.ID, 1); return err }
	if err := blocked(t, raw, "auth_events", read, kill); err != nil {
		t.Errorf("a read whose connection was ended: %v", err)
	}
	write := func() error { return s.RecordEvent(t.Context(), db.Event{UserID: user.ID, Kind: db.EventLogin}) }
	if err := write(); err != nil { // prepares it; a statement that dies while it is prepared has done nothing, and may be repeated
		t.Fatal(err)
	}
	if err := blocked(t, raw, "auth_events", write, kill); err == nil {
		t.Error("a write whose connection was ended succeeded: it was repeated, and may have happened twice")
	}
	if err := write(); err != nil {
		t.Errorf("the next write: %v", err)
	}
}

func TestTheStatementOfAClientThatLeftIsStopped(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	s, raw := dbtest.Open(t, url, time.Now), dbtest.Raw(t, url)
	user := newUser(t, s)
	client, leave := context.WithCancel(t.Context())
	asked := make(chan error, 1)
	err := blocked(t, raw, "auth_events", func() error {
		_, err := s.Events(client, user.ID, 1)
		asked <- err
		return err
	}, func(conn *sql.Conn) {
		leave()
		if err := <-asked; !errors.Is(err, context.Canceled) { // the table is still locked
			t.Errorf("the statement ended with %v, want context.Canceled", err)
		}
		await(t, conn, "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
	})
	if err == nil {
		t.Error("the statement of a client that left was answered")
	}
	if _, err := s.Events(t.Context(), user.ID, 1); err != nil {
		t.Errorf("the next statement: %v", err)
	}
}

func TestWaitingForAConnectionEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		s, err := db.Open(db.Options{URL: url, Now: time.Now, MaxConns: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		err = s.InTx(t.Context(), func(*db.Store) error {
			client, leave := context.WithCancel(t.Context())
			defer leave()
			asked := make(chan error, 1)
			go func() {
				_, err := s.Events(client, uuid.Nil, 1)
				asked <- err
			}()
			for s.Stats().WaitCount == 0 {
				runtime.Gosched()
			}
			leave()
			if err := <-asked; !errors.Is(err, context.Canceled) {
				t.Errorf("waiting for the only connection ended with %v, want context.Canceled", err)
			}
			return nil
		})
		if stats := s.Stats(); err != nil || stats.WaitCount != 1 || stats.MaxOpenConnections != 1 {
			t.Errorf("%v, %+v; want one that waited", err, stats)
		}
	})
}

func TestAServerThatStandsStillHoldsNobodyForLong(t *testing.T) {
	t.Parallel()
	server := dbtest.Private(t)
	dbtest.Migrate(t, server.URL("postgres"))
	s, err := db.Open(db.Options{URL: server.URL("postgres"), Now: time.Now, StatementTimeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	user := newUser(t, s)
	sessions := []*db.Session{newSession(t, s, user, time.Now()), newSession(t, s, user, time.Now()), newSession(t, s, user, time.Now()), newSession(t, s, user, time.Now())}
	warm(t, s, 4)
	read := func(n int) error {
		got, err := s.Caller(t.Context(), user.ID, sessions[n%4].ID)
		if err == nil && !got.ExpiresAt.Equal(sessions[n%4].ExpiresAt.UTC().Truncate(time.Microsecond)) {
			t.Errorf("read %d was answered with another session", n)
		}
		return err
	}
	for n := range 4 {
		if err := read(n); err != nil {
			t.Fatal(err)
		}
	}
	resume, err := server.Pause()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var wait sync.WaitGroup
	for n := range 4 {
		wait.Go(func() {
			if err := read(n); err == nil {
				t.Error("a server that stands still answered")
			}
		})
	}
	wait.Wait()
	if took := time.Since(began); took > 12*time.Second {
		t.Errorf("four reads ended after %s, want 3 s", took)
	} else {
		t.Logf("four reads ended after %s", took)
	}
	if err := resume(); err != nil {
		t.Fatal(err)
	}
	for n := range 8 { // the late answers must not be taken for these
		if err := read(n + 1); err != nil {
			t.Errorf("after it went on: %v", err)
		}
	}
}

func TestAFaultyURLIsRefusedWithoutShowingIt(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://user:sesame@host:port/name",
		"postgres://user:ses%ame@host/name",
		"postgres://:sesame@host/name",
		"postgres://user:sesame@host/name?sslmode=sometimes",
		"postgres://user:sesame@host/name?read_timeout=soon",
		"postgres://user:sesame@host/name?sslmode=verify-full&sslrootcert=/nowhere",
		"mysql://user:sesame@host/name",
	} {
		s, err := db.Open(db.Options{URL: url, Now: time.Now})
		if err == nil {
			s.Close()
			t.Errorf("%s was taken", url)
		} else if strings.Contains(err.Error(), "sesame") || strings.Contains(err.Error(), "ses%") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}
