package wechat_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"wxpass/testlog"
	"wxpass/wechat"
	"wxpass/wechat/simulator"
)

// world is a client and the simulator it calls, with a clock of their own.
type world struct {
	*wechat.Client
	sim *simulator.Server

	mu       sync.Mutex
	now      time.Time
	requests []string // request lines the simulator saw
	bodies   []string // and the bodies
}

func newWorld(t *testing.T) *world {
	w := &world{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	w.sim = &simulator.Server{Now: w.time}
	srv := httptest.NewServer(testlog.Watch(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		w.mu.Lock()
		w.requests, w.bodies = append(w.requests, r.RequestURI), append(w.bodies, string(body))
		w.mu.Unlock()
		w.sim.ServeHTTP(rw, r)
	})))
	t.Cleanup(srv.Close)
	w.Client = w.instance(srv.URL)
	return w
}

// instance returns one more client of the same app and clock.
func (w *world) instance(baseURL string) *wechat.Client {
	c := newClient(baseURL)
	c.Now = w.time
	return c
}

func newClient(baseURL string) *wechat.Client {
	app := simulator.DefaultApp()
	return &wechat.Client{AppID: app.ID, Secret: app.Secret, BaseURL: baseURL, Log: testlog.Logger(nil)}
}

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

var classes = []error{
	wechat.ErrCodeInvalid, wechat.ErrBlocked, wechat.ErrBusy, wechat.ErrMisconfigured, wechat.ErrUnavailable,
}

// wantClass checks that err is of one class and no other; nil is no class at all.
func wantClass(t *testing.T, err, want error) {
	t.Helper()
	for _, class := range classes {
		if got := errors.Is(err, class); got != (class == want) {
			t.Errorf("error %q matches %q: %v", err, class, got)
		}
	}
}

// wantSilent checks that no error in err's tree shows a secret, however it is printed.
func wantSilent(t *testing.T, err error, secrets ...string) {
	t.Helper()
	secrets = append(secrets, simulator.DefaultApp().Secret, "js_code", "access_token=", "http://", "?")
	texts := []string{fmt.Sprintf("%v %+v %#v %q", err, err, err, err)}
	if data, err := json.Marshal(err); err == nil {
		texts = append(texts, string(data))
	}
	for _, text := range texts {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("error shows %q: %s", secret, text)
			}
		}
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if e.Unwrap() != nil {
			wantSilent(t, e.Unwrap(), secrets...)
		}
	case interface{ Unwrap() []error }:
		for _, e := range e.Unwrap() {
			wantSilent(t, e, secrets...)
		}
	}
}
