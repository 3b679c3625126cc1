package simulator_test

import (
	"encoding/json"
	"testing"
	"time"

	"wxpass/wechat/simulator"
)

// phoneInfo exchanges a phone code.
func (w *world) phoneInfo(code, openid string) (errcode int, info map[string]any) {
	w.t.Helper()
	body, _ := json.Marshal(map[string]string{"code": code, "openid": openid})
	r := w.business("POST", "getuserphonenumber", w.stable(false).str("access_token"), string(body))
	info, _ = r.fields["phone_info"].(map[string]any)
	return r.num("errcode"), info
}

func TestPhoneNumbers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	for _, tt := range []struct {
		number, country     string
		wantCountry         float64
		wantPure, wantPhone string
	}{
		{"13800138000", "", 86, "13800138000", "13800138000"},
		{"51234567", "852", 852, "51234567", "+85251234567"},
		{"+8613800138000", "", 86, "13800138000", "13800138000"},
		{"+12025550123", "", 1, "2025550123", "+12025550123"},
		{"+79261234567", "", 7, "9261234567", "+79261234567"},
		{"+85266123456", "", 852, "66123456", "+85266123456"},
		{"+85366123456", "", 853, "66123456", "+85366123456"},
		{"+886912345678", "", 886, "912345678", "+886912345678"},
		{"+447911123456", "", 44, "7911123456", "+447911123456"},
		{"+6591234567", "", 65, "91234567", "+6591234567"},
		{"+819012345678", "", 81, "9012345678", "+819012345678"},
		{"+821012345678", "", 82, "1012345678", "+821012345678"},
	} {
		codes := []string{w.PhoneCode("alice", tt.number, tt.country)}
		if tt.number[0] == '+' {
			codes = append(codes, "sim-"+tt.number, "sim-"+tt.number)
		}
		for _, code := range codes {
			errcode, info := w.phoneInfo(code, "")
			if errcode != 0 || info["countryCode"] != tt.wantCountry || info["purePhoneNumber"] != tt.wantPure || info["phoneNumber"] != tt.wantPhone {
				t.Errorf("%s: errcode %d, %v", tt.number, errcode, info)
			}
		}
	}
	w.do("POST", "/control/settings", `{"countryCode":"string"}`)
	if _, info := w.phoneInfo("sim-+8613800138000", ""); info["countryCode"] != "86" {
		t.Errorf("country code %#v, want text", info["countryCode"])
	}
}

func TestPhoneCodeLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	code := w.do("POST", "/simulator/control/phone-code", `{"openid":"alice","phoneNumber":"13800138000"}`).str("code")
	if got, _ := w.phoneInfo(code, "bob"); got != 40003 {
		t.Errorf("another user: %d, want 40003", got)
	}
	if got, info := w.phoneInfo(code, "alice"); got != 0 || info["purePhoneNumber"] != "13800138000" {
		t.Errorf("the user: %d %v", got, info)
	}
	if got, _ := w.phoneInfo(code, "alice"); got != 40029 {
		t.Errorf("used: %d, want 40029", got)
	}
	old := w.PhoneCode("alice", "13800138000", "")
	w.pass(5 * time.Minute)
	for name, code := range map[string]string{
		"expired": old, "login code": w.Login("alice"), "hand-typed": "sim-alice", "too short": "sim-+8612",
	} {
		if got, _ := w.phoneInfo(code, ""); got != 40029 {
			t.Errorf("%s: %d, want 40029", name, got)
		}
	}
	if got := w.exchange(w.PhoneCode("alice", "13800138000", "")); got.num("errcode") != 40029 {
		t.Errorf("phone code as login code: %s", got.text)
	}
}
