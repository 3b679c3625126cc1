package db

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

const (
	defaultStatementTimeout = 5 * time.Second
	defaultConnLife         = 30 * time.Minute

	// readSlack is how much longer than the server's statement time-out we wait for an answer: a server that still runs
	// says by itself that the time is up.
	readSlack = time.Second
	// idleInTransaction ends a transaction whose client fell silent, and frees its locks. Nothing but the database is
	// waited for inside one, so a living client is never that slow.
	idleInTransaction = 10 * time.Second
	// checkClient is how often the server looks whether the client of a running statement is still there. It is what
	// stops the work for a client that has gone: closing the connection is all we do, see conn. A server on Windows has no
	// such check and wants client_connection_check_interval=0 in the URL.
	checkClient = time.Second
)

func openPostgres(o Options) (*sql.DB, error) {
	dsn, err := postgresDSN(o)
	if err != nil {
		return nil, err
	}
	parsed, err := pgdriver.NewDriver().OpenConnector(dsn)
	if err != nil {
		return nil, errors.New("the parameters of the postgres:// URL were refused: see sslmode, sslrootcert and the time-outs")
	}
	conn := sql.OpenDB(&connector{config: *parsed.(*pgdriver.Connector).Config(), unprepared: o.Unprepared})
	size := cmp.Or(o.MaxConns, 16)
	conn.SetMaxOpenConns(size)
	conn.SetMaxIdleConns(size)
	conn.SetConnMaxIdleTime(5 * time.Minute)
	conn.SetConnMaxLifetime(cmp.Or(o.ConnLife, defaultConnLife)) // follows a fail-over, and a proxy that spreads its load anew
	return conn, nil
}

// postgresDSN fills in what the URL leaves open: TLS that verifies (plain on this machine itself, where there is
// seldom a certificate), and an end to whatever would last for ever. There is no lock_timeout: a statement that waits
// for a row ends by its own time-out.
func postgresDSN(o Options) (string, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return "", errors.New("the postgres:// URL does not parse: write special characters of the password as %XX")
	}
	if u.User != nil && u.User.Username() == "" { // pgdriver panics
		return "", errors.New("the postgres:// URL has no user: postgres://user:password@host/name")
	}
	q := u.Query()
	setDefault := func(name, value string) {
		if !q.Has(name) {
			q.Set(name, value)
		}
	}
	ip := net.ParseIP(u.Hostname())
	if u.Hostname() == "localhost" || u.Hostname() == "" || ip.IsLoopback() {
		setDefault("sslmode", "disable")
	}
	setDefault("sslmode", "verify-full")
	if timeout := cmp.Or(o.StatementTimeout, defaultStatementTimeout); timeout > 0 {
		setDefault("statement_timeout", milliseconds(timeout))
	}
	if !q.Has("timeout") {
		setDefault("read_timeout", readTimeout(q.Get("statement_timeout")).String())
	}
	setDefault("idle_in_transaction_session_timeout", milliseconds(idleInTransaction))
	setDefault("client_connection_check_interval", milliseconds(checkClient))
	// What is prepared are lookups by key, whose plan does not depend on the key. Left to itself PostgreSQL plans the one for
	// many callers anew each time when it met short lists first, which takes longer than the lookups.
	setDefault("plan_cache_mode", "force_generic_plan")
	setDefault("application_name", "wxpass")
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// readTimeout is how long an answer may take when the server ends statements after statementTimeout, written as
// PostgreSQL takes it. pgdriver takes "none" for "at once", so a day stands for it.
func readTimeout(statementTimeout string) time.Duration {
	d, err := time.ParseDuration(statementTimeout)
	if n, numErr := strconv.Atoi(statementTimeout); numErr == nil {
		d, err = time.Duration(n)*time.Millisecond, nil
	}
	if err != nil || d <= 0 {
		return 24 * time.Hour
	}
	return d + readSlack
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
