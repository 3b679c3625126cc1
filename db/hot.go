package db

import (
	"context"
	"database/sql"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// The hot statements, those of nearly every request, are written out with $1, $2, … and go past Bun, which writes the
// arguments into the text, so that nothing can be prepared, and reads rows by reflection. PostgreSQL gets them prepared
// (see statements); SQLite takes the same text. Bun's hooks see them like all others.

// scanner is a row of an answer: database/sql's, or the driver's own.
type scanner interface{ Scan(dest ...any) error }

// each asks query and has scan take each row of the answer.
func (s *Store) each(ctx context.Context, query string, args []any, scan func(scanner) error) (err error) {
	ctx, tell := s.observe(ctx, query, args)
	defer func() { tell(err) }()
	rows, err := s.query(ctx, query, args)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// one is each for a query that answers with one row; where there is none it fails with sql.ErrNoRows.
func (s *Store) one(ctx context.Context, query string, args []any, scan func(scanner) error) error {
	return only(ctx, s.each, query, args, scan)
}

// reader is each or briefly.
type reader func(ctx context.Context, query string, args []any, scan func(scanner) error) error

// only is one with a reader of the caller's choice.
func only(ctx context.Context, read reader, query string, args []any, scan func(scanner) error) error {
	found := false
	err := read(ctx, query, args, func(row scanner) error {
		found = true
		return scan(row)
	})
	if err == nil && !found {
		err = sql.ErrNoRows
	}
	return err
}

// inTx reports whether s works in a transaction.
func (s *Store) inTx() bool {
	_, ok := s.db.(bun.Tx)
	return ok
}

func (s *Store) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	if tx, ok := s.db.(bun.Tx); ok {
		return tx.Tx.QueryContext(ctx, query, args...)
	}
	return s.pool.DB.QueryContext(ctx, query, args...)
}

// scanID reads a UUID without the string that UUID's own Scan makes of each: a fifth of what a page of orders allocates.
type scanID uuid.UUID

// Scan takes what the drivers give.
func (id *scanID) Scan(from any) (err error) {
	switch text := from.(type) {
	case []byte:
		*(*uuid.UUID)(id), err = uuid.ParseBytes(text)
	default:
		err = (*uuid.UUID)(id).Scan(from)
	}
	return err
}

// A list of ids has one of a few lengths, so that there are few statements: the last id fills it up.
const (
	fewListed  = 4
	pageListed = 20
	maxListed  = 100
)

// listed adds ids, maxListed at most, to args and returns the list ($2, $3, …) that stands for them.
func listed(args []any, ids []uuid.UUID) (list string, all []any) {
	length := maxListed
	switch n := len(ids); {
	case n <= fewListed:
		length = fewListed
	case n <= pageListed:
		length = pageListed
	}
	var text strings.Builder
	separator := byte('(')
	for i := range length {
		args = append(args, ids[min(i, len(ids)-1)])
		text.WriteByte(separator)
		text.WriteByte('$')
		text.WriteString(strconv.Itoa(len(args)))
		separator = ','
	}
	text.WriteByte(')')
	return text.String(), args
}

// exec does a hot statement that answers with no rows.
func (s *Store) exec(ctx context.Context, query string, args ...any) (res sql.Result, err error) {
	end, err := s.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	ctx, tell := s.observe(ctx, query, args)
	defer func() { tell(err) }()
	if tx, ok := s.db.(bun.Tx); ok {
		return tx.Tx.ExecContext(ctx, query, args...)
	}
	return s.pool.DB.ExecContext(ctx, query, args...)
}

var placeholder = regexp.MustCompile(`\$[0-9]+`)

// observe tells the hooks of a statement the way Bun does, with the arguments in its text, and returns what tells them
// how it ended.
func (s *Store) observe(ctx context.Context, query string, args []any) (context.Context, func(error)) {
	if len(s.hooks) == 0 {
		return ctx, func(error) {}
	}
	text := placeholder.ReplaceAllStringFunc(query, func(number string) string {
		n, err := strconv.Atoi(number[1:])
		if err != nil || n < 1 || n > len(args) {
			return number
		}
		return string(s.pool.QueryGen().Append(nil, args[n-1]))
	})
	event := &bun.QueryEvent{DB: s.pool, Query: text, QueryTemplate: query, QueryArgs: args, StartTime: s.clock()}
	for _, hook := range s.hooks {
		ctx = hook.BeforeQuery(ctx, event)
	}
	return ctx, func(err error) {
		event.Err = err
		for i := len(s.hooks) - 1; i >= 0; i-- {
			s.hooks[i].AfterQuery(ctx, event)
		}
	}
}
