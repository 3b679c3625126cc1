package graph_test

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"wxpass/db"
	"wxpass/db/dbtest"
	"wxpass/graph"
	"wxpass/keyring"
	"wxpass/testlog"
	"wxpass/wechat/simulator"
)

// forge signs a token that is right but for what change does to it.
func (a *api) forge(t *testing.T, from string, method jwt.SigningMethod, key any, change func(header, claims map[string]any)) string {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(from, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	token := jwt.NewWithClaims(method, parsed.Claims)
	token.Header["kid"] = parsed.Header["kid"]
	if change != nil {
		change(token.Header, parsed.Claims.(jwt.MapClaims))
	}
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestTokensRefused(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		good := a.mustLogin(t, "openid-1").Token
		secret := a.issuer.Keys[0].Secret
		claims := func(name string, value any) string {
			return a.forge(t, good, jwt.SigningMethodHS256, secret, func(_, c map[string]any) { c[name] = value })
		}
		header := func(name string, value any) string {
			return a.forge(t, good, jwt.SigningMethodHS256, secret, func(h, _ map[string]any) { h[name] = value })
		}
		loggedOut := a.mustLogin(t, "openid-1").Token
		a.do(t, loggedOut, "mutation { logout { endedSessions } }", nil)
		gone := a.mustLogin(t, "openid-gone")
		a.exec(t, "UPDATE users SET deleted_at = created_at WHERE id = '"+gone.User.ID+"'")
		erased := a.mustLogin(t, "openid-erased")
		a.exec(t, "DELETE FROM users WHERE id = '"+erased.User.ID+"'")
		now := a.clock.Now()

		tests := []struct{ name, token, want string }{
			{"good", good, ""},
			{"none", "", "UNAUTHENTICATED MISSING"},
			{"garbage", "garbage", "UNAUTHENTICATED INVALID"},
			{"three dots of garbage", "a.b.c", "UNAUTHENTICATED INVALID"},
			{"8 kB", strings.Repeat("x", 8192), "UNAUTHENTICATED INVALID"},
			{"alg none", a.forge(t, good, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil), "UNAUTHENTICATED INVALID"},
			{"HS384", a.forge(t, good, jwt.SigningMethodHS384, secret, nil), "UNAUTHENTICATED INVALID"},
			{"wrong key", a.forge(t, good, jwt.SigningMethodHS256, []byte(sha512.New().Sum(nil)), nil), "UNAUTHENTICATED INVALID"},
			{"unknown kid", header("kid", "t9"), "UNAUTHENTICATED INVALID"},
			{"kid is a path", header("kid", "../../dev/null"), "UNAUTHENTICATED INVALID"},
			{"kid is a number", header("kid", 1), "UNAUTHENTICATED INVALID"},
			{"embedded jwk", header("jwk", map[string]any{"kty": "oct"}), "UNAUTHENTICATED INVALID"},
			{"jku", header("jku", "http://127.0.0.1/keys"), "UNAUTHENTICATED INVALID"},
			{"crit", header("crit", []string{"exp"}), "UNAUTHENTICATED INVALID"},
			{"other typ", header("typ", "at+jwt"), "UNAUTHENTICATED INVALID"},
			{"app not served", claims("aud", "wx-unknown"), "UNAUTHENTICATED INVALID"},
			{"other app's audience", claims("aud", a.otherApp.ID), "UNAUTHENTICATED INVALID"},
			{"two audiences", claims("aud", []string{simulator.DefaultApp().ID, a.otherApp.ID}), "UNAUTHENTICATED INVALID"},
			{"other issuer", claims("iss", "somebody"), "UNAUTHENTICATED INVALID"},
			{"expired", claims("exp", now.Add(-time.Second).Unix()), "UNAUTHENTICATED EXPIRED"},
			{"expired and another issuer's", a.forge(t, good, jwt.SigningMethodHS256, secret, func(_, c map[string]any) {
				c["exp"], c["iss"] = now.Add(-time.Second).Unix(), "somebody"
			}), "UNAUTHENTICATED INVALID"},
			{"no end", claims("exp", nil), "UNAUTHENTICATED INVALID"},
			{"end is text", claims("exp", "tomorrow"), "UNAUTHENTICATED INVALID"},
			{"end is past all numbers", claims("exp", 1e300), "UNAUTHENTICATED EXPIRED"},
			{"not yet valid", claims("nbf", now.Add(time.Minute).Unix()), "UNAUTHENTICATED INVALID"},
			{"issued in the future", claims("iat", now.Add(2*time.Minute).Unix()), "UNAUTHENTICATED INVALID"},
			{"issued by a clock a little ahead", claims("iat", now.Add(30*time.Second).Unix()), ""},
			{"no user", claims("sub", ""), "UNAUTHENTICATED INVALID"},
			{"user is SQL", claims("sub", "' OR 1=1 --"), "UNAUTHENTICATED INVALID"},
			{"no session", claims("sid", ""), "UNAUTHENTICATED INVALID"},
			{"somebody else's session", claims("sub", gone.User.ID), "UNAUTHENTICATED REVOKED"},
			{"unknown session", claims("sid", db.NewID().String()), "UNAUTHENTICATED REVOKED"},
			{"logged out", loggedOut, "UNAUTHENTICATED REVOKED"},
			{"user deleted", gone.Token, "UNAUTHENTICATED REVOKED"},
			{"user erased", erased.Token, "UNAUTHENTICATED REVOKED"},
		}
		for _, tt := range tests {
			got := a.me(t, tt.token)
			if got.reason() != tt.want {
				t.Errorf("%s: %q, want %q: %s", tt.name, got.reason(), tt.want, got.text)
			}
			t.Logf("%-34s %s", tt.name, got.reason())
		}

		headers := []struct {
			name string
			set  func(http.Header)
			want string
		}{
			{"lower-case scheme", func(h http.Header) { h.Set("Authorization", "bearer "+good) }, ""},
			{"other scheme", func(h http.Header) { h.Set("Authorization", "Basic "+good) }, "UNAUTHENTICATED INVALID"},
			{"two headers", func(h http.Header) { h.Add("Authorization", "Bearer "+good); h.Add("Authorization", "Bearer "+good) }, "UNAUTHENTICATED INVALID"},
			{"token with spaces", func(h http.Header) { h.Set("Authorization", "Bearer "+good[:20]+" "+good[20:]) }, "UNAUTHENTICATED INVALID"},
			{"a WeChat cloud header", func(h http.Header) { h.Set("X-WX-OPENID", "openid-1") }, "UNAUTHENTICATED MISSING"},
		}
		for _, tt := range headers {
			r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(`{"query":"{ me { id } }"}`))
			r.Header.Set("Content-Type", "application/json")
			tt.set(r.Header)
			if got := a.send(t, r); got.reason() != tt.want {
				t.Errorf("%s: %q, want %q", tt.name, got.reason(), tt.want)
			}
		}
		r := httptest.NewRequest(http.MethodPost, "/graphql?access_token="+good, strings.NewReader(`{"query":"{ me { id } }"}`))
		r.Header.Set("Content-Type", "application/json")
		if got := a.send(t, r); got.reason() != "UNAUTHENTICATED MISSING" {
			t.Errorf("token in the URL: %q", got.reason())
		}
	})
}

func TestAnOutageIsNotALogout(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		g := a.mustLogin(t, "openid-1")
		a.exec(t, "ALTER TABLE sessions RENAME TO away")
		got := a.me(t, g.Token)
		if got.code() != graph.ErrorCodeInternal || got.Errors[0].Extensions["requestId"] != "request-1" {
			t.Errorf("answer: %s", got.text)
		}
		if strings.Contains(got.text, "sessions") || !strings.Contains(a.log.String(), "level=ERROR") {
			t.Errorf("the fault shows in the answer, or not in the log: %s", got.text)
		}
		a.exec(t, "ALTER TABLE away RENAME TO sessions")
		if got := a.me(t, g.Token); got.code() != "" {
			t.Errorf("after the outage: %s", got.text)
		}
	})
}

func TestAnAuthenticatedRequestIsOneQuery(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		var count countQueries
		a := newAPI(t, url, &count)
		g := a.mustLogin(t, "openid-1")
		count.take()
		got := a.do(t, g.Token, "{ me { id displayName points createdAt } again: me { id } third: me { id } }", nil)
		if got.code() != "" || count.take() != 1 {
			t.Errorf("three guarded fields took more than one query: %s", got.text)
		}
		if got := a.do(t, g.Token, "{ __typename }", nil); got.code() != "" || count.take() != 0 {
			t.Errorf("a request without guarded fields asked the database: %s", got.text)
		}
		if got := a.me(t, "garbage"); got.code() != graph.ErrorCodeUnauthenticated || count.take() != 0 {
			t.Errorf("a garbage token asked the database: %s", got.text)
		}
	})
}

func TestLogoutScopes(t *testing.T) {
	const document = "mutation($s: LogoutScope!) { logout(input: {scope: $s}) { endedSessions } }"
	tests := []struct {
		scope        string
		ended        int
		this, others string // what the tokens get afterwards
		event        db.EventKind
	}{
		{"THIS", 1, "UNAUTHENTICATED REVOKED", "", db.EventLogout},
		{"OTHERS", 2, "", "UNAUTHENTICATED REVOKED", db.EventLogoutOthers},
		{"ALL", 3, "UNAUTHENTICATED REVOKED", "UNAUTHENTICATED REVOKED", db.EventLogoutAll},
	}
	for _, tt := range tests {
		t.Run(tt.scope, func(t *testing.T) {
			each(t, func(t *testing.T, a *api) {
				this, other := a.mustLogin(t, "openid-1"), a.mustLogin(t, "openid-1")
				a.mustLogin(t, "openid-1")
				stranger := a.mustLogin(t, "openid-2")
				var payload struct{ EndedSessions int }
				a.do(t, this.Token, document, map[string]any{"s": tt.scope}).field(t, "logout", &payload)
				if payload.EndedSessions != tt.ended {
					t.Errorf("ended %d sessions, want %d", payload.EndedSessions, tt.ended)
				}
				if got := a.me(t, this.Token).reason(); got != tt.this {
					t.Errorf("this session afterwards: %q, want %q", got, tt.this)
				}
				if got := a.me(t, other.Token).reason(); got != tt.others {
					t.Errorf("another session afterwards: %q, want %q", got, tt.others)
				}
				if got := a.me(t, stranger.Token).reason(); got != "" {
					t.Errorf("a stranger's session afterwards: %q", got)
				}
				if n := a.events(t, this.User.ID)[tt.event]; n != 1 {
					t.Errorf("%d events, want 1", n)
				}
			})
		})
	}
}

func TestLogoutEndsTheRequestsPrincipal(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		g := a.mustLogin(t, "openid-1")
		got := a.do(t, g.Token, "mutation { logout { endedSessions } renewSession { token } }", nil)
		if got.reason() != "UNAUTHENTICATED REVOKED" || got.Errors[0].Path[0] != "renewSession" {
			t.Errorf("answer: %s", got.text)
		}
	})
}

func TestMySessions(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		a.mustLogin(t, "openid-2")
		old := a.mustLogin(t, "openid-1")
		a.do(t, a.mustLogin(t, "openid-1").Token, "mutation { logout { endedSessions } }", nil)
		g := a.mustLogin(t, "openid-1")
		var sessions []struct {
			ID, AppID string
			Current   bool
			ExpiresAt time.Time
		}
		a.do(t, g.Token, "{ mySessions { id appId current createdAt expiresAt } }", nil).field(t, "mySessions", &sessions)
		if len(sessions) != 2 || !sessions[0].Current || sessions[1].Current || sessions[0].AppID != simulator.DefaultApp().ID {
			t.Errorf("sessions = %+v, want the newest first and current, and the one of %s", sessions, old.User.ID)
		}
	})
}

func TestRenewalNeedsNoWeChatAndHasAnEnd(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		g := a.mustLogin(t, "openid-1")
		a.wechat.Fault(simulator.Fault{Endpoint: "*", Drop: true, Times: -1})
		begun, token := a.clock.Now(), g.Token
		for day := 6; day <= 30; day += 6 {
			a.clock.Advance(6 * 24 * time.Hour)
			got := a.do(t, token, "mutation { renewSession { token expiresAt } }", nil)
			if day == 30 {
				if got.reason() != "UNAUTHENTICATED EXPIRED" {
					t.Errorf("day %d: %s, want the session to have ended after 30 days", day, got.text)
				}
				break
			}
			if got.code() != "" {
				t.Fatalf("day %d: %s", day, got.text)
			}
			var renewed grant
			got.field(t, "renewSession", &renewed)
			want := begun.Add(time.Duration(min(day+7, 30)) * 24 * time.Hour)
			if !renewed.ExpiresAt.Equal(want) {
				t.Errorf("day %d: renewed until %v, want %v", day, renewed.ExpiresAt, want)
			}
			token = renewed.Token
		}
	})
}

func TestTokenKeysRotate(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		before := a.mustLogin(t, "openid-1").Token
		old := a.issuer.Keys
		a.issuer.Keys = append(keyring.Ring{keyring.New("t2")}, old...)
		after := a.mustLogin(t, "openid-1").Token
		for _, token := range []string{before, after} {
			if got := a.me(t, token); got.code() != "" {
				t.Errorf("with both keys: %s", got.text)
			}
		}
		if kid := headerOf(t, after)["kid"]; kid != "t2" {
			t.Errorf("a new token is signed by %v, want t2", kid)
		}
		a.issuer.Keys = a.issuer.Keys[:1]
		if got := a.me(t, before); got.reason() != "UNAUTHENTICATED INVALID" {
			t.Errorf("old token, old key dropped: %s", got.text)
		}
		if got := a.me(t, after); got.code() != "" {
			t.Errorf("new token, old key dropped: %s", got.text)
		}
	})
}

func headerOf(t *testing.T, token string) (header map[string]any) {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	if err == nil {
		err = json.Unmarshal(text, &header)
	}
	if err != nil {
		t.Fatal(err)
	}
	return header
}

func TestLoginsAreRateLimited(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		many := func(n int, code string) string {
			var b strings.Builder
			b.WriteString("mutation {")
			for i := range n {
				fmt.Fprintf(&b, "a%d: silentLogin(input: {code: %q}) { token } ", i, code)
			}
			return b.String() + "}"
		}
		errors := a.do(t, "", many(10, "wrong"), nil).Errors
		for range 6 {
			errors = append(errors, a.do(t, "", many(10, "wrong"), nil).Errors...)
		}
		limited := 0
		for _, e := range errors {
			if e.Extensions["code"] == string(graph.ErrorCodeRateLimited) {
				limited++
				if wait, _ := e.Extensions["retryAfterSeconds"].(float64); wait < 1 || wait > 60 {
					t.Errorf("retryAfterSeconds = %v", e.Extensions["retryAfterSeconds"])
				}
			}
		}
		if limited != 10 || a.wechat.Calls("jscode2session") != 60 {
			t.Errorf("%d of 70 wrong codes limited, WeChat asked %d times; want 10 and 60", limited, a.wechat.Calls("jscode2session"))
		}
		if got := a.login(t, a.wechat.Login("o")); got.code() != graph.ErrorCodeRateLimited {
			t.Errorf("a right code from the same address: %s", got.text)
		}
		a.clock.Advance(time.Minute)
		if got := a.login(t, a.wechat.Login("o")); got.code() != "" {
			t.Errorf("a minute later: %s", got.text)
		}
		// An outage is not the caller's doing and does not count as refused.
		a.clock.Advance(time.Minute)
		a.wechat.Fault(simulator.Fault{Endpoint: "jscode2session", ErrCode: -1, Times: -1})
		for range 2 {
			a.do(t, "", many(35, "right"), nil)
		}
		a.wechat.Reset()
		if got := a.login(t, a.wechat.Login("o")); got.code() != "" {
			t.Errorf("after an outage: %s", got.text)
		}
	})
}

func TestManyHonestLoginsAtOnceAreLetThrough(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		a.wechat.Fault(simulator.Fault{Endpoint: "jscode2session", DelayMS: 300, Times: -1})
		var wait sync.WaitGroup
		for i := range 120 { // twice the limit on refused ones, from one address
			code := a.wechat.Login(fmt.Sprint("openid-", i))
			wait.Go(func() {
				if got := a.login(t, code); got.code() != "" {
					t.Errorf("login: %s", got.text)
				}
			})
		}
		wait.Wait()
	})
}

func TestARenewalNeverShortensASession(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		g := a.mustLogin(t, "openid-1")
		a.clock.Advance(48 * time.Hour)
		a.auth.TokenTTL, a.auth.SessionMaxAge = 24*time.Hour, 24*time.Hour // an operator made them shorter
		var renewed grant
		got := a.do(t, g.Token, "mutation { renewSession { token expiresAt } }", nil)
		got.field(t, "renewSession", &renewed)
		if !renewed.ExpiresAt.Equal(g.ExpiresAt) {
			t.Errorf("renewed until %v, was %v", renewed.ExpiresAt, g.ExpiresAt)
		}
		if me := a.me(t, g.Token); me.code() != "" {
			t.Errorf("the old token: %s", me.text)
		}
	})
}

func TestHangingUpCountsAsRefused(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		a.wechat.Fault(simulator.Fault{Endpoint: "jscode2session", DelayMS: 1500, Times: -1})
		for i := range 60 {
			ctx, hangUp := context.WithCancel(t.Context())
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/graphql",
				strings.NewReader(fmt.Sprintf(`{"query":"mutation { silentLogin(input: {code: \"guess-%d\"}) { token } }"}`, i)))
			r.Header.Set("Content-Type", "application/json")
			go func() {
				defer hangUp()
				for a.wechat.Calls("jscode2session") <= i && ctx.Err() == nil {
					time.Sleep(time.Millisecond) // until WeChat is being asked
				}
			}()
			a.handler.ServeHTTP(httptest.NewRecorder(), r)
		}
		if got := a.login(t, a.wechat.Login("o")); got.code() != graph.ErrorCodeRateLimited {
			t.Errorf("after 60 guesses nobody waited for: %s", got.text)
		}
	})
}

func TestAHundredAliasesOfALogin(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		var b strings.Builder
		for i := range 100 {
			fmt.Fprintf(&b, "a%d: silentLogin(input: {code: \"guess-%d\"}) { token } ", i, i)
		}
		document := "mutation {" + b.String() + "}"
		log := testlog.Logger(nil)
		options := graph.Options{RateLimitScale: 1, Limits: graph.Limits{MaxTokens: 10_000, MaxRootFields: 1000}, Now: a.clock.Now, Log: log}
		a.serve(options)
		if got := a.do(t, "", document, nil); got.code() != graph.ErrorCodeQueryTooComplex || got.Errors[0].Extensions["limit"] != "aliases" {
			t.Errorf("with the limit on aliases: %.200s", got.text)
		}
		if n := a.wechat.Calls("jscode2session"); n != 0 {
			t.Errorf("WeChat was asked %d times", n)
		}
		options.Limits.MaxAliases = 1000
		a.serve(options)
		limited := 0
		for _, e := range a.do(t, "", document, nil).Errors {
			if e.Extensions["code"] == string(graph.ErrorCodeRateLimited) {
				limited++
			}
		}
		if n := a.wechat.Calls("jscode2session"); limited != 40 || n != 60 {
			t.Errorf("without it: %d of 100 rate limited, WeChat asked %d times; want 40 and 60", limited, n)
		}
	})
}
