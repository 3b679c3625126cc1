package graph

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

func TestTheLimiterForgetsRatherThanGrows(t *testing.T) {
	now := time.Unix(0, 0)
	l := newLimiter(func() time.Time { return now })
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	const addresses = 1_000_000
	for i := range addresses {
		settle, _ := l.take(limitKey{"silentLogin", fmt.Sprint("address ", i)}, 600, 60, time.Minute)
		settle(true)
	}
	grown := heap() - before
	if grown > 64<<20 {
		t.Errorf("%d addresses take %d MiB", addresses, grown>>20)
	}
	t.Logf("%d addresses take %d MiB", addresses, grown>>20)

	key := limitKey{"silentLogin", "one address"}
	for i := range 60 {
		settle, wait := l.take(key, 600, 60, time.Minute)
		if settle == nil {
			t.Fatalf("execution %d has to wait %s", i, wait)
		}
		settle(true)
	}
	if settle, wait := l.take(key, 600, 60, time.Minute); settle != nil || wait != time.Minute {
		t.Errorf("the 61st refused one is let through, or waits %s", wait)
	}
	now = now.Add(time.Minute)
	if settle, _ := l.take(key, 600, 60, time.Minute); settle == nil {
		t.Error("a minute later it still waits")
	}
}
