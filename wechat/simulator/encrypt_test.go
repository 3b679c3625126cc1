package simulator_test

import (
	"encoding/json"
	"testing"
	"time"

	"wxpass/wechat"
	"wxpass/wechat/simulator"
)

func TestEncryptedDataOpens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	key := w.exchange(w.LoginAs(simulator.User{OpenID: "alice", UnionID: "u"})).str("session_key")

	sealed := w.do("POST", "/control/encrypt", `{"openid":"alice","kind":"profile","data":{"nickName":"<爱丽丝>","city":null}}`)
	text, err := wechat.Decrypt(key, sealed.str("encryptedData"), sealed.str("iv"))
	if err != nil {
		t.Fatal(err, sealed.text)
	}
	profile, err := wechat.ParseUserInfo(text)
	if err != nil || profile.NickName != "<爱丽丝>" || profile.OpenID != "alice" || profile.UnionID != "u" {
		t.Errorf("profile %+v, %v", profile, err)
	}
	if err := profile.Watermark.Check(simulator.DefaultApp().ID, w.Now(), time.Second); err != nil {
		t.Error(err)
	}
	if !wechat.VerifySignature(sealed.str("rawData"), key, sealed.str("signature")) {
		t.Error("the signature does not fit the raw data")
	}
	var raw map[string]any
	if err := json.Unmarshal([]byte(sealed.str("rawData")), &raw); err != nil {
		t.Error(err)
	}
	for _, field := range []string{"openId", "unionId", "watermark", "city"} {
		if _, ok := raw[field]; ok {
			t.Errorf("raw data has %s", field)
		}
	}

	sealed = w.do("POST", "/control/encrypt", `{"openid":"alice","kind":"phone","timestamp":1700000000,
		"data":{"purePhoneNumber":"51234567","countryCode":"852","watermark":{"appid":"wxother"}}}`)
	if text, err = wechat.Decrypt(key, sealed.str("encryptedData"), sealed.str("iv")); err != nil {
		t.Fatal(err, sealed.text)
	}
	phone, err := wechat.ParsePhoneInfo(text)
	if err != nil || phone.E164() != "+85251234567" || phone.Watermark != (wechat.Watermark{AppID: "wxother", Timestamp: 1700000000}) {
		t.Errorf("phone %s, %v", text, err)
	}
}

func TestEncryptUnderTheKeyBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{Rotation: simulator.RotateAlways})
	old := w.exchange(w.Login("alice")).str("session_key")
	if got := w.do("POST", "/control/encrypt", `{"openid":"alice","kind":"phone","key":"previous"}`); got.status != 400 {
		t.Errorf("no previous key: %d %s", got.status, got.text)
	}
	current := w.exchange(w.Login("alice")).str("session_key")
	for name, key := range map[string]string{"previous": old, "current": current} {
		sealed := w.do("POST", "/control/encrypt", `{"openid":"alice","kind":"phone","key":"`+name+`"}`)
		if _, err := wechat.Decrypt(key, sealed.str("encryptedData"), sealed.str("iv")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheOtherControlRoutesAreStrict(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	w.Login("alice")
	for _, tt := range []struct{ route, body string }{
		{"phone-code", `{"openid":"alice"}`},
		{"phone-code", `{"openid":"alice","phoneNumber":"138-0013-8000"}`},
		{"phone-code", `{"openid":"alice","phoneNumber":"+8613800138000","countryCode":"86"}`},
		{"phone-code", `{"openid":"alice","phoneNumber":"13800138000","countryCode":"+86"}`},
		{"phone-code", `{"openid":"alice","phoneNumber":"13800138000","countryCode":86}`},
		{"phone-code", `{"openid":"alice","phoneNumber":"13800138000","appid":"wxnone"}`},
		{"encrypt", `{"openid":"nobody","kind":"phone"}`},
		{"encrypt", `{"openid":"alice","kind":"other"}`},
		{"encrypt", `{"openid":"alice","kind":"phone","key":"oldest"}`},
		{"encrypt", `{"openid":"alice","kind":"phone","appid":"wxnone"}`},
		{"encrypt", `{"openid":"alice","kind":"phone","data":[]}`},
		{"settings", `{"rotation":"often"}`},
		{"settings", `{"countryCode":"text"}`},
		{"content-check", `{"contains":"x","suggest":"maybe","label":100}`},
		{"content-check", `{"contains":"x","suggest":"risky"}`},
	} {
		got := w.do("POST", "/simulator/control/"+tt.route, tt.body)
		if got.status != 400 || got.str("error") == "" {
			t.Errorf("%s %s answered %d %s, want 400 with a reason", tt.route, tt.body, got.status, got.text)
		}
	}
}

func TestSettingsLastUntilTheReset(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	rotates := func() bool {
		first := w.exchange(w.Login("alice")).str("session_key")
		return w.exchange(w.Login("alice")).str("session_key") != first
	}
	w.do("POST", "/control/settings", `{"rotation":"always"}`)
	if !rotates() {
		t.Error("rotation not set")
	}
	w.do("POST", "/control/reset", "{}")
	if rotates() {
		t.Error("rotation not reset")
	}
}
