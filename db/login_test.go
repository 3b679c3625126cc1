package db_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"wxpass/db"
	"wxpass/db/dbtest"
)

// newLogin is a login of user's with a session key of that name, exchanged then.
func newLogin(user *db.User, key string, at time.Time) db.Login {
	return db.Login{
		Session: &db.Session{UserID: user.ID, ID: db.NewID(), AppID: "app", ExpiresAt: at.Add(time.Hour)},
		Key:     &db.SessionKey{UserID: user.ID, AppID: "app", OpenID: "o", Sealed: []byte("sealed " + key), Fingerprint: []byte(key), ExchangedAt: at},
		Event:   db.Event{UserID: user.ID, Kind: db.EventLogin, AppID: "app", RequestID: "r"},
		Phone:   db.PhoneForm{Subjects: `d\_1:____`, Sealed: []byte("\x03d_1")},
	}
}

// wantLogins checks how many sessions and logins a user has.
func wantLogins(t *testing.T, s *db.Store, user *db.User, sessions, logins int) {
	t.Helper()
	list, err := s.Sessions(t.Context(), user.ID)
	if err != nil || len(list) != sessions {
		t.Errorf("%d sessions, %v; want %d", len(list), err, sessions)
	}
	events, err := s.Events(t.Context(), user.ID, 100)
	if err != nil || len(events) != logins {
		t.Errorf("%d logins on record, %v; want %d", len(events), err, logins)
	}
}

// TestALoginWaitsForWhoChangesTheUser has a login wait for a transaction and checks that it goes by what that leaves.
func TestALoginWaitsForWhoChangesTheUser(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, tx *db.Store, user *db.User)
		want   error
	}{
		{"deletes it", func(t *testing.T, tx *db.Store, user *db.User) {
			if err := tx.EraseUser(t.Context(), user.ID); err != nil {
				t.Fatal(err)
			}
		}, db.ErrNotFound},
		{"binds a number, which the login cannot see claimed", func(t *testing.T, tx *db.Store, user *db.User) {
			bindPhone(t, tx, user, "app", "\x03d_1x", "d_1:abcd")
		}, db.ErrNotFound},
		{"logs in with a later exchange", func(t *testing.T, tx *db.Store, user *db.User) {
			if err := tx.SaveSessionKey(t.Context(), newLogin(user, "later", time.Now().Add(time.Second)).Key); err != nil {
				t.Fatal(err)
			}
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := dbtest.Postgres(t)
			s := dbtest.Open(t, url, time.Now)
			user := newUser(t, s)
			login := newLogin(user, "a", time.Now())
			entered := make(chan error, 1)
			err := s.InTx(t.Context(), func(tx *db.Store) error {
				locked, err := tx.LockUser(t.Context(), user.ID)
				if err != nil {
					return err
				}
				tt.change(t, tx, locked)
				go func() {
					_, err := s.EnterKnown(t.Context(), login)
					entered <- err
				}()
				untilWaiting(t, url)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := <-entered; !errors.Is(err, tt.want) {
				t.Errorf("EnterKnown = %v, want %v", err, tt.want)
			}
			if tt.want != nil {
				wantLogins(t, s, user, 0, 0)
				return
			}
			wantLogins(t, s, user, 1, 1)
			if key, err := s.SessionKey(t.Context(), user.ID, "app"); err != nil || string(key.Fingerprint) != "later" {
				t.Errorf("the key is %q, %v", key.Fingerprint, err)
			}
		})
	}
}

func bindPhone(t *testing.T, s *db.Store, user *db.User, appID, sealed, subjects string) {
	t.Helper()
	user.PhoneSealed, user.PhoneSubjects = []byte(sealed), subjects
	if err := s.SaveUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	for subject := range strings.FieldsSeq(subjects) {
		if _, err := s.ClaimIdentity(t.Context(), db.PhoneIdentity(appID, subject), user.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOneStatementIsForANumberInOrder has numbers that were kept in several ways; newLogin says which is today's.
func TestOneStatementIsForANumberInOrder(t *testing.T) {
	t.Parallel()
	s := dbtest.Open(t, dbtest.Postgres(t), time.Now)
	for _, tt := range []struct {
		name, appID, sealed, subjects string
		want                          error
	}{
		{"in order", "app", "\x03d_1x", "d_1:0001", nil},
		{"under another key", "app", "\x03d_1x", "dx1:0002", db.ErrNotFound},
		{"under another key besides", "app", "\x03d_1x", "d_1:0003 d_2:0003", db.ErrNotFound},
		{"sealed with another key", "app", "\x03d_2x", "d_1:0004", db.ErrNotFound},
		{"claimed in another app", "other", "\x03d_1x", "d_1:0005", db.ErrNotFound},
		{"claimed by another user", "app", "\x03d_1x", "d_1:0001", db.ErrNotFound},
	} {
		user := newUser(t, s)
		bindPhone(t, s, user, tt.appID, tt.sealed, tt.subjects)
		got, err := s.EnterKnown(t.Context(), newLogin(user, "a", time.Now()))
		if !errors.Is(err, tt.want) || err == nil && string(got.PhoneSealed) != tt.sealed {
			t.Errorf("%s: %v, %v; want %v", tt.name, got, err, tt.want)
		}
	}
}

// untilWaiting returns when a statement waits for a lock.
func untilWaiting(t *testing.T, url string) {
	t.Helper()
	raw := dbtest.Raw(t, url)
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		var waiting bool
		err := raw.QueryRow(`SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		if waiting {
			return
		}
	}
	t.Error("the login waits for nothing")
}

// TestALoginOfOneStatementIsAllOrNothing has the last of its parts fail, when the user was answered already.
func TestALoginOfOneStatementIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s := dbtest.Open(t, dbtest.Postgres(t), time.Now)
	user := newUser(t, s)
	login := newLogin(user, "a", time.Now())
	if got, err := s.EnterKnown(t.Context(), login); err != nil || got.ID != user.ID || login.Session.CreatedAt.IsZero() {
		t.Fatal(got, err)
	}
	again := newLogin(user, "b", time.Now())
	again.Session.ID = login.Session.ID
	if got, err := s.EnterKnown(t.Context(), again); err == nil || errors.Is(err, db.ErrNotFound) {
		t.Errorf("a session that is there already: %v, %v", got, err)
	}
	wantLogins(t, s, user, 1, 1)
	if key, err := s.SessionKey(t.Context(), user.ID, "app"); err != nil || string(key.Fingerprint) != "a" {
		t.Errorf("the key is %q, %v", key.Fingerprint, err)
	}
	got, err := s.EnterKnown(t.Context(), newLogin(&db.User{ID: db.NewID()}, "a", time.Now()))
	if !errors.Is(err, db.ErrNotFound) {
		t.Errorf("a user who is not there: %v, %v", got, err)
	}
}

// TestOneStatementIsForPlainPostgreSQLAlone: how callers are read changes nothing.
func TestOneStatementIsForPlainPostgreSQLAlone(t *testing.T) {
	t.Parallel()
	citus := dbtest.Postgres(t)
	dbtest.PlayCitus(t, citus)
	for _, tt := range []struct {
		name, url string
		batch     db.Batch
		want      error
	}{
		{"PostgreSQL", dbtest.Postgres(t), db.BatchOff, nil},
		{"Citus", citus, db.BatchOn, db.ErrNotFound},
		{"SQLite", dbtest.SQLite(t), db.BatchOn, db.ErrNotFound},
	} {
		s, _ := openBatched(t, tt.url, tt.batch)
		user := newUser(t, s)
		if _, err := s.EnterKnown(t.Context(), newLogin(user, "a", time.Now())); !errors.Is(err, tt.want) {
			t.Errorf("%s: EnterKnown = %v, want %v", tt.name, err, tt.want)
		}
		err := s.InTx(t.Context(), func(tx *db.Store) error {
			_, err := tx.EnterKnown(t.Context(), newLogin(user, "a", time.Now()))
			return err
		})
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("%s, in a transaction: EnterKnown = %v, want ErrNotFound", tt.name, err)
		}
	}
}
