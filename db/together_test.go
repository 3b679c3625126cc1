package db

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestALeaderThatLeavesIsReplaced has those who wait leave at the very moment it is their turn to ask for all.
func TestALeaderThatLeavesIsReplaced(t *testing.T) {
	t.Parallel()
	newAsk := func() *ask { return &ask{batch: make(chan []*ask, 1), done: make(chan struct{})} }
	a, b, d, late := newAsk(), newAsk(), newAsk(), newAsk()
	c := &callers{running: 2, waiting: []*ask{a, b, d}, now: time.Now}
	c.leave(b) // while it waits
	c.next()
	c.waiting = append(c.waiting, late)
	if len(a.batch) != 1 {
		t.Fatal("the first to wait does not lead")
	}
	c.leave(a)
	if got := <-d.batch; len(got) != 1 || got[0] != d {
		t.Errorf("after the leader left %d are read by the next one, want it alone", len(got))
	}
	c.next()
	c.leave(late)
	if c.running != 1 || len(c.waiting) != 0 {
		t.Errorf("%d statements are under way and %d wait, want one and none", c.running, len(c.waiting))
	}
}

func TestABatchHasItsLimit(t *testing.T) {
	t.Parallel()
	c := &callers{running: 1, now: time.Now}
	for range maxTogether + 5 {
		c.waiting = append(c.waiting, &ask{batch: make(chan []*ask, 1)})
	}
	first, second := c.waiting[0], c.waiting[maxTogether]
	c.next()
	c.next()
	if n, m := len(<-first.batch), len(<-second.batch); n != maxTogether || m != 5 {
		t.Errorf("batches of %d and %d, want %d and 5", n, m, maxTogether)
	}
}

// TestALateStatementIsNotWaitedFor has statements hang, as they do on a connection that is dead.
func TestALateStatementIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	var (
		mu      sync.Mutex
		now     = time.Unix(1_800_000_000, 0)
		hanging = make(chan struct{})
		begun   = make(chan struct{}, 10)
	)
	c := &callers{
		now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
		one: func(context.Context, uuid.UUID, uuid.UUID) (*Session, error) {
			begun <- struct{}{}
			<-hanging
			return nil, nil
		},
		all: func(context.Context, []*ask) error { begun <- struct{}{}; <-hanging; return nil },
	}
	var wait sync.WaitGroup
	read := func() { wait.Go(func() { c.read(t.Context(), uuid.Nil, uuid.Nil) }) }
	waiting := func() int { c.mu.Lock(); defer c.mu.Unlock(); return len(c.waiting) }
	read()
	<-begun
	read()
	for waiting() != 1 { // for the first, which is not late yet
		time.Sleep(time.Millisecond)
	}
	for range maxCallerReads - 1 {
		mu.Lock()
		now = now.Add(lateCallers + 1)
		mu.Unlock()
		read()
		<-begun
	}
	mu.Lock()
	now = now.Add(lateCallers + 1)
	mu.Unlock()
	read()
	for waiting() != 1 { // there is an end to it
		time.Sleep(time.Millisecond)
	}
	close(hanging)
	wait.Wait()
	if c.running != 0 {
		t.Errorf("%d statements are under way at the end", c.running)
	}
}
