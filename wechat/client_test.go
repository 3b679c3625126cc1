package wechat_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wxpass/wechat"
	"wxpass/wechat/simulator"
)

func TestCode2Session(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := w.sim.LoginAs(simulator.User{OpenID: "alice", UnionID: "union-alice"})
	got, err := w.Code2Session(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	want := &wechat.Session{
		OpenID: "alice", UnionID: "union-alice", SessionKey: wechat.Secret(w.sim.SessionKey(w.AppID, "alice")),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, err = w.Code2Session(t.Context(), code)
	wantClass(t, err, wechat.ErrCodeInvalid)
	if !errors.Is(err, &wechat.Error{Code: 40163}) || errors.Is(err, &wechat.Error{Code: 40029}) {
		t.Errorf("second use: %v, want errcode 40163", err)
	}
}

func TestErrcodeZeroIsSuccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"errcode":0,"errmsg":"ok","openid":"alice","session_key":"tiihtNczf5v6AKRyjwEUhQ=="}`
	w.sim.Fault(simulator.Fault{Endpoint: "*", Body: &body})
	if got, err := w.Code2Session(t.Context(), "c"); err != nil || got.OpenID != "alice" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestDropsAndDeadlinesAreUnavailable(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]simulator.Fault{
		"dropped":              {Endpoint: "*", Drop: true},
		"dropped, code spent":  {Endpoint: "*", Drop: true, AfterConsume: true},
		"too slow":             {Endpoint: "*", DelayMS: 10_000},
		"too slow, code spent": {Endpoint: "*", DelayMS: 10_000, AfterConsume: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.sim.Fault(fault)
			w.Timeout = 50 * time.Millisecond
			code := w.sim.Login("alice")
			_, err := w.Code2Session(t.Context(), code)
			wantClass(t, err, wechat.ErrUnavailable)
			wantSilent(t, err, code)
			if got, want := errors.Is(err, context.DeadlineExceeded), fault.DelayMS > 0; got != want {
				t.Errorf("%v is a missed deadline: %v", err, got)
			}
			if n := w.sim.Calls("jscode2session"); n != 1 {
				t.Errorf("code sent %d times, want once", n)
			}
		})
	}
}

func TestACallersCancellationBlamesNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sim.Fault(simulator.Fault{Endpoint: "*", DelayMS: 60_000})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	code := w.sim.Login("alice")
	_, err := w.Code2Session(ctx, code)
	wantClass(t, err, nil)
	wantSilent(t, err, code)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it to match context.Canceled", err)
	}
}

func TestACodeCannotAddParameters(t *testing.T) {
	t.Parallel()
	for _, code := range []string{
		"a&appid=wxevil", "a#b", `a"b'c`, "a b+c%20", "a?b/../c", "a=b;c=d", `{"code":"x"}`, strings.Repeat("&", 512), "the code is a mock one",
	} {
		w := newWorld(t)
		_, err := w.Code2Session(t.Context(), code)
		wantClass(t, err, wechat.ErrCodeInvalid)
		wantSilent(t, err, code)
		if len(w.requests) != 1 {
			t.Fatalf("%q: requests %q", code, w.requests)
		}
		u, err := url.ParseRequestURI(w.requests[0])
		if err != nil {
			t.Fatal(err)
		}
		want := url.Values{"appid": {w.AppID}, "secret": {w.Secret}, "js_code": {code}, "grant_type": {"authorization_code"}}
		if diff := cmp.Diff(want, u.Query()); diff != "" || strings.Count(u.RawQuery, "&") != 3 {
			t.Errorf("%q: %s %s", code, u.RawQuery, diff)
		}
	}
}

func TestWhatCannotBeACodeIsNotSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, code := range []string{"", "a\nb", "a\x00", "代码", "\xff", strings.Repeat("a", 4096)} {
		_, err := w.Code2Session(t.Context(), code)
		wantClass(t, err, wechat.ErrCodeInvalid)
		wantSilent(t, err)
	}
	if len(w.requests) != 0 {
		t.Errorf("requests %q", w.requests)
	}
}

// On a connection used before, net/http may send a request again by itself, and its code with it.
func TestEveryExchangeHasAConnectionOfItsOwn(t *testing.T) {
	t.Parallel()
	sim := &simulator.Server{Now: newWorld(t).time}
	srv := httptest.NewUnstartedServer(sim)
	var connections atomic.Int32
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	c := newClient(srv.URL)
	for range 3 {
		if _, err := c.Code2Session(t.Context(), sim.Login("alice")); err != nil {
			t.Fatal(err)
		}
	}
	if got := connections.Load(); got != 3 {
		t.Errorf("%d connections for 3 exchanges", got)
	}
}

// A server may close a connection between two requests. One that was used before must not make net/http send the
// next code twice.
func TestACodeIsNotSentAgainOverADeadConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		if _, err := w.Code2Session(t.Context(), w.sim.Login("alice")); err != nil {
			t.Fatal(err)
		}
		w.sim.Fault(simulator.Fault{Endpoint: "jscode2session", Drop: true})
		before := w.sim.Calls("jscode2session")
		_, err := w.Code2Session(t.Context(), w.sim.Login("alice"))
		wantClass(t, err, wechat.ErrUnavailable)
		if n := w.sim.Calls("jscode2session") - before; n != 1 {
			t.Fatalf("a code was sent %d times", n)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, client := range []*http.Client{nil, {}} {
		var followed bool
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			followed = followed || r.URL.Path == "/elsewhere"
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}))
		c := newClient(srv.URL)
		c.HTTP = client
		_, err := c.Code2Session(t.Context(), "c")
		srv.Close()
		wantClass(t, err, wechat.ErrUnavailable)
		if followed {
			t.Error("followed a redirect")
		}
	}
}
