package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"wxpass/db"
)

type migrateUp struct {
	databaseConfig
	Unlock bool          `help:"First remove the lock of a process that died while migrating. Be sure that it did."`
	Wait   time.Duration `default:"1m" help:"How long to wait for another process that is migrating."`
}

// Run applies pending migrations.
func (c *migrateUp) Run(p *program) error {
	return c.withStore(p, func(store *db.Store) error {
		if c.Unlock {
			if err := store.UnlockMigrations(p.ctx); err != nil {
				return err
			}
		}
		done, err := migrate(p.ctx, c.Wait, store.Migrate)
		return report(p.stdout, "applied", done, err)
	})
}

type migrateDown struct {
	databaseConfig
	Yes  bool          `help:"Needed in production: the data in the tables goes for good."`
	Wait time.Duration `default:"1m" help:"How long to wait for another process that is migrating."`
}

// Run undoes the group applied last.
func (c *migrateDown) Run(p *program) error {
	if c.AppEnv == "production" && !c.Yes {
		return errors.New("APP_ENV is production: this removes tables with all their data; give --yes to go on")
	}
	return c.withStore(p, func(store *db.Store) error {
		undone, err := migrate(p.ctx, c.Wait, store.Rollback)
		return report(p.stdout, "undone", undone, err)
	})
}

// migrate runs do for as long as it takes, but waits for another process for wait only.
func migrate(ctx context.Context, wait time.Duration, do func(context.Context, time.Duration) ([]db.Migration, error)) ([]db.Migration, error) {
	done, err := do(ctx, wait)
	if errors.Is(err, db.ErrMigrationLocked) {
		err = fmt.Errorf("%w: wait for it; if it died, run `wxpass migrate up --unlock`", err)
	}
	return done, err
}

func report(w io.Writer, verb string, list []db.Migration, err error) error {
	if err != nil {
		return err
	}
	for _, m := range list {
		fmt.Fprintln(w, verb, m.Name)
	}
	if len(list) == 0 {
		fmt.Fprintln(w, "nothing to do")
	}
	return nil
}

type migrateStatus struct{ databaseConfig }

// Run lists the migrations.
func (c *migrateStatus) Run(p *program) error {
	return c.withStore(p, func(store *db.Store) error {
		list, err := store.Migrations(p.ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "MIGRATION\tGROUP\tAPPLIED")
		for _, m := range list {
			group, applied := "-", "pending"
			if m.Group != 0 {
				group, applied = fmt.Sprint(m.Group), m.AppliedAt.Format(time.RFC3339)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\n", m.Name, group, applied)
		}
		return table.Flush()
	})
}

type migrateDistribute struct {
	databaseConfig
	DryRun bool `help:"Print the statements and run none of them."`
}

// Run distributes the tables over Citus, saying what it does.
func (c *migrateDistribute) Run(p *program) error {
	if c.DryRun {
		for _, statement := range db.DistributionStatements() {
			fmt.Fprintln(p.stdout, statement+";")
		}
		return nil
	}
	return c.withStore(p, func(store *db.Store) error {
		return store.Distribute(p.ctx, func(statement string) { fmt.Fprintln(p.stdout, statement+";") })
	})
}
