package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wxpass/db/dbtest"
)

// outcome is what became of one request under load.
type outcome struct {
	began time.Time
	took  time.Duration
	fault string // empty for success, "INTERNAL" for the one that an outage may give, else what came instead
}

// load is clients that ask without a pause until they are stopped, and what became of it.
type load struct {
	done, failed atomic.Int32
	stopped      atomic.Bool
	wait         sync.WaitGroup

	mu       sync.Mutex
	outcomes []outcome
	orders   map[string]bool // the keys that were answered with an order
}

// attempt sends a document, by turns as a plain and as a GraphQL client, and judges the answer.
func (l *load) attempt(client *http.Client, p *process, token, query string) outcome {
	o := outcome{began: time.Now()}
	n := l.done.Add(1)
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		return outcome{fault: err.Error()}
	}
	r, err := http.NewRequest(http.MethodPost, p.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return outcome{fault: err.Error()}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", []string{"application/json", "application/graphql-response+json"}[n%2])
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := client.Do(r)
	if err != nil {
		o.fault = err.Error()
	} else {
		var got reply
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		switch {
		case err != nil || json.Unmarshal(text, &got) != nil || res.StatusCode != http.StatusOK:
			o.fault = fmt.Sprintf("status %d, %v: %s", res.StatusCode, err, text)
		case got.code() != "" && got.code() != "INTERNAL":
			o.fault = string(text)
		default:
			o.fault = got.code()
		}
	}
	if o.took = time.Since(o.began); o.fault != "" {
		l.failed.Add(1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outcomes = append(l.outcomes, o)
	return o
}

// run has a client read who it is and its orders, and order; an order that failed is sent again until it is answered.
func (l *load) run(p *process, token, product string) {
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	for i := 0; !l.stopped.Load(); i++ {
		l.attempt(client, p, token, "{ me { id } }")
		l.attempt(client, p, token, "{ myOrders(first: 5) { edges { node { orderNo items { sku } } } } }")
		key := fmt.Sprint("order-", i)
		for !l.stopped.Load() {
			if l.attempt(client, p, token, buy(key, product)).fault == "" {
				l.mu.Lock()
				l.orders[token+key] = true
				l.mu.Unlock()
				break
			}
		}
	}
}

// more returns when counter has grown by n.
func more(t *testing.T, counter *atomic.Int32, n int32) {
	t.Helper()
	goal := counter.Load() + n
	for deadline := time.Now().Add(time.Minute); counter.Load() < goal; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d of %d requests in a minute", n-goal+counter.Load(), n)
		}
	}
}

// TestPostgresRestartsUnderLoad restarts it in an orderly way, and again as by a crash.
func TestPostgresRestartsUnderLoad(t *testing.T) {
	t.Parallel()
	server := dbtest.Private(t)
	url := server.URL("postgres")
	p := start(t, t.TempDir(), nil, "ADDR=127.0.0.1:0", "DATABASE_URL="+url, "RATE_LIMIT_SCALE=0")
	product := p.product(t)
	l := &load{orders: map[string]bool{}}
	for n := range 12 {
		token := p.customer(t, n)
		l.wait.Go(func() { l.run(p, token, product) })
	}
	for _, mode := range []string{"fast", "immediate"} {
		more(t, &l.done, 300)
		down := time.Now()
		if err := server.Stop(mode); err != nil {
			t.Fatal(err)
		}
		more(t, &l.failed, 200)
		if status, body := p.get(t, "/readyz"); status != http.StatusServiceUnavailable {
			t.Errorf("%s: ready without a database: %d %s", mode, status, body)
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		up := time.Now()
		more(t, &l.done, 300)
		if status, body := p.get(t, "/readyz"); status != http.StatusOK {
			t.Errorf("%s: not ready with its database back: %d %s", mode, status, body)
		}
		l.report(t, mode, down, up)
	}
	l.stopped.Store(true)
	l.wait.Wait()

	conn := dbtest.Raw(t, url)
	wantWholeOrders(t, conn)
	placed := count(t, conn, "SELECT count(*) FROM orders")
	if placed < len(l.orders) || placed > len(l.orders)+12 { // the last one of each client may not have been answered
		t.Errorf("%d orders were answered and %d are there", len(l.orders), placed)
	}
	t.Logf("%d orders answered, all there, whole and once", len(l.orders))
	if text := p.log.String(); strings.Contains(text, "panic") {
		t.Errorf("the log tells of a panic:\n%s", text)
	}
}

// report judges the requests around an outage from down to up: those that touched it may fail, as INTERNAL, and quickly.
func (l *load) report(t *testing.T, mode string, down, up time.Time) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var during, failed, after int
	var longest, first time.Duration
	for _, o := range l.outcomes {
		end := o.began.Add(o.took)
		longest = max(longest, o.took)
		if o.fault != "" && o.fault != "INTERNAL" {
			t.Errorf("%s: a request got %s", mode, o.fault)
		}
		switch {
		case end.Before(down):
			continue
		case o.began.Before(up):
			during++
			if o.fault != "" {
				failed++
			}
			continue
		case o.fault != "":
			t.Errorf("%s: a request %s after the server was back failed", mode, o.began.Sub(up))
		case first == 0 || end.Sub(up) < first:
			first = end.Sub(up)
		}
		after++
	}
	if longest > 8*time.Second {
		t.Errorf("%s: a request took %s", mode, longest)
	}
	t.Logf("%s: down for %s; %d requests meanwhile, %d failed, all as INTERNAL with status 200; longest of all %s; %d after it, none failed, the first answered after %s",
		mode, up.Sub(down).Round(time.Millisecond), during, failed, longest.Round(time.Millisecond), after, first.Round(time.Millisecond))
}
