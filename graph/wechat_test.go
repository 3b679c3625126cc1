package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"wxpass/db/dbtest"
	"wxpass/graph"
	"wxpass/wechat"
	"wxpass/wechat/simulator"
)

func ptr[T any](v T) *T { return &v }

// The secrets that faults below have WeChat send, besides those that the server sends itself.
const (
	plantedOpenID = "openid-planted"
	plantedKey    = "cGxhbnRlZC1rZXktMTIzNA==" // 16 bytes
	plantedValue  = "credential-planted"
)

// wechatFault is one way in which a call of WeChat fails, and the class of it.
type wechatFault struct {
	name    string
	baseURL string          // called in place of the simulator, if not empty
	fault   simulator.Fault // of the endpoint called; CODE and SECRET in its body stand for what was sent
	class   error
}

func wechatFaults() []wechatFault {
	const reply = `{"openid":"` + plantedOpenID + `","session_key":"` + plantedKey + `","access_token":"` + plantedValue + `",`
	body := func(text string) simulator.Fault { return simulator.Fault{Body: &text} }
	return []wechatFault{
		{name: "no such host", baseURL: "http://wechat.invalid", class: wechat.ErrUnavailable},
		{name: "nobody listens", baseURL: "http://127.0.0.1:1", class: wechat.ErrUnavailable},
		{name: "bad URL", baseURL: "http://[", class: wechat.ErrMisconfigured},
		{name: "40013", fault: simulator.Fault{ErrCode: 40013}, class: wechat.ErrMisconfigured},
		{name: "40125", fault: simulator.Fault{ErrCode: 40125}, class: wechat.ErrMisconfigured},
		{name: "40164", fault: simulator.Fault{ErrCode: 40164}, class: wechat.ErrMisconfigured},
		{name: "40243", fault: simulator.Fault{ErrCode: 40243}, class: wechat.ErrMisconfigured},
		{name: "40226", fault: simulator.Fault{ErrCode: 40226}, class: wechat.ErrBlocked},
		{name: "40029", fault: simulator.Fault{ErrCode: 40029}, class: wechat.ErrCodeInvalid},
		{name: "40163", fault: simulator.Fault{ErrCode: 40163}, class: wechat.ErrCodeInvalid},
		{name: "45011", fault: simulator.Fault{ErrCode: 45011}, class: wechat.ErrBusy},
		{name: "45009", fault: simulator.Fault{ErrCode: 45009}, class: wechat.ErrBusy},
		{name: "-1", fault: simulator.Fault{ErrCode: -1}, class: wechat.ErrUnavailable},
		{name: "an errcode nobody knows", fault: simulator.Fault{ErrCode: 99999}, class: wechat.ErrUnavailable},
		{name: "errmsg repeats the request", fault: body(reply + `"errcode":40029,"errmsg":"invalid code CODE of http://x/?secret=SECRET"}`), class: wechat.ErrCodeInvalid},
		{name: "errmsg repeats the request, for the log", fault: body(reply + `"errcode":45011,"errmsg":"invalid code CODE of http://x/?secret=SECRET"}`), class: wechat.ErrBusy},
		{name: "HTML repeats the request", fault: body("<html>http://x/?secret=SECRET&js_code=CODE</html>"), class: wechat.ErrUnavailable},
		{name: "empty body", fault: body(""), class: wechat.ErrUnavailable},
		{name: "truncated JSON", fault: body(reply + `"errco`), class: wechat.ErrUnavailable},
		{name: "fields of another type", fault: body(reply + `"errcode":"CODE"}`), class: wechat.ErrUnavailable},
		{name: "500", fault: simulator.Fault{Status: 500}, class: wechat.ErrUnavailable},
		{name: "502 with a body", fault: simulator.Fault{Status: 502, Body: ptr(reply + `"errcode":0}`)}, class: wechat.ErrUnavailable},
		{name: "redirect", fault: simulator.Fault{Status: 302}, class: wechat.ErrUnavailable},
		{name: "dropped", fault: simulator.Fault{Drop: true}, class: wechat.ErrUnavailable},
		{name: "dropped, code spent", fault: simulator.Fault{Drop: true, AfterConsume: true}, class: wechat.ErrUnavailable},
		{name: "too slow", fault: simulator.Fault{DelayMS: 30_000}, class: wechat.ErrUnavailable},
	}
}

// forgetFaults gives the default app a WeChat without faults and a client that knows of none before.
func (a *api) forgetFaults() {
	old := a.auth.WeChat[0]
	a.auth.WeChat[0] = &wechat.Client{AppID: old.AppID, Secret: old.Secret, BaseURL: a.auth.WeChat[1].BaseURL, Timeout: 2 * time.Second,
		Credentials: old.Credentials, Now: old.Now, Log: old.Log}
	a.wechat.Reset()
	a.log.reset()
	a.clock.Advance(time.Minute) // and rate limits that have not counted yet
}

// install makes WeChat fail at an endpoint from now on.
func (f *wechatFault) install(a *api, endpoint, code string) {
	app := a.auth.WeChat[0]
	fault := f.fault
	fault.Endpoint, fault.Times = endpoint, -1
	if fault.Body != nil {
		fault.Body = ptr(strings.NewReplacer("CODE", code, "SECRET", app.Secret).Replace(*fault.Body))
	}
	if fault.DelayMS > 0 {
		app.Timeout = 100 * time.Millisecond
	}
	if f.baseURL != "" {
		app.BaseURL = f.baseURL
		return
	}
	a.wechat.Fault(fault)
}

// wantFailure checks that a flow failed as the class of f has it, and that neither the answer nor the log, down to its
// debug lines, holds anything secret.
func (f *wechatFault) wantFailure(t *testing.T, a *api, got *answer, invalid graph.ErrorCode, secrets ...string) {
	t.Helper()
	want := map[error]graph.ErrorCode{
		wechat.ErrCodeInvalid:   invalid,
		wechat.ErrBlocked:       graph.ErrorCodeAccountBlocked,
		wechat.ErrBusy:          graph.ErrorCodeWechatUnavailable,
		wechat.ErrMisconfigured: graph.ErrorCodeServerMisconfigured,
		wechat.ErrUnavailable:   graph.ErrorCodeWechatUnavailable,
	}[f.class]
	if got.code() != want || len(got.Errors) != 1 {
		t.Fatalf("error code = %q, want %q: %s", got.code(), want, got.text)
	}
	extensions, log := got.Errors[0].Extensions, a.log.String()
	if wait, _ := extensions["retryAfterSeconds"].(float64); (wait >= 1) != (want == graph.ErrorCodeWechatUnavailable) {
		t.Errorf("retryAfterSeconds = %v of %s", extensions["retryAfterSeconds"], want)
	}
	if notSent := f.baseURL != ""; (want == graph.ErrorCodeWechatUnavailable || want == invalid) && extensions["retryable"] != notSent {
		t.Errorf("retryable = %v, of a code that was not sent: %v", extensions["retryable"], notSent)
	}
	if want == graph.ErrorCodeServerMisconfigured && (!strings.Contains(log, "level=ERROR") || !strings.Contains(log, `fix="`)) {
		t.Errorf("the log does not say what to fix:\n%s", log)
	}
	secrets = append(secrets, a.auth.WeChat[0].Secret, plantedOpenID, plantedKey, plantedValue, "http://", "secret=", "js_code", "access_token=")
	for _, secret := range secrets {
		if strings.Contains(got.text+log, secret) {
			t.Errorf("%q shows in the answer or the log:\n%s\n%s", secret, got.text, log)
		}
	}
}

func TestWeChatsFaultsHaveTheirCodes(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		for _, f := range wechatFaults() {
			t.Run(f.name, func(t *testing.T) {
				a.forgetFaults()
				code := a.wechat.Login(plantedOpenID)
				f.install(a, "jscode2session", code)
				got := a.login(t, code)
				f.wantFailure(t, a, got, graph.ErrorCodeLoginCodeInvalid, code, a.wechat.SessionKey(simulator.DefaultApp().ID, plantedOpenID))
				if n := a.wechat.Calls("jscode2session"); n > 1 {
					t.Errorf("the code was sent %d times", n)
				}
				if strings.Contains(a.dump(t), plantedOpenID) {
					t.Error("a login that failed left something in the database")
				}
			})
		}
	})
}

func TestWeChatsFaultsWithPhonesHaveTheirCodes(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		g := a.mustLogin(t, "openid-1")
		for _, endpoint := range []string{"stable_token", "getuserphonenumber"} {
			for _, f := range wechatFaults() {
				if f.class == wechat.ErrCodeInvalid && endpoint == "stable_token" {
					continue // no code is sent there
				}
				t.Run(endpoint+", "+f.name, func(t *testing.T) {
					a.forgetFaults()
					code := a.phoneCode("openid-1", number)
					f.install(a, endpoint, code)
					got := a.bindPhone(t, g.Token, code)
					f.wantFailure(t, a, got, graph.ErrorCodePhoneCodeInvalid, code, g.Token, number[3:])
					if n := a.wechat.Calls("getuserphonenumber"); n > 2 || n > 1 && f.fault.ErrCode != -1 {
						t.Errorf("the code was sent %d times", n)
					}
					if got := a.do(t, g.Token, "{ me { steps } }", nil); !strings.Contains(got.text, `"steps":[]`) {
						t.Errorf("the user is %s", got.text)
					}
				})
			}
		}
	})
}

func TestTheLogNamesTheAddressThatWeChatRefuses(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		a.wechat.Fault(simulator.Fault{Endpoint: "jscode2session", ErrCode: 40164})
		a.login(t, a.wechat.Login("openid-1"))
		if log := a.log.String(); !strings.Contains(log, "calling from 203.0.113.7") || !strings.Contains(log, "IP whitelist") {
			t.Errorf("log:\n%s", log)
		}
	})
}

// TestCodesThatNoAppOfOursMadeTellOfTheAppID: tools or a build with another app id get a code refused at every login.
func TestCodesThatNoAppOfOursMadeTellOfTheAppID(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		for name, code := range map[string]string{
			"the tools' mock text": "the code is a mock one",
			"another app's":        a.wechat.LoginAs(simulator.User{OpenID: "openid-1", AppID: "wx-not-ours"}),
			"an app's of ours":     a.wechat.LoginAs(simulator.User{OpenID: "openid-1", AppID: a.otherApp.ID}),
		} {
			got := a.login(t, code)
			if got.code() != graph.ErrorCodeLoginCodeInvalid || !strings.Contains(got.Errors[0].Message, "app id") {
				t.Errorf("%s: %s", name, got.text)
			}
		}
	})
}

// TestWhoHangsUpLeavesNothingBehind has clients leave while WeChat is slower than its deadline. It must not run beside
// other tests, whose goroutines would be counted in.
func TestWhoHangsUpLeavesNothingBehind(t *testing.T) {
	for name, fresh := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t, fresh(t))
			g := a.mustLogin(t, "openid-1")
			a.bindPhone(t, g.Token, "sim-"+number)
			for _, app := range a.auth.WeChat {
				app.Timeout = 500 * time.Millisecond
			}
			before := runtime.NumGoroutine()
			a.wechat.Fault(simulator.Fault{Endpoint: "*", DelayMS: 60_000, Times: -1})
			var wait sync.WaitGroup
			for i := range 20 {
				for token, query := range map[string]string{
					"":      fmt.Sprintf(`mutation { silentLogin(input: {code: "slow-%d"}) { token } }`, i),
					g.Token: fmt.Sprintf(`mutation { bindPhone(input: {code: "slow-%d"}) { user { id } } }`, i),
				} {
					wait.Go(func() { a.hangUp(t, token, query) })
				}
			}
			wait.Wait()
			left := 0
			for range 500 {
				if left = runtime.NumGoroutine(); left <= before {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			stacks := make([]byte, 1<<20)
			t.Errorf("%d goroutines, %d before:\n%s", left, before, stacks[:runtime.Stack(stacks, true)])
		})
	}
}

// hangUp sends a document and leaves when WeChat is being asked.
func (a *api) hangUp(t *testing.T, token, query string) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	asked := func() int { return a.wechat.Calls("jscode2session") + a.wechat.Calls("getuserphonenumber") }
	before := asked()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer leave()
		for asked() <= before && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}()
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Error(err)
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/graphql", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	a.handler.ServeHTTP(httptest.NewRecorder(), r)
	leave()
	<-gone
}
