package simulator_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"wxpass/wechat/simulator"
)

func TestEveryPathIsAlsoUnderSimulator(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	for _, prefix := range []string{"", "/simulator"} {
		code := w.do("POST", prefix+"/control/login-code", `{"openid":"alice"}`).str("code")
		app := simulator.DefaultApp()
		query := url.Values{"appid": {app.ID}, "secret": {app.Secret}, "js_code": {code}, "grant_type": {"authorization_code"}}
		if got := w.do("GET", prefix+"/sns/jscode2session?"+query.Encode(), ""); got.str("openid") != "alice" {
			t.Errorf("under %q: login answered %s", prefix, got.text)
		}
		for _, path := range []string{"/", "/sns/none", "/control/none"} {
			if got := w.do("POST", prefix+path, "{}"); got.status != 404 || got.str("error") == "" {
				t.Errorf("%s answered %d %s, want 404 with a reason", prefix+path, got.status, got.text)
			}
		}
	}
	if got := w.Calls("jscode2session"); got != 2 {
		t.Errorf("calls = %d, want 2", got)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, fault string
		status      int
		errcode     int
		text        string // part of the body
	}{
		{"errcode", `{"endpoint":"jscode2session","errcode":40164}`, 200, 40164, "invalid ip"},
		{"errcode nobody knows", `{"endpoint":"*","errcode":12345}`, 200, 12345, "rid: "},
		{"errcode under a status", `{"endpoint":"*","errcode":-1,"status":503}`, 503, -1, ""},
		{"status", `{"endpoint":"*","status":502}`, 502, 0, "<html>"},
		{"body", `{"endpoint":"*","body":"{\"errc"}`, 200, 0, `{"errc`},
		{"empty body", `{"endpoint":"*","body":""}`, 200, 0, ""},
		{"delay", `{"endpoint":"*","delayMs":1}`, 200, 0, "alice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, &simulator.Server{})
			if got := w.do("POST", "/simulator/control/faults", tt.fault); got.status != 200 {
				t.Fatalf("control answered %d %s", got.status, got.text)
			}
			code := w.Login("alice")
			got := w.exchange(code)
			if got.status != tt.status || got.num("errcode") != tt.errcode || !strings.Contains(got.text, tt.text) {
				t.Errorf("answered %d %q", got.status, got.text)
			}
			if tt.name == "delay" {
				return
			}
			if got := w.exchange(code); got.str("openid") != "alice" {
				t.Errorf("after the fault: %s, want a login: a fault comes once and spends no code", got.text)
			}
		})
	}
}

func TestDroppedAfterTheCodeIsSpent(t *testing.T) {
	t.Parallel()
	for _, spent := range []bool{false, true} {
		w := newWorld(t, &simulator.Server{})
		w.Fault(simulator.Fault{Endpoint: "jscode2session", Drop: true, AfterConsume: spent})
		code := w.Login("alice")
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		app := simulator.DefaultApp()
		res, err := client.Get(w.url + "/sns/jscode2session?grant_type=authorization_code&appid=" + app.ID + "&secret=" + app.Secret + "&js_code=" + code)
		if err == nil {
			res.Body.Close()
			t.Errorf("answered %s, want a dropped connection", res.Status)
		}
		want := 0
		if spent {
			want = 40163
		}
		if got := w.exchange(code); got.num("errcode") != want {
			t.Errorf("spent %v: second exchange %s, want errcode %d", spent, got.text, want)
		}
	}
}

func TestFaultsLastAsLongAsToldAndKeepTheirOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	w.Fault(simulator.Fault{Endpoint: "jscode2session", ErrCode: 45011, Times: 2})
	w.Fault(simulator.Fault{Endpoint: "stable_token", ErrCode: -1})
	w.Fault(simulator.Fault{Endpoint: "*", ErrCode: -1, Times: -1})
	var got []int
	for range 5 {
		got = append(got, w.exchange(w.Login("alice")).num("errcode"))
	}
	for i, want := range []int{45011, 45011, -1, -1, -1} {
		if got[i] != want {
			t.Fatalf("errcodes %v", got)
		}
	}
	w.do("POST", "/simulator/control/reset", "")
	if got := w.exchange(w.Login("alice")); got.num("errcode") != 0 || w.Calls("jscode2session") != 1 {
		t.Errorf("after the reset: %s, %d calls", got.text, w.Calls("jscode2session"))
	}
}

func TestControlRoutesAreStrict(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	for _, tt := range []struct{ route, body string }{
		{"login-code", ``},
		{"login-code", `nonsense`},
		{"login-code", `{}`},
		{"login-code", `{"openid":"a b"}`},
		{"login-code", `{"openid":"a","extra":1}`},
		{"login-code", `{"openid":"a"} {}`},
		{"login-code", `{"openid":7}`},
		{"login-code", `{"openid":"a","unionid":"b/c"}`},
		{"login-code", `{"openid":"a","appid":"wxnone"}`},
		{"login-code", `{"openid":"` + strings.Repeat("a", 70_000) + `"}`},
		{"faults", `{}`},
		{"faults", `{"endpoint":"jscode2session"}`},
		{"faults", `{"endpoint":"/sns/jscode2session","errcode":-1}`},
		{"faults", `{"endpoint":"*","status":99}`},
		{"faults", `{"endpoint":"*","delayMs":-1}`},
		{"faults", `{"endpoint":"*","errcode":-1,"body":""}`},
		{"faults", `{"endpoint":"*","drop":true,"errcode":-1}`},
		{"faults", `{"endpoint":"*","errcode":-1,"times":-2}`},
		{"faults", `{"endpoint":"*","drop":true,"reset":true}`},
		{"faults", `{"endpoint":"*","stall":true,"cut":true}`},
		{"faults", `{"endpoint":"*","trickleMs":60001}`},
		{"faults", `{"endpoint":"*","drop":true,"share":1.5}`},
		{"faults", `{"endpoint":"*","share":0.5}`},
		{"faults/list", `{"endpoint":"*"}`},
		{"faults/clear", `{"all":true}`},
		{"calls", `nonsense`},
		{"reset", `{"all":true}`},
	} {
		got := w.do("POST", "/simulator/control/"+tt.route, tt.body)
		if got.status != 400 || got.str("error") == "" {
			t.Errorf("%s %.60s answered %d %s, want 400 with a reason", tt.route, tt.body, got.status, got.text)
		}
	}
	if got := w.do("GET", "/simulator/control/reset", ""); got.status != 404 {
		t.Errorf("GET answered %d, want 404", got.status)
	}
}
