package db

import (
	"context"
	"sync/atomic"

	"github.com/uptrace/bun/dialect"
)

// citus is whether a PostgreSQL is a Citus: unknown, yes or no.
type citus struct{ atomic.Int32 }

const (
	unknown = iota
	yes
	no
)

// postgres reports whether the database is a PostgreSQL, Citus or not.
func (s *Store) postgres() bool { return s.pool.Dialect().Name() == dialect.PG }

// plain reports whether the database is a PostgreSQL and no Citus: one server, a round trip away, where a statement may
// touch rows of many users and tables. The server is asked once.
func (s *Store) plain(ctx context.Context) bool {
	if !s.postgres() {
		return false
	}
	if known := s.citus.Load(); known != unknown {
		return known == no
	}
	var found bool
	if err := s.pool.DB.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')").Scan(&found); err != nil {
		return false // the caller's own statement will tell what is wrong
	}
	s.citus.Store(map[bool]int32{true: yes, false: no}[found])
	return !found
}
