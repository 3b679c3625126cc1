package graph_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"wxpass/auth"
	"wxpass/db"
	"wxpass/graph"
	"wxpass/keyring"
	"wxpass/wechat/simulator"
)

const (
	bindDocument = `mutation($in: BindPhoneInput!) { bindPhone(input: $in) { user { id steps phone maskedPhone } } }`
	number       = "+8613800138000"
)

type bound struct {
	User struct {
		ID                 string
		Steps              []string
		Phone, MaskedPhone *string
	}
}

func (a *api) bindPhone(t testing.TB, token, code string) *answer {
	t.Helper()
	return a.do(t, token, bindDocument, map[string]any{"in": map[string]any{"code": code}})
}

// phoneCode is what the phone button would give the person with that openid.
func (a *api) phoneCode(openid, e164 string) string {
	return a.wechat.PhoneCode(openid, strings.TrimPrefix(e164, "+86"), "86")
}

func TestAPhoneCodeBindsItsNumber(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		g := a.mustLogin(t, "openid-1")
		got := a.bindPhone(t, g.Token, a.phoneCode("openid-1", number))
		var b bound
		got.field(t, "bindPhone", &b)
		if b.User.Phone == nil || *b.User.Phone != number || *b.User.MaskedPhone != "+86138****8000" || fmt.Sprint(b.User.Steps) != "[PHONE]" {
			t.Errorf("answer: %s", got.text)
		}
		dump := a.dump(t)
		for _, part := range []string{"13800138000", "0138000"} {
			if strings.Contains(dump, part) || strings.Contains(a.log.String(), part) {
				t.Errorf("%s shows in the database or the log", part)
			}
		}
		asked := a.wechat.Calls("getuserphonenumber")
		a.bindPhone(t, g.Token, a.phoneCode("openid-1", number)).field(t, "bindPhone", &b)
		if n := a.events(t, g.User.ID)[db.EventPhoneBound]; n != 1 {
			t.Errorf("the same number again: %d bindings on record, want 1", n)
		}
		if a.wechat.Calls("getuserphonenumber") != asked+1 {
			t.Error("a second code was not asked about")
		}

		const other = "+8613900139000"
		a.bindPhone(t, g.Token, a.phoneCode("openid-1", other)).field(t, "bindPhone", &b)
		if *b.User.Phone != other {
			t.Errorf("changed in one step: %+v", b)
		}
		second := a.mustLogin(t, "openid-2")
		if got := a.bindPhone(t, second.Token, a.phoneCode("openid-2", number)); got.code() != "" {
			t.Errorf("the number given up is not free: %s", got.text)
		}

		foreign := a.mustLogin(t, "openid-3")
		a.bindPhone(t, foreign.Token, a.wechat.PhoneCode("openid-3", "2025550123", "1")).field(t, "bindPhone", &b)
		if *b.User.Phone != "+12025550123" {
			t.Errorf("a foreign number: %s", *b.User.Phone)
		}
	})
}

func TestPhoneCodesRefused(t *testing.T) {
	tests := []struct {
		name    string
		code    func(*testing.T, *api) string
		message string // part of it
		sent    bool   // whether WeChat is asked
	}{
		{"unknown", func(*testing.T, *api) string { return "nonsense" }, "tap the button again", true},
		{"used by another", func(t *testing.T, a *api) string {
			code := a.phoneCode("openid-9", number)
			a.bindPhone(t, a.mustLogin(t, "openid-9").Token, code)
			return code
		}, "tap the button again", true},
		{"older than five minutes", func(_ *testing.T, a *api) string {
			code := a.phoneCode("openid-1", number)
			a.clock.Advance(5*time.Minute + time.Second)
			return code
		}, "tap the button again", true},
		{"a login code", func(_ *testing.T, a *api) string { return a.wechat.Login("openid-1") }, "looks like a login code", true},
		{"a typed login code", func(*testing.T, *api) string { return "sim-alice" }, "looks like a login code", true},
		{"empty", func(*testing.T, *api) string { return "" }, "tap the button again", false},
		{"4 kB", func(*testing.T, *api) string { return strings.Repeat("x", 4096) }, "tap the button again", false},
		{"the tools' mock text", func(*testing.T, *api) string { return "the code is a mock one" }, "tap the button again", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, a *api) {
				g := a.mustLogin(t, "openid-1")
				code := tt.code(t, a)
				asked := a.wechat.Calls("getuserphonenumber")
				got := a.bindPhone(t, g.Token, code)
				if got.code() != graph.ErrorCodePhoneCodeInvalid || !strings.Contains(got.Errors[0].Message, tt.message) {
					t.Errorf("answer: %s", got.text)
				}
				if sent := a.wechat.Calls("getuserphonenumber") > asked; sent != tt.sent {
					t.Errorf("WeChat was asked: %v, want %v", sent, tt.sent)
				}
				if n := a.events(t, g.User.ID)[db.EventPhoneRefused]; n != 1 {
					t.Errorf("%d refusals on record, want 1", n)
				}
				if got := a.do(t, g.Token, "{ me { steps maskedPhone } }", nil); !strings.Contains(got.text, `"steps":[],"maskedPhone":null`) {
					t.Errorf("the account changed: %s", got.text)
				}
			})
		})
	}
}

func TestTheInputIsOneOfTwo(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		g := a.mustLogin(t, "openid-1")
		for name, in := range map[string]map[string]any{
			"nothing": {},
			"both":    {"code": "x", "encrypted": map[string]any{"encryptedData": "", "iv": ""}},
			"null":    {"code": nil},
		} {
			got := a.do(t, g.Token, bindDocument, map[string]any{"in": in})
			if code := got.code(); code != graph.ErrorCodeBadInput && code != graph.ErrorCodeGraphqlValidationFailed {
				t.Errorf("%s: %s", name, got.text)
			}
		}
		if n := a.wechat.Calls("getuserphonenumber"); n != 0 {
			t.Errorf("WeChat was asked %d times", n)
		}
	})
}

func TestTwentyAccountsRaceForOneNumber(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		var wait sync.WaitGroup
		codes := make([]graph.ErrorCode, 20)
		for i := range codes {
			openid := fmt.Sprint("openid-", i)
			token, code := a.mustLogin(t, openid).Token, a.phoneCode(openid, number)
			wait.Go(func() { codes[i] = a.bindPhone(t, token, code).code() })
		}
		wait.Wait()
		count := map[graph.ErrorCode]int{}
		for _, c := range codes {
			count[c]++
		}
		if count[""] != 1 || count[graph.ErrorCodePhoneAlreadyBound] != 19 {
			t.Errorf("answers %v, want one success and 19 PHONE_ALREADY_BOUND", count)
		}
	})
}

func TestUnbindingClosesTheFieldsAtOnceForEverySession(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		one, two := a.mustLogin(t, "openid-1"), a.mustLogin(t, "openid-1")
		a.bindPhone(t, one.Token, a.phoneCode("openid-1", number))
		if got := a.do(t, two.Token, "{ me { phone } }", nil); got.code() != "" {
			t.Fatalf("before: %s", got.text)
		}
		got := a.do(t, one.Token, "mutation { unbindPhone { user { steps maskedPhone phone } } again: unbindPhone { user { id } } }", nil)
		if len(got.Errors) != 2 || got.code() != graph.ErrorCodeAuthStepRequired {
			t.Errorf("unbinding: %s", got.text)
		}
		got = a.do(t, two.Token, "{ me { id phone } }", nil)
		if got.code() != graph.ErrorCodeAuthStepRequired || fmt.Sprint(got.Errors[0].Extensions["missingSteps"], got.Errors[0].Extensions["completedSteps"]) != "[PHONE] []" {
			t.Errorf("after: %s", got.text)
		}
		if string(got.Data["me"]) == "null" {
			t.Errorf("one refusal emptied the rest: %s", got.text)
		}
		other := a.mustLogin(t, "openid-2")
		if got := a.bindPhone(t, other.Token, a.phoneCode("openid-2", number)); got.code() != "" {
			t.Errorf("the number is not free: %s", got.text)
		}
	})
}

func TestOneDocumentRegisters(t *testing.T) {
	const document = `mutation($code: String!, $phone: String!) {
		silentLogin(input: {code: $code}) { token user { id } }
		bindPhone(input: {code: $phone}) { user { steps phone } }
	}`
	each(t, func(t *testing.T, a *api) {
		got := a.do(t, "", document, map[string]any{"code": "sim-alice", "phone": "sim-" + number})
		var b bound
		got.field(t, "bindPhone", &b)
		if got.code() != "" || *b.User.Phone != number {
			t.Errorf("answer: %s", got.text)
		}
		got = a.do(t, "", document, map[string]any{"code": "sim-bob", "phone": "wrong"})
		var g grant
		got.field(t, "silentLogin", &g)
		if got.code() != graph.ErrorCodePhoneCodeInvalid || got.Errors[0].Path[0] != "bindPhone" || len(got.Errors) != 1 {
			t.Errorf("answer: %s", got.text)
		}
		if me := a.me(t, g.Token); me.code() != "" {
			t.Errorf("the failing step lost the token: %s", me.text)
		}
	})
}

func TestAPaidCodeIsNotLost(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		g := a.mustLogin(t, "openid-1")
		code := a.phoneCode("openid-1", number)
		a.exec(t, "ALTER TABLE user_identities RENAME TO away") // the database fails after WeChat has answered
		if got := a.bindPhone(t, g.Token, code); got.code() != graph.ErrorCodeInternal {
			t.Fatalf("answer: %s", got.text)
		}
		a.exec(t, "ALTER TABLE away RENAME TO user_identities")
		if got := a.bindPhone(t, g.Token, code); got.code() != "" {
			t.Errorf("the same code again: %s", got.text)
		}
		if n := a.wechat.Calls("getuserphonenumber"); n != 1 {
			t.Errorf("WeChat was asked %d times, want 1", n)
		}
		other := a.mustLogin(t, "openid-2")
		if got := a.bindPhone(t, other.Token, code); got.code() != graph.ErrorCodePhoneCodeInvalid {
			t.Errorf("somebody else's code: %s", got.text)
		}
	})
}

func TestEncryptedPhoneNumbers(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		g := a.mustLogin(t, "openid-1")
		send := func(p simulator.Payload) *answer {
			t.Helper()
			p.User.OpenID = "openid-1"
			in := a.sealed(t, p)
			delete(in, "rawData") // the phone button gives none
			delete(in, "signature")
			return a.do(t, g.Token, bindDocument, map[string]any{"in": map[string]any{"encrypted": in}})
		}
		if got := send(simulator.Payload{Kind: simulator.KindProfile}); got.code() != graph.ErrorCodeEncryptedDataInvalid {
			t.Errorf("a profile: %s", got.text)
		}
		if got := send(simulator.Payload{Kind: simulator.KindPhone, Timestamp: a.clock.Now().Add(-time.Hour)}); got.code() != graph.ErrorCodeEncryptedDataInvalid {
			t.Errorf("an old one: %s", got.text)
		}
		var b bound
		got := send(simulator.Payload{Kind: simulator.KindPhone, Data: map[string]any{"purePhoneNumber": "13800138000", "phoneNumber": "13800138000", "countryCode": "86"}})
		got.field(t, "bindPhone", &b)
		if *b.User.Phone != number {
			t.Errorf("answer: %s", got.text)
		}
	})
}

func TestANumberStaysUniqueWhileDataKeysRotate(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		old := a.auth.DataKeys
		first := a.mustLogin(t, "openid-1")
		a.bindPhone(t, first.Token, a.phoneCode("openid-1", number))
		a.auth.DataKeys = append(keyring.Ring{keyring.New("d2")}, old...)
		second := a.mustLogin(t, "openid-2")
		if got := a.bindPhone(t, second.Token, a.phoneCode("openid-2", number)); got.code() != graph.ErrorCodePhoneAlreadyBound {
			t.Errorf("bound under the old key, tried under the new: %s", got.text)
		}
		const other = "+8613900139000"
		if got := a.bindPhone(t, second.Token, a.phoneCode("openid-2", other)); got.code() != "" {
			t.Fatalf("another number: %s", got.text)
		}
		a.auth.DataKeys = old // an instance that has not been restarted yet
		third := a.mustLogin(t, "openid-3")
		if got := a.bindPhone(t, third.Token, a.phoneCode("openid-3", other)); got.code() != graph.ErrorCodePhoneAlreadyBound {
			t.Errorf("bound under the new key, tried under the old: %s", got.text)
		}
	})
}

func TestTheCredentialIsRefreshedOnceAndSealed(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		var wait sync.WaitGroup
		bind := func(n int, from int) {
			for i := range n {
				openid, phone := fmt.Sprint("openid-", from+i), fmt.Sprintf("+86139%08d", from+i)
				token, code := a.mustLogin(t, openid).Token, a.phoneCode(openid, phone)
				wait.Go(func() {
					if got := a.bindPhone(t, token, code); got.code() != "" {
						t.Errorf("bind: %s", got.text)
					}
				})
			}
			wait.Wait()
		}
		bind(10, 0)
		if n := a.wechat.Calls("stable_token"); n != 1 {
			t.Errorf("WeChat was asked for %d credentials, want 1", n)
		}
		a.wechat.KillCredential(simulator.DefaultApp().ID)
		bind(10, 10)
		if n := a.wechat.Calls("stable_token"); n > 3 {
			t.Errorf("WeChat was asked for %d credentials in all, want at most 3", n)
		}
		row, err := a.store.Credential(t.Context(), simulator.DefaultApp().ID)
		if err != nil {
			t.Fatal(err)
		}
		value, err := a.auth.DataKeys.Open(row.Sealed, "wechat-credential/"+simulator.DefaultApp().ID)
		if err != nil || strings.Contains(a.dump(t)+a.log.String(), string(value)) {
			t.Errorf("the credential does not open (%v), or shows in the database or the log", err)
		}
	})
}

func TestDeletingAnAccountLeavesNothingOfItsOwner(t *testing.T) {
	const document = `mutation($c: String!) { deleteAccount(input: {confirm: $c}) { deleted } }`
	each(t, func(t *testing.T, a *api) {
		unionLogin := func(openid, unionid string) grant {
			return a.granted(t, a.login(t, a.wechat.LoginAs(simulator.User{OpenID: openid, UnionID: unionid})))
		}
		g, other := unionLogin("openid-planted", "unionid-planted"), unionLogin("openid-other", "unionid-other")
		avatar := db.NewID()
		if _, err := a.store.CreateAvatar(t.Context(), uuidOf(t, g.User.ID), avatar, 50); err != nil {
			t.Fatal(err)
		}
		a.authorizeProfile(t, g.Token, map[string]any{"nickname": "nickname-planted", "avatarId": avatar.String()})
		a.bindPhone(t, g.Token, a.phoneCode("openid-planted", number))
		a.authorizeProfile(t, other.Token, map[string]any{"nickname": "somebody"})
		var erased []string
		a.auth.DeleteAvatar = func(_ context.Context, id uuid.UUID) error { erased = append(erased, id.String()); return nil }
		others := a.events(t, other.User.ID)

		if got := a.do(t, g.Token, document, map[string]any{"c": "delete"}); got.code() != graph.ErrorCodeBadInput {
			t.Errorf("without the word: %s", got.text)
		}
		before := a.dump(t)
		row, err := a.store.LockUser(t.Context(), uuidOf(t, g.User.ID))
		if err != nil {
			t.Fatal(err)
		}
		planted := append(strings.Fields(row.PhoneSubjects), "openid-planted", "unionid-planted", "nickname-planted", avatar.String())
		for _, p := range planted {
			if !strings.Contains(before, p) {
				t.Errorf("%s is not in the dump to begin with", p)
			}
		}
		if got := a.do(t, g.Token, document, map[string]any{"c": "DELETE"}); got.code() != "" {
			t.Fatalf("deletion: %s", got.text)
		}
		after := a.dump(t)
		for _, p := range planted {
			if strings.Contains(after, p) {
				t.Errorf("%s is still in the database", p)
			}
		}
		if fmt.Sprint(erased) != fmt.Sprint([]string{avatar.String()}) {
			t.Errorf("images removed: %v", erased)
		}
		if got := a.me(t, g.Token); got.reason() != "UNAUTHENTICATED REVOKED" {
			t.Errorf("the old token: %s", got.text)
		}
		if got := a.me(t, other.Token); got.code() != "" || fmt.Sprint(a.events(t, other.User.ID)) != fmt.Sprint(others) {
			t.Errorf("somebody else is affected: %s", got.text)
		}
		if again := unionLogin("openid-planted", "unionid-planted"); !again.IsNewUser || again.User.ID == g.User.ID {
			t.Errorf("logging in again gave %+v, want a new account", again)
		}
		if n := a.events(t, g.User.ID)[db.EventAccountDeleted]; n != 1 {
			t.Errorf("%d deletions on record, want 1", n)
		}
	})
}

func TestALoginBringsANumberToTodaysKeys(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		first := a.mustLogin(t, "openid-1")
		a.bindPhone(t, first.Token, a.phoneCode("openid-1", number))
		fresh := keyring.New("d2")
		a.auth.DataKeys = append(keyring.Ring{fresh}, a.auth.DataKeys...)
		a.mustLogin(t, "openid-1")
		a.auth.DataKeys = keyring.Ring{fresh} // the old key is dropped
		var b bound
		got := a.do(t, a.mustLogin(t, "openid-1").Token, "{ me { id phone maskedPhone } }", nil)
		got.field(t, "me", &b.User)
		if b.User.Phone == nil || *b.User.Phone != number {
			t.Errorf("the number: %s", got.text)
		}
		second := a.mustLogin(t, "openid-2")
		if got := a.bindPhone(t, second.Token, a.phoneCode("openid-2", number)); got.code() != graph.ErrorCodePhoneAlreadyBound {
			t.Errorf("somebody else binds it: %s", got.text)
		}
	})
}

// TestANumberOutlivesItsDataKey takes the steps of a rotation, with a login after each.
func TestANumberOutlivesItsDataKey(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		old, fresh := a.auth.DataKeys[0], keyring.New("d2")
		a.bindPhone(t, a.mustLogin(t, "openid-1").Token, a.phoneCode("openid-1", number))
		for _, ring := range []keyring.Ring{{old, fresh}, {fresh, old}, {fresh}} {
			a.auth.DataKeys = ring
			got := a.do(t, a.mustLogin(t, "openid-1").Token, "{ me { phone } }", nil)
			if !strings.Contains(got.text, number) {
				t.Errorf("with the keys %v: %s", ring, got.text)
			}
		}
	})
}

func TestInstancesWithKeysInAnotherOrderDoNotLockEachOther(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		d1, d2 := a.auth.DataKeys[0], keyring.New("d2")
		rings := []keyring.Ring{{d1, d2}, {d2, d1}}
		var wait sync.WaitGroup
		for i := range 12 {
			service := &auth.Service{Store: a.store, WeChat: a.auth.WeChat, Tokens: a.issuer, DataKeys: rings[i%2],
				TokenTTL: a.auth.TokenTTL, SessionMaxAge: a.auth.SessionMaxAge, Now: a.clock.Now, Log: a.auth.Log}
			b := *a
			b.auth = service
			b.serve(graph.Options{Development: true, Now: a.clock.Now, Log: a.auth.Log})
			openid := fmt.Sprint("openid-", i)
			token := b.mustLogin(t, openid).Token
			wait.Go(func() {
				for range 6 {
					got := b.bindPhone(t, token, "sim-"+number)
					if code := got.code(); code != "" && code != graph.ErrorCodePhoneAlreadyBound {
						t.Errorf("bind: %s", got.text)
					}
					b.do(t, token, "mutation { unbindPhone { user { id } } }", nil)
				}
			})
		}
		wait.Wait()
		if strings.Contains(a.log.String(), "level=ERROR") {
			t.Errorf("the log has errors:\n%s", a.log)
		}
	})
}

func TestANumberIsItsOwnersInEveryAppOfTheirs(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		loginTo := func(app, openid, unionid string) grant {
			code := a.wechat.LoginAs(simulator.User{OpenID: openid, UnionID: unionid, AppID: app})
			return a.granted(t, a.do(t, "", loginDocument, map[string]any{"code": code, "appId": app}))
		}
		here, there := simulator.DefaultApp().ID, a.otherApp.ID
		mine := loginTo(here, "x-here", "u-x")
		if got := a.bindPhone(t, mine.Token, "sim-"+number); got.code() != "" {
			t.Fatal(got.text)
		}
		loginTo(there, "x-there", "u-x") // the owner comes to the second app
		other := loginTo(there, "y-there", "u-y")
		if got := a.bindPhone(t, other.Token, "sim-"+number); got.code() != graph.ErrorCodePhoneAlreadyBound {
			t.Errorf("another account of the second app: %s", got.text)
		}
		a.do(t, mine.Token, "mutation { unbindPhone { user { id } } }", nil)
		if got := a.bindPhone(t, other.Token, "sim-"+number); got.code() != "" {
			t.Errorf("given up in the first app, it is not free in the second: %s", got.text)
		}
	})
}
