package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// figures are what a program says of itself.
type figures struct {
	goroutines int
	inFlight   int     // calls to WeChat
	memory     float64 // MiB
}

// figures reads /metrics.
func (p *process) figures() (f figures, err error) {
	res, err := http.Get(p.url + "/metrics")
	if err != nil {
		return f, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return f, err
	}
	sum := func(name string) (sum float64) { // over its labels
		found := regexp.MustCompile(`(?m)^`+name+`(?:\{.*\})? (\S+)$`).FindAllStringSubmatch(string(text), -1)
		if found == nil {
			err = errors.Join(err, fmt.Errorf("/metrics: %s, without %s", res.Status, name))
		}
		for _, m := range found {
			value, valueErr := strconv.ParseFloat(m[1], 64)
			sum, err = sum+value, errors.Join(err, valueErr)
		}
		return sum
	}
	f.goroutines, f.inFlight = int(sum("go_goroutines")), int(sum("wxpass_wechat_in_flight"))
	f.memory = sum("process_resident_memory_bytes") / (1 << 20)
	return f, err
}

// settled waits until the program has no more goroutines than at the start, but for a few that come and go, and
// returns its figures then. At the start itself it waits until nothing changes any more: start is nil.
func (p *process) settled(t *testing.T, start *figures) (now figures) {
	t.Helper()
	last := 0
	for range 100 {
		var err error
		if now, err = p.figures(); err != nil {
			t.Fatal(err)
		}
		if start == nil && now.goroutines == last || start != nil && now.goroutines <= start.goroutines+5 {
			return now
		}
		last = now.goroutines
		time.Sleep(100 * time.Millisecond)
	}
	if start == nil {
		start = &figures{}
	}
	t.Errorf("%d goroutines, and no end of change; %d at the start", now.goroutines, start.goroutines)
	return now
}

// watchPeaks reads the figures of a program every 100 ms until what it returns is called, which returns the highest.
func watchPeaks(t *testing.T, p *process) (stop func() figures) {
	var most figures
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			now, err := p.figures()
			if err != nil {
				t.Error(err)
			}
			most = figures{max(most.goroutines, now.goroutines), max(most.inFlight, now.inFlight), max(most.memory, now.memory)}
			select {
			case <-end:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() figures { close(end); <-ended; return most }
}

// readiness watches /readyz.
type readiness struct {
	mu             sync.Mutex
	degraded, well time.Time // since when WeChat is said to be degraded, and since when not any more
	stop           func()
}

// watchReadiness asks every 50 ms until it is stopped. The server must be ready all the time.
func watchReadiness(t *testing.T, p *process) *readiness {
	w, end, ended := &readiness{}, make(chan struct{}), make(chan struct{})
	w.stop = sync.OnceFunc(func() { close(end); <-ended })
	t.Cleanup(w.stop)
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-time.After(50 * time.Millisecond):
			}
			if err := w.look(p); err != nil {
				t.Errorf("/readyz: %v", err)
			}
		}
	}()
	return w
}

func (w *readiness) look(p *process) error {
	res, err := http.Get(p.url + "/readyz")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer healthAnswer
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || answer.Status != "ready" {
		return fmt.Errorf("%d, %+v", res.StatusCode, answer)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch bad := strings.Contains(answer.Parts["wechat"], "degraded"); {
	case bad && w.degraded.IsZero():
		w.degraded = time.Now()
	case bad:
		w.well = time.Time{}
	case !w.degraded.IsZero() && w.well.IsZero():
		w.well = time.Now()
	}
	return nil
}

// said returns since when it said degraded, and since when no longer; zero for not.
func (w *readiness) said() (degraded, well time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.degraded, w.well
}
