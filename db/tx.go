package db

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/driver/pgdriver"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	txTries = 3
	txPause = 20 * time.Millisecond // before the second try, at most; twice that before the third
)

// errLost says that the connection broke under a statement.
var errLost = errors.New("the connection to the database was lost")

// InTx runs fn in a transaction: committed when fn returns nil, else rolled back. Nothing but the database is to be
// waited for inside.
//
// A transaction that the database gave up for another one's sake (a deadlock, a serialization failure, SQLite's write
// lock that was not to be had), or whose connection broke before the commit, has done nothing and is tried again, a few
// times. So fn may run more than once: what it sets outside itself it must set anew each time. A commit whose answer was
// lost is not repeated, for it may have happened.
func (s *Store) InTx(ctx context.Context, fn func(tx *Store) error) error {
	if s.inTx() { // only the outermost one can be tried again
		return s.db.RunInTx(ctx, nil, func(_ context.Context, tx bun.Tx) error { return fn(s.within(tx)) })
	}
	for try := 1; ; try++ {
		again, err := s.tryTx(ctx, fn)
		if !again || try == txTries || !sleep(ctx, rand.N(txPause<<(try-1))) {
			return err
		}
	}
}

// tryTx runs fn in a transaction and reports whether it is worth another try: it failed, surely, and may not fail again.
func (s *Store) tryTx(ctx context.Context, fn func(tx *Store) error) (again bool, err error) {
	end, err := s.turn(ctx)
	if err != nil {
		return false, err
	}
	defer end()
	tx, err := s.pool.BeginTx(ctx, nil)
	if err != nil {
		return gaveUp(err), err
	}
	ended := false
	defer func() {
		if !ended { // fn failed, or panicked
			tx.Rollback()
		}
	}()
	if err := fn(s.within(tx)); err != nil {
		return gaveUp(err) || errors.Is(err, errLost), err
	}
	ended = true
	err = tx.Commit()
	return gaveUp(err), err
}

// gaveUp reports whether the database undid a transaction for another one's sake, or a migration's.
func gaveUp(err error) bool {
	if outdated(err) {
		return true
	}
	var postgres pgdriver.Error
	if errors.As(err, &postgres) {
		code := postgres.Field('C')
		return code == "40001" || code == "40P01" // serialization_failure, deadlock_detected
	}
	var embedded *sqlite.Error
	return errors.As(err, &embedded) && embedded.Code()&0xff == sqlite3.SQLITE_BUSY
}

// sleep waits for d and reports whether ctx lasted that long.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
