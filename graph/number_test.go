package graph_test

import (
	"strings"
	"testing"

	"wxpass/db"
	"wxpass/graph"
	"wxpass/wechat/simulator"
)

func TestSomebodyElsesPhoneCodeIsRefused(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		a.auth.SendPhoneOpenID = true
		thief, owner := a.mustLogin(t, "openid-thief"), a.mustLogin(t, "openid-owner")
		code := a.phoneCode("openid-owner", number)
		if got := a.bindPhone(t, thief.Token, code); got.code() != graph.ErrorCodePhoneCodeInvalid {
			t.Errorf("somebody else's code: %s", got.text)
		}
		if n := a.events(t, thief.User.ID)[db.EventPhoneRefused]; n != 1 {
			t.Errorf("%d refusals on record, want 1", n)
		}
		if got := a.do(t, thief.Token, "{ me { steps maskedPhone } }", nil); !strings.Contains(got.text, `"steps":[],"maskedPhone":null`) {
			t.Errorf("the thief is %s", got.text)
		}
		if got := a.bindPhone(t, owner.Token, code); got.code() != "" {
			t.Errorf("the owner, with the same code: %s", got.text)
		}
	})
}

// A number that is given out again by its carrier does not open the account of who had it before.
func TestANumberSomebodyHasIsRefusedAndOnRecord(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		first, second := a.mustLogin(t, "openid-1"), a.mustLogin(t, "openid-2")
		if got := a.bindPhone(t, first.Token, a.phoneCode("openid-1", number)); got.code() != "" {
			t.Fatal(got.text)
		}
		encrypted := a.sealed(t, simulator.Payload{User: simulator.User{OpenID: "openid-2"}, Kind: simulator.KindPhone,
			Data: map[string]any{"purePhoneNumber": number[3:], "phoneNumber": number[3:], "countryCode": "86"}})
		delete(encrypted, "rawData")
		delete(encrypted, "signature")
		for name, in := range map[string]map[string]any{
			"by code": {"code": a.phoneCode("openid-2", number)}, "with its country in front": {"code": a.wechat.PhoneCode("openid-2", number, "")},
			"encrypted": {"encrypted": encrypted},
		} {
			got := a.do(t, second.Token, bindDocument, map[string]any{"in": in})
			if got.code() != graph.ErrorCodePhoneAlreadyBound || strings.Contains(got.text, first.User.ID) {
				t.Errorf("%s: %s", name, got.text)
			}
		}
		if n := a.events(t, second.User.ID)[db.EventPhoneRefused]; n != 3 {
			t.Errorf("%d refusals on record, want 3", n)
		}
		var b bound
		a.do(t, first.Token, "{ me { id phone } }", nil).field(t, "me", &b.User)
		if b.User.Phone == nil || *b.User.Phone != number {
			t.Errorf("the first has %+v", b.User)
		}
		// The same digits in another country are another number.
		if got := a.bindPhone(t, second.Token, a.wechat.PhoneCode("openid-2", number[3:], "7")); got.code() != "" {
			t.Errorf("the same digits in another country: %s", got.text)
		}
	})
}
