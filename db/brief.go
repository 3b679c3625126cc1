package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
)

// maxBadConns is how many dead connections in a row are passed over, as by database/sql itself.
const maxBadConns = 3

// briefly is each for a read by primary key on PostgreSQL, outside a transaction. It takes a connection of the pool and asks
// the driver itself: database/sql starts a goroutine for each query whose ctx can end, which wakes a thread, and checks and
// converts each value once more; each of the two takes a single client's request 5 % longer. conn ends the query all the
// same; only rows that are on their way already are read to their end, within the read time-out.
func (s *Store) briefly(ctx context.Context, query string, args []any, scan func(scanner) error) (err error) {
	ctx, tell := s.observe(ctx, query, args)
	defer func() { tell(err) }()
	for range maxBadConns {
		if err = s.onConn(ctx, query, args, scan); !errors.Is(err, driver.ErrBadConn) {
			break
		}
	}
	return err
}

func (s *Store) onConn(ctx context.Context, query string, args []any, scan func(scanner) error) error {
	values, err := named(args)
	if err != nil {
		return err
	}
	pooled, err := s.pool.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer pooled.Close()
	return pooled.Raw(func(raw any) error {
		rows, err := raw.(*conn).QueryContext(ctx, query, values)
		if err != nil {
			return err
		}
		defer rows.Close()
		r := make(driverRow, len(rows.Columns()))
		for {
			switch err := rows.Next(r); err {
			case nil:
			case io.EOF:
				return nil
			default:
				return err
			}
			if err := scan(r); err != nil {
				return err
			}
		}
	})
}

// named are args as a driver takes them.
func named(args []any) (values []driver.NamedValue, err error) {
	values = make([]driver.NamedValue, len(args))
	for i, arg := range args {
		values[i].Ordinal = i + 1
		if values[i].Value, err = driver.DefaultParameterConverter.ConvertValue(arg); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// driverRow is a row of pgdriver's, whose texts and bytes are nobody else's.
type driverRow []driver.Value

// Scan does what that of sql.Rows does, for the kinds of columns that are read briefly.
func (r driverRow) Scan(dest ...any) error {
	if len(dest) != len(r) {
		return fmt.Errorf("%d columns for %d", len(r), len(dest))
	}
	for i, to := range dest {
		if err := assign(to, r[i]); err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	return nil
}

func assign(to any, value driver.Value) error {
	ok := false
	switch to := to.(type) {
	case sql.Scanner:
		return to.Scan(value)
	case *string:
		*to, ok = value.(string)
	case *int64:
		*to, ok = value.(int64)
	case *[]byte:
		*to, ok = value.([]byte)
		ok = ok || value == nil
	}
	if !ok {
		return fmt.Errorf("%T is no %T", value, to)
	}
	return nil
}
