package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"wxpass/auth"
	"wxpass/db"
	"wxpass/db/dbtest"
	"wxpass/graph"
	"wxpass/keyring"
	"wxpass/order"
	"wxpass/testlog"
	"wxpass/wechat"
	"wxpass/wechat/simulator"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// api is the endpoint on a database of its own, with a simulator and a clock of its own.
type api struct {
	url      string // of the database
	store    *db.Store
	clock    *dbtest.Clock
	wechat   *simulator.Server
	issuer   *auth.Issuer
	auth     *auth.Service
	shop     *order.Service
	handler  http.Handler
	log      *logBuffer
	otherApp simulator.App
}

// each runs test on a fresh api on each engine.
func each(t *testing.T, test func(t *testing.T, a *api)) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) { test(t, newAPI(t, url)) })
}

func newAPI(t testing.TB, url string, hooks ...dbtest.Hook) *api {
	t.Helper()
	clock := dbtest.NewClock()
	a := &api{url: url, clock: clock, log: &logBuffer{}, otherApp: simulator.App{ID: "wxfedcba9876543210", Secret: "other-app-secret"}}
	a.store = dbtest.Open(t, url, clock.Now, hooks...)
	apps := []simulator.App{simulator.DefaultApp(), a.otherApp}
	a.wechat = &simulator.Server{Now: clock.Now, Apps: apps, Rotation: simulator.RotateAlways}
	world := httptest.NewServer(testlog.Watch(a.wechat))
	t.Cleanup(world.Close)

	log := testlog.Logger(a.log)
	a.issuer = &auth.Issuer{Keys: keyring.Ring{keyring.New("t1")}, Apps: []string{apps[0].ID, apps[1].ID}, Now: clock.Now}
	a.auth = &auth.Service{
		Store: a.store, Tokens: a.issuer, DataKeys: keyring.Ring{keyring.New("d1")},
		TokenTTL: 168 * time.Hour, SessionMaxAge: 720 * time.Hour, Now: clock.Now, Log: log,
	}
	for _, app := range apps {
		a.auth.WeChat = append(a.auth.WeChat, &wechat.Client{AppID: app.ID, Secret: app.Secret, BaseURL: world.URL, Timeout: 2 * time.Second,
			Rest:        time.Millisecond, // an outage that a test made is over when the test says so
			Credentials: &auth.Credentials{Store: a.store, Keys: a.auth.DataKeys}, Now: clock.Now, Log: log})
	}
	for _, ring := range []keyring.Ring{a.issuer.Keys, a.auth.DataKeys} {
		testlog.Environment([]string{"DATA_KEYS=" + ring[0].Encode()})
	}
	a.shop = &order.Service{Store: a.store, Now: clock.Now, Log: log}
	a.serve(graph.Options{Development: true, RateLimitScale: 1, Now: clock.Now, Log: log})
	return a
}

// serve puts the endpoint in place with other options.
func (a *api) serve(o graph.Options) {
	endpoint := a.auth.Middleware(graph.Handler(&graph.Resolver{Auth: a.auth, Orders: a.shop, UploadURL: uploadURL}, o))
	a.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		endpoint.ServeHTTP(w, r.WithContext(auth.WithRequest(r.Context(), auth.Request{ID: "request-1"})))
	})
}

func uploadURL(_ context.Context, id uuid.UUID) string {
	return "https://here.example/avatars/" + id.String() + ".jpg"
}

// answer is a GraphQL answer, with its text.
type answer struct {
	Data   map[string]json.RawMessage `json:"data"`
	Errors []struct {
		Message    string         `json:"message"`
		Path       []any          `json:"path"`
		Extensions map[string]any `json:"extensions"`
	} `json:"errors"`
	status int
	text   string
}

// code is the first error's, empty for none.
func (a *answer) code() graph.ErrorCode {
	if len(a.Errors) == 0 {
		return ""
	}
	code, _ := a.Errors[0].Extensions["code"].(string)
	return graph.ErrorCode(code)
}

// reason is the first error's code, and behind it the reason when there is one.
func (a *answer) reason() string {
	s := string(a.code())
	if len(a.Errors) > 0 && a.Errors[0].Extensions["reason"] != nil {
		s += " " + a.Errors[0].Extensions["reason"].(string)
	}
	return s
}

// field decodes one field of the data.
func (a *answer) field(t testing.TB, name string, into any) {
	t.Helper()
	if err := json.Unmarshal(a.Data[name], into); err != nil {
		t.Fatalf("no %s in %s", name, a.text)
	}
}

// do sends a document with a token (empty for none).
func (a *api) do(t testing.TB, token, query string, variables map[string]any) *answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/graphql", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	testlog.Sent(string(body))
	return a.send(t, r)
}

func (a *api) send(t testing.TB, r *http.Request) *answer {
	t.Helper()
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	text, _ := io.ReadAll(w.Body)
	testlog.Received(string(text))
	got := &answer{status: w.Code, text: string(text)}
	if err := json.Unmarshal(text, got); err != nil {
		t.Errorf("answer is not JSON: %s", text)
	}
	return got
}

const loginDocument = `mutation($code: String!, $appId: String) {
	silentLogin(input: {code: $code, appId: $appId}) { token expiresAt isNewUser user { id } }
}`

// grant is what a login gave.
type grant struct {
	Token     string
	ExpiresAt time.Time
	IsNewUser bool
	User      struct{ ID string }
}

func (a *api) login(t testing.TB, code string) *answer {
	t.Helper()
	return a.do(t, "", loginDocument, map[string]any{"code": code})
}

// mustLogin logs in as the person with that openid.
func (a *api) mustLogin(t testing.TB, openid string) grant {
	t.Helper()
	return a.granted(t, a.login(t, a.wechat.Login(openid)))
}

func (a *api) granted(t testing.TB, got *answer) (g grant) {
	t.Helper()
	if got.code() != "" {
		t.Fatalf("login: %s", got.text)
	}
	got.field(t, "silentLogin", &g)
	return g
}

// me asks who the token is.
func (a *api) me(t testing.TB, token string) *answer {
	t.Helper()
	return a.do(t, token, "{ me { id } }", nil)
}

// logBuffer collects a log.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *logBuffer) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Reset()
}

// countQueries counts the statements sent to the database.
type countQueries struct {
	mu sync.Mutex
	n  int
}

func (c *countQueries) BeforeQuery(ctx context.Context, _ *dbtest.QueryEvent) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return ctx
}

func (c *countQueries) AfterQuery(context.Context, *dbtest.QueryEvent) {}

func (c *countQueries) take() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.n
	c.n = 0
	return n
}

// recordQueries keeps the statements sent to the database.
type recordQueries struct {
	mu   sync.Mutex
	list []string
}

func (r *recordQueries) BeforeQuery(ctx context.Context, _ *dbtest.QueryEvent) context.Context {
	return ctx
}

func (r *recordQueries) AfterQuery(_ context.Context, e *dbtest.QueryEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, e.Query)
}

func (r *recordQueries) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}
