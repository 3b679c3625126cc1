package simulator_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"wxpass/wechat/simulator"
)

func TestSuccessHasNoErrcodeAndTheWrongLabel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	got := w.exchange(w.LoginAs(simulator.User{OpenID: "alice", UnionID: "union-alice"}))
	if _, ok := got.fields["errcode"]; ok || got.status != 200 || got.header.Get("Content-Type") != "text/plain" {
		t.Errorf("answered %d %s %s", got.status, got.header.Get("Content-Type"), got.text)
	}
	if got.str("unionid") != "union-alice" || len(got.str("session_key")) != 24 {
		t.Errorf("answered %s", got.text)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	other := simulator.App{ID: "wxother", Secret: "other-secret"}
	w := newWorld(t, &simulator.Server{Apps: []simulator.App{simulator.DefaultApp(), other}})
	app := simulator.DefaultApp()
	code := w.Login("alice")
	query := func(appid, secret, code, grant string) string {
		return "/sns/jscode2session?" + url.Values{"appid": {appid}, "secret": {secret}, "js_code": {code}, "grant_type": {grant}}.Encode()
	}
	tests := []struct {
		name, path string
		want       int
	}{
		{"no app id", query("", app.Secret, code, "authorization_code"), 41002},
		{"no secret", query(app.ID, "", code, "authorization_code"), 41004},
		{"no code", query(app.ID, app.Secret, "", "authorization_code"), 41008},
		{"grant type", query(app.ID, app.Secret, code, "client_credential"), 40002},
		{"unknown app", query("wxnone", app.Secret, code, "authorization_code"), 40013},
		{"wrong secret", query(app.ID, "wrong", code, "authorization_code"), 40125},
		{"unknown code", query(app.ID, app.Secret, "no", "authorization_code"), 40029},
		{"other app's code", query(other.ID, other.Secret, code, "authorization_code"), 40029},
		{"the tools' mock code", query(app.ID, app.Secret, "the code is a mock one", "authorization_code"), 40029},
		{"bad hand-typed name", query(app.ID, app.Secret, "sim-a/b", "authorization_code"), 40029},
		{"parameters in the body", "/sns/jscode2session", 41002},
	}
	for _, tt := range tests {
		got := w.do("POST", tt.path, query(app.ID, app.Secret, code, "authorization_code"))
		if got.status != 200 || got.num("errcode") != tt.want || !strings.Contains(got.str("errmsg"), "rid: ") {
			t.Errorf("%s: answered %d %s, want errcode %d", tt.name, got.status, got.text, tt.want)
		}
	}
	if got := w.exchange(code); got.str("openid") != "alice" {
		t.Errorf("refusals spent the code: %s", got.text)
	}
}

func TestACodeIsSpentByItsFirstUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	code := w.Login("alice")
	var wins, used int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			got := w.exchange(code)
			mu.Lock()
			defer mu.Unlock()
			switch got.num("errcode") {
			case 0:
				wins++
			case 40163:
				used++
			}
		})
	}
	wg.Wait()
	if wins != 1 || used != 19 {
		t.Errorf("%d exchanges won and %d found it used, want 1 and 19", wins, used)
	}
}

func TestACodeLivesFiveMinutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	first, second := w.Login("alice"), w.Login("alice")
	w.pass(5*time.Minute - time.Second)
	if got := w.exchange(first); got.num("errcode") != 0 {
		t.Errorf("young code: %s", got.text)
	}
	w.pass(time.Second)
	if got := w.exchange(second); got.num("errcode") != 40029 {
		t.Errorf("old code: %s, want 40029", got.text)
	}
}

func TestHandTypedCodesAlwaysLogIn(t *testing.T) {
	t.Parallel()
	other := simulator.App{ID: "wxother", Secret: "other-secret"}
	w := newWorld(t, &simulator.Server{Apps: []simulator.App{simulator.DefaultApp(), other}})
	first, again := w.exchange("sim-Alice_1").str("openid"), w.exchange("sim-Alice_1").str("openid")
	if first != again || len(first) != 28 || first[0] != 'o' {
		t.Errorf("openids %q and %q, want the same, of 28 characters", first, again)
	}
	if bob := w.exchange("sim-bob").str("openid"); bob == first {
		t.Error("two names have one openid")
	}
	if there := w.exchangeAs(other.ID, other.Secret, "sim-Alice_1").str("openid"); there == first || there == "" {
		t.Errorf("openid %q in the other app, want another one", there)
	}
}

func TestUnionID(t *testing.T) {
	t.Parallel()
	unbound := simulator.App{ID: "wxunbound", Secret: "s", Unbound: true}
	w := newWorld(t, &simulator.Server{Apps: []simulator.App{simulator.DefaultApp(), unbound}})
	if got := w.exchange(w.Login("alice")); got.str("unionid") != "" {
		t.Errorf("unionid from nowhere: %s", got.text)
	}
	w.LoginAs(simulator.User{OpenID: "alice", UnionID: "u"})
	if got := w.exchange(w.Login("alice")); got.str("unionid") != "u" {
		t.Errorf("unionid forgotten: %s", got.text)
	}
	code := w.LoginAs(simulator.User{OpenID: "alice", UnionID: "u", AppID: unbound.ID})
	if got := w.exchangeAs(unbound.ID, "s", code); got.str("unionid") != "" {
		t.Errorf("unionid from an unbound app: %s", got.text)
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		rotation    simulator.Rotation
		atOnce, old bool // whether the key is new for a login at once, and for one after a minute
	}{
		{"seldom", simulator.RotateSeldom, false, true},
		{"always", simulator.RotateAlways, true, true},
		{"never", simulator.RotateNever, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, &simulator.Server{Rotation: tt.rotation})
			first := w.exchange(w.Login("alice")).str("session_key")
			second := w.exchange(w.Login("alice")).str("session_key")
			w.pass(time.Minute)
			third := w.exchange(w.Login("alice")).str("session_key")
			if (second != first) != tt.atOnce || (third != second) != tt.old {
				t.Errorf("keys %q, %q, %q", first, second, third)
			}
			if got := w.SessionKey(simulator.DefaultApp().ID, "alice"); got != third {
				t.Errorf("current key %q, want %q", got, third)
			}
		})
	}
}

func TestALateExchangeYieldsAStaleKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{Rotation: simulator.RotateAlways})
	early, late := w.Login("alice"), w.Login("alice")
	current := w.exchange(late).str("session_key")
	if stale := w.exchange(early).str("session_key"); stale == current || stale == "" {
		t.Errorf("key of the earlier code %q, of the later %q, want two", stale, current)
	}
}
