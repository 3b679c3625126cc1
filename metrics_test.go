package main

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"wxpass/db/dbtest"
	"wxpass/keyring"
	"wxpass/wechat/simulator"
)

// eventually waits until what get returns contains want.
func eventually(t *testing.T, want string, get func() string) {
	t.Helper()
	var got string
	for range 500 {
		if got = get(); strings.Contains(got, want) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("no %q in:\n%s", want, got)
}

// misbehave has the simulator at p do what fault says.
func (p *process) misbehave(t *testing.T, fault string) {
	t.Helper()
	res, err := http.Post(p.url+"/simulator/control/faults", "application/json", strings.NewReader(fault))
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("fault: %v, %v", res, err)
	}
	res.Body.Close()
}

func TestMetricsTellWhatHappens(t *testing.T) {
	onEachEngine(t, func(t *testing.T, env []string) {
		p := start(t, t.TempDir(), nil, env...)
		token := p.mustLogin(t, "alice").Data.SilentLogin.Token
		if _, err := p.do(http.DefaultClient, token, "{ me { id } }"); err != nil {
			t.Fatal(err)
		}
		if _, err := p.do(http.DefaultClient, "", "{ me { id } }"); err != nil {
			t.Fatal(err)
		}
		p.misbehave(t, `{"endpoint":"jscode2session","drop":true,"times":20}`)
		for range 12 {
			if _, err := p.do(http.DefaultClient, "", loginAs("bob")); err != nil {
				t.Fatal(err)
			}
		}
		if status, body := p.get(t, "/readyz"); status != http.StatusOK || !strings.Contains(body, `"status":"ready"`) || !strings.Contains(body, `"wechat":"degraded: WeChat is not answering`) {
			t.Errorf("readyz: %d %s", status, body)
		}
		status, text := p.get(t, "/metrics")
		if status != http.StatusOK {
			t.Fatalf("metrics: %d", status)
		}
		for _, want := range []string{
			`wxpass_http_answers_total{route="/graphql",status="200"} 15`,
			`wxpass_http_answer_seconds_count{route="/graphql"} 15`,
			`wxpass_graphql_errors_total{code="UNAUTHENTICATED"} 1`,
			`wxpass_graphql_errors_total{code="WECHAT_UNAVAILABLE"} 12`,
			fmt.Sprintf(`wxpass_wechat_calls_total{appid=%q,endpoint="jscode2session",outcome="ok"} 1`, simulator.DefaultApp().ID),
			`endpoint="jscode2session",outcome="not_sent"}`,
			`endpoint="jscode2session",outcome="unavailable"}`,
			fmt.Sprintf(`wxpass_wechat_resting{appid=%q,endpoint="jscode2session"} 1`, simulator.DefaultApp().ID),
			`wxpass_wechat_in_flight`,
			`wxpass_wechat_answer_seconds_count{endpoint="jscode2session"}`,
			`wxpass_db_connections_in_use 0`,
			`go_goroutines`, `process_resident_memory_bytes`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s in the metrics", want)
			}
		}
		for _, secret := range []string{token, "sim-alice", "sim-bob", simulator.DefaultApp().Secret} {
			if strings.Contains(text, secret) {
				t.Errorf("the metrics show %q", secret)
			}
		}
		if t.Failed() {
			t.Log(regexp.MustCompile(`(?m)^wxpass.*$`).FindAllString(text, -1))
		}
	})
}

func TestMetricsInProductionHaveAnAddressOfTheirOwn(t *testing.T) {
	t.Parallel()
	env := []string{"APP_ENV=production", "ADDR=127.0.0.1:0", "ALLOW_SQLITE=true", "DATABASE_URL=sqlite:" + t.TempDir() + "/x.db", "MIGRATE_ON_START=true",
		"WECHAT_APPS=wx1:s", "TOKEN_KEYS=" + keyring.New("t").Encode(), "DATA_KEYS=" + keyring.New("d").Encode(), "DRAIN_DELAY=0s", "LOG_FORMAT=text",
		"HTTPS_PROXY=http://127.0.0.1:1"} // there is no WeChat here
	p := start(t, t.TempDir(), nil, env...)
	if status, _ := p.get(t, "/metrics"); status != http.StatusNotFound {
		t.Errorf("/metrics by default: %d", status)
	}
	p = start(t, t.TempDir(), nil, append(env, "METRICS_ADDR=127.0.0.1:0")...)
	if status, _ := p.get(t, "/metrics"); status != http.StatusNotFound {
		t.Errorf("/metrics where the API is: %d", status)
	}
	m := regexp.MustCompile(`msg="serving metrics" address=(\S+)`).FindStringSubmatch(p.log.String())
	if m == nil {
		t.Fatalf("it does not say where the metrics are:\n%s", p.log)
	}
	aside := &process{url: "http://" + m[1]}
	if status, text := aside.get(t, "/metrics"); status != http.StatusOK || !strings.Contains(text, "wxpass_http_answers_total") {
		t.Errorf("/metrics on its own address: %d", status)
	}
	if status, _ := aside.get(t, "/graphql"); status != http.StatusNotFound {
		t.Errorf("/graphql there: %d", status)
	}
}

func TestAnAppThatWeChatRefusesIsToldAtStart(t *testing.T) {
	onEachEngine(t, func(t *testing.T, env []string) {
		world := start(t, t.TempDir(), []string{"simulator", "--addr", "127.0.0.1:0", "--app", "wx1:right"})
		env = append(env, "WECHAT_BASE_URL="+world.url)
		p := start(t, t.TempDir(), nil, append(env, "WECHAT_APPS=wx1:wrong-planted")...)
		eventually(t, "WeChat refuses this server", p.log.String)
		eventually(t, "compare the configured app secret", p.log.String)
		status, body := p.get(t, "/readyz")
		if status != http.StatusOK || !strings.Contains(body, `"status":"ready"`) || !strings.Contains(body, `"wechat":"degraded: WeChat refuses`) {
			t.Errorf("readyz: %d %s", status, body)
		}
		if _, text := p.get(t, "/metrics"); !strings.Contains(text, `wxpass_wechat_refusing{appid="wx1",endpoint="stable_token"} 1`) {
			t.Error("the metrics do not show it")
		}
		got, err := p.do(http.DefaultClient, "", loginAs("alice"))
		if err != nil || got.code() != "SERVER_MISCONFIGURED" {
			t.Errorf("login: %+v, %v", got, err)
		}
		if strings.Contains(p.log.String(), "wrong-planted") {
			t.Error("the log shows the secret")
		}

		p = start(t, t.TempDir(), nil, append(env, "WECHAT_APPS=wx1:right")...)
		eventually(t, "WeChat takes the app", p.log.String)
		if _, body := p.get(t, "/readyz"); !strings.Contains(body, `"wechat":"ok"`) {
			t.Errorf("readyz: %s", body)
		}
	})
}

func TestNobodyListensWhereWeChatShouldBe(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	p := start(t, t.TempDir(), nil, "ADDR=127.0.0.1:0", "DATABASE_URL="+dbtest.SQLite(t), "WECHAT_APPS=wx1:s", "WECHAT_BASE_URL=http://"+closed.Addr().String())
	eventually(t, "WeChat did not say whether it takes the app", p.log.String)
	got, err := p.do(http.DefaultClient, "", loginAs("alice"))
	if err != nil || got.code() != "WECHAT_UNAVAILABLE" || got.Errors[0].Extensions["retryable"] != true {
		t.Errorf("login: %+v, %v", got, err)
	}
}
