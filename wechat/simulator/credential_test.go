package simulator_test

import (
	"net/url"
	"testing"
	"time"

	"wxpass/wechat/simulator"
)

func (w *world) stable(force bool) reply {
	w.t.Helper()
	app := simulator.DefaultApp()
	body := `{"grant_type":"client_credential","appid":"` + app.ID + `","secret":"` + app.Secret + `"`
	if force {
		body += `,"force_refresh":true`
	}
	return w.do("POST", "/cgi-bin/stable_token", body+"}")
}

func (w *world) classic() reply {
	w.t.Helper()
	app := simulator.DefaultApp()
	return w.do("GET", "/cgi-bin/token?grant_type=client_credential&appid="+app.ID+"&secret="+app.Secret, "")
}

// try makes a business call and returns its errcode; 40029 is that of a good credential.
func (w *world) try(credential string) int {
	w.t.Helper()
	return w.business("POST", "getuserphonenumber", credential, `{"code":"none"}`).num("errcode")
}

func (w *world) business(method, endpoint, credential, body string) reply {
	w.t.Helper()
	path := "/wxa/" + endpoint
	if endpoint == "getuserphonenumber" {
		path = "/wxa/business/" + endpoint
	}
	return w.do(method, path+"?access_token="+url.QueryEscape(credential), body)
}

func TestClassicCredentialsReplaceEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	stable := w.stable(false).str("access_token")
	first, second := w.classic(), w.classic()
	old, current := first.str("access_token"), second.str("access_token")
	if old == current || first.num("expires_in") != 7200 || second.header.Get("Content-Type") == "text/plain" {
		t.Errorf("answered %s and %s", first.text, second.text)
	}
	w.pass(5*time.Minute - time.Second)
	if got := w.try(old); got != 40029 {
		t.Errorf("old one within the overlap: %d", got)
	}
	w.pass(time.Second)
	if got := w.try(old); got != 40001 {
		t.Errorf("old one after the overlap: %d, want 40001", got)
	}
	if w.try(current) != 40029 || w.try(stable) != 40029 {
		t.Error("the current one, or the stable one, went with it")
	}
	w.pass(2 * time.Hour)
	if got := w.try(current); got != 42001 {
		t.Errorf("expired: %d, want 42001", got)
	}
}

func TestTheStableCredentialStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	first := w.stable(false)
	w.pass(time.Hour)
	again := w.stable(false)
	if again.str("access_token") != first.str("access_token") || again.num("expires_in") != 3600 {
		t.Errorf("after an hour: %s", again.text)
	}
	w.pass(55 * time.Minute)
	next := w.stable(false)
	if next.str("access_token") == first.str("access_token") || next.num("expires_in") != 7200 {
		t.Errorf("five minutes before the end: %s", next.text)
	}
	if w.try(first.str("access_token")) != 40029 || w.try(next.str("access_token")) != 40029 {
		t.Error("the two are not good side by side")
	}
	w.pass(5 * time.Minute)
	if got := w.try(first.str("access_token")); got != 42001 {
		t.Errorf("old one: %d, want 42001", got)
	}
}

func TestForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{}) // it is 11:04 in Shanghai
	old := w.stable(true).str("access_token")
	w.pass(29 * time.Second)
	if got := w.stable(true).str("access_token"); got != old {
		t.Error("refreshed within 30 seconds")
	}
	w.pass(time.Second)
	current := w.stable(true).str("access_token")
	if current == old || w.try(old) != 40001 || w.try(current) != 40029 {
		t.Error("the old one lives, or the new one does not")
	}
	var last reply
	for range 19 {
		w.pass(30 * time.Second)
		last = w.stable(true)
	}
	if last.num("errcode") != 45009 {
		t.Errorf("the 21st of the day: %s, want 45009", last.text)
	}
	w.pass(13 * time.Hour)
	if got := w.stable(true); got.num("errcode") != 0 {
		t.Errorf("the next day: %s", got.text)
	}
}

func TestKillCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	old := w.stable(false).str("access_token")
	w.KillCredential(simulator.DefaultApp().ID)
	if w.try(old) != 40001 || w.try(w.stable(false).str("access_token")) != 40029 {
		t.Error("the old one lives, or there is no new one")
	}
}

func TestCredentialRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	app := simulator.DefaultApp()
	good := w.stable(false).str("access_token")
	for _, tt := range []struct {
		name, method, path, body string
		want                     int
	}{
		{"GET", "GET", "/cgi-bin/stable_token", "", 43002},
		{"empty body", "POST", "/cgi-bin/stable_token", "", 44002},
		{"form body", "POST", "/cgi-bin/stable_token", "appid=" + app.ID, 47001},
		{"no app id", "POST", "/cgi-bin/stable_token", `{}`, 41002},
		{"wrong secret", "POST", "/cgi-bin/stable_token", `{"appid":"` + app.ID + `","secret":"no"}`, 40125},
		{"no grant type", "POST", "/cgi-bin/stable_token", `{"appid":"` + app.ID + `","secret":"` + app.Secret + `"}`, 40002},
		{"classic, no grant type", "GET", "/cgi-bin/token?appid=" + app.ID + "&secret=" + app.Secret, "", 40002},
		{"classic, no secret", "GET", "/cgi-bin/token?appid=" + app.ID, "", 41004},
		{"no credential", "POST", "/wxa/business/getuserphonenumber", `{}`, 41001},
		{"unknown credential", "POST", "/wxa/business/getuserphonenumber?access_token=no", `{}`, 40001},
		{"GET", "GET", "/wxa/business/getuserphonenumber?access_token=" + good, ``, 43002},
		{"empty body", "POST", "/wxa/business/getuserphonenumber?access_token=" + good, ``, 44002},
		{"form body", "POST", "/wxa/business/getuserphonenumber?access_token=" + good, `code=1`, 47001},
	} {
		if got := w.do(tt.method, tt.path, tt.body); got.num("errcode") != tt.want {
			t.Errorf("%s %.40s: %s, want %d", tt.name, tt.path, got.text, tt.want)
		}
	}
}
