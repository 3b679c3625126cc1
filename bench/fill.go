package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// fillVersion changes whenever what is filled in does, so that no older database is taken for it.
	fillVersion = 1

	// Of the users, a fifth order, and order this often: five orders a user, and pages that are full.
	buyerEvery     = 5
	ordersPerBuyer = 25
	leastUsers     = 100

	benchAppID  = "wxbench0123456789"
	benchSecret = "b3a7c1d95e2f4086a1c4e7b2d9f05386"
)

// database is the name of the one database of a cluster.
const database = "bench"

// filler fills the database of a fresh cluster.
type filler struct {
	cluster *cluster
	users   int
	data    key
	now     time.Time
	log     func(format string, args ...any)
}

func (f *filler) fill(ctx context.Context, migrate func(url string) error) error {
	admin, err := f.cluster.connect(ctx, "postgres")
	if err != nil {
		return err
	}
	defer admin.Close(ctx)
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+database); err != nil {
		return err
	}
	if err := migrate(f.cluster.url(database)); err != nil {
		return err
	}
	return f.load(ctx)
}

func (f *filler) load(ctx context.Context) error {
	conn, err := f.cluster.connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	// Rows are far quicker added without indexes and constraints, which then come back as the migrations made them.
	restore, err := dropConstraints(ctx, conn)
	if err != nil {
		return err
	}
	ids := f.ids()
	if err := f.copyUsers(ctx, conn, ids); err != nil {
		return err
	}
	if err := f.insertRest(ctx, conn, ids); err != nil {
		return err
	}
	for _, statement := range restore {
		began := time.Now()
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
		f.logSlow(began, statement)
	}
	_, err = conn.Exec(ctx, "VACUUM (FREEZE, ANALYZE)")
	return err
}

func (f *filler) logSlow(began time.Time, what string) {
	if took := time.Since(began); took > time.Second {
		f.log("  %6.1fs  %.60s", took.Seconds(), what)
	}
}

// ids are those of the users, who came evenly over the last year.
func (f *filler) ids() []uuid {
	ids := make([]uuid, f.users)
	begin, year := f.now.AddDate(-1, 0, 0).UnixMilli(), int64(365*24*time.Hour/time.Millisecond)
	for i := range ids {
		ids[i] = newUUID(begin + year*int64(i)/int64(f.users))
	}
	return ids
}

// dropConstraints takes off what slows filling down and returns the statements that bring it back, foreign keys last.
func dropConstraints(ctx context.Context, conn *pgx.Conn) (restore []string, err error) {
	for _, find := range []string{
		`SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype = 'f'`,
		`SELECT format('DROP INDEX %I', indexname), indexdef
FROM pg_indexes WHERE schemaname = 'public' AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexname::regclass)`,
		`SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u') AND conrelid::regclass::text NOT LIKE 'bun_%'`,
	} {
		rows, err := conn.Query(ctx, find)
		if err != nil {
			return nil, err
		}
		pairs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (pair [2]string, err error) {
			return pair, row.Scan(&pair[0], &pair[1])
		})
		if err != nil {
			return nil, err
		}
		var found []string
		for _, pair := range pairs {
			if _, err := conn.Exec(ctx, pair[0]); err != nil {
				return nil, err
			}
			found = append(found, pair[1])
		}
		restore = append(found, restore...)
	}
	return restore, nil
}

func (f *filler) copyUsers(ctx context.Context, conn *pgx.Conn, ids []uuid) error {
	sealer, err := f.data.sealer()
	if err != nil {
		return err
	}
	phones, err := f.data.mac("phone")
	if err != nil {
		return err
	}
	prints, err := f.data.mac("session-key")
	if err != nil {
		return err
	}
	p := people{ids: ids, key: f.data, sealer: sealer, phones: phones, fingerprints: prints, now: f.now}
	for _, c := range []struct {
		table   string
		columns []string
		row     func(i int) ([]any, error) // nil for none
	}{
		{"users", []string{"id", "app_id", "open_id", "points", "created_at", "updated_at", "last_login_at", "nickname", "avatar_url", "phone_sealed", "phone_subjects"}, p.user},
		{"user_identities", []string{"subject", "app_id", "kind", "user_id", "created_at"}, p.openID},
		{"user_identities", []string{"subject", "app_id", "kind", "user_id", "created_at"}, p.phone},
		{"wechat_session_keys", []string{"user_id", "app_id", "open_id", "sealed", "fingerprint", "exchanged_at"}, p.sessionKey},
	} {
		began := time.Now()
		i := -1
		next := func() (row []any, err error) {
			for row == nil && err == nil {
				if i++; i == len(ids) {
					return nil, nil
				}
				row, err = c.row(i)
			}
			return row, err
		}
		if _, err := conn.CopyFrom(ctx, pgx.Identifier{c.table}, c.columns, pgx.CopyFromFunc(next)); err != nil {
			return fmt.Errorf("copy %s: %w", c.table, err)
		}
		f.logSlow(began, "COPY "+c.table)
	}
	return nil
}
