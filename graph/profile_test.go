package graph_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"wxpass/db"
	"wxpass/graph"
	"wxpass/wechat/simulator"
)

const profileDocument = `mutation($in: AuthorizeProfileInput!) { authorizeProfile(input: $in) { user { nickname avatarUrl displayName steps } } }`

type profile struct {
	User struct {
		Nickname, AvatarURL *string
		DisplayName         string
		Steps               []string
	}
}

func (a *api) authorizeProfile(t *testing.T, token string, in map[string]any) *answer {
	t.Helper()
	return a.do(t, token, profileDocument, map[string]any{"in": in})
}

// sealed is what WeChat would encrypt for a user now, as the input of a mutation.
func (a *api) sealed(t *testing.T, p simulator.Payload) map[string]any {
	t.Helper()
	s, err := a.wechat.Encrypt(p)
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]any{"encryptedData": s.EncryptedData, "iv": s.IV}
	if s.RawData != "" {
		in["rawData"], in["signature"] = s.RawData, s.Signature
	}
	return in
}

func profileOf(openid, nickname, avatar string) simulator.Payload {
	return simulator.Payload{User: simulator.User{OpenID: openid}, Kind: simulator.KindProfile,
		Data: map[string]any{"nickName": nickname, "avatarUrl": avatar}}
}

func TestNicknames(t *testing.T) {
	tests := []struct{ name, in, want string }{ // want is empty where it is refused
		{"plain", "小明", "小明"},
		{"trimmed", "  小明 ", "小明"},
		{"composed", "e\u0301lan", "élan"},
		{"32 characters", strings.Repeat("明", 32), strings.Repeat("明", 32)},
		{"family emoji", "👨‍👩‍👧", "👨‍👩‍👧"},
		{"HTML is text", "<b>x</b>", "<b>x</b>"},
		{"empty", "", ""},
		{"spaces", "   ", ""},
		{"33 characters", strings.Repeat("明", 33), ""},
		{"10 kB", strings.Repeat("x", 10_000), ""},
		{"control", "a\u0007b", ""},
		{"NUL", "a\u0000b", ""},
		{"newline", "a\nb", ""},
		{"turned around", "a\u202eb", ""},
		{"placeholder", "微信用户", ""},
		{"placeholder and an invisible character", "微信用户\u200d", ""},
		{"placeholder in wide letters and spaces", "微信 用户", ""},
		{"invisible", "\u200b", ""},
		{"joiners alone", "\u200d\u200c", ""},
		{"a blank that counts as a letter", "\u3164", ""},
		{"soft hyphen", "a\u00adb", ""},
		{"32 composed syllables sent apart", norm.NFD.String(strings.Repeat("각", 32)), strings.Repeat("각", 32)},
	}
	each(t, func(t *testing.T, a *api) {
		g := a.mustLogin(t, "openid-1")
		for _, tt := range tests {
			got := a.authorizeProfile(t, g.Token, map[string]any{"nickname": tt.in})
			if tt.want == "" {
				if got.code() != graph.ErrorCodeBadInput || got.Errors[0].Extensions["field"] != "input.nickname" {
					t.Errorf("%s: %s", tt.name, got.text)
				}
				continue
			}
			var p profile
			got.field(t, "authorizeProfile", &p)
			if p.User.Nickname == nil || *p.User.Nickname != tt.want || p.User.DisplayName != tt.want || len(p.User.Steps) != 1 || p.User.Steps[0] != "USER" {
				t.Errorf("%s: %s", tt.name, got.text)
			}
		}
		if got := a.authorizeProfile(t, g.Token, map[string]any{}); got.code() != graph.ErrorCodeBadInput {
			t.Errorf("nothing: %s", got.text)
		}
	})
}

func TestAvatarsAreTheCallersOwn(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		g, other := a.mustLogin(t, "openid-1"), a.mustLogin(t, "openid-2")
		mine, theirs := db.NewID(), db.NewID()
		for id, owner := range map[string]string{mine.String(): g.User.ID, theirs.String(): other.User.ID} {
			if ok, err := a.store.CreateAvatar(t.Context(), uuidOf(t, owner), uuidOf(t, id), 50); err != nil || !ok {
				t.Fatal(ok, err)
			}
		}
		var p profile
		got := a.authorizeProfile(t, g.Token, map[string]any{"avatarId": mine.String()})
		got.field(t, "authorizeProfile", &p)
		if p.User.AvatarURL == nil || *p.User.AvatarURL != "https://here.example/avatars/"+mine.String()+".jpg" {
			t.Errorf("avatar: %s", got.text)
		}
		if len(p.User.Steps) != 0 {
			t.Errorf("an avatar without a nickname passes a step: %s", got.text)
		}
		for name, id := range map[string]string{"somebody else's": theirs.String(), "nobody's": db.NewID().String(), "malformed": "../x", "temporary path": "wxfile://tmp/1.jpg"} {
			if got := a.authorizeProfile(t, g.Token, map[string]any{"avatarId": id}); got.code() != graph.ErrorCodeBadInput || !strings.Contains(got.text, "avatarId") {
				t.Errorf("%s: %s", name, got.text)
			}
		}
	})
}

func TestEncryptedProfiles(t *testing.T) {
	const avatar = "https://thirdwx.qlogo.cn/mmopen/vi_32/real/132"
	const grey = "https://thirdwx.qlogo.cn/mmopen/vi_32/POgEwh4mIHO4nibH0KlMECNjjGxQUq24ZEaGT4poC6icRiccVGKSyXwibcPq4BWmiaIGuG1icwxaQX6grC9VemZoJ8rg/132"
	each(t, func(t *testing.T, a *api) {
		g := a.mustLogin(t, "openid-1")
		a.mustLogin(t, "openid-2")
		send := func(in map[string]any) *answer {
			t.Helper()
			return a.authorizeProfile(t, g.Token, map[string]any{"encrypted": in})
		}
		var p profile
		got := send(a.sealed(t, profileOf("openid-1", "Band", avatar)))
		got.field(t, "authorizeProfile", &p)
		if p.User.Nickname == nil || *p.User.Nickname != "Band" || p.User.AvatarURL == nil || *p.User.AvatarURL != avatar {
			t.Fatalf("profile: %s", got.text)
		}
		for name, in := range map[string]simulator.Payload{
			"placeholders":           profileOf("openid-1", "微信用户", grey),
			"avatar on another host": profileOf("openid-1", "Band", "https://evil.example/x.qlogo.cn/1"),
			"avatar as a script":     profileOf("openid-1", "Band", "javascript:alert(1)"),
			"private address":        profileOf("openid-1", "Band", "http://127.0.0.1/x"),
		} {
			send(a.sealed(t, in)).field(t, "authorizeProfile", &p)
			if *p.User.Nickname != "Band" || *p.User.AvatarURL != avatar {
				t.Errorf("%s overwrote the real ones: %+v", name, p)
			}
		}

		change := func(change func(map[string]any)) map[string]any {
			in := a.sealed(t, profileOf("openid-1", "Eve", avatar))
			change(in)
			return in
		}
		old := profileOf("openid-1", "Eve", avatar)
		old.Timestamp = a.clock.Now().Add(-11 * time.Minute)
		future := profileOf("openid-1", "Eve", avatar)
		future.Timestamp = a.clock.Now().Add(5 * time.Minute)
		foreign := profileOf("openid-1", "Eve", avatar)
		foreign.Data["watermark"] = map[string]any{"appid": a.otherApp.ID, "timestamp": a.clock.Now().Unix()}
		stranger := profileOf("openid-1", "Eve", avatar)
		stranger.Data["openId"] = "openid-2"
		phone := simulator.Payload{User: simulator.User{OpenID: "openid-1"}, Kind: simulator.KindPhone}
		tests := []struct {
			name string
			in   map[string]any
			want graph.ErrorCode
		}{
			{"too old", a.sealed(t, old), graph.ErrorCodeEncryptedDataInvalid},
			{"from the future", a.sealed(t, future), graph.ErrorCodeEncryptedDataInvalid},
			{"another app's", a.sealed(t, foreign), graph.ErrorCodeEncryptedDataInvalid},
			{"another user's openid", a.sealed(t, stranger), graph.ErrorCodeEncryptedDataInvalid},
			{"a phone number", a.sealed(t, phone), graph.ErrorCodeEncryptedDataInvalid},
			{"wrong signature", change(func(in map[string]any) { in["signature"] = strings.Repeat("0", 40) }), graph.ErrorCodeEncryptedDataInvalid},
			{"raw data changed", change(func(in map[string]any) { in["rawData"] = in["rawData"].(string) + " " }), graph.ErrorCodeEncryptedDataInvalid},
			{"raw data unsigned", change(func(in map[string]any) { delete(in, "signature") }), graph.ErrorCodeBadInput},
			{"another user's key", a.sealed(t, profileOf("openid-2", "Eve", avatar)), graph.ErrorCodeSessionKeyExpired},
			{"not base64", change(func(in map[string]any) { in["encryptedData"] = "!" }), graph.ErrorCodeSessionKeyExpired},
			{"empty", change(func(in map[string]any) { in["encryptedData"] = "" }), graph.ErrorCodeSessionKeyExpired},
			{"iv of 15 bytes", change(func(in map[string]any) { in["iv"] = "AAAAAAAAAAAAAAAAAAAA" }), graph.ErrorCodeSessionKeyExpired},
		}
		texts := map[string]bool{}
		for _, tt := range tests {
			got := send(tt.in)
			if got.code() != tt.want {
				t.Errorf("%s: %s, want %s", tt.name, got.text, tt.want)
			}
			if tt.want == graph.ErrorCodeSessionKeyExpired {
				texts[got.text] = true
			}
		}
		if len(texts) != 1 {
			t.Errorf("what does not open is told apart: %v", texts)
		}
		a.do(t, g.Token, "{ me { nickname avatarUrl } }", nil).field(t, "me", &p.User)
		if *p.User.Nickname != "Band" {
			t.Errorf("a refused profile was taken: %+v", p)
		}
		if n := a.events(t, g.User.ID)[db.EventProfileRefused]; n != 7 {
			t.Errorf("%d refusals on record, want 7", n)
		}
	})
}

func TestAKeyReplacedBetweenTapAndCall(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		g := a.mustLogin(t, "openid-1")
		tapped := a.sealed(t, profileOf("openid-1", "Band", ""))
		a.mustLogin(t, "openid-1") // another device, another key
		a.clock.Advance(9 * time.Minute)
		if got := a.authorizeProfile(t, g.Token, map[string]any{"encrypted": tapped}); got.code() != "" {
			t.Errorf("within ten minutes: %s", got.text)
		}
		a.clock.Advance(time.Minute)
		got := a.authorizeProfile(t, g.Token, map[string]any{"encrypted": tapped})
		if got.code() != graph.ErrorCodeSessionKeyExpired || !strings.Contains(got.Errors[0].Message, "log in first, then let the user tap again") {
			t.Errorf("after ten minutes: %s", got.text)
		}
		// What the answer asks for helps, whatever wx.checkSession says in the client.
		g = a.mustLogin(t, "openid-1")
		if got := a.authorizeProfile(t, g.Token, map[string]any{"encrypted": a.sealed(t, profileOf("openid-1", "Band", ""))}); got.code() != "" {
			t.Errorf("logged in and tapped again: %s", got.text)
		}
		if n := a.wechat.Calls("checksession"); n != 0 {
			t.Errorf("WeChat was asked %d times whether a key is good", n)
		}
	})
}

// Several logins of one start of an app may be answered in another order than they were asked in.
func TestALateAnswerDoesNotBringAnOldKeyBack(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		early := a.wechat.Login("openid-1")
		a.wechat.Fault(simulator.Fault{Endpoint: "jscode2session", DelayMS: 300, AfterConsume: true})
		late := make(chan *answer)
		go func() { late <- a.login(t, early) }()
		for a.wechat.Calls("jscode2session") == 0 {
			time.Sleep(time.Millisecond) // until WeChat is being asked
		}
		a.clock.Advance(time.Second)
		g := a.mustLogin(t, "openid-1")
		a.granted(t, <-late)
		a.clock.Advance(time.Hour) // the key before the current one is tried no more
		if got := a.authorizeProfile(t, g.Token, map[string]any{"encrypted": a.sealed(t, profileOf("openid-1", "Band", ""))}); got.code() != "" {
			t.Errorf("under the key of the later login: %s", got.text)
		}
	})
}
