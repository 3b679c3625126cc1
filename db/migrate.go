package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun/migrate"

	"wxpass/migrations"
)

// ErrMigrationLocked says that another process is migrating, or died while it did.
var ErrMigrationLocked = errors.New("another process holds the migration lock")

// Migration is one step of the schema.
type Migration struct {
	Name      string
	AppliedAt time.Time // zero while pending
	Group     int64     // migrations applied together are undone together; 0 while pending
}

// Migrations lists every migration this program knows, oldest first. It only reads: on a database nobody has migrated
// yet, all are pending.
func (s *Store) Migrations(ctx context.Context) ([]Migration, error) {
	m, err := s.migrator()
	if err != nil {
		return nil, err
	}
	found, err := m.MigrationsWithStatus(ctx)
	if err != nil {
		if pingErr := s.Ping(ctx); pingErr != nil {
			return nil, pingErr
		}
		if found, err = s.untouched(ctx, m, err); err != nil {
			return nil, wrap("list migrations", err)
		}
	}
	list := make([]Migration, len(found))
	for i, f := range found {
		list[i] = Migration{Name: f.Name + "_" + f.Comment, AppliedAt: f.MigratedAt, Group: f.GroupID}
	}
	return list, nil
}

// untouched answers for a database without Bun's table: everything known is pending. Any other fault stays one.
func (s *Store) untouched(ctx context.Context, m *migrate.Migrator, fault error) (migrate.MigrationSlice, error) {
	if _, err := s.db.NewRaw("SELECT 1 FROM bun_migrations LIMIT 1").Exec(ctx); err == nil {
		return nil, fault
	}
	known := migrate.NewMigrations()
	if err := known.Discover(migrations.Files); err != nil {
		return nil, err
	}
	return known.Sorted(), nil
}

// Pending lists the migrations not yet applied.
func (s *Store) Pending(ctx context.Context) ([]Migration, error) {
	all, err := s.Migrations(ctx)
	if err != nil {
		return nil, err
	}
	var pending []Migration
	for _, m := range all {
		if m.Group == 0 {
			pending = append(pending, m)
		}
	}
	return pending, nil
}

// Migrate applies every pending migration as one group and returns those it applied. While another process is at it,
// Migrate waits for as long as patience, and then fails with ErrMigrationLocked.
func (s *Store) Migrate(ctx context.Context, patience time.Duration) ([]Migration, error) {
	return s.migrating(ctx, patience, func(m *migrate.Migrator) (*migrate.MigrationGroup, error) { return m.Migrate(ctx) })
}

// Rollback undoes the group applied last and returns its migrations; none when there is none. It waits as Migrate does.
func (s *Store) Rollback(ctx context.Context, patience time.Duration) ([]Migration, error) {
	return s.migrating(ctx, patience, func(m *migrate.Migrator) (*migrate.MigrationGroup, error) { return m.Rollback(ctx) })
}

// UnlockMigrations removes the lock a process left behind that died while migrating.
func (s *Store) UnlockMigrations(ctx context.Context) error {
	m, err := s.migrator()
	if err != nil {
		return err
	}
	return wrap("unlock migrations", errors.Join(m.Init(ctx), m.Unlock(ctx)))
}

func (s *Store) migrating(ctx context.Context, patience time.Duration, do func(*migrate.Migrator) (*migrate.MigrationGroup, error)) (done []Migration, err error) {
	m, err := s.migrator()
	if err != nil {
		return nil, err
	}
	if err := s.lock(ctx, m, patience); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Unlock(context.WithoutCancel(ctx))) }()
	group, err := do(m)
	if err != nil {
		return nil, wrap("migrate", err)
	}
	for _, g := range group.Migrations {
		done = append(done, Migration{Name: g.Name + "_" + g.Comment, Group: group.ID, AppliedAt: s.now()})
	}
	return done, nil
}

// lock takes the migration lock, which is a row in a table of Bun's, and waits while another process has it. Making
// that table is tried again a few times, because two processes that start on an empty database collide in it.
func (s *Store) lock(ctx context.Context, m *migrate.Migrator, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for attempt := 1; ; attempt++ {
		if err := m.Init(ctx); err != nil && attempt > 5 {
			return wrap("prepare migrations", err)
		} else if err == nil {
			if err = m.Lock(ctx); err == nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("db: migrate: %w", ErrMigrationLocked)
		case <-time.After(200 * time.Millisecond):
		}
		if err := s.Ping(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func (s *Store) migrator() (*migrate.Migrator, error) {
	known := migrate.NewMigrations()
	if err := known.Discover(migrations.Files); err != nil {
		return nil, wrap("read migrations", err)
	}
	return migrate.NewMigrator(s.pool, known, migrate.WithMarkAppliedOnSuccess(true)), nil
}
