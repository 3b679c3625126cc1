package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// A case that only reads is warmed up by every caller once, so that the pages, the plans and the tokens that wxpass
// remembers are there; one that writes by firstWarmup. Then warmup goes before every measurement.
const (
	warmup      = 200 * time.Millisecond
	firstWarmup = time.Second
)

// measurement is what one server did in one round.
type measurement struct {
	throughput float64       // requests a second
	p50, p99   time.Duration // of their latency
	cpu        time.Duration // of the server, for a request
	database   time.Duration // of PostgreSQL, for a request
	allocs     float64       // of the server, for a request; -1 when it does not tell
}

// measureAll runs the cases chosen, in their order: those that write come last.
func (b *runner) measureAll(ctx context.Context, w *world, users int) (t table, err error) {
	t.users = users
	fresh := &atomic.Uint64{}
	fresh.Store(uint64(time.Now().UnixNano()) << 8) // above those of former runs on the same data
	for i := range testCases {
		c := &testCases[i]
		if !slices.Contains(b.cases, c.name) {
			continue
		}
		if err := b.measureCase(ctx, w, c, users, fresh, &t); err != nil {
			return t, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return t, nil
}

func (b *runner) measureCase(ctx context.Context, w *world, c *testCase, users int, fresh *atomic.Uint64, t *table) error {
	wxpass := w.production
	if c.development {
		wxpass = w.development
	}
	calls, err := c.calls(ctx, w, b.options, users)
	if err != nil {
		return err
	}
	if err := c.verify(ctx, w, wxpass, calls, fresh); err != nil {
		return err
	}
	if calls, err = c.calls(ctx, w, b.options, users); err != nil { // the checks may have placed orders
		return err
	}
	toProduct, err := c.encodeAll(calls, "/graphql")
	if err != nil {
		return err
	}
	toFloor, err := c.encodeAll(calls, c.floorPath)
	if err != nil {
		return err
	}
	if c.written == nil {
		if err := errors.Join(warmUp(wxpass.addr, toProduct), warmUp(w.floor.addr, toFloor)); err != nil {
			return err
		}
	}
	b.log("%s: %d answers are the same; measuring", c.name, min(checked, len(calls)))
	for _, connections := range b.connections {
		r := row{name: c.name, connections: connections}
		for round := range b.rounds {
			if err := ctx.Err(); err != nil {
				return err
			}
			warm := warmup
			if round == 0 && c.written != nil && !b.small {
				warm = firstWarmup
			}
			product, err := b.measureOne(w, wxpass, toProduct, connections, warm, fresh)
			if err != nil {
				return err
			}
			floor, err := b.measureOne(w, w.floor, toFloor, connections, warm, fresh)
			if err != nil {
				return err
			}
			r.wxpass, r.floor = append(r.wxpass, product), append(r.floor, floor)
		}
		t.rows = append(t.rows, r)
	}
	return nil
}

func (b *runner) measureOne(w *world, t *target, requests []request, connections int, warm time.Duration, fresh *atomic.Uint64) (m measurement, err error) {
	before, err := usage(w, t)
	if err != nil {
		return m, err
	}
	got, err := drive(t.addr, requests, connections, warm, b.measure, fresh)
	if err != nil {
		return m, fmt.Errorf("%s at %d connections: %w", t.name, connections, err)
	}
	after, err := usage(w, t)
	if err != nil {
		return m, err
	}
	if len(got.latencies) == 0 {
		return m, fmt.Errorf("%s answered nothing in %s at %d connections", t.name, b.measure, connections)
	}
	slices.Sort(got.latencies)
	all := float64(got.all)
	m = measurement{
		throughput: float64(len(got.latencies)) / got.took.Seconds(),
		p50:        percentile(got.latencies, 0.50),
		p99:        percentile(got.latencies, 0.99),
		cpu:        time.Duration(float64(after.cpu-before.cpu) / all),
		database:   time.Duration(float64(after.database-before.database) / all),
		allocs:     -1,
	}
	if before.told && after.told {
		m.allocs = float64(after.mallocs-before.mallocs) / all
	}
	return m, os.Truncate(t.process.logPath, 0) // the log of a busy server would fill the disk
}

// used is what a server and PostgreSQL have used so far.
type used struct {
	cpu, database time.Duration
	mallocs       uint64
	told          bool
}

func usage(w *world, t *target) (u used, err error) {
	if u.cpu, err = t.process.cpu(); err != nil {
		return u, err
	}
	if u.database, err = w.pg.cpu(); err != nil {
		return u, err
	}
	u.mallocs, u.told = t.mallocs()
	return u, nil
}

// percentile is the smallest of sorted that no more than the share p of them is below.
func percentile(sorted []time.Duration, p float64) time.Duration {
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}

// median leaves values alone; of an even number it is the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[n/2] + sorted[(n-1)/2]) / 2
}
