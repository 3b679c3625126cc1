package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wxpass/db/dbtest"
	"wxpass/wechat/simulator"
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

// ride has WeChat go down for a time in the middle of mixed traffic.
func ride(t *testing.T, url, how string, length time.Duration, full bool, slack time.Duration) {
	down := outages[how]
	fake, env := startSimulator(t, fixedPort(t))
	p := start(t, t.TempDir(), nil, append(env, "DATABASE_URL="+url)...)
	rate, customers, known := pace(200, full), 40, 4000 // nobody logs in again while their last login is waited for: the two would be one
	if !full {
		customers, known = 8, 40
	}
	crowd := newCrowd(t, p, customers, known)
	machine := watchMachine(t)
	before := &arrivals{perSecond: rate, send: crowd.mixed}
	all := before.lasting(max(length/4, time.Second))
	wantServed(t, "before", all)
	first := all[0].at

	crowd.client.CloseIdleConnections()
	quiet := p.settled(t, nil)

	crowd.run = "later-"
	traffic, stop := &arrivals{perSecond: rate, send: crowd.mixed}, make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() { traffic.run(stop) })
	watch := watchReadiness(t, p)

	pause(time.Second)
	began := time.Now()
	back := fake.goDown(t, down)
	pause(length)
	ended := time.Now()
	degraded := watch.degradedSince()
	back()
	pause(length / 4)
	for range 100 {
		if !watch.wellSince().IsZero() {
			break
		}
		pause(100 * time.Millisecond)
	}
	pause(time.Second)
	close(stop)
	wait.Wait()
	watch.stop()
	all = append(all, traffic.samples...)

	now := time.Now()
	calm, during, after := choose(all, "user", first, began), choose(all, "user", began, ended), choose(all, "user", ended, now)
	t.Logf("%s for %s, %d requests a second", how, length, rate)
	t.Logf("logged in, before: %s", summary(calm))
	t.Logf("logged in, during: %s", summary(during))
	t.Logf("logged in, after:  %s", summary(after))
	t.Logf("the machine alone: %s", machine.summary(began, ended))
	wantServed(t, "logged in, during and after", append(during, after...))
	wantWithin(t, "logged in, during", during, machine.allow(max(3*quantile(calm, 0.99), 50*time.Millisecond*slack), began, ended))
	wantWithin(t, "logged in, after", after, machine.allow(max(3*quantile(calm, 0.99), 50*time.Millisecond*slack), ended, now))

	if degraded.IsZero() || degraded.Sub(began) > down.noticed {
		t.Fatalf("/readyz says degraded at %s, %s after WeChat went down; want it within %s", degraded, degraded.Sub(began), down.noticed)
	}
	refused := choose(all, "login", degraded.Add(100*time.Millisecond), ended)
	t.Logf("logins, from %s after it went down: %s", round(degraded.Sub(began)), summary(refused))
	wantWithin(t, "logins while WeChat is down", refused, machine.allow(50*time.Millisecond*slack, degraded, ended))
	for _, s := range refused {
		if s.code != "WECHAT_UNAVAILABLE" || s.wait < 1 {
			t.Errorf("a login while WeChat is down: %s, to be repeated after %v s", s.code, s.wait)
			break
		}
	}
	wantRecovery(t, choose(all, "login", ended, now), ended, watch)

	crowd.client.CloseIdleConnections()
	later := p.settled(t, &quiet)
	t.Logf("goroutines %d before, %d after; memory %.0f MiB before, %.0f MiB after", quiet.goroutines, later.goroutines, quiet.memory, later.memory)
	if later.memory > 1.5*quiet.memory+16*float64(slack) {
		t.Errorf("memory grew from %.0f to %.0f MiB", quiet.memory, later.memory)
	}
	orders := 0
	for _, s := range all {
		if s.kind == "createOrder" {
			orders++
		}
	}
	conn := dbtest.Raw(t, url)
	wantWholeOrders(t, conn)
	if n := count(t, conn, "SELECT count(*) FROM orders"); n != orders {
		t.Errorf("%d orders, want %d", n, orders)
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

// wantRecovery checks that logins succeed again within ten seconds, all of them, and that readiness says so.
func wantRecovery(t *testing.T, logins []sample, ended time.Time, watch *readiness) {
	t.Helper()
	var first, last time.Duration // the first login to succeed, and the last to fail, after WeChat came back
	for _, s := range logins {
		switch since := s.at.Sub(ended); {
		case s.code != "":
			last = max(last, since)
		case first == 0 || since < first:
			first = since
		}
	}
	well := watch.wellSince().Sub(ended)
	t.Logf("back: the first login that succeeds comes after %s, the last that fails after %s, /readyz says ok after %s", round(first), round(last), round(well))
	if first == 0 || max(first, last, well) > 10*time.Second || well < 0 {
		t.Error("not back within 10 s")
	}
}

// readiness watches /readyz.
type readiness struct {
	mu             sync.Mutex
	degraded, well time.Time // since when WeChat is said to be degraded, and since when not any more
	stop           func()
}

// watchReadiness asks every 50 ms until it is stopped. The server must be ready all the time.
func watchReadiness(t *testing.T, p *process) *readiness {
	w, end, ended := &readiness{}, make(chan struct{}), make(chan struct{})
	w.stop = sync.OnceFunc(func() { close(end); <-ended })
	t.Cleanup(w.stop)
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-time.After(50 * time.Millisecond):
			}
			if err := w.look(p); err != nil {
				t.Errorf("/readyz: %v", err)
			}
		}
	}()
	return w
}

func (w *readiness) look(p *process) error {
	res, err := http.Get(p.url + "/readyz")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer healthAnswer
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || answer.Status != "ready" {
		return fmt.Errorf("%d, %+v", res.StatusCode, answer)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch bad := strings.Contains(answer.Parts["wechat"], "degraded"); {
	case bad && w.degraded.IsZero():
		w.degraded = time.Now()
	case bad:
		w.well = time.Time{}
	case !w.degraded.IsZero() && w.well.IsZero():
		w.well = time.Now()
	}
	return nil
}

func (w *readiness) degradedSince() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.degraded
}

func (w *readiness) wellSince() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.well
}

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

// calm is what logged-in users do who only look.
func (c *crowd) calm(n int) (kind string, got *reply, err error) {
	got, err = c.server().do(c.client, c.tokens[n%len(c.tokens)], "{ me { id displayName steps } }")
	return "me", got, err
}

// logins are people who log in.
func (c *crowd) logins(n int) (kind string, got *reply, err error) {
	got, err = c.server().do(c.client, "", loginAs(fmt.Sprint("slow", n)))
	return "login", got, err
}

// watchPeaks reads the figures of a program every 100 ms until what it returns is called, which returns the highest.
func watchPeaks(t *testing.T, p *process) (stop func() figures) {
	var most figures
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			now, err := p.figures()
			if err != nil {
				t.Error(err)
			}
			most = figures{max(most.goroutines, now.goroutines), max(most.inFlight, now.inFlight), max(most.memory, now.memory)}
			select {
			case <-end:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() figures { close(end); <-ended; return most }
}
