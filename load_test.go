package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
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
