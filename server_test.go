package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"wxpass/db/dbtest"
	"wxpass/keyring"
	"wxpass/testlog"
	"wxpass/wechat/simulator"
)

// TestMain makes the test binary the program itself when asked, so that tests can start, signal and kill it.
func TestMain(m *testing.M) {
	if os.Getenv("WXPASS_TEST_RUN_MAIN") == "1" {
		os.Unsetenv("WXPASS_TEST_RUN_MAIN")
		main()
		return
	}
	dbtest.Main(m)
}

// process is the program, running.
type process struct {
	url string
	cmd *command
	log *safeBuffer
}

// safeBuffer is what the program wrote, readable while it writes.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// command is the program, to be run.
type command struct{ *exec.Cmd }

// CombinedOutput is exec.Cmd's; what the program says on standard error is kept as a log.
func (c *command) CombinedOutput() ([]byte, error) {
	var output safeBuffer
	c.Stdout, c.Stderr = &output, testlog.Tee(&output)
	err := c.Run()
	return []byte(output.String()), err
}

// wxpass prepares the program in folder dir with nothing in its environment but env. Where logs are kept, it logs
// everything unless env says otherwise.
func wxpass(t *testing.T, dir string, args []string, env ...string) *command {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Dir = dir
	cmd.Env = []string{"WXPASS_TEST_RUN_MAIN=1"}
	if testlog.Kept() {
		cmd.Env = append(cmd.Env, "LOG_LEVEL=debug") // the last of two counts
	}
	cmd.Env = append(cmd.Env, env...)
	testlog.Environment(env)
	return &command{cmd}
}

var listening = regexp.MustCompile(`GraphiQL +(http://[^/]+)/|msg=listening address=(\S+)|base URL +(\S+)`)

// start runs the program and waits until it says where it listens.
func start(t *testing.T, dir string, args []string, env ...string) *process {
	t.Helper()
	p := &process{cmd: wxpass(t, dir, args, env...), log: &safeBuffer{}}
	output, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill(); p.cmd.Wait() })
	found, log := make(chan string, 1), testlog.Tee(p.log)
	go func() {
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			fmt.Fprintln(log, lines.Text())
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				found <- strings.Join(m[1:], "")
			}
		}
		close(found)
	}()
	select {
	case at, ok := <-found:
		if !ok {
			t.Fatalf("the program ended at once:\n%s", p.log)
		}
		p.url = "http://" + strings.TrimPrefix(at, "http://")
		if made, err := os.ReadFile(filepath.Join(dir, "data", "keys.env")); err == nil { // development's own
			testlog.Environment(strings.Split(string(made), "\n"))
		}
	case <-time.After(time.Minute):
		t.Fatalf("the program does not say where it listens:\n%s", p.log)
	}
	return p
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

type reply struct {
	Data struct {
		SilentLogin struct {
			Token string
			User  struct{ ID string }
		}
		Me struct{ ID string }
	}
	Errors []struct{ Extensions map[string]any }
	last   bool // the server closes the connection
}

func (r *reply) code() string {
	if len(r.Errors) == 0 {
		return ""
	}
	return fmt.Sprint(r.Errors[0].Extensions["code"])
}

// ask sends a document and returns the answer's text, and whether the server closes the connection behind it.
func (p *process) ask(client *http.Client, token, query string) (text string, last bool, err error) {
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		return "", false, err
	}
	r, err := http.NewRequest(http.MethodPost, p.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return "", false, err
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(r)
	if err != nil {
		return "", false, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	testlog.Sent(string(body))
	testlog.Received(string(answer))
	return string(answer), res.Close, err
}

// do asks and decodes.
func (p *process) do(client *http.Client, token, query string) (*reply, error) {
	text, last, err := p.ask(client, token, query)
	if err != nil {
		return nil, err
	}
	got := &reply{last: last}
	return got, json.Unmarshal([]byte(text), got)
}

func loginAs(name string) string {
	return fmt.Sprintf(`mutation { silentLogin(input: {code: "sim-%s"}) { token user { id } } }`, name)
}

func (p *process) mustLogin(t *testing.T, name string) *reply {
	t.Helper()
	got, err := p.do(http.DefaultClient, "", loginAs(name))
	if err != nil || got.code() != "" {
		t.Fatalf("login: %+v, %v", got, err)
	}
	return got
}

// wantMe checks that the token is the user's.
func (p *process) wantMe(t *testing.T, token, user string) {
	t.Helper()
	got, err := p.do(http.DefaultClient, token, "{ me { id } }")
	if err != nil || got.Data.Me.ID != user {
		t.Errorf("me = %+v, %v; want %s", got, err, user)
	}
}

func (p *process) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	res, err := http.Get(p.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// onEachEngine runs test with the environment that selects a fresh database. Every program in a test listens on a port
// of its own.
func onEachEngine(t *testing.T, test func(t *testing.T, env []string)) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		test(t, []string{"ADDR=127.0.0.1:0", "DATABASE_URL=" + url})
	})
}

func TestWithNothingConfiguredTheCurlItPrintsLogsIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir, nil, "ADDR=127.0.0.1:0") // a free port is all that is set
	curl := regexp.MustCompile(`curl -s (\S+)/graphql -H '([^:]+): ([^']+)' -d '(.*)'`)
	var m []string
	for range 100 { // the lines after the one start waits for
		if m = curl.FindStringSubmatch(p.log.String()); m != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if m == nil {
		t.Fatalf("no curl in:\n%s", p.log)
	}
	r, err := http.NewRequest(http.MethodPost, m[1]+"/graphql", strings.NewReader(m[4]))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(m[2], m[3])
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got reply
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || got.Data.SilentLogin.Token == "" {
		t.Fatalf("the curl answered %+v, %v", got, err)
	}
	p.wantMe(t, got.Data.SilentLogin.Token, got.Data.SilentLogin.User.ID)

	if status, body := p.get(t, "/"); status != http.StatusOK || !strings.Contains(body, "<html") {
		t.Errorf("GraphiQL: %d", status)
	}
	if status, body := p.get(t, "/schema.graphqls"); status != http.StatusOK || body != schemaText {
		t.Errorf("schema: %d", status)
	}
	if status, body := p.get(t, "/readyz"); status != http.StatusOK || !strings.Contains(body, `"database":"ok"`) {
		t.Errorf("readyz: %d %s", status, body)
	}
	if status, _ := p.get(t, "/healthz"); status != http.StatusOK {
		t.Errorf("healthz: %d", status)
	}
	for _, name := range []string{"wxpass.db", "keys.env"} {
		info, err := os.Stat(filepath.Join(dir, "data", name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "keys.env" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}

	// A second process in the same folder shares the keys and the database.
	second := start(t, dir, nil, "ADDR=127.0.0.1:0")
	second.wantMe(t, got.Data.SilentLogin.Token, got.Data.SilentLogin.User.ID)
}

func TestKilledInTheMiddleOfLogins(t *testing.T) {
	onEachEngine(t, func(t *testing.T, env []string) {
		dir := t.TempDir()
		p := start(t, dir, nil, env...)
		var (
			mu     sync.Mutex
			tokens = map[string]string{} // token -> user
			wait   sync.WaitGroup
			tried  atomic.Int32
		)
		for i := range 100 {
			wait.Go(func() {
				for tried.Add(1); ; { // until the server is gone
					got, err := p.do(http.DefaultClient, "", loginAs(fmt.Sprint("user", i%25)))
					if err != nil || got.code() != "" {
						return
					}
					mu.Lock()
					tokens[got.Data.SilentLogin.Token] = got.Data.SilentLogin.User.ID
					enough := len(tokens) == 60
					mu.Unlock()
					if enough {
						p.cmd.Process.Signal(syscall.SIGKILL)
					}
				}
			})
		}
		wait.Wait()
		p.cmd.Wait()
		if len(tokens) < 60 {
			t.Fatalf("only %d tokens were handed out", len(tokens))
		}
		p = start(t, dir, nil, append(env, "RATE_LIMIT_SCALE=0")...)
		for token, user := range tokens {
			p.wantMe(t, token, user)
		}
		users := map[string]string{}
		for i := range 25 {
			name := fmt.Sprint("user", i)
			users[name] = p.mustLogin(t, name).Data.SilentLogin.User.ID
		}
		known := map[string]bool{}
		for _, id := range users {
			known[id] = true
		}
		for _, user := range tokens {
			if !known[user] {
				t.Errorf("user %s has a second account", user)
			}
		}
		t.Logf("%d tokens handed out before the kill, all work; %d users, none twice", len(tokens), len(known))
	})
}

func TestAStopLosesNoRequest(t *testing.T) {
	onEachEngine(t, func(t *testing.T, env []string) {
		p := start(t, t.TempDir(), nil, append(env, "RATE_LIMIT_SCALE=0")...)
		token := p.mustLogin(t, "alice").Data.SilentLogin.Token
		var (
			wait             sync.WaitGroup
			served, stopping atomic.Int32
		)
		for i := range 20 {
			client := &http.Client{Transport: &http.Transport{}} // a connection of its own, kept open between requests
			wait.Go(func() {
				for {
					query, bearer := "{ me { id } }", token
					if i%4 == 0 {
						query, bearer = loginAs(fmt.Sprint("u", i)), ""
					}
					got, err := p.do(client, bearer, query)
					if err != nil || got.code() != "" {
						t.Errorf("request failed: %+v, %v", got, err)
						return
					}
					if got.last { // told that the connection ends: a load balancer goes elsewhere now
						return
					}
					if served.Add(1) == 200 && stopping.Add(1) == 1 {
						p.cmd.Process.Signal(syscall.SIGTERM)
					}
				}
			})
		}
		wait.Wait()
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("the program ended with %v:\n%s", err, p.log)
		}
		t.Logf("%d requests served, none failed", served.Load())
	})
}

func TestReadinessDropsFirst(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil, "ADDR=127.0.0.1:0", "DRAIN_DELAY=2s")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var status int
	var body string
	for range 100 {
		if status, body = p.get(t, "/readyz"); status != http.StatusOK {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if status != http.StatusServiceUnavailable || !strings.Contains(body, `"serving":"draining"`) {
		t.Errorf("readyz while stopping: %d %s", status, body)
	}
	p.mustLogin(t, "alice") // it still serves
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the program ended with %v", err)
	}
}

func TestKeysRotateUnderARunningClient(t *testing.T) {
	onEachEngine(t, func(t *testing.T, env []string) {
		t1, t2, d1, d2 := keyring.New("t1").Encode(), keyring.New("t2").Encode(), keyring.New("d1").Encode(), keyring.New("d2").Encode()
		dir := t.TempDir()
		with := func(tokenKeys, dataKeys string) *process {
			return start(t, dir, nil, append(env, "TOKEN_KEYS="+tokenKeys, "DATA_KEYS="+dataKeys)...)
		}
		first := with(t1, d1)
		old := first.mustLogin(t, "alice").Data.SilentLogin
		rotated := with(t2+","+t1, d2+","+d1)
		rotated.wantMe(t, old.Token, old.User.ID)
		fresh := rotated.mustLogin(t, "alice").Data.SilentLogin
		if fresh.User.ID != old.User.ID {
			t.Error("rotation made a second account")
		}
		rotated.wantMe(t, fresh.Token, old.User.ID)
		dropped := with(t2, d2)
		dropped.wantMe(t, fresh.Token, old.User.ID)
		if got, err := dropped.do(http.DefaultClient, old.Token, "{ me { id } }"); err != nil || got.code() != "UNAUTHENTICATED" || got.Errors[0].Extensions["reason"] != "INVALID" {
			t.Errorf("a token of the dropped key: %+v, %v", got, err)
		}
		if got := dropped.mustLogin(t, "alice").Data.SilentLogin; got.User.ID != old.User.ID {
			t.Error("after the old keys were dropped alice is somebody else")
		}
	})
}

func TestProductionRefusesToStart(t *testing.T) {
	t.Parallel()
	key := keyring.New("k").Encode()
	good := []string{"APP_ENV=production", "ADDR=127.0.0.1:0", "DATABASE_URL=postgres://u:p4ssw0rd@127.0.0.1:1/x", "WECHAT_APPS=wx1:planted-secret",
		"TOKEN_KEYS=" + keyring.New("t").Encode(), "DATA_KEYS=" + keyring.New("d").Encode()}
	tests := []struct {
		name string
		env  []string // on top of the good ones, or for the first in their place
		want []string
	}{
		{"nothing set", nil, []string{"DATABASE_URL is not set", "WECHAT_APPS is not set", "TOKEN_KEYS is not set", "DATA_KEYS is not set"}},
		{"sqlite", []string{"DATABASE_URL=sqlite:x.db"}, []string{"DATABASE_URL names SQLite", "ALLOW_SQLITE=true"}},
		{"short key", []string{"TOKEN_KEYS=k:c2hvcnQtc2VjcmV0"}, []string{`TOKEN_KEYS: key "k" has 12 bytes, 32 are wanted`}},
		{"example key", []string{"DATA_KEYS=k:" + "ZXhhbXBsZSBrZXksIGRvIG5vdCB1c2UgaXQgYXMgaXM="}, []string{`DATA_KEYS: key "k" is an example`}},
		{"zero key", []string{"DATA_KEYS=k:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}, []string{`DATA_KEYS: key "k" is an example`}},
		{"one key for both", []string{"TOKEN_KEYS=" + key, "DATA_KEYS=" + key}, []string{"DATA_KEYS repeats a key of TOKEN_KEYS"}},
		{"simulator's app", []string{"WECHAT_APPS=" + simulator.DefaultApp().ID + ":x"}, []string{"WECHAT_APPS: entry 1 is the simulator's"}},
		{"simulator's secret", []string{"WECHAT_APPS=wx1:" + simulator.DefaultApp().Secret}, []string{"WECHAT_APPS: entry 1 is the simulator's"}},
		{"short data key", []string{"DATA_KEYS=k:c2hvcnQtc2VjcmV0"}, []string{`DATA_KEYS: key "k" has 12 bytes, 32 are wanted`}},
		{"no secret", []string{"WECHAT_APPS=wx1"}, []string{"WECHAT_APPS: entry 1 is not of the form appid:secret"}},
		{"plain http", []string{"WECHAT_BASE_URL=http://wechat.example"}, []string{"WECHAT_BASE_URL must be https"}},
		{"loopback", []string{"WECHAT_BASE_URL=https://127.0.0.1:1"}, []string{"WECHAT_BASE_URL must be https and not this machine"}},
		{"several faults of form", []string{"TOKEN_TTL=planted-banana", "RATE_LIMIT_SCALE=much", "LOG_LEVEL=loud", "MIGRATE_ON_START=perhaps"},
			[]string{"TOKEN_TTL: ", "RATE_LIMIT_SCALE: ", "LOG_LEVEL: the value must be one of debug,info,warn,error", "MIGRATE_ON_START: "}},
		{"several faults of sense", []string{"TOKEN_TTL=2000h", "TRUSTED_PROXIES=10.0.0.0/33", "RATE_LIMIT_SCALE=-1"},
			[]string{"SESSION_MAX_AGE must not be shorter", "TRUSTED_PROXIES: ", "RATE_LIMIT_SCALE must be"}},
		{"limits and origins", []string{"MAX_DEPTH=0", "MAX_BODY=-1", "CORS_ORIGINS=https://a.example/planted,*"},
			[]string{"MAX_DEPTH must be at least 1", "MAX_BODY must be at least 1", "CORS_ORIGINS: entry 1 is not of the form"}},
		{"database away", nil, []string{"DATABASE_URL: "}},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := slices.Concat(good, tt.env)
			if i == 0 {
				env = []string{"APP_ENV=production"}
			}
			cmd := wxpass(t, t.TempDir(), nil, env...)
			output, err := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("ended with %v, want exit status 1", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(string(output), want) {
					t.Errorf("does not say %q:\n%s", want, output)
				}
			}
			for _, never := range []string{"panic", "goroutine", "p4ssw0rd", "planted", "c2hvcnQ", "ZXhhbXBsZ", key[2:]} {
				if strings.Contains(string(output), never) {
					t.Errorf("says %q:\n%s", never, output)
				}
			}
		})
	}
}

func TestProductionServesNothingOfDevelopment(t *testing.T) {
	t.Parallel()
	url := dbtest.Postgres(t)
	env := []string{"APP_ENV=production", "ADDR=127.0.0.1:0", "LOG_FORMAT=text", "DATABASE_URL=" + url, "WECHAT_APPS=wx1:secret",
		"TOKEN_KEYS=" + keyring.New("t").Encode(), "DATA_KEYS=" + keyring.New("d").Encode()}
	p := start(t, t.TempDir(), nil, env...)
	for _, path := range []string{"/", "/schema.graphqls", "/simulator/control/reset", "/playground/graphiql.min.js"} {
		if status, _ := p.get(t, path); status != http.StatusNotFound {
			t.Errorf("GET %s: %d, want 404", path, status)
		}
	}
	if status, _ := p.get(t, "/graphql?query={__typename}"); status != http.StatusMethodNotAllowed {
		t.Errorf("GET /graphql: %d, want 405", status)
	}
	if res := p.preflight(t, "/graphql", "https://any.example"); res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("production lets pages of any origin in")
	}
	if got, err := p.do(http.DefaultClient, "", "{ __schema { types { name } } }"); err != nil || got.code() == "" {
		t.Errorf("introspection: %+v, %v", got, err)
	}
	if status, _ := p.get(t, "/readyz"); status != http.StatusOK {
		t.Errorf("readyz: %d", status)
	}
	down := wxpass(t, t.TempDir(), []string{"migrate", "down"}, "DATABASE_URL="+url)
	if output, err := down.CombinedOutput(); err != nil || !strings.Contains(string(output), "undone 20261120000001_identity") {
		t.Fatalf("migrate down: %v\n%s", err, output)
	}
	if status, body := p.get(t, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, `"migrations":"pending"`) {
		t.Errorf("readyz without migrations: %d %s", status, body)
	}
	late := wxpass(t, t.TempDir(), nil, env...)
	if output, err := late.CombinedOutput(); err == nil || !strings.Contains(string(output), "wxpass migrate up") {
		t.Errorf("started on an old schema: %v\n%s", err, output)
	}
}

func TestPagesOfOtherOrigins(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, origins, page, want string
	}{
		{"development", "", "https://any.example", "*"},
		{"of the list", "https://one.example, https://two.example:8443", "https://two.example:8443", "https://two.example:8443"},
		{"not of the list", "https://one.example", "https://two.example", ""},
		{"other scheme", "https://one.example", "http://one.example", ""},
	}
	for _, tt := range tests {
		p := start(t, t.TempDir(), nil, "ADDR=127.0.0.1:0", "CORS_ORIGINS="+tt.origins)
		for _, path := range []string{"/graphql", "/upload/avatar"} {
			res := p.preflight(t, path, tt.page)
			if got := res.Header.Get("Access-Control-Allow-Origin"); got != tt.want {
				t.Errorf("%s: %s lets %q in, want %q", tt.name, path, got, tt.want)
			}
			if allowed := res.Header.Get("Access-Control-Allow-Headers"); tt.want != "" && allowed != "authorization,content-type" {
				t.Errorf("%s: %s allows headers %q", tt.name, path, allowed)
			}
			if res.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: %s allows credentials", tt.name, path)
			}
		}
	}
}

// preflight asks as a browser does before a page of that origin sends a document.
func (p *process) preflight(t *testing.T, path, origin string) *http.Response {
	t.Helper()
	r, err := http.NewRequest(http.MethodOptions, p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", origin)
	r.Header.Set("Access-Control-Request-Method", http.MethodPost)
	r.Header.Set("Access-Control-Request-Headers", "authorization,content-type")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res
}

func TestCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tests := []struct {
		args []string
		want string
		fail bool
	}{
		{args: []string{"migrate", "status"}, want: "20261120000003_orders    -      pending"},
		{args: []string{"migrate", "up"}, want: "applied 20261120000001_identity"},
		{args: []string{"migrate", "up"}, want: "nothing to do"},
		{args: []string{"migrate", "status"}, want: "20261120000003_orders    1      20"},
		{args: []string{"migrate", "down"}, want: "undone 20261120000001_identity"},
		{args: []string{"migrate", "down"}, want: "nothing to do"},
		{args: []string{"migrate", "up", "--unlock"}, want: "applied 20261120000001_identity"},
		{args: []string{"migrate", "distribute", "--dry-run"}, want: "create_distributed_table('orders', 'user_id', colocate_with => 'users')"},
		{args: []string{"migrate", "distribute"}, want: "no citus extension", fail: true},
		{args: []string{"schema"}, want: "input: SilentLoginInput!"},
		{args: []string{"keys", "new", "spring"}, want: "spring:"},
		{args: []string{"keys", "new", "a:b"}, want: "id has 1 to 32 letters", fail: true},
		{args: []string{"serve", "--help"}, want: "$DATABASE_URL"},
		{args: []string{"--help"}, want: "migrate distribute"},
		{args: []string{"frobnicate"}, want: "frobnicate", fail: true},
	}
	for _, tt := range tests { // in order: the migrations build on each other
		output, err := wxpass(t, dir, tt.args).CombinedOutput()
		if (err != nil) != tt.fail || !strings.Contains(string(output), tt.want) {
			t.Errorf("wxpass %s: %v\n%s\nwant %q", strings.Join(tt.args, " "), err, output, tt.want)
		}
	}
	key, err := wxpass(t, dir, []string{"keys", "new"}).Output()
	if err != nil {
		t.Fatal(err)
	}
	if ring, err := keyring.Parse(strings.TrimSpace(string(key))); err != nil || len(ring[0].Secret) != keyring.KeySize {
		t.Errorf("keys new printed no key: %v", err)
	}
}

func TestServersShareTheSimulator(t *testing.T) {
	onEachEngine(t, func(t *testing.T, env []string) {
		fake := start(t, t.TempDir(), []string{"simulator", "--addr", "127.0.0.1:0", "--app", "wx1:s1", "--app", "wx2:s2"})
		env = append(env, "WECHAT_BASE_URL="+fake.url, "WECHAT_APPS=wx1:s1,wx2:s2")
		dir := t.TempDir()
		one, two := start(t, dir, nil, env...), start(t, dir, nil, env...)
		res, err := http.Post(fake.url+"/simulator/control/login-code", "application/json", strings.NewReader(`{"openid":"o-1","appid":"wx1"}`))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var minted struct{ Code string }
		if err := json.NewDecoder(res.Body).Decode(&minted); err != nil || minted.Code == "" {
			t.Fatalf("no code: %v", err)
		}
		got, err := one.do(http.DefaultClient, "", fmt.Sprintf(`mutation { silentLogin(input: {code: %q}) { token user { id } } }`, minted.Code))
		if err != nil || got.code() != "" {
			t.Fatalf("login: %+v, %v", got, err)
		}
		two.wantMe(t, got.Data.SilentLogin.Token, got.Data.SilentLogin.User.ID)
		if status, _ := one.get(t, "/simulator/control/reset"); status != http.StatusNotFound {
			t.Errorf("a server that calls another WeChat plays one too: %d", status)
		}
		refused := wxpass(t, t.TempDir(), []string{"simulator"}, "APP_ENV=production")
		if output, err := refused.CombinedOutput(); err == nil || !strings.Contains(string(output), "does not run there") {
			t.Errorf("the simulator in production: %v\n%s", err, output)
		}
	})
}
