package db_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"wxpass/db"
	"wxpass/db/dbtest"
)

// shop is a store with a customer, the last of several: a session, and 20 orders of 3 items.
type shop struct {
	*db.Store
	user    *db.User
	session *db.Session
	orders  []uuid.UUID // newest first
}

func newShop(tb testing.TB, s *db.Store, customers int) *shop {
	tb.Helper()
	var last *shop
	for n := range customers {
		user := newUser(tb, s)
		last = &shop{Store: s, user: user, session: newSession(tb, s, user, time.Now().Add(time.Hour))}
		for i := range 20 {
			o := &db.Order{UserID: user.ID, ID: db.NewID(), AppID: "app", OrderNo: fmt.Sprintf("20260101_1%02d", i), Status: db.OrderPending,
				TotalFen: 4900, IdempotencyKey: fmt.Sprint(i), ContentHash: make([]byte, 32)}
			var items []*db.OrderItem
			for line := range 3 {
				items = append(items, &db.OrderItem{UserID: user.ID, OrderID: o.ID, LineNo: line + 1, SKU: "cup-celadon", Title: "青瓷茶杯", Quantity: n + 1, UnitPriceFen: 4900})
			}
			if created, err := s.CreateOrder(tb.Context(), o, items); err != nil || !created {
				tb.Fatal(created, err)
			}
			last.orders = append([]uuid.UUID{o.ID}, last.orders...)
		}
	}
	return last
}

// bench runs do on PostgreSQL, one at a time and many at once.
func bench(b *testing.B, do func(s *shop) error) {
	for _, parallel := range []int{1, 8, 32, 128} {
		b.Run(fmt.Sprintf("clients=%d", parallel), func(b *testing.B) {
			s := newShop(b, dbtest.Open(b, dbtest.Postgres(b), time.Now), 50)
			b.ReportAllocs()
			if parallel == 1 {
				for b.Loop() {
					if err := do(s); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			warm(b, s.Store, 16)
			b.SetParallelism(parallel / 2)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := do(s); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func BenchmarkCaller(b *testing.B) {
	bench(b, func(s *shop) error {
		_, err := s.Caller(b.Context(), s.user.ID, s.session.ID)
		return err
	})
}

func BenchmarkOrdersPage(b *testing.B) {
	bench(b, func(s *shop) error {
		orders, err := s.Orders(b.Context(), s.user.ID, uuid.Nil, "", 21)
		if err != nil || len(orders) != 20 {
			return fmt.Errorf("%d orders, %w", len(orders), err)
		}
		items, err := s.OrderItems(b.Context(), s.user.ID, s.orders)
		if err != nil || len(items) != 20 || len(items[s.orders[7]]) != 3 {
			return fmt.Errorf("%d orders with items, %w", len(items), err)
		}
		return nil
	})
}

// BenchmarkLogin is what a login of a known user writes.
func BenchmarkLogin(b *testing.B) {
	bench(b, func(s *shop) error {
		_, err := s.EnterKnown(b.Context(), newLogin(s.user, "key", time.Now()))
		return err
	})
}

// BenchmarkLoginInTx is the same where it takes a transaction.
func BenchmarkLoginInTx(b *testing.B) {
	bench(b, func(s *shop) error {
		return s.InTx(b.Context(), func(tx *db.Store) error {
			ctx, now := b.Context(), time.Now()
			user, err := tx.RecordLogin(ctx, s.user.ID)
			if err != nil {
				return err
			}
			key := &db.SessionKey{UserID: user.ID, AppID: "app", OpenID: "o", Sealed: make([]byte, 64), Fingerprint: make([]byte, 32), ExchangedAt: now}
			if err := tx.SaveSessionKey(ctx, key); err != nil {
				return err
			}
			if err := tx.DeleteEndedSessions(ctx, user.ID); err != nil {
				return err
			}
			if err := tx.CreateSession(ctx, &db.Session{UserID: user.ID, ID: db.NewID(), AppID: "app", ExpiresAt: now}); err != nil {
				return err
			}
			return tx.RecordEvent(ctx, db.Event{UserID: user.ID, Kind: db.EventLogin, AppID: "app"})
		})
	})
}
