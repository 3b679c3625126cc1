package testlog_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"wxpass/testlog"
)

// TestNoSecretIsInTheLogs searches the folder that SEARCH_LOGS names for the secrets of the test run that was kept
// there. `make secrets` runs it.
func TestNoSecretIsInTheLogs(t *testing.T) {
	folder := os.Getenv("SEARCH_LOGS")
	if folder == "" {
		t.Skip("no run to search: make secrets")
	}
	run, err := testlog.Search(folder)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(run.Secrets)) {
		if kind != "control" {
			total += run.Secrets[kind]
			kinds = append(kinds, fmt.Sprintf("%s %d", kind, run.Secrets[kind]))
		}
	}
	t.Logf("%.1f MB of logs of %d test programs searched for %d distinct secrets (%s) and for what looks like one: %d hits; %d of %d planted controls found",
		float64(run.Bytes)/1e6, run.Logs, total, strings.Join(kinds, ", "), len(run.Leaks), run.Controls, run.Secrets["control"])
	for i, leak := range run.Leaks {
		if i == 20 {
			t.Errorf("and %d more", len(run.Leaks)-i)
			break
		}
		t.Error(leak)
	}
	if run.Controls != run.Secrets["control"] || run.Controls == 0 {
		t.Errorf("of %d controls planted in the logs %d were found: the search is not to be relied on", run.Secrets["control"], run.Controls)
	}
	if total < 1000 || run.Bytes < 1e6 {
		t.Error("this is not the whole test run: make secrets makes one")
	}
}

// leaks plants secrets in a run of its own and returns what a search finds in a log.
func leaks(t *testing.T, log string, tell func()) []string {
	t.Helper()
	t.Setenv("WXPASS_TEST_LOGS", t.TempDir())
	var seen strings.Builder
	out := testlog.Tee(&seen)
	tell()
	fmt.Fprint(out, log)
	if seen.String() != log {
		t.Errorf("the log is %q, want %q", seen.String(), log)
	}
	run, err := testlog.Search(os.Getenv("WXPASS_TEST_LOGS"))
	if err != nil {
		t.Fatal(err)
	}
	if run.Controls != 1 || run.Logs != 1 {
		t.Errorf("found %d controls in %d logs, want 1 in 1", run.Controls, run.Logs)
	}
	return run.Leaks
}

func TestASecretThatIsKnownIsFound(t *testing.T) {
	for _, tt := range []struct {
		name, log string
		tell      func()
	}{
		{"told", "a=1\nlevel=INFO code=sim-alice-7 x", func() { testlog.Secret("code", "sim-alice-7") }},
		{"URL-escaped", "GET /x?y=a%2Fb%2Bcdefgh", func() { testlog.Secret("key", "a/b+cdefgh") }},
		{"JSON-escaped", `"a\/b+cdefgh"`, func() { testlog.Secret("key", "a/b+cdefgh") }},
		{"at the end of another", "xxxplanted-1", func() { testlog.Secret("a", "planted-1"); testlog.Secret("b", "planted-2") }},
		{"in a GraphQL document", "code=sim-alice", func() { testlog.Sent(`{"query":"mutation { silentLogin(input: {code: \"sim-alice\"}) { token } }"}`) }},
		{"in variables", "code=0123456789abc", func() { testlog.Sent(`{"variables":{"code":"0123456789abc"}}`) }},
		{"in a call to WeChat", "code=a b+cdefg", func() { testlog.Sent(`/sns/jscode2session?appid=x&js_code=a+b%2Bcdefg&secret=x`) }},
		{"in WeChat's answer", "key=abc/defgh", func() { testlog.Received(`{"session_key":"abc\/defgh","openid":"o"}`) }},
		{"in an answer", "+447700900123", func() { testlog.Received(`{"data":{"me":{"phone":"+447700900123"}}}`) }},
		{"in a setting", "password hunter2hunter2", func() { testlog.Environment([]string{"DATABASE_URL=postgres://u:hunter2hunter2@h/d"}) }},
		{"in a list", "two-secret", func() { testlog.Environment([]string{"WECHAT_APPS=wx1:one-secret,wx2:two-secret"}) }},
	} {
		if found := leaks(t, tt.log, tt.tell); len(found) != 1 {
			t.Errorf("%s: found %q, want one", tt.name, found)
		}
	}
}

func TestASecretThatNobodyKnowsIsFoundByItsShape(t *testing.T) {
	for _, tt := range []struct {
		name, log string
		found     int
	}{
		{"token", "token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefgh", 1},
		{"session key", `key="tiihtNczf5v6AKRyjwEUhQ=="`, 1},
		{"data key", "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 1},
		{"credential", "98_ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 1},
		{"login code", "code=ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 1},
		{"phone number", "phone=+8613800138000 bound", 1},
		{"national phone number", `"13800138000"`, 1},
		{"call to WeChat", `Get "http://127.0.0.1:1/sns/jscode2session?js_code=x": EOF`, 1},
		{"answer of WeChat", `body={\"session_key\":\"x`, 1},
		{"name of a table", "SELECT 1 FROM wechat_session_keys", 0},
		{"request id", "request=ABCDEFGHIJKLMNOPQRSTUVWXYZ took=13.800138ms user=0193f0a1-7c1e-7a3b-9c0d-138001380001", 0},
		{"invitation", `    curl -s http://127.0.0.1:1/graphql -H 'content-type: application/json' -d '{"query":"mutation { silentLogin(input: {code: \"sim-alice\"}) { token } }"}'`, 0},
	} {
		tell := func() { testlog.Secret("code", "sim-alice") }
		if found := leaks(t, tt.log, tell); len(found) != tt.found {
			t.Errorf("%s: found %q, want %d", tt.name, found, tt.found)
		}
	}
}

func TestNothingIsKeptWhereNobodyAsks(t *testing.T) {
	t.Setenv("WXPASS_TEST_LOGS", "")
	var log strings.Builder
	if out := testlog.Tee(&log); out != &log {
		t.Error("Tee returns another writer")
	}
	testlog.Secret("code", "sim-alice-7") // and writes nowhere
}
