package db

import (
	"context"
	"database/sql"
)

// turn waits until s may write, and returns what ends its turn. SQLite has one writer at a time and lets all others poll
// for it: whoever came last may be next, and somebody has waited in vain after five seconds. So the writers of this process
// stand in line before they take a connection, of which readers have need meanwhile. PostgreSQL has no turns.
func (s *Store) turn(ctx context.Context) (end func(), err error) {
	if s.turns == nil || s.inTx() { // a transaction has its turn
		return func() {}, nil
	}
	if err := s.turns.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	return func() { s.turns.Release(1) }, nil
}

// statement is a query of Bun's that changes rows.
type statement interface {
	Exec(ctx context.Context, dest ...any) (sql.Result, error)
}

// write does a statement of Bun's when it is its turn.
func (s *Store) write(ctx context.Context, q statement) (sql.Result, error) {
	end, err := s.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return q.Exec(ctx)
}
