package db

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// errSocketLost is what a socket answers once it failed.
var errSocketLost = errors.New("the connection failed before")

// keepAlive finds out within half a minute that the machine at the other end of an idle connection has vanished.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// socket is a connection to the server, below TLS. One that failed once stays failed: after a time-out the answer may
// still come, and must never be taken for the answer to a later statement.
type socket struct {
	net.Conn
	raw      syscall.RawConn // nil where the network has none
	lost     atomic.Bool
	deadline time.Time // for reading
}

func dial(ctx context.Context, network, address string) (*socket, error) {
	dialer := &net.Dialer{KeepAliveConfig: keepAlive}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s := &socket{Conn: conn}
	if c, ok := conn.(syscall.Conn); ok {
		if s.raw, err = c.SyscallConn(); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return s, nil
}

func (s *socket) Read(p []byte) (int, error) {
	if s.lost.Load() {
		return 0, errSocketLost
	}
	n, err := s.Conn.Read(p)
	if err != nil {
		s.lost.Store(true)
	}
	return n, err
}

// SetReadDeadline leaves a deadline that is as good as the new one: pgdriver moves it for every row, which was a tenth of
// the time a page of orders took to read.
func (s *socket) SetReadDeadline(t time.Time) error {
	if later := t.Sub(s.deadline); !s.deadline.IsZero() && later >= 0 && later < readSlack/10 {
		return nil
	}
	s.deadline = t
	return s.Conn.SetReadDeadline(t)
}

func (s *socket) Write(p []byte) (int, error) {
	if s.lost.Load() {
		return 0, errSocketLost
	}
	n, err := s.Conn.Write(p)
	if err != nil {
		s.lost.Store(true)
	}
	return n, err
}

// Close may be called at any time, also while another goroutine reads: its Read fails.
func (s *socket) Close() error {
	s.lost.Store(true)
	return s.Conn.Close()
}
