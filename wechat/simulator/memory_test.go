package simulator

import (
	"strconv"
	"testing"
)

func TestMemoryForgetsTheOldest(t *testing.T) {
	t.Parallel()
	var m memory[int]
	never := func(int) bool { return false }
	for i := range maxRemembered + 10 {
		m.put(strconv.Itoa(i), i, never)
	}
	if _, ok := m.get("9"); ok || len(m.values) != maxRemembered || len(m.order) != maxRemembered {
		t.Errorf("%d values in %d places, want %d without the oldest", len(m.values), len(m.order), maxRemembered)
	}
	m.put("new", 0, func(v int) bool { return v < maxRemembered })
	if got := len(m.values); got != 11 {
		t.Errorf("%d values, want 11: all stale ones forgotten", got)
	}
}
