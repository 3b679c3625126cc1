package wechat_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wxpass/wechat"
	"wxpass/wechat/simulator"
)

// fail makes n exchanges fail for want of an answer.
func (w *world) fail(t *testing.T, n int) {
	t.Helper()
	w.sim.Fault(simulator.Fault{Endpoint: "jscode2session", Drop: true, Times: n})
	for range n {
		_, err := w.Code2Session(t.Context(), "code")
		wantClass(t, err, wechat.ErrUnavailable)
	}
}

// wantNotSent checks that err is of a call that was not made, and says when to come back.
func wantNotSent(t *testing.T, err error) {
	t.Helper()
	wantClass(t, err, wechat.ErrUnavailable)
	var e *wechat.Error
	if !errors.As(err, &e) || !e.NotSent || e.RetryAfter < time.Second {
		t.Errorf("error %v is not of a call that was not made", err)
	}
}

func (w *world) wantResting(t *testing.T, want bool) {
	t.Helper()
	for _, h := range w.Health() {
		if h.Resting != (want && h.Path == "/sns/jscode2session") {
			t.Errorf("health %+v, want resting %v", h, want)
		}
	}
}

func TestAnEndpointThatFailsRestsAndRecovers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Rest = 100 * time.Millisecond
	w.fail(t, 8)
	if _, err := w.Code2Session(t.Context(), w.sim.Login("alice")); err != nil {
		t.Fatalf("eight failures are not enough: %v", err)
	}
	w.wantResting(t, false)
	w.fail(t, 1)
	w.wantResting(t, true)
	w.sim.Fault(simulator.Fault{Endpoint: "jscode2session", Drop: true, Times: -1})
	before := w.sim.Calls("jscode2session")
	_, err := w.Code2Session(t.Context(), "code")
	wantNotSent(t, err)
	if n := w.sim.Calls("jscode2session"); n != before {
		t.Errorf("asked %d times while at rest", n-before)
	}
	if err := w.phone(t, w.Client); err != nil {
		t.Errorf("another endpoint: %v", err)
	}

	// A trial that fails begins another rest; while it runs there is no other.
	for w.sim.Calls("jscode2session") == before {
		_, err := w.Code2Session(t.Context(), "code")
		wantClass(t, err, wechat.ErrUnavailable)
	}
	_, err = w.Code2Session(t.Context(), "code")
	wantNotSent(t, err)

	w.sim.Reset()
	for began := time.Now(); ; {
		_, err := w.Code2Session(t.Context(), w.sim.Login("alice"))
		if err == nil {
			break
		}
		wantNotSent(t, err)
		if time.Since(began) > 5*time.Second {
			t.Fatal("it does not recover")
		}
	}
	w.wantResting(t, false)
}

func TestNoMoreThanOneTrialAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Rest = time.Millisecond
	w.fail(t, 10)
	w.sim.Reset()
	w.sim.Fault(simulator.Fault{Endpoint: "jscode2session", DelayMS: 300})
	time.Sleep(2 * time.Millisecond)
	var wait sync.WaitGroup
	var succeeded atomic.Int32
	for range 20 {
		code := w.sim.Login("alice")
		wait.Go(func() {
			if _, err := w.Code2Session(t.Context(), code); err == nil {
				succeeded.Add(1)
			} else {
				wantNotSent(t, err)
			}
		})
	}
	wait.Wait()
	if got := succeeded.Load(); got != 1 || w.sim.Calls("jscode2session") != 1 {
		t.Errorf("%d succeeded of %d calls, want one trial", got, w.sim.Calls("jscode2session"))
	}
	w.wantResting(t, false)
}

func TestOnlyOutagesMakeAnEndpointRest(t *testing.T) {
	t.Parallel()
	for _, code := range []int{40029, 40163, 40226, 45011, 45009, 40013, 40125, 40164} {
		w := newWorld(t)
		w.sim.Fault(simulator.Fault{Endpoint: "jscode2session", ErrCode: code, Times: -1})
		for range 30 {
			_, err := w.Code2Session(t.Context(), "code")
			if errors.Is(err, wechat.ErrUnavailable) {
				t.Fatalf("errcode %d: %v", code, err)
			}
		}
		w.wantResting(t, false)
	}
	w := newWorld(t)
	w.sim.Fault(simulator.Fault{Endpoint: "jscode2session", DelayMS: 60_000, Times: -1})
	for i := range 30 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer cancel()
			for w.sim.Calls("jscode2session") <= i && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
		}()
		_, err := w.Code2Session(ctx, "code")
		wantClass(t, err, nil) // the caller has gone
	}
	w.wantResting(t, false)
	if got := w.Health()[0].Calls["canceled"]; got != 30 {
		t.Errorf("%d calls counted as cancelled, want 30", got)
	}
}

func TestNoMoreCallsThanTheBoundAreUnderWay(t *testing.T) {
	t.Parallel()
	const bound, callers = 4, 40
	var inFlight, peak atomic.Int32
	answer := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if n := inFlight.Add(1); n > peak.Load() {
			peak.Store(n)
		}
		<-answer
		inFlight.Add(-1)
	}))
	t.Cleanup(srv.Close)
	c := newClient(srv.URL)
	c.MaxInFlight, c.Timeout = bound, time.Minute
	refused := make(chan error, callers)
	var wait sync.WaitGroup
	for range callers {
		wait.Go(func() {
			_, err := c.Code2Session(t.Context(), "code")
			refused <- err
		})
	}
	for range callers - bound { // they come back although nobody answers
		wantNotSent(t, <-refused)
	}
	if got := c.Health()[0].InFlight; got > bound {
		t.Errorf("%d calls under way", got)
	}
	close(answer)
	wait.Wait()
	if got := peak.Load(); got > bound {
		t.Errorf("%d requests at once, bound is %d", got, bound)
	}
	if h := c.Health()[0]; h.InFlight != 0 || h.Calls["not_sent"] != callers-bound {
		t.Errorf("health %+v", h)
	}
}

func TestACodeIsAsGoodAsBeforeWhenNobodyListens(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.NotFoundHandler())
	srv.Close()
	_, err := newClient(srv.URL).Code2Session(t.Context(), "code")
	var e *wechat.Error
	if !errors.As(err, &e) || !e.NotSent {
		t.Errorf("error %v says the code may be spent", err)
	}
}

func TestARefusalOfTheAppIsRememberedUntilItEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sim.Fault(simulator.Fault{Endpoint: "jscode2session", ErrCode: 40164})
	w.sim.Fault(simulator.Fault{Endpoint: "jscode2session", ErrCode: -1})
	for range 2 { // an outage does not end it
		w.Code2Session(t.Context(), "code")
		if h := w.Health()[0]; h.Refusal == nil || h.Refusal.Code != 40164 {
			t.Errorf("health %+v", h)
		}
	}
	if _, err := w.Code2Session(t.Context(), w.sim.Login("alice")); err != nil {
		t.Fatal(err)
	}
	if h := w.Health()[0]; h.Refusal != nil || h.Calls["ok"] != 1 || h.Calls["misconfigured"] != 1 || h.Calls["unavailable"] != 1 {
		t.Errorf("health %+v", h)
	}
}
