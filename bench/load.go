package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// client is one keep-alive HTTP/1.1 connection, written by hand because it shares the processors with what it measures.
type client struct {
	conn  net.Conn
	in    *bufio.Reader
	out   []byte
	body  []byte
	fresh *atomic.Uint64
}

func dial(addr string, fresh *atomic.Uint64) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, in: bufio.NewReaderSize(conn, 16<<10), fresh: fresh}, nil
}

// do sends r and returns the body of the answer, which is good until the next call.
func (c *client) do(r request) ([]byte, error) {
	c.out = append(c.out[:0], r.bytes...)
	if r.fresh >= 0 {
		copy(c.out[r.fresh:], fmt.Sprintf("%016x", c.fresh.Add(1)))
	}
	if err := c.conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return nil, err
	}
	status, err := c.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	ok := bytes.HasPrefix(status, []byte("HTTP/1.1 200 "))
	line := string(status)
	if err := c.readBody(); err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%q: %.300q", line, c.body)
	}
	return c.body, nil
}

var (
	lengthHeader  = []byte("Content-Length: ")
	chunkedHeader = []byte("Transfer-Encoding: chunked")
)

func (c *client) readBody() error {
	length, chunked := -1, false
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case len(line) == 0:
			c.body = c.body[:0]
			if chunked {
				return c.readChunks()
			}
			if length < 0 {
				return errors.New("the answer does not say how long it is")
			}
			return c.readMore(length)
		case bytes.HasPrefix(line, lengthHeader):
			if length, err = strconv.Atoi(string(line[len(lengthHeader):])); err != nil {
				return err
			}
		case bytes.Equal(line, chunkedHeader):
			chunked = true
		}
	}
}

func (c *client) readMore(n int) error {
	at := len(c.body)
	for cap(c.body) < at+n {
		c.body = append(c.body[:cap(c.body)], 0)
	}
	c.body = c.body[:at+n]
	_, err := io.ReadFull(c.in, c.body[at:])
	return err
}

func (c *client) readChunks() error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(string(bytes.TrimRight(line, "\r\n")), 16, 31)
		if err != nil {
			return err
		}
		if err := c.readMore(int(n)); err != nil {
			return err
		}
		if _, err := c.in.Discard(2); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

// ask is do for an answer that has to be right.
func (c *client) ask(r request) ([]byte, error) {
	body, err := c.do(r)
	if err == nil {
		err = check(r, body)
	}
	return body, err
}

// check says what is wrong with an answer.
func check(r request, body []byte) error {
	if !bytes.HasPrefix(body, r.want) || !bytes.Equal(body, r.want) && bytes.Contains(body, []byte(`"errors"`)) {
		return fmt.Errorf("a wrong answer: %.500s\nit should begin: %s", body, r.want)
	}
	return nil
}

// load is what driving a server gave.
type load struct {
	latencies []time.Duration // of what ended in the time measured
	took      time.Duration   // the time measured
	all       int             // requests, warming up included
}

// driver sends requests, chosen at random, until an end, and counts from a beginning.
type driver struct {
	addr       string
	requests   []request
	begin, end time.Time
	fresh      *atomic.Uint64
	failed     atomic.Bool // on any connection
}

// drive sends requests over so many connections for warm + measure.
func drive(addr string, requests []request, connections int, warm, measure time.Duration, fresh *atomic.Uint64) (*load, error) {
	d := &driver{addr: addr, requests: requests, fresh: fresh, begin: time.Now().Add(warm)}
	d.end = d.begin.Add(measure)
	type result struct {
		load
		err error
	}
	results := make(chan result, connections)
	for range connections {
		go func() {
			got := result{load: load{latencies: make([]time.Duration, 0, 1<<14)}}
			if got.err = d.run(&got.load); got.err != nil {
				d.failed.Store(true)
			}
			results <- got
		}()
	}
	sum := &load{took: measure}
	var err error
	for range connections {
		got := <-results
		sum.latencies = append(sum.latencies, got.latencies...)
		sum.all += got.all
		err = errors.Join(err, got.err)
	}
	return sum, err
}

// warmUp sends each request once, over 32 connections.
func warmUp(addr string, requests []request) error {
	failed := make([]error, 32)
	var wait sync.WaitGroup
	for i := range failed {
		wait.Go(func() { failed[i] = sendAll(addr, requests, i, len(failed)) })
	}
	wait.Wait()
	return errors.Join(failed...)
}

// sendAll sends the requests from first on, by steps of so many, over one connection.
func sendAll(addr string, requests []request, first, step int) error {
	c, err := dial(addr, &atomic.Uint64{}) // what warms up has no fresh keys
	if err != nil {
		return err
	}
	defer c.conn.Close()
	for i := first; i < len(requests); i += step {
		if _, err := c.ask(requests[i]); err != nil {
			return err
		}
	}
	return nil
}

// run drives one connection.
func (d *driver) run(sum *load) error {
	c, err := dial(d.addr, d.fresh)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	for sent := time.Now(); sent.Before(d.end) && !d.failed.Load(); {
		if _, err := c.ask(d.requests[rand.IntN(len(d.requests))]); err != nil {
			return err
		}
		now := time.Now()
		sum.all++
		if now.After(d.begin) && !now.After(d.end) {
			sum.latencies = append(sum.latencies, now.Sub(sent))
		}
		sent = now
	}
	return nil
}
