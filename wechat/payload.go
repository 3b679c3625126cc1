package wechat

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// ErrPayload says that data was opened but is not what was asked for: of another kind, another app's, or not fresh.
var ErrPayload = errors.New("wechat: not the data asked for")

// clockSkew is how far WeChat's clock may be ahead of ours.
const clockSkew = time.Minute

// Watermark says which app WeChat made data for, and when.
type Watermark struct {
	AppID     string `json:"appid"`
	Timestamp int64  `json:"timestamp"` // Unix seconds
}

// At returns the time of the watermark.
func (w Watermark) At() time.Time { return time.Unix(w.Timestamp, 0) }

// Check fails with ErrPayload unless the data was made for the app and, at the time now, not longer than maxAge ago.
func (w Watermark) Check(appID string, now time.Time, maxAge time.Duration) error {
	switch {
	case w.AppID != appID:
		return fmt.Errorf("%w: made for another app", ErrPayload)
	case w.At().Before(now.Add(-maxAge)):
		return fmt.Errorf("%w: too old", ErrPayload)
	case w.At().After(now.Add(clockSkew)):
		return fmt.Errorf("%w: from the future", ErrPayload)
	}
	return nil
}

// UserInfo is the profile that wx.getUserInfo and wx.getUserProfile give. Since November 2022 the name in it is
// "微信用户" and the avatar grey for nearly everybody. (community 00022c683e8a80b29bed2142b56c01)
type UserInfo struct {
	OpenID    string    `json:"openId"`  // empty from getUserProfile
	UnionID   string    `json:"unionId"` // often empty
	NickName  string    `json:"nickName"`
	AvatarURL string    `json:"avatarUrl"`
	Watermark Watermark `json:"watermark"`
}

// ParseUserInfo reads a profile from what Decrypt returned. It fails with ErrPayload when that is none.
func ParseUserInfo(data []byte) (*UserInfo, error) {
	info := &UserInfo{}
	kind := struct {
		NickName *string `json:"nickName"`
	}{}
	if json.Unmarshal(data, info) != nil || json.Unmarshal(data, &kind) != nil || kind.NickName == nil {
		return nil, fmt.Errorf("%w: no profile", ErrPayload)
	}
	return info, nil
}

// PhoneInfo is a phone number as WeChat gives it, encrypted or for a code. Printed or logged it is hidden.
type PhoneInfo struct {
	Phone
	Watermark Watermark
}

// ParsePhoneInfo reads a phone number from what Decrypt returned. It fails with ErrPayload when that is none.
func ParsePhoneInfo(data []byte) (*PhoneInfo, error) {
	info := &PhoneInfo{}
	if json.Unmarshal(data, info) != nil {
		return nil, fmt.Errorf("%w: no phone number", ErrPayload)
	}
	return info, nil
}

var (
	countryCode = regexp.MustCompile(`^[1-9][0-9]{0,2}$`)
	localNumber = regexp.MustCompile(`^[0-9]{3,14}$`)
)

const maxE164 = 15 // digits

// UnmarshalJSON reads WeChat's form. It takes purePhoneNumber, which never has the country code in it; how phoneNumber
// writes a foreign number is not documented.
func (p *PhoneInfo) UnmarshalJSON(data []byte) error {
	var in struct {
		CountryCode digits    `json:"countryCode"`
		Number      digits    `json:"purePhoneNumber"`
		Watermark   Watermark `json:"watermark"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	code, number := strings.TrimPrefix(string(in.CountryCode), "+"), string(in.Number)
	if !countryCode.MatchString(code) || !localNumber.MatchString(number) || len(code)+len(number) > maxE164 {
		return ErrPayload
	}
	*p = PhoneInfo{
		Phone:     Phone{CountryCode: code, Number: number, At: in.Watermark.At()},
		Watermark: in.Watermark,
	}
	return nil
}

// digits is text that may come as a JSON number: the page declares countryCode a string, and its sample shows 86.
type digits string

// UnmarshalJSON takes both.
func (d *digits) UnmarshalJSON(data []byte) error {
	*d = digits(strings.Trim(string(data), `"`))
	return nil
}
