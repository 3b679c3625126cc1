// Package db holds the rows and every query on them, on SQLite and on PostgreSQL (and so on Citus) alike.
package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/driver/pgdriver"
	"github.com/uptrace/bun/schema"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// ErrNotFound says that no row has the key asked for.
var ErrNotFound = errors.New("db: not found")

// Store answers every question asked of the database. Inside InTx the same methods work in the transaction.
type Store struct {
	db  bun.IDB
	now func() time.Time // to the microsecond, as PostgreSQL keeps it, in UTC
}

// Options say which database to open, and how.
type Options struct {
	URL string           // postgres://… or sqlite:PATH
	Now func() time.Time // required: the clock every time in a row comes from

	MaxConns         int           // open connections at most; defaults to 16, and 8 for SQLite
	StatementTimeout time.Duration // PostgreSQL ends a statement after it; defaults to 5 s, negative for none
	Hooks            []bun.QueryHook
}

// Open prepares the store; it connects when first used. An error names the fault without showing the URL, which may
// hold a password.
func Open(o Options) (*Store, error) {
	var (
		conn    *sql.DB
		dialect schema.Dialect
		err     error
	)
	switch scheme, rest, _ := strings.Cut(o.URL, ":"); scheme {
	case "sqlite":
		dialect = sqlitedialect.New()
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
	now := func() time.Time { return o.Now().UTC().Truncate(time.Microsecond) }
	return &Store{db: bunDB, now: now}, nil
}

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
		"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)")
	if err != nil {
		return nil, err
	}
	size := cmp.Or(o.MaxConns, 8)
	conn.SetMaxOpenConns(size)
	conn.SetMaxIdleConns(size)
	return conn, nil
}

func openPostgres(o Options) (*sql.DB, error) {
	dsn, err := postgresDSN(o)
	if err != nil {
		return nil, err
	}
	connector, err := pgdriver.NewDriver().OpenConnector(dsn)
	if err != nil {
		return nil, errors.New("the parameters of the postgres:// URL were refused: see sslmode, sslrootcert and the time-outs")
	}
	conn := sql.OpenDB(connector)
	size := cmp.Or(o.MaxConns, 16)
	conn.SetMaxOpenConns(size)
	conn.SetMaxIdleConns(size)
	conn.SetConnMaxIdleTime(5 * time.Minute)
	return conn, nil
}

// postgresDSN fills in what the URL leaves open: TLS that verifies (plain on this machine itself, where there is
// seldom a certificate), and an end to statements whose client is gone, since pgdriver cancels none.
func postgresDSN(o Options) (string, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return "", errors.New("the postgres:// URL does not parse: write special characters of the password as %XX")
	}
	q := u.Query()
	if !q.Has("sslmode") {
		q.Set("sslmode", "verify-full")
		if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || u.Hostname() == "" || ip.IsLoopback() {
			q.Set("sslmode", "disable")
		}
	}
	timeout := cmp.Or(o.StatementTimeout, 5*time.Second)
	if !q.Has("statement_timeout") && timeout > 0 {
		q.Set("statement_timeout", fmt.Sprint(timeout.Milliseconds()))
	}
	if timeout < 0 && !q.Has("read_timeout") {
		q.Set("read_timeout", "24h") // pgdriver takes "none" for "at once"
	}
	if !q.Has("application_name") {
		q.Set("application_name", "wxpass")
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// InTx runs fn in a transaction: committed when fn returns nil, else rolled back. Nothing but the database is to be
// waited for inside.
func (s *Store) InTx(ctx context.Context, fn func(tx *Store) error) error {
	return s.db.RunInTx(ctx, nil, func(_ context.Context, tx bun.Tx) error {
		return fn(&Store{db: tx, now: s.now})
	})
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return wrap("ping", s.db.NewRaw("SELECT 1").Scan(ctx, &one))
}

// Stats tells how the connections are used.
func (s *Store) Stats() sql.DBStats { return s.root().DB.Stats() }

// Close gives all connections back.
func (s *Store) Close() error { return s.root().Close() }

// root is the database outside any transaction.
func (s *Store) root() *bun.DB { return s.db.(*bun.DB) }

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
