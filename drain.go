package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// drainer stops an http.Server without losing a request. http.Server.Shutdown alone loses some: it closes a connection
// unanswered when its request is read after Shutdown began (net/http, conn.serve). So the door is closed first, then
// what came through it is answered, and Shutdown meets idle connections only.
type drainer struct {
	door *net.TCPListener
	now  func() time.Time

	mu   sync.Mutex
	last time.Time             // when set, the door is being closed, at that time for good
	busy map[net.Conn]struct{} // accepted and waiting for a request, or answering one
}

// gap is how long nobody must have come for the door to close.
const gap = 5 * time.Millisecond

// Accept lets the next connection in; once stop has been called, until nobody waits in front of the door.
func (d *drainer) Accept() (net.Conn, error) {
	d.mu.Lock()
	last := d.last
	d.mu.Unlock()
	if !last.IsZero() {
		if !d.now().Before(last) {
			return nil, net.ErrClosed
		}
		d.door.SetDeadline(d.now().Add(gap))
	}
	conn, err := d.door.Accept()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, net.ErrClosed
	}
	return conn, err
}

// Close and Addr make a net.Listener of it.
func (d *drainer) Close() error   { return d.door.Close() }
func (d *drainer) Addr() net.Addr { return d.door.Addr() }

// observe is the server's ConnState hook.
func (d *drainer) observe(conn net.Conn, state http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch state {
	case http.StateNew, http.StateActive:
		d.busy[conn] = struct{}{}
	default:
		delete(d.busy, conn)
	}
}

func (d *drainer) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.busy) == 0
}

// stop closes the door, waits for the requests under way, and shuts server down; it gives up when ctx ends. A
// connection that sends no request is waited for no longer than the time every client has to send one.
func (d *drainer) stop(ctx context.Context, server *http.Server) error {
	d.mu.Lock()
	d.last = d.now().Add(time.Second)
	d.mu.Unlock()
	if err := d.door.SetDeadline(d.now().Add(gap)); err != nil { // wakes an Accept that waits
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, readHeaderTimeout)
	defer cancel()
	for !d.idle() && waiting.Err() == nil {
		select {
		case <-waiting.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
	return server.Shutdown(ctx)
}
