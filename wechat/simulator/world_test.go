package simulator_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"wxpass/wechat/simulator"
)

// world is a simulator behind a true HTTP server, with a clock of its own.
type world struct {
	*simulator.Server
	t   *testing.T
	url string

	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T, server *simulator.Server) *world {
	w := &world{Server: server, t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	server.Now = func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.now
	}
	srv := httptest.NewServer(server)
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// reply is any answer, of the API or of a control route.
type reply struct {
	status int
	header http.Header
	text   string
	fields map[string]any
}

func (r reply) str(field string) string { s, _ := r.fields[field].(string); return s }
func (r reply) num(field string) int    { n, _ := r.fields[field].(float64); return int(n) }

func (w *world) do(method, path, body string) reply {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	r := reply{status: res.StatusCode, header: res.Header, text: string(text)}
	json.Unmarshal(text, &r.fields)
	return r
}

func (w *world) exchange(code string) reply {
	w.t.Helper()
	app := simulator.DefaultApp()
	return w.exchangeAs(app.ID, app.Secret, code)
}

func (w *world) exchangeAs(appID, secret, code string) reply {
	w.t.Helper()
	query := url.Values{"appid": {appID}, "secret": {secret}, "js_code": {code}, "grant_type": {"authorization_code"}}
	return w.do(http.MethodGet, "/sns/jscode2session?"+query.Encode(), "")
}
