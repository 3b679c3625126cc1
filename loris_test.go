package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wxpass/db/dbtest"
)

// loris is a client that keeps a connection busy with as little as it can.
type loris struct {
	name  string
	begin string        // sent at once
	more  string        // then sent over and over, a byte every half second
	ends  time.Duration // the server ends it within so long
	deaf  bool          // it reads nothing of the answers
	quick bool          // so short that it is also tried when the scripts do not run in full
}

// TestOutageSlowLoris has clients send their requests, and read their answers, as slowly as they can.
func TestOutageSlowLoris(t *testing.T) {
	t.Parallel()
	length, full, slack := script(t, 20*time.Second)
	each := 20
	if full {
		each = 200
	}
	lorises := []loris{
		{name: "header", begin: "POST /graphql HTTP/1.1\r\nHost: x\r\nX-Slow: ", more: "a", ends: 5 * time.Second, quick: true},
		{name: "nothing", ends: 5 * time.Second, quick: true},
		{name: "second header", begin: "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nPOST /graphql HTTP/1.1\r\n", more: "a", ends: 5 * time.Second, quick: true},
		{name: "body", begin: "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n", more: " ", ends: 30 * time.Second},
		{name: "chunks", begin: "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", more: "1\r\n \r\n", ends: 30 * time.Second},
		{name: "upload", begin: "POST /upload/avatar HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %TOKEN%\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n" +
			"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n\xff\xd8", more: "x", ends: 30 * time.Second},
		{name: "answer unread", begin: strings.Repeat("GET /schema.graphqls HTTP/1.1\r\nHost: x\r\n\r\n", 1000), more: "G", deaf: true,
			ends: 63 * time.Second}, // a minute from the answer that no buffer takes any more
	}
	wantFiles(t, len(lorises)*each+500)
	_, env := startSimulator(t, "")
	p := start(t, t.TempDir(), nil, append(env, "DATABASE_URL="+dbtest.Postgres(t))...)
	crowd := newCrowd(t, p, 10, 0)
	machine := watchMachine(t)
	before := (&arrivals{perSecond: pace(100, full), send: crowd.calm}).lasting(length / 20)
	crowd.client.CloseIdleConnections()
	quiet := p.settled(t, nil)

	began, stop := time.Now(), make(chan struct{})
	traffic := &arrivals{perSecond: pace(100, full), send: crowd.calm}
	var others, wait sync.WaitGroup
	others.Go(func() { traffic.run(stop) })
	for _, l := range lorises {
		if !full && !l.quick {
			continue
		}
		l.begin = strings.ReplaceAll(l.begin, "%TOKEN%", crowd.tokens[0])
		wait.Go(func() {
			clients := each
			if l.deaf { // each fills buffers of megabytes first, which is work, and not what is tried here
				clients = each / 10
			}
			lived := make([]time.Duration, clients)
			var all sync.WaitGroup
			for i := range lived {
				all.Go(func() {
					var err error
					if lived[i], err = l.live(p.address(), 2*l.ends+30*time.Second); err != nil {
						t.Errorf("%s: %v", l.name, err)
					}
				})
			}
			all.Wait()
			slices.Sort(lived)
			t.Logf("%-14s %d clients, ended by the server after %s to %s", l.name, clients, lived[0].Round(10*time.Millisecond), lived[clients-1].Round(10*time.Millisecond))
			if longest := lived[clients-1]; longest > l.ends+2*time.Second*min(slack, 5) {
				t.Errorf("%s: ended after %s, want %s", l.name, longest, l.ends)
			}
		})
	}
	wait.Wait()
	close(stop)
	others.Wait()
	t.Logf("others, before: %s", summary(before))
	t.Logf("others, during: %s", summary(traffic.samples))
	wantServed(t, "beside slow clients", traffic.samples)
	wantWithin(t, "beside slow clients", traffic.samples, machine.allow(max(3*quantile(before, 0.99), 50*time.Millisecond*slack), began, time.Now()))
	crowd.client.CloseIdleConnections()
	p.settled(t, &quiet)
}

// live is one client's life: it returns how long the server let it go on, and an error when that was all the time.
func (l loris) live(address string, most time.Duration) (time.Duration, error) {
	small := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}
	conn, err := small.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	began := time.Now()
	conn.SetDeadline(began.Add(most))
	gone := make(chan error, 1)
	if !l.deaf { // who reads sees the end; who does not has to write to see it
		go func() {
			_, err := io.Copy(io.Discard, conn)
			gone <- err
		}()
	}
	_, err = io.WriteString(conn, l.begin)
	for n := 0; err == nil; n++ {
		select {
		case err := <-gone:
			return l.ended(began, err)
		case <-time.After(500 * time.Millisecond):
		}
		if l.more != "" {
			_, err = io.WriteString(conn, string(l.more[n%len(l.more)]))
		}
	}
	return l.ended(began, err)
}

// ended tells an end made by the server from one that we made because it did not come.
func (l loris) ended(began time.Time, err error) (time.Duration, error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return time.Since(began), fmt.Errorf("still open after %s", time.Since(began))
	}
	return time.Since(began), nil
}
