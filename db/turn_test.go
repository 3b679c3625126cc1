package db_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"wxpass/db"
	"wxpass/db/dbtest"
)

func TestWritersStandInLineAndReadersDoNotOnSQLite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := dbtest.Open(t, dbtest.SQLite(t), time.Now)
		user := newUser(t, s)
		ctx, leave := context.WithCancel(t.Context())
		const writers = 20 // more than there are connections
		left := make(chan error, 2*writers)
		err := s.InTx(t.Context(), func(tx *db.Store) error {
			for range writers {
				go func() {
					left <- s.InTx(ctx, func(tx *db.Store) error { return tx.SaveUser(ctx, user) })
				}()
				go func() {
					_, err := s.RecordLogin(ctx, user.ID)
					left <- err
				}()
			}
			synctest.Wait()
			if got, err := s.Events(t.Context(), user.ID, 1); err != nil || len(got) != 0 {
				t.Errorf("a reader beside waiting writers: %v, %v", got, err)
			}
			if stats := s.Stats(); stats.WaitCount > 0 || len(left) > 0 {
				t.Errorf("%d writers took no turn, %d waited for a connection; want none", len(left), stats.WaitCount)
			}
			leave()
			for range 2 * writers {
				if err := <-left; !errors.Is(err, context.Canceled) {
					t.Errorf("a writer whose caller left: %v, want context.Canceled", err)
				}
			}
			return tx.SaveUser(t.Context(), user)
		})
		if err != nil {
			t.Error(err)
		}
		if _, err := s.RecordLogin(t.Context(), user.ID); err != nil {
			t.Errorf("the next writer: %v", err)
		}
	})
}
