package simulator

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"time"
)

// The kinds of encrypted data.
const (
	KindProfile = "profile" // what wx.getUserInfo gives
	KindPhone   = "phone"   // what the phone button gave before there were codes
)

// Payload is data to be encrypted for a Mini Program.
type Payload struct {
	User      User
	Kind      string         // KindProfile or KindPhone
	Data      map[string]any // fields put over those made up, and over those of its watermark; nil takes one away
	Timestamp time.Time      // of the watermark; defaults to now
	Previous  bool           // under the key before the current one
}

// Sealed is encrypted data as the Mini Program gets it. RawData and its signature come with a profile only.
type Sealed struct {
	EncryptedData string `json:"encryptedData"`
	IV            string `json:"iv"`
	RawData       string `json:"rawData"`
	Signature     string `json:"signature"`
}

// Encrypt returns p under the user's session key. It fails when there is no such key: the user has to log in first.
func (s *Server) Encrypt(p Payload) (Sealed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, known := s.app(p.User.AppID)
	if !known {
		return Sealed{}, errors.New(`"appid" is not an app this simulator knows`)
	}
	u, known := s.state.users.get(app.ID + "/" + p.User.OpenID)
	if !known {
		return Sealed{}, errors.New("the user has no session key yet: get and exchange a login code first")
	}
	key := u.key
	if p.Previous {
		key = u.previousKey
	}
	if key == "" {
		return Sealed{}, errors.New("the user has no previous session key: log in again, later or with another rotation")
	}
	fields, err := s.payload(p, app, u)
	if err != nil {
		return Sealed{}, err
	}
	sealed, err := seal(encode(fields), key)
	if err != nil || p.Kind == KindPhone {
		return sealed, err
	}
	for _, hidden := range []string{"openId", "unionId", "watermark"} {
		delete(fields, hidden)
	}
	sealed.RawData = string(encode(fields))
	sum := sha1.Sum([]byte(sealed.RawData + key))
	sealed.Signature = hex.EncodeToString(sum[:])
	return sealed, nil
}

// payload makes up the fields of p.
func (s *Server) payload(p Payload, app App, u *user) (map[string]any, error) {
	if p.Timestamp.IsZero() {
		p.Timestamp = s.Now()
	}
	var fields map[string]any
	switch p.Kind {
	case KindProfile:
		fields = placeholderProfile()
		fields["openId"] = u.openID
		if u.unionID != "" && !app.Unbound {
			fields["unionId"] = u.unionID
		}
	case KindPhone:
		fields = s.phoneInfo(phone{"86", "13800138000"}, app.ID)
		fields["countryCode"] = "86" // here always text
	default:
		return nil, errors.New(`"kind" must be "profile" or "phone"`)
	}
	mark := watermark(p.Timestamp, app.ID)
	over := maps.Clone(p.Data)
	if more, ok := over["watermark"].(map[string]any); ok {
		merge(mark, more)
		delete(over, "watermark")
	}
	fields["watermark"] = mark
	merge(fields, over)
	return fields, nil
}

// placeholderProfile is what the platform gives for nearly every user since November 2022.
// (community 00022c683e8a80b29bed2142b56c01, 0008a07ff90e30c8aadeb58c751800)
func placeholderProfile() map[string]any {
	return map[string]any{
		"nickName": "微信用户", "gender": 0, "language": "zh_CN", "city": "", "province": "", "country": "",
		"avatarUrl": "https://thirdwx.qlogo.cn/mmopen/vi_32/POgEwh4mIHO4nibH0KlMECNjjGxQUq24ZEaGT4poC6icRiccVGKSyXwibcPq4BWmiaIGuG1icwxaQX6grC9VemZoJ8rg/132",
	}
}

// merge puts the fields of over into base; a nil one takes the field away.
func merge(base, over map[string]any) {
	maps.Copy(base, over)
	maps.DeleteFunc(base, func(_ string, v any) bool { return v == nil })
}

// seal encrypts with AES-128-CBC and PKCS#7 padding under a key in base64.
func seal(text []byte, sessionKey string) (Sealed, error) {
	key, err := base64.StdEncoding.DecodeString(sessionKey)
	if err != nil {
		return Sealed{}, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return Sealed{}, err
	}
	n := aes.BlockSize - len(text)%aes.BlockSize
	data := append(text, bytes.Repeat([]byte{byte(n)}, n)...)
	iv := make([]byte, aes.BlockSize)
	rand.Read(iv)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	return Sealed{
		EncryptedData: base64.StdEncoding.EncodeToString(data),
		IV:            base64.StdEncoding.EncodeToString(iv),
	}, nil
}

func (s *Server) controlEncrypt(body io.Reader) (any, error) {
	var in struct {
		OpenID, Kind, AppID string
		Data                map[string]any
		Timestamp           *int64 // Unix seconds
		Key                 string
	}
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	if err := s.checkUser(in.AppID, in.OpenID); err != nil {
		return nil, err
	}
	if in.Key != "" && in.Key != "current" && in.Key != "previous" {
		return nil, errors.New(`"key" must be "current" or "previous"`)
	}
	p := Payload{
		User: User{OpenID: in.OpenID, AppID: in.AppID}, Kind: in.Kind, Data: in.Data, Previous: in.Key == "previous",
	}
	if in.Timestamp != nil {
		p.Timestamp = time.Unix(*in.Timestamp, 0)
	}
	return s.Encrypt(p)
}
