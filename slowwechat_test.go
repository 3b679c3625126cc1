package main

import (
	"cmp"
	"slices"
	"sync"
	"testing"
	"time"

	"wxpass/db/dbtest"
	"wxpass/wechat/simulator"
)

// mostInFlight is how many calls to an endpoint of WeChat a server has under way at most.
const mostInFlight = 128

// TestOutageSlowWeChat has WeChat answer logins after 30 s.
func TestOutageSlowWeChat(t *testing.T) {
	t.Parallel()
	length, full, slack := script(t, 5*time.Second)
	if full {
		length /= 2
	}
	fake, env := startSimulator(t, "")
	p := start(t, t.TempDir(), nil, append(env, "DATABASE_URL="+dbtest.Postgres(t))...)
	crowd := newCrowd(t, p, 10, 0)
	machine := watchMachine(t)
	before := (&arrivals{perSecond: pace(50, full), send: crowd.calm}).lasting(length / 5)
	crowd.client.CloseIdleConnections()
	quiet := p.settled(t, nil)

	var already, seen struct{ Endpoints map[string]simulator.Traffic }
	fake.control(t, "calls", "", &already)
	fake.control(t, "faults", `{"endpoint":"jscode2session","delayMs":30000,"times":-1}`, nil)
	most, began := watchPeaks(t, p), time.Now()
	var calm []sample
	var wait sync.WaitGroup
	wait.Go(func() { calm = (&arrivals{perSecond: pace(50, full), send: crowd.calm}).lasting(length) })
	logins := (&arrivals{perSecond: pace(200, full), send: crowd.logins}).lasting(length)
	wait.Wait()
	peak, ended := most(), time.Now()

	fake.control(t, "calls", "", &seen)
	calls := seen.Endpoints["jscode2session"]
	asked := calls.Calls - already.Endpoints["jscode2session"].Calls
	slices.SortFunc(logins, func(a, b sample) int { return cmp.Compare(a.took, b.took) })
	refused := logins[:max(len(logins)-asked, 0)]
	t.Logf("WeChat answers after 30 s, %s long: %d logins, %d of them asked WeChat, at most %d at a time; memory %.0f MiB before, %.0f at most; goroutines %d before, %d at most",
		length, len(logins), asked, calls.Peak, quiet.memory, peak.memory, quiet.goroutines, peak.goroutines)
	t.Logf("logins refused at once: %s", summary(refused))
	t.Logf("logged in, before: %s", summary(before))
	t.Logf("logged in, during: %s", summary(calm))
	t.Logf("the machine alone: %s", machine.summary(began, ended))

	// The simulator may see a call begin before it sees that the one it follows was given up.
	if calls.Peak > mostInFlight+8 || peak.inFlight > mostInFlight {
		t.Errorf("%d calls in flight at the simulator, %d by the server's own account; want %d at most", calls.Peak, peak.inFlight, mostInFlight)
	}
	if len(refused) < len(logins)/2 {
		t.Errorf("of %d logins only %d were refused at once", len(logins), len(refused))
	}
	wantWithin(t, "logins refused", refused, machine.allow(50*time.Millisecond*slack, began, ended))
	for _, s := range logins {
		if s.code != "WECHAT_UNAVAILABLE" || s.took > 5*time.Second*min(slack, 2) {
			t.Errorf("a login: %s after %s", s.code, s.took)
			break
		}
	}
	wantServed(t, "logged in", calm)
	wantWithin(t, "logged in", calm, machine.allow(max(3*quantile(before, 0.99), 50*time.Millisecond*slack), began, ended))
	if peak.memory > quiet.memory+64*float64(min(slack, 10)) {
		t.Errorf("memory grew from %.0f to %.0f MiB", quiet.memory, peak.memory)
	}
	crowd.client.CloseIdleConnections()
	p.settled(t, &quiet)
}
