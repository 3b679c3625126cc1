package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"wxpass/testlog"
)

// script returns how long a scripted run lasts: as long as OUTAGE says, which `make outage` sets, else short. In full it
// runs alone on the machine, and is held to the figures promised; else the other tests run beside it, perhaps under the
// race detector, and slack is what they are multiplied by.
func script(t *testing.T, short time.Duration) (length time.Duration, full bool, slack time.Duration) {
	t.Helper()
	text := os.Getenv("OUTAGE")
	if text == "" {
		return short, false, 20
	}
	length, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("OUTAGE: %v", err)
	}
	return length, true, 1
}

// pace returns how many requests a second a script sends: that many in full, else so few that a machine that runs other
// tests beside, under the race detector, keeps up.
func pace(perSecond int, full bool) int {
	if full {
		return perSecond
	}
	return perSecond * 2 / 5
}

// sample is one request of many.
type sample struct {
	kind string        // "login", or what a logged-in user did
	at   time.Time     // when it was due
	took time.Duration // from then to the end of its answer
	code string        // of the first error, "" for none
	wait float64       // retryAfterSeconds of it
}

// arrivals are requests sent at a steady rate, whether or not those before are answered, as many people do who know
// nothing of each other. The time of each counts from when it was due, so a stall shows in all that it delays.
type arrivals struct {
	perSecond int
	send      func(n int) (kind string, got *reply, err error)

	mu      sync.Mutex
	samples []sample
}

// run sends until stop is closed, and returns when all is answered.
func (l *arrivals) run(stop <-chan struct{}) {
	var wait sync.WaitGroup
	defer wait.Wait()
	began := time.Now()
	for n := 0; ; n++ {
		due := began.Add(time.Duration(n) * time.Second / time.Duration(l.perSecond))
		select {
		case <-stop:
			return
		case <-time.After(time.Until(due)):
		}
		wait.Go(func() {
			kind, got, err := l.send(n)
			s := sample{kind: kind, at: due, took: time.Since(due)}
			if err != nil {
				s.code = "no answer: " + err.Error()
			} else if s.code = got.code(); s.code != "" {
				s.wait, _ = got.Errors[0].Extensions["retryAfterSeconds"].(float64)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.samples = append(l.samples, s)
		})
	}
}

// lasting sends for a time and returns its samples.
func (l *arrivals) lasting(d time.Duration) []sample {
	stop := make(chan struct{})
	time.AfterFunc(d, func() { close(stop) })
	l.run(stop)
	return l.samples
}

// choose returns the samples that are of a kind, or with "user" of any but logins, and were due from one time to
// another.
func choose(all []sample, kind string, from, to time.Time) (some []sample) {
	for _, s := range all {
		fits := kind == s.kind || kind == "user" && s.kind != "login"
		if fits && !s.at.Before(from) && s.at.Before(to) {
			some = append(some, s)
		}
	}
	return some
}

// quantile returns the time that a share of the samples stayed within.
func quantile(some []sample, share float64) time.Duration {
	if len(some) == 0 {
		return 0
	}
	sorted := slices.SortedFunc(slices.Values(some), func(a, b sample) int { return cmp.Compare(a.took, b.took) })
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)].took
}

// summary tells how many there were, how long they took, and what became of them.
func summary(some []sample) string {
	codes := map[string]int{}
	for _, s := range some {
		codes[cmp.Or(s.code, "ok")]++
	}
	text := fmt.Sprintf("%d requests, p50 %s, p99 %s, longest %s;", len(some), round(quantile(some, 0.5)), round(quantile(some, 0.99)), round(quantile(some, 1)))
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		text += fmt.Sprintf(" %s %d", code, codes[code])
	}
	return text
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

// wantServed checks that none of the samples failed.
func wantServed(t *testing.T, what string, some []sample) {
	t.Helper()
	failed := 0
	for _, s := range some {
		if s.code == "" {
			continue
		}
		if failed++; failed <= 3 {
			t.Errorf("%s: %s at %s failed: %s", what, s.kind, s.at.Format(time.TimeOnly), s.code)
		}
	}
	if failed > 0 || len(some) == 0 {
		t.Errorf("%s: %d of %d requests failed", what, failed, len(some))
	}
}

// wantWithin checks that 99 of a hundred samples took no longer than most.
func wantWithin(t *testing.T, what string, some []sample, most time.Duration) {
	t.Helper()
	if p99 := quantile(some, 0.99); p99 > most {
		t.Errorf("%s: p99 %s, want %s at most", what, round(p99), most)
	}
}

// machine measures what it takes to be answered by a program that has nothing else to do: where others keep the machine
// busy, no program is quicker.
type machine struct {
	arrivals
	stop func()
}

// watchMachine sends 50 requests a second until it is stopped.
func watchMachine(t *testing.T) *machine {
	idle, _ := startSimulator(t, "")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}, Timeout: time.Minute}
	t.Cleanup(client.CloseIdleConnections)
	m, end := &machine{}, make(chan struct{})
	m.perSecond, m.send = 50, func(int) (string, *reply, error) {
		res, err := client.Get(idle.url + "/nothing")
		if err == nil {
			res.Body.Close()
		}
		return "nothing", &reply{}, err
	}
	var wait sync.WaitGroup
	wait.Go(func() { m.run(end) })
	m.stop = sync.OnceFunc(func() { close(end); wait.Wait() })
	t.Cleanup(m.stop)
	return m
}

// allow returns the time promised, or more when the machine was so busy from one time to another: a request to the
// server passes through several processes, each of which waits its turn.
func (m *machine) allow(promised time.Duration, from, to time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(promised, 5*quantile(choose(m.samples, "nothing", from, to), 0.99))
}

func (m *machine) summary(from, to time.Time) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return summary(choose(m.samples, "nothing", from, to))
}

// crowd is people who use the program: customers who are logged in, and others who log in.
type crowd struct {
	client  *http.Client
	server  func() *process // who is asked next
	tokens  []string
	product string
	known   int    // after so many requests of mixed the same people log in again
	run     string // makes the keys of orders unlike those of another run
}

// newCrowd registers customers, and the people who log in during so many requests of mixed.
func newCrowd(t *testing.T, p *process, customers, known int) *crowd {
	t.Helper()
	c := &crowd{
		known:  known,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}, Timeout: time.Minute},
		server: func() *process { return p },
	}
	t.Cleanup(c.client.CloseIdleConnections)
	for n := range customers {
		c.tokens = append(c.tokens, p.customer(t, n))
	}
	c.product = p.product(t)
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for n := worker; n < known; n += 8 {
				if !knows(n) {
					continue
				}
				if got, err := p.do(c.client, "", c.person(n)); err != nil || got.code() != "" {
					t.Errorf("login: %+v, %v", got, err)
				}
			}
		})
	}
	wait.Wait()
	return c
}

// knows reports whether request n of mixed is a login of somebody the server knows.
func knows(n int) bool { return n%20 == 3 || n%20 == 10 || n%20 == 17 }

func (c *crowd) person(n int) string { return loginAs(fmt.Sprint("person", n%c.known)) }

// mixed is the traffic of a shop: of twenty requests eight ask who they are, five look at their orders, two order, one
// renews its session, three people the server knows log in, and one it does not.
func (c *crowd) mixed(n int) (kind string, got *reply, err error) {
	p, token := c.server(), c.tokens[n%len(c.tokens)]
	query := "{ me { id displayName steps } }"
	switch n % 20 {
	case 1, 4, 8, 12, 16:
		kind, query = "myOrders", "{ myOrders(first: 5) { edges { node { orderNo items { sku quantity } } } } }"
	case 2, 13:
		kind, query = "createOrder", buy(fmt.Sprint("order-", c.run, n), c.product)
	case 5:
		kind, query = "renewSession", "mutation { renewSession { token expiresAt } }"
	case 3, 10, 17: // knows
		kind, token, query = "login", "", c.person(n)
	case 7:
		kind, token, query = "login", "", loginAs(fmt.Sprint("new-", c.run, n))
	default:
		kind = "me"
	}
	got, err = p.do(c.client, token, query)
	return kind, got, err
}

// figures are what a program says of itself.
type figures struct {
	goroutines int
	inFlight   int     // calls to WeChat
	memory     float64 // MiB
}

// figures reads /metrics.
func (p *process) figures() (f figures, err error) {
	res, err := http.Get(p.url + "/metrics")
	if err != nil {
		return f, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return f, err
	}
	sum := func(name string) (sum float64) { // over its labels
		found := regexp.MustCompile(`(?m)^`+name+`(?:\{.*\})? (\S+)$`).FindAllStringSubmatch(string(text), -1)
		if found == nil {
			err = errors.Join(err, fmt.Errorf("/metrics: %s, without %s", res.Status, name))
		}
		for _, m := range found {
			value, valueErr := strconv.ParseFloat(m[1], 64)
			sum, err = sum+value, errors.Join(err, valueErr)
		}
		return sum
	}
	f.goroutines, f.inFlight = int(sum("go_goroutines")), int(sum("wxpass_wechat_in_flight"))
	f.memory = sum("process_resident_memory_bytes") / (1 << 20)
	return f, err
}

// settled waits until the program has no more goroutines than at the start, but for a few that come and go, and
// returns its figures then. At the start itself it waits until nothing changes any more: start is nil.
func (p *process) settled(t *testing.T, start *figures) (now figures) {
	t.Helper()
	last := 0
	for range 100 {
		var err error
		if now, err = p.figures(); err != nil {
			t.Fatal(err)
		}
		if start == nil && now.goroutines == last || start != nil && now.goroutines <= start.goroutines+5 {
			return now
		}
		last = now.goroutines
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("%d goroutines, want the %d of the start", now.goroutines, last)
	return now
}

// startSimulator starts a WeChat in a process of its own, at a free port or the address given, and returns it with the
// environment of a server that calls it.
func startSimulator(t *testing.T, address string) (fake *process, env []string) {
	t.Helper()
	fake = start(t, t.TempDir(), []string{"simulator", "--addr", cmp.Or(address, "127.0.0.1:0"), "--app", "wx1:outage-secret"})
	return fake, []string{"ADDR=127.0.0.1:0", "WECHAT_BASE_URL=" + fake.url, "WECHAT_APPS=wx1:outage-secret", "RATE_LIMIT_SCALE=0"}
}

// control tells a simulator what to do, and decodes its answer into what is given, if anything.
func (p *process) control(t *testing.T, route, body string, into any) {
	t.Helper()
	testlog.Sent(body)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Post(p.url+"/simulator/control/"+route, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("control %s: %s", route, res.Status)
	}
	if into != nil {
		if err := json.NewDecoder(res.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
}
