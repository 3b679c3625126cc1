package wechat_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wxpass/wechat"
)

// The known answers: WeChat's official demo, and a phone number made for this project.
const (
	demoKey  = "tiihtNczf5v6AKRyjwEUhQ=="
	demoIV   = "r7BXXKkLb8qrSNn05n0qiA=="
	demoData = "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew=="
	demoText = `{"openId":"oGZUI0egBJY1zhBYw2KhdUfwVJJE","nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/aSKcBBPpibyKNicHNTMM0qJVh8Kjgiak2AHWr8MHM4WgMEm7GFhsf8OYrySdbvAMvTsw3mo8ibKicsnfN5pRjl1p8HQ/0","unionId":"ocMvos6NjeKLIBqg5Mr9QjxrP1FA","watermark":{"timestamp":1477314187,"appid":"wx4f4bc4dec97d474b"}}`

	phoneKey  = "PCOKT2NyJ4EWN4SJ03VxKQ=="
	phoneIV   = "ycaWplOJDwFjhNAiIi4iIw=="
	phoneData = "c7b0Ex2xaWKLxunHwQkfzj4Lq8tA+DZN4S3T+C3B7hQRrQr3RYrYhU+5NLKN3/0cG5VLwfbFaLX3ZJYvKCFDZCNUD4g6APfQG7wej9QPnqcGQWd9joZYCwwMwjooHumeWi49HK+XBaBBIuZUWXxQZAySY+Gu419skGruZWVRFtUfEiypqt/5vX7y5cMdDDhl0LJF7KSrrO4xaL0dSPwaKw=="
	phoneText = `{"phoneNumber":"13800138000","purePhoneNumber":"13800138000","countryCode":"86","watermark":{"timestamp":1700000000,"appid":"wx0123456789abcdef"}}`

	otherAppData = "c7b0Ex2xaWKLxunHwQkfzj4Lq8tA+DZN4S3T+C3B7hQRrQr3RYrYhU+5NLKN3/0cG5VLwfbFaLX3ZJYvKCFDZCNUD4g6APfQG7wej9QPnqcGQWd9joZYCwwMwjooHumeWi49HK+XBaBBIuZUWXxQZIjW0s8CD6Ty5BzmVf/RjLJECCE2pY66n7T6p/fvYmt4YAmbLSrRPpsj3K5y92Jziw=="
)

func TestDecryptKnownAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, key, data, iv, want string }{
		{"official demo", demoKey, demoData, demoIV, demoText},
		{"phone", phoneKey, phoneData, phoneIV, phoneText},
		{"plus signs turned into spaces", phoneKey, strings.ReplaceAll(phoneData, "+", " "), phoneIV, phoneText},
	} {
		got, err := wechat.Decrypt(tt.key, tt.data, tt.iv)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, string(got)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// encrypt pads with the bytes given and encrypts under the phone key.
func encrypt(t *testing.T, text string, padding ...byte) string {
	t.Helper()
	key, _ := base64.StdEncoding.DecodeString(phoneKey)
	iv, _ := base64.StdEncoding.DecodeString(phoneIV)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	data := append([]byte(text), padding...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	return base64.StdEncoding.EncodeToString(data)
}

func TestWhatDoesNotOpenReadsTheSame(t *testing.T) {
	t.Parallel()
	b64 := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	many := func(n int, b byte) []byte { return []byte(strings.Repeat(string([]byte{b}), n)) }
	tests := []struct{ name, key, data, iv string }{
		{"wrong key, padding 0", "GrOKIwuz5AB/kFCtGErFJg==", phoneData, phoneIV},
		{"wrong key, padding 131", "E+4+9I5twzq1iRAr3/kigQ==", phoneData, phoneIV},
		{"wrong key, padding 253", "goKR+c4ATvFzW2aXtmrMaQ==", phoneData, phoneIV},
		{"wrong key, padding right by chance", "pgM2Bj/wUCCZXKNOK1QdlQ==", phoneData, phoneIV},
		{"empty text", phoneKey, "cyrCDnZhTaQtCDrUuZZgeA==", phoneIV},
		{"array", phoneKey, "cKseuagrOxg5H+2K0juG6w==", phoneIV},
		{"string", phoneKey, encrypt(t, `"{}"`, many(12, 12)...), phoneIV},
		{"null", phoneKey, encrypt(t, `null`, many(12, 12)...), phoneIV},
		{"truncated object", phoneKey, encrypt(t, `{"a":`, many(11, 11)...), phoneIV},
		{"two objects", phoneKey, encrypt(t, `{}{}`, many(12, 12)...), phoneIV},
		{"padding 0", phoneKey, encrypt(t, `{"a":"bcdefghi"}`, many(16, 0)...), phoneIV},
		{"padding 17", phoneKey, encrypt(t, `{"a":"bcdefghi"}`, many(16, 17)...), phoneIV},
		{"padding 255", phoneKey, encrypt(t, `{"a":"bcdefghi"}`, many(16, 255)...), phoneIV},
		{"mixed padding", phoneKey, encrypt(t, `{"a":"bcdefgh"}`+`{"a":"bcdefgh"}`, 1, 2), phoneIV},
		{"mixed padding, first byte wrong", phoneKey, encrypt(t, `{"a":"bcdef"}`, 4, 3, 3), phoneIV},
		{"no data", phoneKey, "", phoneIV},
		{"data of 15 bytes", phoneKey, b64(15), phoneIV},
		{"data of 17 bytes", phoneKey, b64(17), phoneIV},
		{"no vector", phoneKey, phoneData, ""},
		{"vector of 15 bytes", phoneKey, phoneData, b64(15)},
		{"vector of 17 bytes", phoneKey, phoneData, b64(17)},
		{"no key", "", phoneData, phoneIV},
		{"key of 15 bytes", b64(15), phoneData, phoneIV},
		{"key of 17 bytes", b64(17), phoneData, phoneIV},
		{"key of 24 bytes", b64(24), phoneData, phoneIV},
		{"key of 32 bytes", b64(32), phoneData, phoneIV},
		{"not base64", phoneKey, "!" + phoneData, phoneIV},
		{"line break in base64", phoneKey, phoneData[:64] + "\n" + phoneData[64:], phoneIV},
		{"URL-safe alphabet", phoneKey, strings.NewReplacer("+", "-", "/", "_").Replace(phoneData), phoneIV},
		{"no base64 padding", phoneKey, strings.TrimRight(phoneData, "="), phoneIV},
		{"loose bits at the end", "PCOKT2NyJ4EWN4SJ03VxKR==", phoneData, phoneIV},
		{"too large", phoneKey, b64(1 << 20), phoneIV},
	}
	for _, tt := range tests {
		if got, err := wechat.Decrypt(tt.key, tt.data, tt.iv); err != wechat.ErrDecrypt || got != nil {
			t.Errorf("%s: got %q, %v, want nothing and ErrDecrypt itself", tt.name, got, err)
		}
	}
}

func TestPaddingOfAnyLength(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 16; n++ {
		text := `{"a":"` + strings.Repeat("x", 32-8-n) + `"}`
		padding := []byte(strings.Repeat(string([]byte{byte(n)}), n))
		got, err := wechat.Decrypt(phoneKey, encrypt(t, text, padding...), phoneIV)
		if err != nil || string(got) != text {
			t.Errorf("padding of %d: got %q, %v", n, got, err)
		}
	}
}

func TestVerifySignature(t *testing.T) {
	t.Parallel()
	const (
		key = "HyVFkGl5F5OQWJZZaNzBBg=="
		raw = `{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}`
		sum = "75e81ceda165f4ffa64f4068af58c64b8f54b88c"
	)
	if !wechat.VerifySignature(raw, key, sum) {
		t.Error("the official sample is refused")
	}
	for name, ok := range map[string]bool{
		"no signature":      wechat.VerifySignature(raw, key, ""),
		"short signature":   wechat.VerifySignature(raw, key, sum[:39]),
		"another signature": wechat.VerifySignature(raw, key, strings.Replace(sum, "7", "8", 1)),
		"another key":       wechat.VerifySignature(raw, demoKey, sum),
		"re-encoded data":   wechat.VerifySignature(strings.ReplaceAll(raw, "/", `\/`), key, sum),
	} {
		if ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestParseUserInfo(t *testing.T) {
	t.Parallel()
	got, err := wechat.ParseUserInfo([]byte(demoText))
	if err != nil {
		t.Fatal(err)
	}
	want := &wechat.UserInfo{
		OpenID: "oGZUI0egBJY1zhBYw2KhdUfwVJJE", UnionID: "ocMvos6NjeKLIBqg5Mr9QjxrP1FA", NickName: "Band",
		AvatarURL: "http://wx.qlogo.cn/mmopen/vi_32/aSKcBBPpibyKNicHNTMM0qJVh8Kjgiak2AHWr8MHM4WgMEm7GFhsf8OYrySdbvAMvTsw3mo8ibKicsnfN5pRjl1p8HQ/0",
		Watermark: wechat.Watermark{AppID: "wx4f4bc4dec97d474b", Timestamp: 1477314187},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{phoneText, `{}`, `[]`, `{"nickName":7}`, `{"nickName":null}`, ``} {
		if _, err := wechat.ParseUserInfo([]byte(text)); !errors.Is(err, wechat.ErrPayload) {
			t.Errorf("%s: %v, want ErrPayload", text, err)
		}
	}
}

func TestParsePhoneInfo(t *testing.T) {
	t.Parallel()
	got, err := wechat.ParsePhoneInfo([]byte(phoneText))
	if err != nil || got.E164() != "+8613800138000" || got.At.Unix() != 1700000000 || got.Watermark.AppID != "wx0123456789abcdef" {
		t.Errorf("got %s %+v, %v", got.E164(), got.Watermark, err)
	}
	for _, text := range []string{demoText, `{}`, `[]`, `null`, ``, `{"countryCode":"0","purePhoneNumber":"13800138000"}`} {
		if got, err := wechat.ParsePhoneInfo([]byte(text)); !errors.Is(err, wechat.ErrPayload) {
			t.Errorf("%s: %v %v, want ErrPayload", text, got, err)
		}
	}
}

func TestWatermark(t *testing.T) {
	t.Parallel()
	now := time.Unix(1700000000, 0)
	text, err := wechat.Decrypt(phoneKey, otherAppData, phoneIV)
	if err != nil {
		t.Fatal(err)
	}
	other, err := wechat.ParsePhoneInfo(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		mark wechat.Watermark
		want error
	}{
		{"now", wechat.Watermark{AppID: "wx1", Timestamp: 1700000000}, nil},
		{"just young enough", wechat.Watermark{AppID: "wx1", Timestamp: 1700000000 - 600}, nil},
		{"too old", wechat.Watermark{AppID: "wx1", Timestamp: 1700000000 - 601}, wechat.ErrPayload},
		{"a clock a little ahead", wechat.Watermark{AppID: "wx1", Timestamp: 1700000000 + 60}, nil},
		{"future", wechat.Watermark{AppID: "wx1", Timestamp: 1700000000 + 61}, wechat.ErrPayload},
		{"none", wechat.Watermark{}, wechat.ErrPayload},
		{"other app's", other.Watermark, wechat.ErrPayload},
	} {
		if err := tt.mark.Check("wx1", now, 10*time.Minute); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func FuzzDecrypt(f *testing.F) {
	f.Add(demoKey, demoData, demoIV)
	f.Add(phoneKey, phoneData, phoneIV)
	f.Add("pgM2Bj/wUCCZXKNOK1QdlQ==", phoneData, phoneIV)
	f.Add(phoneKey, "cKseuagrOxg5H+2K0juG6w==", phoneIV)
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, key, data, iv string) {
		got, err := wechat.Decrypt(key, data, iv)
		switch {
		case err == nil:
			if !json.Valid(got) || !strings.Contains(string(got), "{") {
				t.Errorf("got %q", got)
			}
			wechat.ParseUserInfo(got)
			wechat.ParsePhoneInfo(got)
		case err != wechat.ErrDecrypt:
			t.Errorf("error %q, want ErrDecrypt itself", err)
		}
	})
}
