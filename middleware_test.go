package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestOnlyTrustedProxiesNameTheClient(t *testing.T) {
	t.Parallel()
	e := &edge{proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	tests := []struct {
		name, peer string
		headers    []string // "Name: value"
		want       string
	}{
		{"nobody in between", "203.0.113.1:5", nil, "203.0.113.1"},
		{"a stranger forges", "203.0.113.1:5", []string{"X-Forwarded-For: 198.51.100.1"}, "203.0.113.1"},
		{"a stranger forges a proxy", "203.0.113.1:5", []string{"X-Forwarded-For: 198.51.100.1, 10.0.0.2"}, "203.0.113.1"},
		{"a proxy tells", "10.0.0.1:5", []string{"X-Forwarded-For: 198.51.100.1"}, "198.51.100.1"},
		{"a client forges before a proxy", "10.0.0.1:5", []string{"X-Forwarded-For: 192.0.2.1, 198.51.100.1"}, "198.51.100.1"},
		{"the same in two headers", "10.0.0.1:5", []string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.0.0.1:5", []string{"X-Forwarded-For: 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"a client forges a proxy before a proxy", "10.0.0.1:5", []string{"X-Forwarded-For: 10.0.0.9, 198.51.100.1"}, "198.51.100.1"},
		{"with a port", "10.0.0.1:5", []string{"X-Forwarded-For: 198.51.100.1:4711"}, "198.51.100.1"},
		{"IPv6", "[fd00::1]:5", []string{"X-Forwarded-For: 2001:db8::1"}, "2001:db8::1"},
		{"IPv4 as IPv6", "[::ffff:10.0.0.1]:5", []string{"X-Forwarded-For: ::ffff:198.51.100.1"}, "198.51.100.1"},
		{"nonsense from a proxy", "10.0.0.1:5", []string{"X-Forwarded-For: 198.51.100.1, unknown"}, "10.0.0.1"},
		{"empty from a proxy", "10.0.0.1:5", []string{"X-Forwarded-For: "}, "10.0.0.1"},
		{"other names are not read", "10.0.0.1:5", []string{"X-Real-IP: 192.0.2.1", "Forwarded: for=192.0.2.1", "X-Client-IP: 192.0.2.1",
			"CF-Connecting-IP: 192.0.2.1", "X-WX-CLIENT-IP: 192.0.2.1"}, "10.0.0.1"},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodPost, "/graphql", nil)
		r.RemoteAddr = tt.peer
		for _, h := range tt.headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Add(name, value)
		}
		if got := e.clientAddress(r).String(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "http://here.example/graphql", nil)
	r.Header.Set("X-Forwarded-Proto", "https")
	r.RemoteAddr = "203.0.113.1:5"
	if got := e.originOf(r); got != "http://here.example" {
		t.Errorf("a stranger made the origin %s", got)
	}
	r.RemoteAddr = "10.0.0.1:5"
	if got := e.originOf(r); got != "https://here.example" {
		t.Errorf("a proxy tells of https, the origin is %s", got)
	}
}

// TestForgedAddressesDoNotEvadeTheRateLimit guesses codes under another address each time.
func TestForgedAddressesDoNotEvadeTheRateLimit(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil, "ADDR=127.0.0.1:0", "TRUSTED_PROXIES=10.0.0.0/8")
	limited := 0
	for i := range 70 {
		r, err := http.NewRequest(http.MethodPost, p.url+"/graphql", strings.NewReader(fmt.Sprintf(`{"query":"mutation { silentLogin(input: {code: \"guess-%d\"}) { token } }"}`, i)))
		if err != nil {
			t.Fatal(err)
		}
		address := fmt.Sprint("198.51.100.", i)
		r.Header = http.Header{"Content-Type": {"application/json"}, "X-Forwarded-For": {address}, "X-Real-Ip": {address}, "Forwarded": {"for=" + address}}
		text, err := send(r)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, "RATE_LIMITED") {
			limited++
		}
	}
	if limited != 10 {
		t.Errorf("%d of 70 guesses were limited, want 10", limited)
	}
}

// TestNothingIsRedirected asks for what net/http redirects of its own accord: a redirect would carry a code or a token on.
func TestNothingIsRedirected(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil, "ADDR=127.0.0.1:0")
	address := strings.TrimPrefix(p.url, "http://")
	for _, path := range []string{"//graphql", "/./graphql", "/x/../graphql", "/graphql/", "/graphql//", "//evil.example/", "//evil.example/..", "/upload//avatar", "/simulator",
		"/playground", "/avatars/../graphql", "/avatars//x", "/%2e%2e/graphql", "/\\evil.example"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			status, location := p.raw(t, address, method, path)
			if status >= 300 && status < 400 || location != "" {
				t.Errorf("%s %s: %d to %q", method, path, status, location)
			}
		}
	}
}

// TestTheAccessLogHasNoQuery sends secrets where they do not belong.
func TestTheAccessLogHasNoQuery(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil, "ADDR=127.0.0.1:0", "LOG_LEVEL=debug")
	token := p.mustLogin(t, "alice").Data.SilentLogin.Token
	if status, body := p.get(t, "/graphql?access_token="+token+"&query={me{id}}&variables={}"); !strings.Contains(body, `"reason":"MISSING"`) {
		t.Errorf("a token in the URL: %d %s", status, body)
	}
	p.get(t, "/healthz?code=planted-code")
	p.get(t, "/avatars/planted-code?token="+token)
	eventually(t, "path=/avatars/planted-code", p.log.String)
	log := p.log.String()
	if !strings.Contains(log, "path=/graphql") || strings.Contains(log, token) || strings.Contains(log, "code=planted-code") {
		t.Errorf("log:\n%s", log)
	}
}

// raw sends a request line as it is, which an http.Client would mend, and returns where the answer leads.
func (p *process) raw(t *testing.T, address, method, path string) (status int, location string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", method, path, address)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode, res.Header.Get("Location")
}

func send(r *http.Request) (text string, err error) {
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

// BenchmarkEdge is what each request costs before and after its handler, in production settings.
func BenchmarkEdge(b *testing.B) {
	front := &edge{secure: true, now: time.Now, log: newLogger(io.Discard, "info", "json"), metrics: newMetrics()}
	handler := front.wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	request := httptest.NewRequest(http.MethodPost, "/graphql", nil)
	request.RemoteAddr = "203.0.113.7:41234"
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(w, request)
	}
}
