package graph_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"wxpass/graph"
	"wxpass/wechat/simulator"
)

// doWith sends a document with headers of the test's own.
func (a *api) doWith(t *testing.T, query string, headers http.Header) *answer {
	t.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(string(body)))
	maps.Copy(r.Header, headers)
	r.Header.Set("Content-Type", "application/json")
	return a.send(t, r)
}

// TestHeadersOfCloudHostingAreIgnored sends what WeChat's cloud would put in front of a server of its own. Anybody can
// send the same to this one.
func TestHeadersOfCloudHostingAreIgnored(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		alice, bob := a.mustLogin(t, "openid-alice"), a.mustLogin(t, "openid-bob")
		forged := http.Header{}
		for name, value := range map[string]string{
			"X-WX-OPENID": "openid-alice", "X-WX-FROM-OPENID": "openid-alice", "X-WX-UNIONID": "unionid-alice", "X-WX-FROM-UNIONID": "unionid-alice",
			"X-WX-APPID": simulator.DefaultApp().ID, "X-WX-FROM-APPID": simulator.DefaultApp().ID, "X-WX-SOURCE": "wx_client", "X-WX-ENV": "prod",
			"X-WX-SERVICE": "wxpass", "X-WX-CALL-ID": "1", "X-WX-EXCLUDE-CREDENTIALS": "unionid",
		} {
			forged.Set(name, value)
		}
		if got := a.doWith(t, "{ me { id } }", forged); got.reason() != "UNAUTHENTICATED MISSING" {
			t.Errorf("without a token: %s", got.text)
		}
		for _, code := range []string{"wrong", ""} {
			if got := a.doWith(t, `mutation { silentLogin(input: {code: "`+code+`"}) { token } }`, forged); got.code() != graph.ErrorCodeLoginCodeInvalid {
				t.Errorf("code %q: %s", code, got.text)
			}
		}
		forged.Set("Authorization", "Bearer "+bob.Token)
		if got := a.doWith(t, "{ me { id } }", forged); !strings.Contains(got.text, bob.User.ID) || strings.Contains(got.text, alice.User.ID) {
			t.Errorf("with bob's token: %s", got.text)
		}
	})
}

// TestStrangeTokensAreRefused goes on where TestTokensRefused ends: all of RFC 8725 that needs a key or a hand-made text.
func TestStrangeTokensAreRefused(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, a *api) {
		g, other := a.mustLogin(t, "openid-1"), a.mustLogin(t, "openid-2")
		secret := a.issuer.Keys[0].Secret
		header := func(name string, value any) string {
			return a.forge(t, g.Token, jwt.SigningMethodHS256, secret, func(h, _ map[string]any) { h[name] = value })
		}
		claim := func(name string, value any) string {
			return a.forge(t, g.Token, jwt.SigningMethodHS256, secret, func(_, c map[string]any) { c[name] = value })
		}
		sign := func(head, claims string) string { // with our key, but no library that knows better
			text := base64.RawURLEncoding.EncodeToString([]byte(head)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(text))
			return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
		}
		parts := strings.Split(g.Token, ".")
		head, claims := decodePart(t, parts[0]), decodePart(t, parts[1])
		now := a.clock.Now()
		const invalid = "UNAUTHENTICATED INVALID"
		tests := []struct{ name, token, want string }{
			{"made by hand as it should be", sign(head, claims), ""},
			{"RS256", a.forge(t, g.Token, jwt.SigningMethodRS256, rsaKey, nil), invalid},
			{"ES256", a.forge(t, g.Token, jwt.SigningMethodES256, ecKey, nil), invalid},
			{"HS256 by an RSA key's public half", a.forge(t, g.Token, jwt.SigningMethodHS256, rsaKey.N.Bytes(), nil), invalid},
			{"signed by nothing", parts[0] + "." + parts[1] + ".", invalid},
			{"another's claims under this signature", parts[0] + "." + strings.Split(other.Token, ".")[1] + "." + parts[2], invalid},
			{"alg in other letters", sign(strings.Replace(head, "HS256", "hs256", 1), claims), invalid},
			{"kid is SQL", header("kid", "t1' OR '1'='1"), invalid},
			{"no kid", header("kid", ""), invalid},
			{"x5u", header("x5u", "http://127.0.0.1/keys"), invalid},
			{"x5c", header("x5c", []string{"AAAA"}), invalid},
			{"b64 false", header("b64", false), invalid},
			{"8 kB header", header("pad", strings.Repeat("x", 8192)), invalid},
			{"8 kB claim", claim("pad", strings.Repeat("x", 8192)), invalid},
			{"user named twice, another last", sign(head, strings.Replace(claims, "{", `{"sub":"`+g.User.ID+`",`, 1)), ""}, // RFC 7519: the last counts
			{"user named twice, the session's not last", sign(head, strings.Replace(claims, "}", `,"sub":"`+other.User.ID+`"}`, 1)), "UNAUTHENTICATED REVOKED"},
			{"end is a number as text", claim("exp", "99999999999"), invalid},
			{"end is negative", claim("exp", -1), "UNAUTHENTICATED EXPIRED"},
			{"ends now", claim("exp", now.Unix()), "UNAUTHENTICATED EXPIRED"},
			{"ends within this second", claim("exp", float64(now.Unix())+0.5), "UNAUTHENTICATED EXPIRED"},
			{"ends in a second and a half", claim("exp", float64(now.Unix())+1.5), ""},
			{"ends in a second", claim("exp", now.Add(time.Second).Unix()), ""},
			{"not before now", claim("nbf", now.Unix()), ""},
			{"not before the next second", claim("nbf", now.Add(time.Second).Unix()), invalid},
			{"claims are a list", sign(head, "[]"), invalid},
			{"padding", g.Token + "=", invalid},
			{"a fourth part", g.Token + ".x", invalid},
			{"encrypted form, five parts", g.Token + ".x.y", invalid},
		}
		for _, tt := range tests {
			if got := a.me(t, tt.token); got.reason() != tt.want {
				t.Errorf("%s: %q, want %q: %s", tt.name, got.reason(), tt.want, got.text)
			}
		}
		for name, headers := range map[string][]string{
			"scheme alone":             {"Bearer"},
			"scheme and a space":       {"Bearer "},
			"token alone":              {g.Token},
			"two in one header":        {"Bearer " + g.Token + ", Bearer " + g.Token},
			"two headers, the second":  {"Bearer x", "Bearer " + g.Token},
			"scheme twice":             {"Bearer Bearer " + g.Token},
			"tab":                      {"Bearer\t" + g.Token},
			"another scheme":           {"Token " + g.Token},
			"an empty one and a token": {"", "Bearer " + g.Token},
		} {
			if got := a.doWith(t, "{ me { id } }", http.Header{"Authorization": headers}); got.reason() != invalid {
				t.Errorf("%s: %s", name, got.text)
			}
		}
	})
}

func decodePart(t *testing.T, part string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (a *api) renew(t *testing.T, token string) string {
	t.Helper()
	var renewed grant
	got := a.do(t, token, "mutation { renewSession { token } }", nil)
	if got.code() != "" {
		t.Fatalf("renewal: %s", got.text)
	}
	got.field(t, "renewSession", &renewed)
	return renewed.Token
}

// There is no refresh token: what would be a family of them is a session, and all its tokens end with it.
func TestALogoutEndsEveryTokenOfItsSession(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		tokens := []string{a.mustLogin(t, "openid-1").Token}
		for range 3 {
			a.clock.Advance(time.Minute)
			tokens = append(tokens, a.renew(t, tokens[len(tokens)-1]))
		}
		for i, token := range tokens {
			if got := a.me(t, token); got.code() != "" {
				t.Errorf("token %d before: %s", i, got.text)
			}
		}
		a.do(t, tokens[1], "mutation { logout { endedSessions } }", nil)
		for i, token := range tokens {
			if got := a.me(t, token); got.reason() != "UNAUTHENTICATED REVOKED" {
				t.Errorf("token %d after: %s", i, got.text)
			}
			if got := a.do(t, token, "mutation { renewSession { token } }", nil); got.reason() != "UNAUTHENTICATED REVOKED" {
				t.Errorf("token %d is renewed after the logout: %s", i, got.text)
			}
		}
	})
}

func TestRenewalsAtOnceAllHold(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		g := a.mustLogin(t, "openid-1")
		a.clock.Advance(time.Hour)
		var wait sync.WaitGroup
		tokens := make([]string, 10)
		for i := range tokens {
			wait.Go(func() { tokens[i] = a.renew(t, g.Token) })
		}
		wait.Wait()
		for _, token := range append(tokens, g.Token) {
			if got := a.me(t, token); got.code() != "" {
				t.Errorf("after ten renewals at once: %s", got.text)
			}
		}
		var sessions []struct{ ID string }
		a.do(t, g.Token, "{ mySessions { id } }", nil).field(t, "mySessions", &sessions)
		if len(sessions) != 1 {
			t.Errorf("%d sessions, want the one", len(sessions))
		}
	})
}

// TestATokenSaysWhoAsksAndNoMore holds the claims to their list, and looks for WeChat's session key in all that leaves
// the server: answers, tokens, errors, the log.
func TestATokenSaysWhoAsksAndNoMore(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		var said strings.Builder
		g := a.mustLogin(t, "openid-1")
		keys := []string{a.wechat.SessionKey(simulator.DefaultApp().ID, "openid-1")}
		bad := a.sealed(t, profileOf("openid-1", "Band", ""))
		bad["signature"] = strings.Repeat("0", 40)
		for _, in := range []map[string]any{a.sealed(t, profileOf("openid-1", "Band", "")), bad, {"encryptedData": "AAAA", "iv": keys[0]}} {
			said.WriteString(a.authorizeProfile(t, g.Token, map[string]any{"encrypted": in}).text)
		}
		said.WriteString(a.bindPhone(t, g.Token, keys[0]).text)
		for _, field := range slices.Sorted(maps.Keys(samples)) {
			if field == "Mutation.deleteAccount" || field == "Mutation.logout" {
				continue
			}
			said.WriteString(a.do(t, g.Token, samples[field], nil).text)
		}
		token := a.mustLogin(t, "openid-1").Token
		keys = append(keys, a.wechat.SessionKey(simulator.DefaultApp().ID, "openid-1"))
		for _, t1 := range []string{g.Token, token, a.renew(t, token)} {
			claims := map[string]any{}
			if err := json.Unmarshal([]byte(decodePart(t, strings.Split(t1, ".")[1])), &claims); err != nil {
				t.Fatal(err)
			}
			if got, want := slices.Sorted(maps.Keys(claims)), []string{"aud", "exp", "iat", "iss", "sid", "sub"}; !slices.Equal(got, want) {
				t.Errorf("claims %v, want %v", got, want)
			}
			said.WriteString(decodePart(t, strings.Split(t1, ".")[1]))
		}
		for _, key := range keys {
			if strings.Contains(said.String()+a.log.String(), key) {
				t.Errorf("the session key shows in:\n%s\n%s", said.String(), a.log)
			}
		}
	})
}
