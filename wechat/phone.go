package wechat

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Phone is a phone number that WeChat has checked. Printed or logged it is hidden; its fields are not.
type Phone struct {
	CountryCode string    // "86", without "+"
	Number      string    // digits, without the country code
	At          time.Time // when WeChat gave it out
}

// E164 returns the number as it is dialled from anywhere, "+8613800138000".
func (p Phone) E164() string { return "+" + p.CountryCode + p.Number }

// Format writes "(hidden)" whatever the verb.
func (Phone) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// LogValue hides the number from slog.
func (Phone) LogValue() slog.Value { return slog.StringValue(hidden) }

// PhoneNumber trades a phone code, what the phone button hands out, for the number that the user agreed to give. Like a
// login code it lives five minutes and is spent by its first use, so it is not sent again after a call that timed out
// or broke off; it is, once, when WeChat answered that it is overloaded.
//
// WeChat does not tell whose number it is. When openID is not empty, WeChat is asked to check that the code is that
// user's; one account got a format error for it (community 000eaacbb64e80182ee01561d6bc00), hence the choice.
// (developers.weixin.qq.com/miniprogram/dev/server/API/user-info/phone-number/api_getphonenumber)
func (c *Client) PhoneNumber(ctx context.Context, code, openID string) (*Phone, error) {
	const path = "/wxa/business/getuserphonenumber"
	if err := checkCode(path, code); err != nil {
		return nil, err
	}
	body := struct {
		Code   string `json:"code"`
		OpenID string `json:"openid,omitempty"`
	}{code, openID}
	var reply struct {
		Info PhoneInfo `json:"phone_info"`
	}
	if err := c.authorized(ctx, path, body, &reply); err != nil {
		return nil, err
	}
	if reply.Info.Number == "" {
		return nil, unavailable(path, "the reply has no phone number")
	}
	if reply.Info.Watermark.AppID != c.AppID {
		return nil, &Error{Path: path, Message: "the reply is for another app", class: ErrMisconfigured}
	}
	return &reply.Info.Phone, nil
}
