package wechat_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wxpass/wechat"
	"wxpass/wechat/simulator"
)

func TestPhoneNumber(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		number, country string
		text            bool // country code as JSON text
		want            string
	}{
		{"13800138000", "", false, "+8613800138000"},
		{"13800138000", "86", true, "+8613800138000"},
		{"51234567", "852", false, "+85251234567"},
		{"+12025550123", "", true, "+12025550123"},
	} {
		w := newWorld(t)
		w.sim.CountryCodeText = tt.text
		got, err := w.PhoneNumber(t.Context(), w.sim.PhoneCode("alice", tt.number, tt.country), "alice")
		if err != nil {
			t.Errorf("%s: %v", tt.number, err)
			continue
		}
		if got.E164() != tt.want || !got.At.Equal(w.time()) {
			t.Errorf("%s: got %s at %v, want %s", tt.number, got.E164(), got.At, tt.want)
		}
		if text := fmt.Sprintf("%v %+v %#v %s", got, *got, got, &wechat.PhoneInfo{Phone: *got}); strings.Contains(text, got.Number) {
			t.Errorf("printed as %s", text)
		}
	}
}

func TestOpenIDIsSentOnlyWhenGiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, openID := range []string{"", "alice"} {
		code := w.sim.PhoneCode("alice", "13800138000", "")
		if _, err := w.PhoneNumber(t.Context(), code, openID); err != nil {
			t.Error(err)
		}
		want := `{"code":"` + code + `"}`
		if openID != "" {
			want = `{"code":"` + code + `","openid":"alice"}`
		}
		if diff := cmp.Diff(want, strings.TrimSpace(w.bodies[len(w.bodies)-1])); diff != "" {
			t.Error(diff)
		}
	}
}

func TestPhoneCodesThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		code func(*world) string
		want int
	}{
		"unknown":              {func(*world) string { return "no" }, 40029},
		"a login code":         {func(w *world) string { return w.sim.Login("alice") }, 40029},
		"another user's":       {func(w *world) string { return w.sim.PhoneCode("bob", "13800138000", "") }, 40003},
		"not a code":           {func(*world) string { return "a\nb" }, 40029},
		"none":                 {func(*world) string { return "" }, 41008},
		"hand-typed, nonsense": {func(*world) string { return "sim-+0" }, 40029},
		"expired": {func(w *world) string {
			code := w.sim.PhoneCode("alice", "13800138000", "")
			w.pass(5 * time.Minute)
			return code
		}, 40029},
		"used": {func(w *world) string {
			code := w.sim.PhoneCode("alice", "13800138000", "")
			w.PhoneNumber(t.Context(), code, "")
			return code
		}, 40029},
		"another app's": {func(w *world) string {
			return w.sim.PhoneCodeAs(simulator.User{OpenID: "alice", AppID: "wxother"}, "13800138000", "")
		}, 40029},
	} {
		w := newWorld(t)
		code := tt.code(w)
		_, err := w.PhoneNumber(t.Context(), code, "alice")
		wantClass(t, err, wechat.ErrCodeInvalid)
		if !errors.Is(err, &wechat.Error{Code: tt.want}) {
			t.Errorf("%s: %v, want errcode %d", name, err, tt.want)
		}
		if len(code) > 10 {
			wantSilent(t, err, code, "13800138000")
		}
	}
}

func TestAHandTypedPhoneCodeAlwaysWorks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 {
		got, err := w.PhoneNumber(t.Context(), "sim-+8613800138000", "anybody")
		if err != nil || got.CountryCode != "86" || got.Number != "13800138000" {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func TestAPhoneCodeIsSentAgainOnlyAfterAnAnswer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault simulator.Fault
		calls int
		want  error
	}{
		"overloaded once":     {simulator.Fault{ErrCode: -1}, 2, nil},
		"overloaded":          {simulator.Fault{ErrCode: -1, Times: -1}, 2, wechat.ErrUnavailable},
		"dropped":             {simulator.Fault{Drop: true}, 1, wechat.ErrUnavailable},
		"dropped, code spent": {simulator.Fault{Drop: true, AfterConsume: true}, 1, wechat.ErrUnavailable},
		"too slow":            {simulator.Fault{DelayMS: 60_000}, 1, wechat.ErrUnavailable},
		"status 502":          {simulator.Fault{Status: 502}, 1, wechat.ErrUnavailable},
		"rate limit":          {simulator.Fault{ErrCode: 45011}, 1, wechat.ErrBusy},
		"not permitted":       {simulator.Fault{ErrCode: 48001}, 1, wechat.ErrMisconfigured},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Timeout = time.Second
			tt.fault.Endpoint = "getuserphonenumber"
			w.sim.Fault(tt.fault)
			code := w.sim.PhoneCode("alice", "13800138000", "")
			_, err := w.PhoneNumber(t.Context(), code, "alice")
			wantClass(t, err, tt.want)
			if (err == nil) != (tt.want == nil) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if err != nil {
				wantSilent(t, err, code, "98_")
			}
			w.wantCalls(t, 1, tt.calls)
		})
	}
}

func TestPhoneRepliesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	const mark = `"watermark":{"timestamp":1700000000,"appid":"wx0123456789abcdef"}`
	for _, tt := range []struct {
		body string
		want error
	}{
		{`{"errcode":0}`, wechat.ErrUnavailable},
		{`{"errcode":0,"phone_info":null}`, wechat.ErrUnavailable},
		{`{"errcode":0,"phone_info":{` + mark + `}}`, wechat.ErrUnavailable},
		{`{"errcode":0,"phone_info":{"countryCode":86,"purePhoneNumber":"138 0013",` + mark + `}}`, wechat.ErrUnavailable},
		{`{"errcode":0,"phone_info":{"countryCode":1.5,"purePhoneNumber":"13800138000",` + mark + `}}`, wechat.ErrUnavailable},
		{`{"errcode":0,"phone_info":{"countryCode":null,"purePhoneNumber":"13800138000",` + mark + `}}`, wechat.ErrUnavailable},
		{`{"errcode":0,"phone_info":{"countryCode":"852","purePhoneNumber":"1234567890123",` + mark + `}}`, wechat.ErrUnavailable},
		{`{"errcode":0,"phone_info":{"countryCode":86,"purePhoneNumber":"13800138000"}}`, wechat.ErrMisconfigured},
		{`{"errcode":0,"phone_info":{"countryCode":86,"purePhoneNumber":"13800138000","watermark":{"timestamp":1,"appid":"wxother"}}}`, wechat.ErrMisconfigured},
		{`{"errcode":0,"phone_info":{"countryCode":"+86","purePhoneNumber":"13800138000",` + mark + `}}`, nil},
	} {
		w := newWorld(t)
		w.sim.Fault(simulator.Fault{Endpoint: "getuserphonenumber", Body: &tt.body})
		_, err := w.PhoneNumber(t.Context(), "c", "")
		wantClass(t, err, tt.want)
		if (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v", tt.body, err)
		} else if err != nil {
			wantSilent(t, err, "13800138000")
		}
	}
}
