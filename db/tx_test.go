package db_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"wxpass/db"
	"wxpass/db/dbtest"
)

// both runs two transactions at once, each as often as InTx likes. In its first run each waits at meet for the other.
func both(t *testing.T, s *db.Store, do func(tx *db.Store, n int, meet func()) error) (runs int32) {
	t.Helper()
	var (
		wait, met sync.WaitGroup
		count     atomic.Int32
	)
	met.Add(2)
	for n := range 2 {
		wait.Go(func() {
			first := sync.OnceFunc(func() { met.Done(); met.Wait() })
			err := s.InTx(context.Background(), func(tx *db.Store) error {
				count.Add(1)
				return do(tx, n, first)
			})
			if err != nil {
				t.Errorf("transaction %d: %v", n, err)
			}
		})
	}
	wait.Wait()
	return count.Load()
}

func TestTransactionsThatDeadlockBothHappen(t *testing.T) {
	t.Parallel()
	s := dbtest.Open(t, dbtest.Postgres(t), time.Now)
	users := []*db.User{newUser(t, s), newUser(t, s)}
	runs := both(t, s, func(tx *db.Store, n int, meet func()) error {
		if _, err := tx.LockUser(t.Context(), users[n].ID); err != nil {
			return err
		}
		meet()
		if _, err := tx.LockUser(t.Context(), users[1-n].ID); err != nil {
			return err
		}
		return tx.RecordEvent(t.Context(), db.Event{UserID: users[n].ID, Kind: db.EventLogin})
	})
	if runs < 3 { // on a busy machine the winner may lose to the second try of the loser
		t.Errorf("%d runs, want 3 or more: one of two was the deadlock's victim", runs)
	}
	for _, u := range users {
		if events, err := s.Events(t.Context(), u.ID, 10); err != nil || len(events) != 1 {
			t.Errorf("events = %v, %v; want one", events, err)
		}
	}
}

func TestASerializationConflictIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := dbtest.Open(t, dbtest.Postgres(t)+"&default_transaction_isolation=serializable", time.Now)
	user := newUser(t, s)
	runs := both(t, s, func(tx *db.Store, n int, meet func()) error {
		events, err := tx.Events(t.Context(), user.ID, 10)
		if err != nil {
			return err
		}
		meet()
		if len(events) > 0 { // the other's: then there is nothing to add
			return nil
		}
		return tx.RecordEvent(t.Context(), db.Event{UserID: user.ID, Kind: db.EventLogin})
	})
	if events, err := s.Events(t.Context(), user.ID, 10); err != nil || len(events) != 1 || runs != 3 {
		t.Errorf("after %d runs: %v, %v; want one event after 3", runs, events, err)
	}
}

func TestWhatKeepsFailingIsTriedThreeTimes(t *testing.T) {
	t.Parallel()
	s := dbtest.Open(t, dbtest.Postgres(t), time.Now)
	raw := dbtest.Raw(t, dbtest.Postgres(t))
	_, conflict := raw.Exec("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END $$")
	for _, tt := range []struct {
		name string
		err  error
		want int
	}{
		{"serialization failure", conflict, 3},
		{"a refusal of ours", errors.New("refused"), 1},
		{"not found", db.ErrNotFound, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			runs := 0
			err := s.InTx(t.Context(), func(*db.Store) error { runs++; return tt.err })
			if err == nil || runs != tt.want {
				t.Errorf("%v after %d runs, want %d", err, runs, tt.want)
			}
		})
	}
	runs := 0
	gone, cancel := context.WithCancel(t.Context())
	if err := s.InTx(gone, func(*db.Store) error { runs++; cancel(); return conflict }); err == nil || runs != 1 {
		t.Errorf("with the client gone: %v after %d runs, want 1", err, runs)
	}
}

// TestAConnectionLostInATransaction loses it once before the commit and once in it.
func TestAConnectionLostInATransaction(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	s, raw := dbtest.Open(t, url, time.Now), dbtest.Raw(t, url)
	user, runs := newUser(t, s), 0
	err := s.InTx(t.Context(), func(tx *db.Store) error {
		if runs++; runs == 1 {
			endBackends(t, raw)
		}
		return tx.RecordEvent(t.Context(), db.Event{UserID: user.ID, Kind: db.EventLogin})
	})
	if err != nil || runs != 2 {
		t.Errorf("lost before the commit: %v after %d runs, want success after 2", err, runs)
	}
	for _, statement := range []string{
		`CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$`,
		`CREATE CONSTRAINT TRIGGER die AFTER INSERT ON auth_events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()`,
	} {
		if _, err := raw.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	runs = 0
	err = s.InTx(t.Context(), func(tx *db.Store) error {
		runs++
		return tx.RecordEvent(t.Context(), db.Event{UserID: user.ID, Kind: db.EventLogin})
	})
	if err == nil || runs != 1 {
		t.Errorf("lost in the commit: %v after %d runs, want a failure after 1: it may have happened", err, runs)
	}
}

func TestTwoProcessesWriteOneSQLiteFile(t *testing.T) {
	t.Parallel()
	url := dbtest.SQLite(t)
	user := newUser(t, dbtest.Open(t, url, time.Now))
	const writers, each = 8, 25
	var wait sync.WaitGroup
	for n := range 2 {
		s := dbtest.Open(t, url, time.Now) // a pool of its own, as another process has it
		for range writers {
			wait.Go(func() {
				for range each {
					err := s.InTx(t.Context(), func(tx *db.Store) error {
						u, err := tx.LockUser(t.Context(), user.ID) // read and written back: nothing may come between
						if err != nil {
							return err
						}
						more := strings.Repeat("x", 1)
						if u.Nickname != nil {
							more += *u.Nickname
						}
						u.Nickname = &more
						return tx.SaveUser(t.Context(), u)
					})
					if err != nil {
						t.Errorf("handle %d: %v", n, err)
						return
					}
					if _, err := s.CreateAvatar(t.Context(), user.ID, uuid.New(), writers*each*2); err != nil {
						t.Errorf("handle %d: %v", n, err)
						return
					}
				}
			})
		}
	}
	wait.Wait()
	s := dbtest.Open(t, url, time.Now)
	got, err := s.RecordLogin(t.Context(), user.ID)
	if err != nil || got.Nickname == nil || len(*got.Nickname) != 2*writers*each {
		t.Errorf("%v, %v: writes were lost, want %d", got, err, 2*writers*each)
	}
	if n, err := s.CountAvatars(t.Context(), user.ID); err != nil || n != 2*writers*each {
		t.Errorf("%d, %v; want %d", n, err, 2*writers*each)
	}
}
