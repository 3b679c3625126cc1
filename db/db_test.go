package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"wxpass/db"
	"wxpass/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// each runs test on a fresh store on each engine, with a clock it can move.
func each(t *testing.T, test func(t *testing.T, s *db.Store, clock *dbtest.Clock)) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		clock := dbtest.NewClock()
		test(t, dbtest.Open(t, url, clock.Now), clock)
	})
}

func newUser(t testing.TB, s *db.Store) *db.User {
	t.Helper()
	user := &db.User{ID: db.NewID(), AppID: "app"}
	if created, err := s.CreateUser(t.Context(), user); err != nil || !created {
		t.Fatalf("CreateUser = %v, %v", created, err)
	}
	return user
}

func newSession(t testing.TB, s *db.Store, user *db.User, expiresAt time.Time) *db.Session {
	t.Helper()
	session := &db.Session{UserID: user.ID, ID: db.NewID(), AppID: "app", ExpiresAt: expiresAt}
	if err := s.CreateSession(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	return session
}

func TestOneIdentityLeadsToOneUser(t *testing.T) {
	each(t, func(t *testing.T, s *db.Store, _ *dbtest.Clock) {
		id := db.OpenIDIdentity("app", "openid-1")
		if _, err := s.IdentityOwner(t.Context(), id); !errors.Is(err, db.ErrNotFound) {
			t.Fatalf("owner before any claim: %v, want ErrNotFound", err)
		}
		owners := make(chan uuid.UUID, 20)
		for range cap(owners) {
			go func() {
				owner, err := s.ClaimIdentity(context.Background(), id, db.NewID())
				if err != nil {
					t.Error(err)
				}
				owners <- owner
			}()
		}
		first := <-owners
		for range cap(owners) - 1 {
			if got := <-owners; got != first {
				t.Errorf("claims lead to %v and to %v", first, got)
			}
		}
		elsewhere, err := s.ClaimIdentity(t.Context(), db.OpenIDIdentity("other app", "openid-1"), db.NewID())
		if err != nil || elsewhere == first {
			t.Errorf("the same openid in another app: %v, %v; want another user", elsewhere, err)
		}
		if err := s.ReleaseIdentity(t.Context(), id, elsewhere); err != nil {
			t.Fatal(err)
		}
		if got, err := s.IdentityOwner(t.Context(), id); err != nil || got != first {
			t.Errorf("released by somebody else: %v, %v; want it to stand", got, err)
		}
		if err := s.ReleaseIdentity(t.Context(), id, first); err != nil {
			t.Fatal(err)
		}
		if _, err := s.IdentityOwner(t.Context(), id); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("released by its owner: %v, want ErrNotFound", err)
		}
	})
}

func TestCallerIsLoadedWithItsUser(t *testing.T) {
	each(t, func(t *testing.T, s *db.Store, clock *dbtest.Clock) {
		user := newUser(t, s)
		session := newSession(t, s, user, clock.Now().Add(time.Hour))
		got, err := s.Caller(t.Context(), user.ID, session.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.User == nil || got.User.ID != user.ID || !got.ExpiresAt.Equal(session.ExpiresAt) || !got.RevokedAt.IsZero() {
			t.Errorf("caller = %+v, user %+v", got, got.User)
		}
		if !got.User.CreatedAt.Equal(user.CreatedAt) {
			t.Errorf("created at %v, want %v", got.User.CreatedAt, user.CreatedAt)
		}
		if _, err := s.Caller(t.Context(), newUser(t, s).ID, session.ID); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("another user's session: %v, want ErrNotFound", err)
		}
	})
}

func TestRevokingEndsLiveSessionsOnly(t *testing.T) {
	each(t, func(t *testing.T, s *db.Store, clock *dbtest.Clock) {
		user, stranger := newUser(t, s), newUser(t, s)
		kept := newSession(t, s, user, clock.Now().Add(time.Hour))
		newSession(t, s, user, clock.Now().Add(time.Hour))
		newSession(t, s, user, clock.Now().Add(time.Minute)) // runs out below
		theirs := newSession(t, s, stranger, clock.Now().Add(time.Hour))
		clock.Advance(2 * time.Minute)

		if n, err := s.RevokeOtherSessions(t.Context(), user.ID, kept.ID); err != nil || n != 1 {
			t.Errorf("RevokeOtherSessions = %d, %v; want 1", n, err)
		}
		if live, err := s.Sessions(t.Context(), user.ID); err != nil || len(live) != 1 || live[0].ID != kept.ID {
			t.Errorf("live = %v, %v; want the kept one", live, err)
		}
		if n, err := s.RevokeSession(t.Context(), user.ID, theirs.ID); err != nil || n != 0 {
			t.Errorf("revoking a stranger's session = %d, %v; want 0", n, err)
		}
		if n, err := s.RevokeSessions(t.Context(), user.ID); err != nil || n != 1 {
			t.Errorf("RevokeSessions = %d, %v; want 1", n, err)
		}
		if err := s.ExtendSession(t.Context(), user.ID, kept.ID, clock.Now().Add(time.Hour)); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("extending a revoked session: %v, want ErrNotFound", err)
		}
		if live, err := s.Sessions(t.Context(), stranger.ID); err != nil || len(live) != 1 {
			t.Errorf("the stranger's sessions = %v, %v; want 1", live, err)
		}
		clock.Advance(time.Hour)
		if err := s.DeleteEndedSessions(t.Context(), user.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Caller(t.Context(), user.ID, kept.ID); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("an ended session after the clean-up: %v, want ErrNotFound", err)
		}
	})
}

func TestTheLaterSessionKeyCounts(t *testing.T) {
	each(t, func(t *testing.T, s *db.Store, clock *dbtest.Clock) {
		user := newUser(t, s)
		start := clock.Now()
		save := func(name string, at time.Duration) {
			t.Helper()
			key := &db.SessionKey{UserID: user.ID, AppID: "app", OpenID: "o", Sealed: []byte("sealed " + name), Fingerprint: []byte(name), ExchangedAt: start.Add(at)}
			if err := s.SaveSessionKey(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		want := func(current, previous string) {
			t.Helper()
			got, err := s.SessionKey(t.Context(), user.ID, "app")
			if err != nil || string(got.Sealed) != current || string(got.PreviousSealed) != previous {
				t.Errorf("keys = %q, %q, %v; want %q, %q", got.Sealed, got.PreviousSealed, err, current, previous)
			}
		}
		save("a", 0)
		want("sealed a", "")
		save("b", 10*time.Second)
		want("sealed b", "sealed a")
		save("late", 5*time.Second) // exchanged before b, arrives after it
		want("sealed b", "sealed a")
		save("b", 20*time.Second) // WeChat gave the same key again
		want("sealed b", "sealed a")
		save("c", 30*time.Second)
		want("sealed c", "sealed b")
		if got, err := s.SessionKey(t.Context(), user.ID, "app"); err != nil || !got.ReplacedAt.Equal(start.Add(30*time.Second)) {
			t.Errorf("replaced at %v, %v", got.ReplacedAt, err)
		}
		if _, err := s.SessionKey(t.Context(), user.ID, "other app"); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("key in another app: %v, want ErrNotFound", err)
		}
	})
}

func TestATransactionIsAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, s *db.Store, _ *dbtest.Clock) {
		broken := errors.New("broken")
		user := &db.User{ID: db.NewID(), AppID: "app"}
		err := s.InTx(t.Context(), func(tx *db.Store) error {
			if _, err := tx.CreateUser(t.Context(), user); err != nil {
				return err
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Fatalf("InTx = %v", err)
		}
		if _, err := s.RecordLogin(t.Context(), user.ID); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("user after a rollback: %v, want ErrNotFound", err)
		}
	})
}

func TestMigrationsGoUpAndDownAndUp(t *testing.T) {
	each(t, func(t *testing.T, s *db.Store, _ *dbtest.Clock) {
		pending := func() int {
			t.Helper()
			list, err := s.Pending(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		all, err := s.Migrations(t.Context())
		if err != nil || len(all) == 0 || pending() != 0 {
			t.Fatalf("fresh test database: %v, %v, %d pending", all, err, pending())
		}
		if undone, err := s.Rollback(t.Context(), time.Minute); err != nil || len(undone) != len(all) || pending() != len(all) {
			t.Errorf("Rollback = %v, %v, %d pending", undone, err, pending())
		}
		if undone, err := s.Rollback(t.Context(), time.Minute); err != nil || len(undone) != 0 {
			t.Errorf("Rollback of nothing = %v, %v", undone, err)
		}
		if done, err := s.Migrate(t.Context(), time.Minute); err != nil || len(done) != len(all) || pending() != 0 {
			t.Errorf("Migrate = %v, %v, %d pending", done, err, pending())
		}
		if done, err := s.Migrate(t.Context(), time.Minute); err != nil || len(done) != 0 {
			t.Errorf("Migrate of nothing = %v, %v", done, err)
		}
		newUser(t, s)
	})
}

func TestOneProcessMigratesAtATime(t *testing.T) {
	each(t, func(t *testing.T, s *db.Store, _ *dbtest.Clock) {
		if _, err := s.Rollback(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		applied := make(chan int, 4)
		for range cap(applied) {
			go func() {
				done, err := s.Migrate(context.Background(), time.Minute)
				if err != nil {
					t.Error(err)
				}
				applied <- len(done)
			}()
		}
		winners := 0
		for range cap(applied) {
			if <-applied > 0 {
				winners++
			}
		}
		if winners != 1 {
			t.Errorf("%d processes applied the migrations, want 1", winners)
		}
	})
}

func TestAvatarsNobodyTookAreForgotten(t *testing.T) {
	each(t, func(t *testing.T, s *db.Store, _ *dbtest.Clock) {
		user := newUser(t, s)
		ids := []uuid.UUID{db.NewID(), db.NewID(), db.NewID()}
		for i, id := range ids {
			if ok, err := s.CreateAvatar(t.Context(), user.ID, id, 2); err != nil || ok != (i < 2) {
				t.Errorf("upload %d: %v, %v; want two taken", i, ok, err)
			}
		}
		if own, err := s.HasAvatar(t.Context(), newUser(t, s).ID, ids[0]); err != nil || own {
			t.Errorf("somebody else has it too: %v, %v", own, err)
		}
		user.AvatarID = ids[0]
		if err := s.SaveUser(t.Context(), user); err != nil {
			t.Fatal(err)
		}
		foreign := db.NewID() // of another database that shares the folder
		used, err := s.AvatarsToKeep(t.Context(), append(ids[:2:2], foreign))
		if err != nil || len(used) != 2 || used[0] != ids[0] || used[1] != foreign {
			t.Errorf("kept: %v, %v; want the first and the foreign one", used, err)
		}
		if left, err := s.Avatars(t.Context(), user.ID); err != nil || len(left) != 1 || left[0] != ids[0] {
			t.Errorf("left: %v, %v; want the first", left, err)
		}
	})
}

func TestADeletedAccountIsGivenNothingMore(t *testing.T) {
	each(t, func(t *testing.T, s *db.Store, _ *dbtest.Clock) {
		user := newUser(t, s)
		remark := "an address"
		order := func(key string) (bool, error) {
			o := &db.Order{UserID: user.ID, ID: db.NewID(), AppID: "app", OrderNo: "20260101_" + key, Status: db.OrderPending, Remark: &remark, IdempotencyKey: key, ContentHash: []byte{1}}
			return s.CreateOrder(t.Context(), o, []*db.OrderItem{{UserID: user.ID, OrderID: o.ID, LineNo: 1, SKU: "s", Title: "t", Quantity: 1}})
		}
		if created, err := order("101"); err != nil || !created {
			t.Fatal(created, err)
		}
		if err := s.InTx(t.Context(), func(tx *db.Store) error { return tx.EraseUser(t.Context(), user.ID) }); err != nil {
			t.Fatal(err)
		}
		if created, err := order("102"); !errors.Is(err, db.ErrNotFound) || created {
			t.Errorf("an order: %v, %v; want ErrNotFound", created, err)
		}
		if created, err := s.CreateAvatar(t.Context(), user.ID, db.NewID(), 50); !errors.Is(err, db.ErrNotFound) || created {
			t.Errorf("an upload: %v, %v; want ErrNotFound", created, err)
		}
		if err := s.SetUnionID(t.Context(), user.ID, "u-1"); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("a unionid: %v, want ErrNotFound", err)
		}
		kept, err := s.OrderByNumber(t.Context(), user.ID, "20260101_101")
		if err != nil || kept.Remark != nil {
			t.Errorf("the order it had: %+v, %v; want it kept, without what the user wrote", kept, err)
		}
	})
}
