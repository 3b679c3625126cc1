// Package db holds the rows and every query on them, on SQLite and on PostgreSQL (and so on Citus) alike.
package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
	"golang.org/x/sync/semaphore"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// ErrNotFound says that no row has the key asked for.
var ErrNotFound = errors.New("db: not found")

// Store answers every question asked of the database. Inside InTx the same methods work in the transaction.
type Store struct {
	db    bun.IDB // the pool, or the transaction
	pool  *bun.DB
	hooks []bun.QueryHook
	clock func() time.Time

	citus   *citus
	callers *callers
	turns   *semaphore.Weighted // of SQLite's writers; nil on PostgreSQL
}

// Options say which database to open, and how.
type Options struct {
	URL string           // postgres://… or sqlite:PATH
	Now func() time.Time // required: the clock every time in a row comes from

	MaxConns         int           // open connections at most; defaults to 16, and 8 for SQLite
	StatementTimeout time.Duration // PostgreSQL ends a statement after it; defaults to 5 s, negative for none
	Unprepared       bool          // for a proxy that gives each transaction another connection: prepare nothing on PostgreSQL
	ConnLife         time.Duration // a PostgreSQL connection is replaced after it; defaults to 30 min
	BatchReads       Batch         // whether callers of concurrent requests are read together; defaults to BatchAuto
	Hooks            []bun.QueryHook
}

// Open prepares the store; it connects when first used. An error names the fault without showing the URL, which may
// hold a password.
func Open(o Options) (*Store, error) {
	var (
		conn    *sql.DB
		dialect schema.Dialect
		turns   *semaphore.Weighted
		err     error
	)
	switch scheme, rest, _ := strings.Cut(o.URL, ":"); scheme {
	case "sqlite":
		dialect, turns = sqlitedialect.New(), semaphore.NewWeighted(1)
		conn, err = openSQLite(strings.TrimPrefix(rest, "//"), o)
	case "postgres", "postgresql":
		dialect = pgdialect.New()
		conn, err = openPostgres(o)
	default:
		err = errors.New("the database URL must begin with sqlite: or postgres://")
	}
	if err != nil {
		return nil, fmt.Errorf("db: open: %w", err)
	}
	bunDB := bun.NewDB(conn, dialect, bun.WithDiscardUnknownColumns())
	for _, hook := range o.Hooks {
		bunDB = bunDB.WithQueryHook(hook)
	}
	s := &Store{db: bunDB, pool: bunDB, hooks: o.Hooks, clock: o.Now, citus: &citus{}, turns: turns}
	s.callers = &callers{batch: o.BatchReads, one: s.caller, all: s.readCallers, now: s.clock}
	return s, nil
}

// within is the store inside a transaction.
func (s *Store) within(tx bun.Tx) *Store {
	inside := *s
	inside.db = tx
	return &inside
}

// now is the time as rows keep it.
func (s *Store) now() time.Time { return stamp(s.clock()) }

// stamp is t as rows keep it: to the microsecond, as PostgreSQL does, in UTC; SQLite compares times as texts.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// openSQLite opens the file at path, making its folder. Every transaction takes the write lock at its start, because
// one that reads first and writes later cannot wait for the lock and fails instead.
func openSQLite(path string, o Options) (*sql.DB, error) {
	if path == "" || strings.ContainsAny(path, "?#%") || strings.HasPrefix(path, ":") || strings.HasPrefix(path, "file:") {
		return nil, errors.New("sqlite: wants the plain path of a file, without '?', '#' or '%'")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // nobody else's to read
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	conn, err := sql.Open("sqlite", "file:"+path+
		"?_txlock=immediate&_time_format=sqlite&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)")
	if err != nil {
		return nil, err
	}
	size := cmp.Or(o.MaxConns, 8)
	conn.SetMaxOpenConns(size)
	conn.SetMaxIdleConns(size)
	return conn, nil
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return wrap("ping", s.db.NewRaw("SELECT 1").Scan(ctx, &one))
}

// Stats tells how the connections are used.
func (s *Store) Stats() sql.DBStats { return s.pool.DB.Stats() }

// Close gives all connections back.
func (s *Store) Close() error { return s.pool.Close() }

// NewID returns a fresh id: a UUIDv7, so that ids sort by the time they were made.
func NewID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// wrap adds what was being done to err, and makes an absent row ErrNotFound.
func wrap(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		err = ErrNotFound
	}
	return fmt.Errorf("db: %s: %w", doing, err)
}

// affected reports how many rows a statement changed.
func affected(doing string, res sql.Result, err error) (int, error) {
	if err != nil {
		return 0, wrap(doing, err)
	}
	n, err := res.RowsAffected()
	return int(n), wrap(doing, err)
}
