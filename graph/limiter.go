package graph

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxCounters bounds the memory of a limiter: some 20 MB when full. Past it the caller longest unseen is forgotten.
const maxCounters = 100_000

// limiter counts executions by key in fixed windows.
type limiter struct {
	now func() time.Time

	mu       sync.Mutex
	counters *simplelru.LRU[limitKey, *counter]
}

type limitKey struct{ field, caller string }

type counter struct {
	windowEnd    time.Time
	all, refused int
	underWay     int // not settled yet
}

// settling is how long a caller is told to wait for executions under way to be settled.
const settling = time.Second

// newLimiter fails only for a size that is not positive.
func newLimiter(now func() time.Time) *limiter {
	counters, err := simplelru.NewLRU[limitKey, *counter](maxCounters, nil)
	if err != nil {
		panic(err) // the size is the constant above
	}
	return &limiter{now: now, counters: counters}
}

// take counts one execution, or says how long until one is let through again. Until settle tells how it ended it may
// turn out refused: so many at once cannot slip under the tighter limit, and those that wait for others to end are told
// to wait a moment, not for the window's end. A maxRefused of 0 stands for no such limit.
func (l *limiter) take(key limitKey, limit, maxRefused int, window time.Duration) (settle func(refused bool), wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	c, ok := l.counters.Get(key)
	if !ok || !now.Before(c.windowEnd) {
		c = &counter{windowEnd: now.Add(window)}
		l.counters.Add(key, c)
	}
	switch {
	case c.all >= limit, maxRefused > 0 && c.refused >= maxRefused:
		return nil, c.windowEnd.Sub(now)
	case maxRefused > 0 && c.refused+c.underWay >= burst*maxRefused:
		return nil, settling
	}
	c.all++
	c.underWay++
	return func(refused bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		c.underWay--
		if refused {
			c.refused++
		}
	}, 0
}

// burst is by how much executions under way may exceed the tighter limit: carriers put many honest people behind one
// address, who come at once when WeChat is slow.
const burst = 4
