package main

import (
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wxpass/db/dbtest"
)

// outage is a way for WeChat to be down.
type outage struct {
	fault   string        // for all of its endpoints; "" when it refuses connections
	noticed time.Duration // how long a server may take to leave it alone: until half of the calls of 10 s have failed
}

var outages = map[string]outage{
	"drops":   {`{"endpoint":"*","drop":true,"times":-1}`, 8 * time.Second},
	"hangs":   {`{"endpoint":"*","delayMs":60000,"times":-1}`, 12 * time.Second}, // a call has 4 s
	"refuses": {"", 8 * time.Second},
}

func TestOutageOfWeChat(t *testing.T) {
	t.Parallel()
	length, full, slack := script(t, 6*time.Second)
	if !full {
		dbtest.Each(t, func(t *testing.T, url string) { ride(t, url, "drops", length, full, slack) })
		return
	}
	for _, run := range []struct {
		how    string
		length time.Duration
	}{{"drops", length}, {"hangs", length / 3}, {"refuses", length / 3}} {
		t.Run(run.how, func(t *testing.T) { ride(t, dbtest.Postgres(t), run.how, run.length, full, slack) })
	}
}

// ridden is what was seen of an outage.
type ridden struct {
	samples      []sample  // of all the traffic: before, while WeChat was down, after
	first        time.Time // when the traffic began
	began, ended time.Time // of the outage
	last         time.Time // when the traffic ended
	degraded     time.Time // when /readyz first said so; zero for not while WeChat was down
	well         time.Time // when it no longer did; zero for not
	quiet, later figures   // without traffic, before and after
	machine      *machine
}

// ride has WeChat go down for a time in the middle of mixed traffic, and holds the server to what it promises.
func ride(t *testing.T, url, how string, length time.Duration, full bool, slack time.Duration) {
	down, rate := outages[how], pace(200, full)
	fake, env := startSimulator(t, fixedPort(t))
	p := start(t, t.TempDir(), nil, append(env, "DATABASE_URL="+url)...)
	customers, known := 40, 4000 // nobody logs in again while their last login is waited for: the two would be one
	if !full {
		rate, customers, known = rate/2, 8, 40 // much of it is written, and SQLite writes one at a time
	}
	crowd := newCrowd(t, p, customers, known)
	r := &ridden{machine: watchMachine(t), first: time.Now()}
	r.samples = (&arrivals{perSecond: rate, send: crowd.mixed}).lasting(max(length/4, time.Second))
	wantServed(t, "before", r.samples)
	crowd.client.CloseIdleConnections()
	r.quiet = p.settled(t, nil)

	crowd.run = "later-"
	r.pass(t, p, &arrivals{perSecond: rate, send: crowd.mixed}, length, func() (back func()) { return fake.goDown(t, down) })
	crowd.client.CloseIdleConnections()
	r.later = p.settled(t, &r.quiet)

	t.Logf("%s for %s, %d requests a second", how, length, rate)
	r.wantUsersUntouched(t, slack)
	r.wantLoginsRefused(t, down.noticed, slack)
	r.wantRecovery(t, slack)
	conn := dbtest.Raw(t, url)
	wantWholeOrders(t, conn)
	if n, want := count(t, conn, "SELECT count(*) FROM orders"), len(choose(r.samples, "createOrder", r.first, r.last)); n != want {
		t.Errorf("%d orders, want %d", n, want)
	}
}

// pass lets WeChat go down and come back under traffic.
func (r *ridden) pass(t *testing.T, p *process, traffic *arrivals, length time.Duration, goDown func() (back func())) {
	t.Helper()
	stop := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() { traffic.run(stop) })
	watch := watchReadiness(t, p)
	pause(time.Second)
	r.began = time.Now()
	back := goDown()
	pause(length)
	r.degraded, _ = watch.said()
	r.ended = time.Now()
	back()
	pause(length / 4)
	for range 100 {
		if _, r.well = watch.said(); !r.well.IsZero() {
			break
		}
		pause(100 * time.Millisecond)
	}
	pause(time.Second)
	close(stop)
	wait.Wait()
	watch.stop()
	r.last = time.Now()
	r.samples = append(r.samples, traffic.samples...)
}

// wantUsersUntouched checks that who is logged in sees no error and no slowdown.
func (r *ridden) wantUsersUntouched(t *testing.T, slack time.Duration) {
	t.Helper()
	before := choose(r.samples, "user", r.first, r.began)
	during := choose(r.samples, "user", r.began, r.ended)
	after := choose(r.samples, "user", r.ended, r.last)
	t.Logf("logged in, before: %s", summary(before))
	t.Logf("logged in, during: %s", summary(during))
	t.Logf("logged in, after:  %s", summary(after))
	t.Logf("the machine alone: %s", r.machine.summary(r.began, r.ended))
	most := max(3*quantile(before, 0.99), 50*time.Millisecond*slack)
	wantServed(t, "logged in, during", during)
	wantServed(t, "logged in, after", after)
	wantWithin(t, "logged in, during", during, r.machine.allow(most, r.began, r.ended))
	wantWithin(t, "logged in, after", after, r.machine.allow(most, r.ended, r.last))
}

// wantLoginsRefused checks that the server soon leaves WeChat alone, and from then on tells logins so at once.
func (r *ridden) wantLoginsRefused(t *testing.T, noticed, slack time.Duration) {
	t.Helper()
	if r.degraded.IsZero() || r.degraded.Sub(r.began) > noticed {
		t.Errorf("/readyz says degraded at %s; want it within %s of %s", r.degraded, noticed, r.began)
		return
	}
	refused := choose(r.samples, "login", r.degraded.Add(100*time.Millisecond), r.ended)
	t.Logf("logins, from %s after it went down: %s", round(r.degraded.Sub(r.began)), summary(refused))
	wantWithin(t, "logins while WeChat is down", refused, r.machine.allow(50*time.Millisecond*slack, r.degraded, r.ended))
	for _, s := range refused {
		if s.code != "WECHAT_UNAVAILABLE" || s.wait < 1 {
			t.Errorf("a login while WeChat is down: %s, to be repeated after %v s", s.code, s.wait)
			return
		}
	}
}

// wantRecovery checks that within ten seconds logins succeed again, all of them, and readiness says so, and that nothing
// stays behind.
func (r *ridden) wantRecovery(t *testing.T, slack time.Duration) {
	t.Helper()
	var first, last time.Duration // the first login to succeed, and the last to fail, after WeChat came back
	for _, s := range choose(r.samples, "login", r.ended, r.last) {
		switch since := s.at.Sub(r.ended); {
		case s.code != "":
			last = max(last, since)
		case first == 0 || since < first:
			first = since
		}
	}
	well := r.well.Sub(r.ended)
	t.Logf("back: the first login that succeeds comes after %s, the last that fails after %s, /readyz says ok after %s", round(first), round(last), round(well))
	if first == 0 || max(first, last, well) > 10*time.Second || well < 0 {
		t.Error("not back within 10 s")
	}
	t.Logf("goroutines %d before, %d after; memory %.0f MiB before, %.0f MiB after", r.quiet.goroutines, r.later.goroutines, r.quiet.memory, r.later.memory)
	if r.later.memory > 1.5*r.quiet.memory+16*float64(slack) {
		t.Errorf("memory grew from %.0f to %.0f MiB", r.quiet.memory, r.later.memory)
	}
}

// pause lets a script's time pass, which is another process's and cannot be moved.
func pause(d time.Duration) { <-time.After(d) }

// goDown makes the simulator fail in that way, and returns what brings it back.
func (p *process) goDown(t *testing.T, how outage) (back func()) {
	t.Helper()
	if how.fault != "" {
		p.control(t, "faults", how.fault, nil)
		return func() { p.control(t, "faults/clear", "", nil) }
	}
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.cmd.Wait()
	return func() { startSimulator(t, strings.TrimPrefix(p.url, "http://")) }
}
