package wechat_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"wxpass/wechat"
	"wxpass/wechat/simulator"
)

func TestEveryErrcodeHasOneClass(t *testing.T) {
	t.Parallel()
	for class, codes := range map[error][]int{
		wechat.ErrCodeInvalid:   {40029, 40163, 42003, 41008, 40003},
		wechat.ErrBlocked:       {40226, 50002},
		wechat.ErrBusy:          {45009, 45011},
		wechat.ErrMisconfigured: {40001, 40002, 40013, 40125, 40164, 40243, 41001, 41002, 41004, 43002, 44002, 47001, 48001, 61004, 89503},
		wechat.ErrUnavailable:   {-1, 40014, 42001, 99999},
	} {
		for _, code := range codes {
			w := newWorld(t)
			w.sim.Fault(simulator.Fault{Endpoint: "jscode2session", ErrCode: code})
			login := w.sim.Login("alice")
			_, err := w.Code2Session(t.Context(), login)
			wantClass(t, err, class)
			wantSilent(t, err, login, "alice")
			var e *wechat.Error
			if !errors.As(err, &e) || e.Code != code || e.RID == "" || e.Path != "/sns/jscode2session" {
				t.Errorf("errcode %d: %#v", code, err)
			} else if (e.Hint() != "") != (class == wechat.ErrMisconfigured) {
				t.Errorf("errcode %d: hint %q", code, e.Hint())
			}
			if n := w.sim.Calls("jscode2session"); n != 1 {
				t.Errorf("errcode %d: code sent %d times, want once", code, n)
			}
		}
	}
}

func TestUnusableReplies(t *testing.T) {
	t.Parallel()
	key := "tiihtNczf5v6AKRyjwEUhQ=="
	tests := []struct {
		name   string
		status int
		body   string
	}{
		{"empty", 200, ""},
		{"HTML", 200, "<html>sorry</html>"},
		{"truncated", 200, `{"openid":"alice","session_k`},
		{"two values", 200, `{"openid":"alice","session_key":"` + key + `"}{}`},
		{"null", 200, "null"},
		{"array", 200, "[]"},
		{"no openid", 200, `{"session_key":"` + key + `"}`},
		{"no key", 200, `{"openid":"alice"}`},
		{"short key", 200, `{"openid":"alice","session_key":"dGlp"}`},
		{"garbled key", 200, `{"openid":"alice","session_key":"tiihtNczf5v6AKRyjwEUh!=="}`},
		{"field of another type", 200, `{"openid":7,"session_key":"` + key + `"}`},
		{"errcode of another type", 200, `{"errcode":"x"}`},
		{"too large", 200, `{"openid":"alice","session_key":"` + key + `","pad":"` + strings.Repeat("x", 70_000) + `"}`},
		{"status 500", 500, `{"openid":"alice","session_key":"` + key + `"}`},
		{"status 404", 404, ""},
		{"status 302", 302, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.sim.Fault(simulator.Fault{Endpoint: "*", Status: tt.status, Body: &tt.body})
			code := w.sim.Login("alice")
			_, err := w.Code2Session(t.Context(), code)
			wantClass(t, err, wechat.ErrUnavailable)
			wantSilent(t, err, code, "alice", key)
		})
	}
}

func TestErrorsTellWhatHelpsAndNotWhatWasSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"errcode":40164,"errmsg":"invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist secret=` + w.Secret + ` rid: 5f0b5b5b-1a2b3c4d-5e6f7a8b"}`
	w.sim.Fault(simulator.Fault{Endpoint: "*", Body: &body})
	_, err := w.Code2Session(t.Context(), "c")
	wantSilent(t, err)
	var e *wechat.Error
	if !errors.As(err, &e) || e.IP != netip.MustParseAddr("203.0.113.9") || e.RID != "5f0b5b5b-1a2b3c4d-5e6f7a8b" {
		t.Fatalf("got %#v", err)
	}
	for _, part := range []string{"/sns/jscode2session", "40164", "203.0.113.9", e.RID} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
	body = `{"errcode":40164,"errmsg":"invalid ip ` + w.Secret + ` rid: ` + w.Secret + `"}`
	w.sim.Fault(simulator.Fault{Endpoint: "*", Body: &body})
	_, err = w.Code2Session(t.Context(), "c")
	wantSilent(t, err)
}

func TestOnlyTheErrcodeDecides(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		reply string
		want  error
	}{
		{`{"errcode":0,"errmsg":"invalid code","openid":"alice","session_key":"tiihtNczf5v6AKRyjwEUhQ=="}`, nil},
		{`{"errmsg":"40029 invalid code","openid":"alice","session_key":"tiihtNczf5v6AKRyjwEUhQ=="}`, nil},
		{`{"errcode":40029,"errmsg":"ok"}`, wechat.ErrCodeInvalid},
		{`{"errcode":40029,"errmsg":"system error, rid: 5f0b5b5b-1a2b3c4d-5e6f7a8b"}`, wechat.ErrCodeInvalid},
		{`{"errcode":40029,"errmsg":"invalid code hints: [ req_id: mhIcLMaLE-TD ]"}`, wechat.ErrCodeInvalid},
		{`{"errcode":40029}`, wechat.ErrCodeInvalid},
		{`{"errcode":-1,"errmsg":"invalid code"}`, wechat.ErrUnavailable},
		{`{"errcode":40226,"errmsg":"ok","openid":"alice","session_key":"tiihtNczf5v6AKRyjwEUhQ=="}`, wechat.ErrBlocked},
	} {
		w := newWorld(t)
		w.sim.Fault(simulator.Fault{Endpoint: "*", Body: &tt.reply})
		_, err := w.Code2Session(t.Context(), "c")
		wantClass(t, err, tt.want)
		if (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v", tt.reply, err)
		}
	}
}

// WeChat's cloud puts itself in front of api.weixin.qq.com with a certificate nobody knows, while its token-free API
// service is on. (GH binarywang/WxJava#3570)
func TestAnUnknownCertificateIsNotTrusted(t *testing.T) {
	t.Parallel()
	var asked atomic.Bool
	between := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
	between.Config.ErrorLog = log.New(io.Discard, "", 0)
	between.StartTLS()
	t.Cleanup(between.Close)
	for _, client := range []*http.Client{nil, {}} {
		c := newClient(between.URL)
		c.HTTP = client
		_, err := c.Code2Session(t.Context(), "the-code")
		wantClass(t, err, wechat.ErrUnavailable)
		wantSilent(t, err, "the-code", between.URL)
		if asked.Load() {
			t.Error("the code was sent to whoever it is")
		}
		for _, part := range []string{"certificate", "Cloud Hosting"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not tell of the %s", err, part)
			}
		}
	}
}

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	garbage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		fmt.Fprintf(conn, "nonsense %s\r\n\r\n", r.RequestURI) // echoes the secret
		conn.Close()
	}))
	t.Cleanup(garbage.Close)
	short := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, `{"openid":`)
	}))
	t.Cleanup(short.Close)
	tests := []struct {
		name, baseURL string
		want          error
	}{
		{"refused", "http://" + closed.Addr().String(), wechat.ErrUnavailable},
		{"no such host", "http://wechat.invalid", wechat.ErrUnavailable},
		{"not HTTP", garbage.URL, wechat.ErrUnavailable},
		{"cut off", short.URL, wechat.ErrUnavailable},
		{"TLS against plain HTTP", strings.Replace(garbage.URL, "http:", "https:", 1), wechat.ErrUnavailable},
		{"not a URL", "http://[", wechat.ErrMisconfigured},
		{"no scheme", "localhost:8080", wechat.ErrMisconfigured},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := newClient(tt.baseURL).Code2Session(t.Context(), "the-code")
			wantClass(t, err, tt.want)
			wantSilent(t, err, "the-code")
		})
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	c := newClient("")
	s := &wechat.Session{OpenID: "alice", SessionKey: "tiihtNczf5v6AKRyjwEUhQ=="}
	var log strings.Builder
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("x", "client", c, "session", s, "key", s.SessionKey, "value", *s, "within", []any{c, s})
	}
	data, err := json.Marshal([]any{c, s, s.SessionKey})
	if err != nil {
		t.Fatal(err)
	}
	printed := log.String() + string(data)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
		printed += fmt.Sprintf(verb+verb+verb, c, s, s.SessionKey)
	}
	for _, secret := range []string{c.Secret, string(s.SessionKey), fmt.Sprintf("%x", string(s.SessionKey))} {
		if strings.Contains(printed, secret) {
			t.Errorf("%q is shown in %s", secret, printed)
		}
	}
}
