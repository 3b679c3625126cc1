package db

import (
	"testing"
)

// TestALeaderThatLeavesIsReplaced has those who wait leave at the very moment it is their turn to ask for all.
func TestALeaderThatLeavesIsReplaced(t *testing.T) {
	t.Parallel()
	newAsk := func() *ask { return &ask{batch: make(chan []*ask, 1), done: make(chan struct{})} }
	a, b, d, late := newAsk(), newAsk(), newAsk(), newAsk()
	c := &callers{running: maxCallerReads, waiting: []*ask{a, b, d}}
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
	if c.running != maxCallerReads-1 || len(c.waiting) != 0 {
		t.Errorf("%d statements are under way and %d wait, want %d and none", c.running, len(c.waiting), maxCallerReads-1)
	}
}

func TestABatchHasItsLimit(t *testing.T) {
	t.Parallel()
	c := &callers{running: 1}
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
