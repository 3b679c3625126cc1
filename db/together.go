package db

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Batch says whether the callers of concurrent requests are read together.
type Batch string

// The choices. SQLite, which has no round trips to save, reads each caller by itself whatever is chosen.
const (
	BatchAuto Batch = "auto" // on PostgreSQL, but not on Citus, where callers live on many shards
	BatchOn   Batch = "on"
	BatchOff  Batch = "off"
)

const (
	// One statement for callers is under way at a time: with two, each reads half as many, and a request costs the server
	// and PostgreSQL 8 us more at 32 connections. But one that takes longer than lateCallers, on a connection that is
	// dead perhaps, is not waited for: another one starts, up to maxCallerReads.
	maxCallerReads = 4
	lateCallers    = 20 * time.Millisecond
	maxTogether    = 64 // callers that one statement reads

	// callersQuery takes two lists of ids in PostgreSQL's notation and says which of them each row is for. It is a lookup
	// in two primary keys for each, planned once for lists of every length.
	callersQuery = `SELECT q.n, ` + callerColumns + ` FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS q (user_id, id, n)
		JOIN sessions AS s ON s.user_id = q.user_id AND s.id = q.id JOIN users ON users.id = s.user_id`
)

// callers reads the callers of concurrent requests together. A request that finds no statement under way reads its own
// caller at once; the others wait, and whenever a statement ends, all that wait by then are read by the next one. So a
// single client waits for nothing, many share the cost of a statement, and nobody is given what was read before they
// asked.
//
// There is no goroutine of its own: the first of those that wait, the leader, does the statement for all.
//
// On two cores shared with PostgreSQL a caller took 19 us at 32 clients by itself and 9 us so, at 128 clients 19 and 5 us.
type callers struct {
	batch Batch
	one   func(ctx context.Context, userID, sessionID uuid.UUID) (*Session, error)
	all   func(ctx context.Context, asks []*ask) error
	now   func() time.Time

	mu      sync.Mutex
	running int
	began   time.Time // of the last statement
	waiting []*ask
}

// ask is a request that waits for its caller.
type ask struct {
	userID, sessionID uuid.UUID

	session *Session
	err     error

	batch chan []*ask   // sent to the leader
	done  chan struct{} // closed when session and err are there
	gone  bool          // guarded by callers.mu: its client has left
}

func (c *callers) read(ctx context.Context, userID, sessionID uuid.UUID) (*Session, error) {
	c.mu.Lock()
	if c.running == 0 {
		c.running, c.began = 1, c.now()
		c.mu.Unlock()
		defer c.next()
		return c.one(ctx, userID, sessionID)
	}
	a := &ask{userID: userID, sessionID: sessionID, err: sql.ErrNoRows, batch: make(chan []*ask, 1), done: make(chan struct{})}
	c.waiting = append(c.waiting, a)
	if c.running < maxCallerReads && c.now().Sub(c.began) > lateCallers {
		c.running++
		c.hand(nil)
	}
	c.mu.Unlock()
	select {
	case <-a.done:
	case batch := <-a.batch:
		c.lead(ctx, batch)
	case <-ctx.Done():
		c.leave(a)
		return nil, ctx.Err()
	}
	return a.session, a.err
}

// lead reads a batch for all in it. The others must not suffer when the leader's client goes.
func (c *callers) lead(ctx context.Context, batch []*ask) {
	defer func() {
		for _, a := range batch {
			close(a.done)
		}
	}()
	defer c.next()
	if len(batch) == 1 {
		batch[0].session, batch[0].err = c.one(ctx, batch[0].userID, batch[0].sessionID)
		return
	}
	if err := c.all(context.WithoutCancel(ctx), batch); err != nil {
		for _, a := range batch {
			a.session, a.err = nil, err
		}
	}
}

// next is called when a statement has ended: another one takes its place while anybody waits.
func (c *callers) next() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hand(nil)
}

// hand gives batch to the first in it that is still there. When there is none, it gives all that wait, up to maxTogether,
// to the first of them; and when nobody waits either, there is one statement less.
func (c *callers) hand(batch []*ask) {
	here := func(a *ask) bool { return !a.gone }
	if i := slices.IndexFunc(batch, here); i >= 0 {
		c.began = c.now()
		batch[i].batch <- batch[i:]
		return
	}
	if len(c.waiting) == 0 {
		c.running--
		return
	}
	n := min(len(c.waiting), maxTogether)
	batch, c.waiting = c.waiting[:n:n], c.waiting[n:]
	c.hand(batch)
}

// leave is for a request whose client has gone: if it was about to lead, another one does.
func (c *callers) leave(a *ask) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a.gone = true
	select {
	case batch := <-a.batch:
		c.hand(batch)
	default:
	}
}

// readCallers fills in asks by one statement. A row that cannot be read fails the one it is for.
func (s *Store) readCallers(ctx context.Context, asks []*ask) error {
	var users, sessions strings.Builder
	for i, a := range asks {
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		users.WriteByte(separator)
		users.WriteString(a.userID.String())
		sessions.WriteByte(separator)
		sessions.WriteString(a.sessionID.String())
	}
	users.WriteByte('}')
	sessions.WriteByte('}')
	return s.briefly(ctx, callersQuery, []any{users.String(), sessions.String()}, func(row scanner) error {
		var n int64
		session, err := scanCaller(row, uuid.Nil, uuid.Nil, &n)
		if n < 1 || n > int64(len(asks)) {
			return err
		}
		a := asks[n-1]
		session.UserID, session.ID = a.userID, a.sessionID
		a.session, a.err = session, err
		return nil
	})
}

// together reports whether callers are read together.
func (s *Store) together(ctx context.Context) bool {
	switch s.callers.batch {
	case BatchOn:
		return s.postgres()
	case BatchOff:
		return false
	}
	return s.plain(ctx)
}
