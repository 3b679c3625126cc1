package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"wxpass/db/dbtest"
)

// TestOutageIdleConnections has 10,000 clients, or 1,000 when it does not run in full, keep a connection each that they
// do not use.
func TestOutageIdleConnections(t *testing.T) {
	t.Parallel()
	length, full, slack := script(t, 20*time.Second)
	clients := 1000
	if full {
		clients = 10_000
	}
	wantFiles(t, clients+500)
	_, env := startSimulator(t, "")
	p := start(t, t.TempDir(), nil, append(env, "DATABASE_URL="+dbtest.Postgres(t))...)
	crowd := newCrowd(t, p, 10, 0)
	machine := watchMachine(t)
	before := (&arrivals{perSecond: pace(100, full), send: crowd.calm}).lasting(length / 20)
	crowd.client.CloseIdleConnections()
	quiet := p.settled(t, nil)

	began := time.Now()
	conns := p.keepOpen(t, clients)
	opened := time.Since(began)
	during := (&arrivals{perSecond: pace(100, full), send: crowd.calm}).lasting(length / 10)
	crowded, err := p.figures()
	if err != nil {
		t.Fatal(err)
	}
	each := (crowded.memory - quiet.memory) * 1024 / float64(clients)
	t.Logf("%d connections opened in %s and idle: %.1f KiB of memory each (%.0f MiB before, %.0f MiB now), %d goroutines",
		clients, opened.Round(time.Millisecond), each, quiet.memory, crowded.memory, crowded.goroutines)
	t.Logf("others, before: %s", summary(before))
	t.Logf("others, during: %s", summary(during))
	wantServed(t, "beside idle connections", during)
	wantWithin(t, "beside idle connections", during, machine.allow(max(3*quantile(before, 0.99), 50*time.Millisecond*slack), began, time.Now()))
	if full && each > 64 { // in small runs, and under the race detector, it is other things that weigh
		t.Errorf("an idle connection takes %.1f KiB, want 64 at most", each)
	}

	for _, i := range []int{0, clients / 2, clients - 1} { // they still work
		if err := greet(conns[i]); err != nil {
			t.Errorf("connection %d: %v", i, err)
		}
	}
	for _, conn := range conns {
		conn.Close()
	}
	crowd.client.CloseIdleConnections()
	after := p.settled(t, &quiet)
	t.Logf("after they have gone: %.0f MiB, %d goroutines, %d before", after.memory, after.goroutines, quiet.goroutines)
}

// wantFiles skips the test when this process, or a child of it, may not have so many files and connections open.
func wantFiles(t *testing.T, n int) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Max < uint64(n) {
		t.Skipf("*** NOT TESTED: %d open files are allowed here, %d are needed (ulimit -Hn)", limit.Max, n)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil { // children inherit it
		t.Fatal(err)
	}
}

// keepOpen opens connections and has one request answered on each.
func (p *process) keepOpen(t *testing.T, n int) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	var wait sync.WaitGroup
	var next atomic.Int32
	for range 32 {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				conn, err := net.Dial("tcp", p.address())
				if err == nil {
					conns[i] = conn
					err = greet(conn)
				}
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
					return
				}
			}
		})
	}
	wait.Wait()
	t.Cleanup(func() {
		for _, conn := range conns {
			if conn != nil {
				conn.Close()
			}
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return conns
}

func (p *process) address() string { return strings.TrimPrefix(p.url, "http://") }

// greet has one request answered, without a buffer that would have to be kept.
func greet(conn net.Conn) error {
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReaderSize(conn, 512), nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(res.Status)
	}
	return err
}
