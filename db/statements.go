package db

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/uptrace/bun/driver/pgdriver"
)

// statements are those that a connection has prepared, by their text. Each hot statement is prepared the first time a
// connection meets it, so there is nothing to do again after a restart: the new connections begin with none.
//
// Whoever comes with arguments is a hot statement, for Bun writes its arguments into the text. There are some dozens of
// them in the program, so nothing is ever thrown out.
type statements struct {
	known map[string]*stmt
	era   int64 // of the plans in known
}

// plans counts how often the schema was seen to have changed under prepared statements: then every connection has to
// prepare anew, and not to find out for itself.
type plans struct{ era atomic.Int64 }

// prepared returns query as prepared on this connection.
func (c *conn) prepared(ctx context.Context, query string) (*stmt, error) {
	if era := c.plans.era.Load(); c.statements.era != era {
		if _, err := c.ExecContext(ctx, "DEALLOCATE ALL", nil); err != nil {
			return nil, err
		}
		c.statements = statements{era: era}
	}
	if st, ok := c.statements.known[query]; ok {
		return st, nil
	}
	made, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if c.statements.known == nil {
		c.statements.known = map[string]*stmt{}
	}
	st := made.(*stmt)
	c.statements.known[query] = st
	return st, nil
}

// hot does query as a prepared statement. One whose tables a migration has changed since is prepared anew: outside a
// transaction at once, for it has done nothing; a transaction is spoilt by then, and InTx tries it again.
func (c *conn) hot(ctx context.Context, query string, do func(*stmt) error) error {
	era := c.plans.era.Load()
	st, err := c.prepared(ctx, query)
	if err != nil {
		return err
	}
	if err = do(st); err == nil || !outdated(err) {
		return err
	}
	c.plans.era.CompareAndSwap(era, era+1)
	if c.inTx {
		return err
	}
	if st, err = c.prepared(ctx, query); err != nil {
		return err
	}
	return do(st)
}

// outdated reports whether a prepared statement does not fit the schema any more ("cached plan must not change result
// type"), or is not there any more.
func outdated(err error) bool {
	var refusal pgdriver.Error
	if !errors.As(err, &refusal) {
		return false
	}
	code := refusal.Field('C')
	return code == "0A000" || code == "26000" // feature_not_supported, invalid_sql_statement_name
}
