package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun/dialect"
)

// DistributedTable says how Citus stores a table: by which column, and together with which others.
type DistributedTable struct {
	Table  string
	Column string // empty for a reference table, copied to every node
	Group  string // tables of one group are stored together, so foreign keys among them hold; empty for none
}

// Distribution lists every table in the order Citus needs, parents first. The lint that holds the schema to it on plain
// PostgreSQL reads this list too.
func Distribution() []DistributedTable {
	return []DistributedTable{
		{Table: "users", Column: "id", Group: "user"},
		{Table: "sessions", Column: "user_id", Group: "user"},
		{Table: "wechat_session_keys", Column: "user_id", Group: "user"},
		{Table: "auth_events", Column: "user_id", Group: "user"},
		{Table: "avatars", Column: "user_id", Group: "user"},
		{Table: "orders", Column: "user_id", Group: "user"},
		{Table: "order_items", Column: "user_id", Group: "user"},
		{Table: "order_numbers", Column: "order_no"},
		{Table: "user_identities", Column: "subject"},
		{Table: "wechat_access_tokens", Column: "app_id"},
		{Table: "products"},
	}
}

// ErrNoCitus says that the database is not a Citus coordinator.
var ErrNoCitus = errors.New("the database has no citus extension: run CREATE EXTENSION citus on a Citus coordinator first")

// DistributionStatements are the statements Distribute runs, each safe to repeat. A group is stored together with its
// first table; every other table by itself.
func DistributionStatements() []string {
	var statements []string
	first := map[string]string{}
	for _, d := range Distribution() {
		call := fmt.Sprintf("create_distributed_table('%s', '%s', colocate_with => 'none')", d.Table, d.Column)
		switch {
		case d.Column == "":
			call = fmt.Sprintf("create_reference_table('%s')", d.Table)
		case d.Group != "" && first[d.Group] == "":
			first[d.Group] = d.Table
			call = fmt.Sprintf("create_distributed_table('%s', '%s')", d.Table, d.Column)
		case d.Group != "":
			call = fmt.Sprintf("create_distributed_table('%s', '%s', colocate_with => '%s')", d.Table, d.Column, first[d.Group])
		}
		statements = append(statements, fmt.Sprintf(
			"SELECT %s WHERE NOT EXISTS (SELECT 1 FROM pg_dist_partition WHERE logicalrelid = '%s'::regclass)", call, d.Table))
	}
	return statements
}

// Distribute makes Citus spread the tables over its nodes, and tells of each statement before it is run. It fails with
// ErrNoCitus on anything but Citus.
func (s *Store) Distribute(ctx context.Context, tell func(statement string)) error {
	var found bool
	if s.pool.Dialect().Name() == dialect.PG {
		if err := s.db.NewRaw("SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')").Scan(ctx, &found); err != nil {
			return wrap("look for citus", err)
		}
	}
	if !found {
		return fmt.Errorf("db: distribute: %w", ErrNoCitus)
	}
	for _, statement := range DistributionStatements() {
		tell(statement)
		if _, err := s.db.NewRaw(statement).Exec(ctx); err != nil {
			return wrap("distribute", err)
		}
	}
	return nil
}
