package db_test

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"wxpass/db"
	"wxpass/db/dbtest"
)

// wantFilled checks that no field of a row but those named was left as it was made.
func wantFilled(t *testing.T, row any, but ...string) {
	t.Helper()
	v := reflect.ValueOf(row).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name != "BaseModel" && v.Field(i).IsZero() && !strings.Contains(" "+strings.Join(but, " ")+" ", " "+name+" ") {
			t.Errorf("%T.%s was not read", row, name)
		}
	}
}

// TestHotStatementsReadEveryColumn fails when a column is added to a row and not to the statement that reads it by hand.
func TestHotStatementsReadEveryColumn(t *testing.T) {
	each(t, func(t *testing.T, s *db.Store, clock *dbtest.Clock) {
		shop := newShop(t, s, 2)
		nickname := "n"
		user := shop.user
		user.Nickname, user.AvatarID, user.AvatarURL, user.PhoneSealed, user.PhoneSubjects = &nickname, db.NewID(), "https://a.qlogo.cn/", []byte{1}, "s"
		if err := s.SaveUser(t.Context(), user); err != nil {
			t.Fatal(err)
		}
		if err := s.SetUnionID(t.Context(), user.ID, "u"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.RevokeSession(t.Context(), user.ID, shop.session.ID); err != nil {
			t.Fatal(err)
		}
		got, err := s.Caller(t.Context(), user.ID, shop.session.ID)
		if err != nil {
			t.Fatal(err)
		}
		wantFilled(t, got)
		wantFilled(t, got.User, "OpenID", "Points", "DisabledAt", "DeletedAt", // not set through the store
			"UpdatedAt", "LastLoginAt") // not read
		locked, err := s.LockUser(t.Context(), user.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(locked, got.User) {
			t.Errorf("LockUser = %+v, Caller's is %+v", locked, got.User)
		}
		orders, err := s.Orders(t.Context(), user.ID, uuid.Nil, "", 20)
		if err != nil || len(orders) != 20 {
			t.Fatal(len(orders), err)
		}
		wantFilled(t, orders[0], "Remark", "Items")
		items, err := s.OrderItems(t.Context(), user.ID, shop.orders)
		if err != nil || len(items) != 20 || len(items[orders[0].ID]) != 3 {
			t.Fatal(len(items), err)
		}
		wantFilled(t, items[orders[0].ID][0])
		if err := s.SaveProducts(t.Context(), []*db.Product{{SKU: "s", Title: "t", PriceFen: 1}}); err != nil {
			t.Fatal(err)
		}
		products, err := s.Products(t.Context(), uuid.Nil, 1)
		if err != nil || len(products) != 1 {
			t.Fatal(products, err)
		}
		wantFilled(t, products[0])
	})
}

func TestAbsentColumnsAreZero(t *testing.T) {
	each(t, func(t *testing.T, s *db.Store, clock *dbtest.Clock) {
		user := newUser(t, s)
		got, err := s.Caller(t.Context(), user.ID, newSession(t, s, user, clock.Now()).ID)
		if err != nil {
			t.Fatal(err)
		}
		u := got.User
		if !got.RevokedAt.IsZero() || u.Nickname != nil || u.AvatarID != uuid.Nil || u.HasPhone() || u.UnionID != "" || u.Disabled() || u.Deleted() {
			t.Errorf("%+v of %+v", got, u)
		}
	})
}

// TestPagesOfAnyLength asks for lists shorter and longer than those the statements were made for.
func TestPagesOfAnyLength(t *testing.T) {
	each(t, func(t *testing.T, s *db.Store, _ *dbtest.Clock) {
		shop := newShop(t, s, 2)
		strangers := func(n int) (ids []uuid.UUID) {
			for range n {
				ids = append(ids, db.NewID())
			}
			return ids
		}
		for _, n := range []int{0, 1, 4, 5, 20} {
			for _, more := range []int{0, 1, 90, 230} {
				items, err := s.OrderItems(t.Context(), shop.user.ID, append(strangers(more), shop.orders[:n]...))
				if err != nil || len(items) != n {
					t.Errorf("items of %d orders and %d that are not: %d, %v", n, more, len(items), err)
				}
			}
		}
	})
}

// TestAMigrationUnderPreparedStatements changes the type of what they return, which PostgreSQL refuses to the old ones.
func TestAMigrationUnderPreparedStatements(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	s, raw := dbtest.Open(t, url, time.Now), dbtest.Raw(t, url)
	user := newUser(t, s)
	session := newSession(t, s, user, time.Now())
	read := func(s *db.Store) error {
		_, err := s.Caller(t.Context(), user.ID, session.ID)
		return err
	}
	inTx := func() error { return s.InTx(t.Context(), read) }
	for _, tt := range []struct {
		name, kind string
		ask        func() error
	}{
		{"outside a transaction", "varchar(64)", func() error { return read(s) }},
		{"in a transaction", "varchar(128)", inTx},
	} {
		warm(t, s, 8)
		for range 8 { // on each of the eight connections, which are taken in turn by as many transactions at once
			if err := inTx(); err != nil {
				t.Fatal(err)
			}
		}
		both(t, s, func(tx *db.Store, _ int, meet func()) error { meet(); return read(tx) })
		if _, err := raw.Exec("ALTER TABLE sessions ALTER COLUMN app_id TYPE " + tt.kind); err != nil {
			t.Fatal(err)
		}
		both(t, s, func(tx *db.Store, _ int, meet func()) error { meet(); return read(tx) })
		for range 8 {
			if err := tt.ask(); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
	}
}

// TestALoginAfterAMigration does so with the statement that is a login, which is done once all the same.
func TestALoginAfterAMigration(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	s := dbtest.Open(t, url, time.Now)
	user := newUser(t, s)
	for n, kind := range []string{"text", "varchar(64)", "varchar(128)"} {
		if _, err := dbtest.Raw(t, url).Exec("ALTER TABLE users ALTER COLUMN app_id TYPE " + kind); err != nil {
			t.Fatal(err)
		}
		if _, err := s.EnterKnown(t.Context(), newLogin(user, "a", time.Now())); err != nil {
			t.Errorf("app_id is %s: %v", kind, err)
		}
		wantLogins(t, s, user, n+1, n+1)
	}
}

func TestNothingIsPreparedWhereTheSettingSaysSo(t *testing.T) {
	t.Parallel()
	for _, unprepared := range []bool{false, true} {
		url := dbtest.Postgres(t)
		s, err := db.Open(db.Options{URL: url, Now: time.Now, Unprepared: unprepared, MaxConns: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		shop := newShop(t, s, 2)
		bindPhone(t, s, shop.user, "app", "\x03d_1x", "d_1:abcd")
		for range 3 {
			if _, err := s.EnterKnown(t.Context(), newLogin(shop.user, "a", time.Now())); err != nil {
				t.Fatal(err)
			}
			got, err := s.Caller(t.Context(), shop.user.ID, shop.session.ID)
			if err != nil || got.User.ID != shop.user.ID {
				t.Fatal(got, err)
			}
			if items, err := s.OrderItems(t.Context(), shop.user.ID, shop.orders); err != nil || len(items) != 20 {
				t.Fatal(len(items), err)
			}
		}
		var last string // PostgreSQL shows a prepared statement with its placeholders
		err = dbtest.Raw(t, url).QueryRow(`SELECT query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`).Scan(&last)
		if err != nil || strings.Contains(last, "$2") == unprepared {
			t.Errorf("unprepared %v: the server was asked %s, %v", unprepared, last, err)
		}
	}
}

// eventHook keeps what it is told.
type eventHook struct{ begun, ended []dbtest.QueryEvent }

func (h *eventHook) BeforeQuery(ctx context.Context, e *dbtest.QueryEvent) context.Context {
	h.begun = append(h.begun, *e)
	return ctx
}

func (h *eventHook) AfterQuery(_ context.Context, e *dbtest.QueryEvent) {
	h.ended = append(h.ended, *e)
}

func TestHooksSeeHotStatementsAsTheyWouldBunS(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		hook := &eventHook{}
		s := dbtest.Open(t, url, time.Now, hook)
		user := newUser(t, s)
		session := newSession(t, s, user, time.Now())
		*hook = eventHook{}
		if _, err := s.Caller(t.Context(), user.ID, session.ID); err != nil {
			t.Fatal(err)
		}
		if len(hook.begun) != 1 || len(hook.ended) != 1 || hook.ended[0].Operation() != "SELECT" || hook.ended[0].StartTime.IsZero() {
			t.Fatalf("begun %v, ended %v", hook.begun, hook.ended)
		}
		var appID string
		row := dbtest.Raw(t, url).QueryRow(hook.ended[0].Query) // it is a statement one can run
		cols := make([]any, 19)
		for i := range cols {
			cols[i] = new(sql.RawBytes)
		}
		cols[0] = &appID
		if err := row.Scan(cols...); err != nil && !strings.Contains(err.Error(), "RawBytes") {
			t.Errorf("%s: %v", hook.ended[0].Query, err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Caller(gone, user.ID, session.ID); err == nil || !errors.Is(hook.ended[1].Err, context.Canceled) {
			t.Errorf("with the client gone: %v, the hook was told %v", err, hook.ended[1].Err)
		}
	})
}
