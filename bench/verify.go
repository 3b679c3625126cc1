package main

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
)

// checked is how many calls of a case are compared before it is measured.
const checked = 20

// news is what differs in two answers to a mutation: what was made for each.
var news = regexp.MustCompile(`"(id|orderNo|token|expiresAt|createdAt|updatedAt)":"[^"]*"`)

// verify fails unless wxpass and the floor give the same answers, byte for byte, and write the same rows.
func (t *testCase) verify(ctx context.Context, w *world, wxpass *target, calls []call, fresh *atomic.Uint64) error {
	product, err := dial(wxpass.addr, fresh)
	if err != nil {
		return err
	}
	defer product.conn.Close()
	floor, err := dial(w.floor.addr, fresh)
	if err != nil {
		return err
	}
	defer floor.conn.Close()
	for _, c := range calls[:min(len(calls), checked)] {
		if strings.Contains(c.variables, freshKey) { // once under one key, which is one order and the same answer
			same := c
			same.variables = strings.Replace(c.variables, freshKey, fmt.Sprintf("same-%016x", fresh.Add(1)), 1)
			if err := t.compare(ctx, w, product, floor, same, false); err != nil {
				return err
			}
		}
		if err := t.compare(ctx, w, product, floor, c, t.written != nil); err != nil {
			return err
		}
	}
	return nil
}

// compare asks both for c; where each makes something new, it compares what they say and write but for what is new.
func (t *testCase) compare(ctx context.Context, w *world, product, floor *client, c call, anew bool) error {
	var answers [2]string
	var rows [2][]string
	for i, side := range []struct {
		client *client
		path   string
	}{{product, "/graphql"}, {floor, t.floorPath}} {
		r, err := t.encode(c, side.path)
		if err != nil {
			return err
		}
		before, err := t.rows(ctx, w, c)
		if err != nil {
			return err
		}
		body, err := side.client.ask(r)
		if err != nil {
			return fmt.Errorf("%s%s: %w", t.name, side.path, err)
		}
		if answers[i] = string(body); anew {
			answers[i] = string(news.ReplaceAll(body, []byte(`"$1":"new"`)))
			if rows[i], err = t.rows(ctx, w, c); err != nil {
				return err
			}
			rows[i] = growth(before, rows[i])
		}
	}
	if answers[0] != answers[1] {
		return fmt.Errorf("%s: wxpass and the floor differ:\n%s\n%s", t.name, answers[0], answers[1])
	}
	if strings.Join(rows[0], "\n") != strings.Join(rows[1], "\n") {
		return fmt.Errorf("%s: wxpass and the floor write other rows:\n%s\n\n%s", t.name, strings.Join(rows[0], "\n"), strings.Join(rows[1], "\n"))
	}
	return nil
}

// rows reads what the case has written for the caller.
func (t *testCase) rows(ctx context.Context, w *world, c call) (rows []string, err error) {
	for _, query := range t.written {
		var text *string
		err := w.conn.QueryRow(ctx, "SELECT ("+query+")::text", c.userID).Scan(&text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", query, err)
		}
		if text == nil {
			rows = append(rows, "none")
			continue
		}
		rows = append(rows, *text)
	}
	return rows, nil
}

// growth makes counts differences.
func growth(before, after []string) []string {
	out := make([]string, len(after))
	for i := range after {
		var was, is int
		out[i] = after[i]
		if _, err := fmt.Sscanf(before[i]+" "+after[i], "%d %d", &was, &is); err == nil {
			out[i] = fmt.Sprintf("+%d", is-was)
		}
	}
	return out
}

// mallocsMetric is the name under which Go programs tell Prometheus of their allocations.
const mallocsMetric = "go_memstats_mallocs_total"

// mallocs is how many allocations a server has made, false when it does not tell.
func (t *target) mallocs() (uint64, bool) {
	for _, addr := range []string{t.metrics, t.addr} {
		text, err := get("http://" + addr + "/metrics")
		if err != nil {
			continue
		}
		for line := range bytes.Lines(text) {
			var n float64
			if _, err := fmt.Sscanf(string(line), mallocsMetric+" %g", &n); err == nil {
				return uint64(n), true
			}
		}
	}
	return 0, false
}
