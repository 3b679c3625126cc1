package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/uptrace/bun/driver/pgdriver"
)

// connector opens connections of pgdriver's, each on a socket we can watch.
type connector struct {
	config     pgdriver.Config
	unprepared bool
	plans      plans
}

func (c *connector) Driver() driver.Driver { return pgdriver.NewDriver() }

// Connect dials and signs in, both within the dial time-out.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.config.DialTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.config.DialTimeout)
		defer cancel()
	}
	var s *socket
	config := c.config // each connection its own, so that each learns its own socket
	config.Dialer = func(ctx context.Context, network, address string) (_ net.Conn, err error) {
		s, err = dial(ctx, network, address)
		return s, err
	}
	made, err := pgdriver.NewConnector(pgdriver.WithConfig(&config)).Connect(ctx)
	if err != nil {
		if s != nil {
			s.Close() // pgdriver leaves it open
		}
		return nil, err
	}
	return &conn{Conn: made.(*pgdriver.Conn), socket: s, plans: &c.plans, unprepared: c.unprepared, statements: statements{era: c.plans.era.Load()}}, nil
}

// conn is a connection of pgdriver's that is given up as soon as it is of no more use: when the server closed it while
// it was idle, when a statement failed in any other way than by the server's refusal, and when the caller of a running
// statement has gone. database/sql then takes another one, and repeats what may be repeated; of that we tell it by
// driver.ErrBadConn.
//
// Giving up closes the socket. pgdriver knows the key of PostgreSQL's cancel request, but keeps it to itself; the server
// sees the closed socket within checkClient and stops the statement.
type conn struct {
	*pgdriver.Conn
	socket *socket
	inTx   bool

	unprepared bool
	plans      *plans // of all connections
	statements statements
}

// ResetSession is called when the connection is taken from the pool.
func (c *conn) ResetSession(ctx context.Context) error {
	if !c.IsValid() || !c.socket.quiet() {
		return driver.ErrBadConn
	}
	return c.Conn.ResetSession(ctx)
}

// IsValid is called when the connection is put back into the pool.
func (c *conn) IsValid() bool { return !c.socket.lost.Load() && c.Conn.IsValid() }

// run makes op end when ctx does. repeatable says that op may be done again on another connection if this one breaks; but
// no part of a transaction is.
func (c *conn) run(ctx context.Context, repeatable bool, op func(context.Context) error) error {
	if !c.IsValid() {
		return driver.ErrBadConn
	}
	stop := context.AfterFunc(ctx, func() { c.socket.Close() })
	err := op(context.WithoutCancel(ctx)) // one watch over the deadline is enough, and ours says whose it was
	stop()
	if err == nil {
		return nil
	}
	var refusal pgdriver.Error
	if errors.As(err, &refusal) && !fatal(refusal) {
		return err
	}
	c.Close()
	switch timeout := net.Error(nil); {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	case errors.As(err, &timeout) && timeout.Timeout(): // the next one would be as slow
		return err
	case repeatable && !c.inTx:
		return fmt.Errorf("%w: %w", driver.ErrBadConn, err)
	}
	return fmt.Errorf("%w: %w", errLost, err)
}

// fatal reports whether the server ends the connection with this error: it is shutting down, or was told to.
func fatal(refusal pgdriver.Error) bool {
	severity := refusal.Field('V')
	return severity == "FATAL" || severity == "PANIC"
}

// onlyReads reports whether query may be asked again. What writes may have been done although no answer came.
func onlyReads(query string) bool { return strings.HasPrefix(query, "SELECT ") }

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	if len(args) > 0 && !c.unprepared {
		err = c.hot(ctx, query, func(s *stmt) error {
			rows, err = s.QueryContext(ctx, args)
			return err
		})
		return rows, err
	}
	err = c.run(ctx, onlyReads(query), func(ctx context.Context) error {
		rows, err = c.Conn.QueryContext(ctx, query, args)
		return err
	})
	return rows, err
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (res driver.Result, err error) {
	if len(args) > 0 && !c.unprepared {
		err = c.hot(ctx, query, func(s *stmt) error {
			res, err = s.ExecContext(ctx, args)
			return err
		})
		return res, err
	}
	err = c.run(ctx, false, func(ctx context.Context) error {
		res, err = c.Conn.ExecContext(ctx, query, args)
		return err
	})
	return res, err
}

// BeginTx may be repeated: nothing has been done yet.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (begun driver.Tx, err error) {
	err = c.run(ctx, true, func(ctx context.Context) error {
		begun, err = c.Conn.BeginTx(ctx, opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.inTx = true
	return &tx{Tx: begun, conn: c}, nil
}

func (c *conn) Ping(ctx context.Context) error {
	return c.run(ctx, true, func(ctx context.Context) error { return c.Conn.Ping(ctx) })
}

func (c *conn) PrepareContext(ctx context.Context, query string) (prepared driver.Stmt, err error) {
	err = c.run(ctx, true, func(ctx context.Context) error {
		prepared, err = c.Conn.PrepareContext(ctx, query)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &stmt{Stmt: prepared, conn: c, onlyReads: onlyReads(query)}, nil
}

// tx is a transaction of pgdriver's; the connection outlives it.
type tx struct {
	driver.Tx
	conn *conn
}

func (t *tx) Commit() error {
	return t.end(t.Tx.Commit)
}

func (t *tx) Rollback() error {
	return t.end(t.Tx.Rollback)
}

func (t *tx) end(how func() error) error {
	t.conn.inTx = false
	if !t.conn.IsValid() {
		return driver.ErrBadConn
	}
	return how()
}

// stmt is a prepared statement of pgdriver's, which by itself would put a connection that failed back into the pool.
type stmt struct {
	driver.Stmt
	conn      *conn
	onlyReads bool
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = s.conn.run(ctx, s.onlyReads, func(ctx context.Context) error {
		rows, err = s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
		return err
	})
	return rows, err
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (res driver.Result, err error) {
	err = s.conn.run(ctx, false, func(ctx context.Context) error {
		res, err = s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
		return err
	})
	return res, err
}

// Close spares a lost connection the farewell.
func (s *stmt) Close() error {
	if !s.conn.IsValid() {
		return nil
	}
	return s.Stmt.Close()
}
