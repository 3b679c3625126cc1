package simulator_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
	"time"

	"wxpass/wechat/simulator"
)

// proof signs nothing with a session key.
func proof(key string) string {
	return hex.EncodeToString(hmac.New(sha256.New, []byte(key)).Sum(nil))
}

func (w *world) session(endpoint, openid, key, method string) reply {
	w.t.Helper()
	query := url.Values{
		"access_token": {w.stable(false).str("access_token")},
		"openid":       {openid}, "signature": {proof(key)}, "sig_method": {method},
	}
	return w.do("GET", "/wxa/"+endpoint+"?"+query.Encode(), "")
}

func TestSessionKeyEndpoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{Rotation: simulator.RotateAlways})
	old := w.exchange(w.Login("alice")).str("session_key")
	key := w.exchange(w.Login("alice")).str("session_key")
	for _, tt := range []struct {
		name, openid, key, method string
		want                      int
	}{
		{"good", "alice", key, "hmac_sha256", 0},
		{"old key", "alice", old, "hmac_sha256", 87009},
		{"method", "alice", key, "md5", 87008},
		{"unknown user", "bob", key, "hmac_sha256", 40003},
	} {
		if got := w.session("checksession", tt.openid, tt.key, tt.method); got.num("errcode") != tt.want {
			t.Errorf("%s: %s, want %d", tt.name, got.text, tt.want)
		}
	}
	reset := w.session("resetusersessionkey", "alice", key, "hmac_sha256")
	if reset.str("openid") != "alice" || reset.str("session_key") == key || reset.num("errcode") != 0 {
		t.Errorf("reset: %s", reset.text)
	}
	if got := w.session("checksession", "alice", key, "hmac_sha256"); got.num("errcode") != 87009 {
		t.Errorf("old key after the reset: %s", got.text)
	}
	if got := w.session("checksession", "alice", reset.str("session_key"), "hmac_sha256"); got.num("errcode") != 0 {
		t.Errorf("new key after the reset: %s", got.text)
	}
}

func TestContentCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	w.Login("alice")
	w.do("POST", "/control/content-check", `{"contains":"坏","suggest":"risky","label":20006}`)
	check := func(content, openid string) reply {
		body := `{"content":"` + content + `","version":2,"scene":1,"openid":"` + openid + `"}`
		return w.business("POST", "msg_sec_check", w.stable(false).str("access_token"), body)
	}
	for _, tt := range []struct {
		content, openid string
		errcode         int
		suggest         string
		label           float64
	}{
		{"好", "alice", 0, "pass", 100},
		{"很坏的", "alice", 0, "risky", 20006},
		{"好", "bob", 40003, "", 0},
		{"", "alice", 47001, "", 0},
		{strings.Repeat("好", 2501), "alice", 45002, "", 0},
	} {
		got := check(tt.content, tt.openid)
		result, _ := got.fields["result"].(map[string]any)
		label, _ := result["label"].(float64)
		suggest, _ := result["suggest"].(string)
		if got.num("errcode") != tt.errcode || suggest != tt.suggest || label != tt.label {
			t.Errorf("%.10s of %s: %s", tt.content, tt.openid, got.text)
		}
	}
	w.pass(2*time.Hour + time.Second)
	if got := check("好", "alice"); got.num("errcode") != 61010 {
		t.Errorf("user away for two hours: %s, want 61010", got.text)
	}
}
