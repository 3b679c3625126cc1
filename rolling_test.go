package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"wxpass/db/dbtest"
)

// fixedPort returns a loopback address that is free, below the ports that the system hands out, so that a program
// which is started again finds it free again.
func fixedPort(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprint("127.0.0.1:", 10_000+rand.IntN(20_000))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// balancer spreads requests over servers as a load balancer does: in turn, over those that said they are ready when
// they were last asked.
type balancer struct {
	targets []*target
	next    atomic.Uint32
}

// target is one server behind a balancer, for as long as its address is the same.
type target struct {
	process *process // the first; those after it have its URL
	ready   atomic.Bool
	served  atomic.Int32 // requests sent to it
}

// pick returns who gets the next request.
func (b *balancer) pick() *process {
	first := int(b.next.Add(1))
	for i := range b.targets {
		if t := b.targets[(first+i)%len(b.targets)]; t.ready.Load() {
			t.served.Add(1)
			return t.process
		}
	}
	return b.targets[0].process // none is ready: the request fails, as it should
}

// watch asks every server every 50 ms whether it is ready, until stop is closed. One that says no gets no more requests,
// nor does one that refuses connections; one that is late is given three tries.
func (b *balancer) watch(stop <-chan struct{}) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	var wait sync.WaitGroup
	defer wait.Wait()
	for _, t := range b.targets {
		wait.Go(func() {
			for late := 0; ; {
				res, err := client.Get(t.process.url + "/readyz")
				if late++; err == nil || !os.IsTimeout(err) {
					late = 0
				}
				switch {
				case err == nil:
					res.Body.Close()
					t.ready.Store(res.StatusCode == http.StatusOK)
				case late == 0 || late == 3:
					t.ready.Store(false)
				}
				select {
				case <-stop:
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
		})
	}
}

// wait returns when a server is ready, or is not any more.
func (t *target) wait(test *testing.T, ready bool) {
	test.Helper()
	for range 600 {
		if t.ready.Load() == ready {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	test.Fatalf("%s: ready is not %v within 30 s", t.process.url, ready)
}

// TestOutageRollingRestart restarts two servers one after the other, again and again, under mixed traffic over
// connections that are kept open.
func TestOutageRollingRestart(t *testing.T) {
	t.Parallel()
	length, full, slack := script(t, 0)
	rate := pace(200, full)
	url, dir := dbtest.Postgres(t), t.TempDir()
	_, env := startSimulator(t, "")
	env = append(env, "DATABASE_URL="+url, "DRAIN_DELAY=2s")
	balance, stop := &balancer{}, make(chan struct{})
	var running []*process
	for range 2 {
		p := start(t, dir, nil, append(env, "ADDR="+fixedPort(t))...)
		running = append(running, p)
		balance.targets = append(balance.targets, &target{process: p})
	}
	var wait sync.WaitGroup
	wait.Go(func() { balance.watch(stop) })
	crowd := newCrowd(t, balance.targets[0].process, 40, 200)
	crowd.server = balance.pick
	machine, first := watchMachine(t), time.Now()
	for _, target := range balance.targets {
		target.wait(t, true)
	}
	traffic := &arrivals{perSecond: rate, send: crowd.mixed}
	wait.Go(func() { traffic.run(stop) })

	restarts := 0
	for began := time.Now(); restarts == 0 || time.Since(began) < length; {
		for i, target := range balance.targets {
			pause(500 * time.Millisecond)
			old := running[i]
			if err := old.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := old.cmd.Wait(); err != nil {
				t.Errorf("a server that was told to stop ended with %v:\n%s", err, old.log)
			}
			target.wait(t, false)
			running[i] = start(t, dir, nil, append(env, "ADDR="+strings.TrimPrefix(old.url, "http://"))...)
			target.wait(t, true)
			restarts++
		}
	}
	pause(500 * time.Millisecond)
	close(stop)
	wait.Wait()

	wantServed(t, "under rolling restarts", traffic.samples)
	now := time.Now()
	t.Logf("%d restarts at %d requests a second, %d and %d requests to each server: %s", restarts, rate,
		balance.targets[0].served.Load(), balance.targets[1].served.Load(), summary(traffic.samples))
	for _, kind := range []string{"me", "myOrders", "createOrder", "renewSession", "login"} {
		t.Logf("%-12s %s", kind, summary(choose(traffic.samples, kind, time.Time{}, now)))
	}
	wantWithin(t, "under rolling restarts", traffic.samples, machine.allow(250*time.Millisecond*slack, first, now))
	conn := dbtest.Raw(t, url)
	wantWholeOrders(t, conn)
	if n, want := count(t, conn, "SELECT count(*) FROM orders"), len(choose(traffic.samples, "createOrder", time.Time{}, now)); n != want {
		t.Errorf("%d orders, want %d", n, want)
	}
}
