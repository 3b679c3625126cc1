package graph_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"wxpass/db"
	"wxpass/db/dbtest"
	"wxpass/graph"
	"wxpass/keyring"
	"wxpass/wechat/simulator"
)

func TestALoginCodeBecomesAToken(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		first := a.mustLogin(t, "openid-1")
		if !first.IsNewUser || !first.ExpiresAt.Equal(a.clock.Now().Add(168*time.Hour)) {
			t.Errorf("first login = %+v", first)
		}
		var me struct{ ID string }
		a.me(t, first.Token).field(t, "me", &me)
		if me.ID != first.User.ID {
			t.Errorf("me = %q, want %q", me.ID, first.User.ID)
		}
		second := a.mustLogin(t, "openid-1")
		if second.IsNewUser || second.User.ID != first.User.ID || second.Token == first.Token {
			t.Errorf("second login = %+v, want the same user and another token", second)
		}
		if other := a.mustLogin(t, "openid-2"); other.User.ID == first.User.ID {
			t.Error("two openids are one user")
		}
	})
}

func TestLoginCodesRefused(t *testing.T) {
	tests := []struct {
		name string
		code func(*api) string
		want graph.ErrorCode // empty for success
		sent bool            // whether WeChat is asked
	}{
		{name: "fresh", code: func(a *api) string { return a.wechat.Login("o") }, sent: true},
		{name: "sim-NAME", code: func(*api) string { return "sim-alice" }, sent: true},
		{name: "unknown", code: func(*api) string { return "no" }, want: graph.ErrorCodeLoginCodeInvalid, sent: true},
		{name: "used", code: func(a *api) string {
			code := a.wechat.Login("o")
			a.login(t, code)
			return code
		}, want: graph.ErrorCodeLoginCodeInvalid, sent: true},
		{name: "older than five minutes", code: func(a *api) string {
			code := a.wechat.Login("o")
			a.clock.Advance(5*time.Minute + time.Second)
			return code
		}, want: graph.ErrorCodeLoginCodeInvalid, sent: true},
		{name: "another app's", code: func(a *api) string {
			return a.wechat.LoginAs(simulator.User{OpenID: "o", AppID: a.otherApp.ID})
		}, want: graph.ErrorCodeLoginCodeInvalid, sent: true},
		{name: "the tools' mock text", code: func(*api) string { return "the code is a mock one" }, want: graph.ErrorCodeLoginCodeInvalid},
		{name: "empty", code: func(*api) string { return "" }, want: graph.ErrorCodeLoginCodeInvalid},
		{name: "4 kB", code: func(*api) string { return strings.Repeat("x", 4096) }, want: graph.ErrorCodeLoginCodeInvalid},
		{name: "newline", code: func(*api) string { return "x\nHost: evil" }, want: graph.ErrorCodeLoginCodeInvalid},
		{name: "not ASCII", code: func(*api) string { return "代码" }, want: graph.ErrorCodeLoginCodeInvalid},
		{name: "injection", code: func(*api) string { return "x&appid=evil#" }, want: graph.ErrorCodeLoginCodeInvalid, sent: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, a *api) {
				code := tt.code(a)
				before := a.wechat.Calls("jscode2session")
				got := a.login(t, code)
				if got.code() != tt.want {
					t.Errorf("error code = %q, want %q: %s", got.code(), tt.want, got.text)
				}
				if sent := a.wechat.Calls("jscode2session") > before; sent != tt.sent {
					t.Errorf("WeChat was asked: %v, want %v", sent, tt.sent)
				}
				if len(code) > 3 && tt.want != "" && strings.Contains(got.text+a.log.String(), code) {
					t.Error("the code shows in the answer or the log")
				}
			})
		})
	}
}

func TestAnOutageSaysWhenToComeBackAndWithWhat(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		a.auth.WeChat[0].Rest = time.Minute
		want := func(retryable bool, least, most float64) {
			t.Helper()
			got := a.login(t, "a-code")
			if got.code() != graph.ErrorCodeWechatUnavailable {
				t.Fatalf("login: %s", got.text)
			}
			after, _ := got.Errors[0].Extensions["retryAfterSeconds"].(float64)
			if got.Errors[0].Extensions["retryable"] != retryable || after < least || after > most {
				t.Errorf("extensions %v, want retryable %v after %v to %v s", got.Errors[0].Extensions, retryable, least, most)
			}
		}
		a.wechat.Fault(simulator.Fault{Endpoint: "jscode2session", ErrCode: 45011})
		want(false, 60, 60) // the minute's quota
		a.wechat.Fault(simulator.Fault{Endpoint: "jscode2session", Drop: true, Times: -1})
		for range 9 {
			want(false, 5, 5) // the code may be spent
		}
		asked := a.wechat.Calls("jscode2session")
		want(true, 30, 60) // WeChat rests and is not asked
		if got := a.wechat.Calls("jscode2session"); got != asked {
			t.Error("WeChat was asked all the same")
		}
		if n := strings.Count(a.log.String(), "leaving the endpoint alone"); n != 1 {
			t.Errorf("the log tells of the rest %d times", n)
		}
	})
}

func TestParallelFirstLoginsMakeOneUser(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		const n = 50
		grants := make([]grant, n)
		var wait sync.WaitGroup
		for i := range grants {
			code := a.wechat.Login("openid-1")
			wait.Go(func() { grants[i] = a.granted(t, a.login(t, code)) })
		}
		wait.Wait()
		users, fresh := map[string]bool{}, 0
		for _, g := range grants {
			users[g.User.ID] = true
			if g.IsNewUser {
				fresh++
			}
			if got := a.me(t, g.Token); got.code() != "" {
				t.Errorf("a token does not work: %s", got.text)
			}
		}
		if len(users) != 1 || fresh != 1 {
			t.Errorf("%d users, %d logins that say they made one; want 1 and 1", len(users), fresh)
		}
		for _, table := range []string{"users", "user_identities"} {
			var rows int
			if err := dbtest.Raw(t, a.url).QueryRow("SELECT count(*) FROM " + table).Scan(&rows); err != nil || rows != 1 {
				t.Errorf("%d rows of %s, %v; want 1", rows, table, err)
			}
		}
	})
}

func TestOneCodeSentTwiceAtOnceIsExchangedOnce(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		code := a.wechat.Login("openid-1")
		a.wechat.Fault(simulator.Fault{Endpoint: "jscode2session", DelayMS: 300})
		answers := make(chan *answer, 2)
		for range 2 {
			go func() { answers <- a.login(t, code) }()
		}
		one, two := a.granted(t, <-answers), a.granted(t, <-answers)
		if one.User.ID != two.User.ID {
			t.Error("one code made two users")
		}
		if n := a.wechat.Calls("jscode2session"); n != 1 {
			t.Errorf("WeChat was asked %d times, want 1", n)
		}
		if got := a.login(t, code); got.code() != graph.ErrorCodeLoginCodeInvalid {
			t.Errorf("the code once more, later: %s", got.text)
		}
	})
}

func TestAUnionIDJoinsApps(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		loginAs := func(u simulator.User) grant {
			t.Helper()
			return a.granted(t, a.do(t, "", loginDocument, map[string]any{"code": a.wechat.LoginAs(u), "appId": u.AppID}))
		}
		here, there := simulator.DefaultApp().ID, a.otherApp.ID
		first := loginAs(simulator.User{OpenID: "o-here", AppID: here})                       // no unionid yet
		later := loginAs(simulator.User{OpenID: "o-here", UnionID: "u-1", AppID: here})       // it appears
		elsewhere := loginAs(simulator.User{OpenID: "o-there", UnionID: "u-1", AppID: there}) // a second app
		if later.User.ID != first.User.ID || elsewhere.User.ID != first.User.ID || elsewhere.IsNewUser {
			t.Errorf("users %q, %q, %q; want one", first.User.ID, later.User.ID, elsewhere.User.ID)
		}

		// Two accounts that turn out to be one person's stay two, and the conflict is on record.
		lone := loginAs(simulator.User{OpenID: "o-lone", AppID: there})
		conflict := loginAs(simulator.User{OpenID: "o-lone", UnionID: "u-1", AppID: there})
		if conflict.User.ID != lone.User.ID {
			t.Errorf("a conflicting unionid moved the login to %q", conflict.User.ID)
		}
		if n := a.events(t, lone.User.ID)[db.EventUnionIDConflict]; n != 1 || !strings.Contains(a.log.String(), "level=WARN") {
			t.Errorf("%d conflict events, log:\n%s", n, a.log)
		}
		if strings.Contains(a.log.String(), "u-1") {
			t.Error("the unionid shows in the log")
		}
	})
}

func TestParallelFirstLoginsOverTwoAppsMakeOneUser(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		var wait sync.WaitGroup
		users := make([]string, 20)
		for i := range users {
			u := simulator.User{OpenID: "o-here", UnionID: "u-1", AppID: simulator.DefaultApp().ID}
			if i%2 == 1 {
				u = simulator.User{OpenID: "o-there", UnionID: "u-1", AppID: a.otherApp.ID}
			}
			code := a.wechat.LoginAs(u)
			wait.Go(func() {
				users[i] = a.granted(t, a.do(t, "", loginDocument, map[string]any{"code": code, "appId": u.AppID})).User.ID
			})
		}
		wait.Wait()
		for _, id := range users {
			if id != users[0] {
				t.Fatalf("one unionid is several users: %v", users)
			}
		}
	})
}

func TestAppsTheServerDoesNotServe(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		got := a.do(t, "", loginDocument, map[string]any{"code": "sim-alice", "appId": "wx-unknown"})
		if got.code() != graph.ErrorCodeBadInput || got.Errors[0].Extensions["field"] != "input.appId" {
			t.Errorf("answer: %s", got.text)
		}
	})
}

func TestADisabledAccountIsShutOut(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		g := a.mustLogin(t, "openid-1")
		a.exec(t, "UPDATE users SET disabled_at = created_at")
		if got := a.me(t, g.Token); got.code() != graph.ErrorCodeAccountBlocked {
			t.Errorf("me: %s", got.text)
		}
		if got := a.login(t, a.wechat.Login("openid-1")); got.code() != graph.ErrorCodeAccountBlocked {
			t.Errorf("login: %s", got.text)
		}
		if n := a.events(t, g.User.ID)[db.EventLoginRefused]; n != 1 {
			t.Errorf("%d refusals on record, want 1", n)
		}
	})
}

func TestALoginCountsForTheFieldsAfterIt(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		got := a.do(t, "", `mutation { before: renewSession { token } silentLogin(input: {code: "sim-alice"}) { token } after: renewSession { token } }`, nil)
		if len(got.Errors) != 1 || got.reason() != "UNAUTHENTICATED MISSING" || got.Errors[0].Path[0] != "before" {
			t.Fatalf("answer: %s", got.text)
		}
		var renewed struct{ Token string }
		got.field(t, "after", &renewed)
		if me := a.me(t, renewed.Token); me.code() != "" {
			t.Errorf("the renewed token: %s", me.text)
		}
	})
}

func TestTheSessionKeyIsSealedAndRotates(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		code := a.wechat.Login("openid-1")
		g := a.granted(t, a.login(t, code))
		key := a.wechat.SessionKey(simulator.DefaultApp().ID, "openid-1")
		dump := a.dump(t)
		for name, secret := range map[string]string{"session key": key, "token": g.Token, "code": code, "app secret": simulator.DefaultApp().Secret} {
			if strings.Contains(dump, secret) || strings.Contains(a.log.String(), secret) {
				t.Errorf("the %s shows in the database or the log", name)
			}
		}
		if !strings.Contains(dump, "openid-1") {
			t.Error("the dump does not even show the openid: it looks at nothing")
		}
		sealed := func() []byte {
			t.Helper()
			row, err := a.store.SessionKey(t.Context(), uuidOf(t, g.User.ID), simulator.DefaultApp().ID)
			if err != nil {
				t.Fatal(err)
			}
			return row.Sealed
		}
		context := "session-key/" + g.User.ID + "/" + simulator.DefaultApp().ID
		opened, err := a.auth.DataKeys.Open(sealed(), context)
		if err != nil || string(opened) != key {
			t.Errorf("the sealed key opens as %q, %v", opened, err)
		}
		a.auth.DataKeys = append(keyring.Ring{keyring.New("d2")}, a.auth.DataKeys...)
		if _, err := a.auth.DataKeys.Open(sealed(), context); err != nil {
			t.Errorf("after rotation the old row does not open: %v", err)
		}
		a.mustLogin(t, "openid-1")
		if got := string(sealed()[1:3]); got != "d2" {
			t.Errorf("after rotation a new row is sealed under %q, want d2", got)
		}
	})
}
