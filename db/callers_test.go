package db_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"wxpass/db"
	"wxpass/db/dbtest"
)

// counter counts statements.
type counter struct{ n atomic.Int32 }

func (c *counter) BeforeQuery(ctx context.Context, _ *dbtest.QueryEvent) context.Context {
	c.n.Add(1)
	return ctx
}

func (*counter) AfterQuery(context.Context, *dbtest.QueryEvent) {}

// openBatched opens a database with the setting, and counts its statements.
func openBatched(t *testing.T, url string, batch db.Batch) (*db.Store, *counter) {
	t.Helper()
	count := &counter{}
	s, err := db.Open(db.Options{URL: url, Now: time.Now, BatchReads: batch, Hooks: []dbtest.Hook{count}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, count
}

// crowd has many clients read their callers at once, some of whom do not exist and some of whom leave, and returns how
// many stayed.
func crowd(t *testing.T, s *db.Store) int {
	t.Helper()
	var sessions []*db.Session
	for range 20 {
		sessions = append(sessions, newSession(t, s, newUser(t, s), time.Now().Add(time.Hour)))
	}
	var (
		wait   sync.WaitGroup
		stayed atomic.Int32
	)
	for range 48 {
		wait.Go(func() {
			for range 40 {
				want := sessions[rand.N(len(sessions))]
				id, missing := want.ID, rand.N(10) == 0
				if missing {
					id = db.NewID()
				}
				ctx, cancel := context.WithCancel(t.Context())
				leaves := rand.N(5) == 0
				if leaves {
					go cancel()
				} else {
					stayed.Add(1)
				}
				got, err := s.Caller(ctx, want.UserID, id)
				switch {
				case leaves && errors.Is(err, context.Canceled):
				case missing && errors.Is(err, db.ErrNotFound):
				case missing || err != nil:
					t.Errorf("caller (missing: %v): %+v, %v", missing, got, err)
				case got.ID != id || got.UserID != want.UserID || got.User.ID != want.UserID || got.AppID != "app":
					t.Errorf("got %+v of %+v, want session %s", got, got.User, id)
				}
				cancel()
			}
		})
	}
	wait.Wait()
	return int(stayed.Load())
}

func TestConcurrentCallersEachGetTheirOwn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		url      string
		batch    db.Batch
		together bool
	}{
		{"as it comes", dbtest.Postgres(t), "", true},
		{"on", dbtest.Postgres(t), db.BatchOn, true},
		{"off", dbtest.Postgres(t), db.BatchOff, false},
		{"as it comes, on SQLite", dbtest.SQLite(t), db.BatchAuto, false},
		{"on, on SQLite", dbtest.SQLite(t), db.BatchOn, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, count := openBatched(t, tt.url, tt.batch)
			calls := crowd(t, s)
			statements := int(count.n.Load()) - 40 // which made users and sessions
			if together := statements < calls; together != tt.together {
				t.Errorf("%d callers were read by %d statements", calls, statements)
			} else {
				t.Logf("%d callers were read by %d statements", calls, statements)
			}
		})
	}
}

func TestCitusReadsEachCallerByItself(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	dbtest.PlayCitus(t, url)
	s, count := openBatched(t, url, db.BatchAuto)
	if calls, statements := crowd(t, s), int(count.n.Load())-40; statements < calls {
		t.Errorf("%d callers were read by %d statements", calls, statements)
	}
}

// TestARevocationIsSeenByTheNextCall revokes sessions while a crowd reads the very same ones all the time: what was read
// for somebody who asked before the revocation must not be given to one who asks after it.
func TestARevocationIsSeenByTheNextCall(t *testing.T) {
	t.Parallel()
	s, _ := openBatched(t, dbtest.Postgres(t), db.BatchOn)
	user := newUser(t, s)
	busy, stop := context.WithCancel(t.Context())
	var others, wait sync.WaitGroup
	var current [8]atomic.Value // the session each of those below is about
	for i := range current {
		current[i].Store(uuid.Nil)
	}
	for n := range 16 {
		others.Go(func() {
			for busy.Err() == nil {
				s.Caller(busy, user.ID, current[n%8].Load().(uuid.UUID))
			}
		})
	}
	for n := range current {
		wait.Go(func() {
			for range 40 {
				session := newSession(t, s, user, time.Now().Add(time.Hour))
				current[n].Store(session.ID)
				if got, err := s.Caller(t.Context(), user.ID, session.ID); err != nil || !got.RevokedAt.IsZero() {
					t.Errorf("a fresh session: %+v, %v", got, err)
				}
				if n, err := s.RevokeSession(t.Context(), user.ID, session.ID); err != nil || n != 1 {
					t.Errorf("RevokeSession = %d, %v", n, err)
				}
				if got, err := s.Caller(t.Context(), user.ID, session.ID); err != nil || got.RevokedAt.IsZero() {
					t.Errorf("a revoked session still stands: %+v, %v", got, err)
				}
			}
		})
	}
	wait.Wait()
	stop()
	others.Wait()
}

// TestAFailedStatementFailsThoseInItAlone locks the sessions until the statements under way run out of time.
func TestAFailedStatementFailsThoseInItAlone(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	s, err := db.Open(db.Options{URL: url, Now: time.Now, BatchReads: db.BatchOn, StatementTimeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	user := newUser(t, s)
	session := newSession(t, s, user, time.Now().Add(time.Hour))
	lock, err := dbtest.Raw(t, url).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Rollback()
	if _, err := lock.Exec("LOCK TABLE sessions"); err != nil {
		t.Fatal(err)
	}
	const crowd = 12
	failed := make(chan error, crowd)
	for range crowd {
		go func() {
			_, err := s.Caller(context.Background(), user.ID, session.ID)
			failed <- err
		}()
	}
	brief, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Caller(brief, user.ID, uuid.Nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one whose time was up: %v", err)
	}
	for range crowd { // at most two rounds of two seconds
		if err := <-failed; err == nil {
			t.Error("a caller was read from a locked table")
		}
	}
	lock.Rollback()
	if got, err := s.Caller(t.Context(), user.ID, session.ID); err != nil || got.User.ID != user.ID {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
}
