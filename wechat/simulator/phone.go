package simulator

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"regexp"
	"strings"
	"time"
)

// phoneCode is what the phone button gave to a user who agreed.
type phoneCode struct {
	appID, openID string
	phone         phone
	madeAt        time.Time
	used          bool
}

// phone is a number without its country code, and that.
type phone struct {
	country, number string
}

// PhoneCode returns a phone code of openid for the default app, as the phone button gives the Mini Program. The number
// is local, with countryCode ("" is "86"), or begins with "+" and its own.
func (s *Server) PhoneCode(openid, number, countryCode string) string {
	return s.PhoneCodeAs(User{OpenID: openid}, number, countryCode)
}

// PhoneCodeAs is PhoneCode for the user of any app.
func (s *Server) PhoneCodeAs(u User, number, countryCode string) string {
	p := phone{cmp.Or(countryCode, "86"), number}
	if known, ok := parsePhone(number); ok {
		p = known
	}
	raw := make([]byte, 32) // 64 characters; login codes have 32
	rand.Read(raw)
	code := hex.EncodeToString(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	app, ok := s.app(u.AppID)
	if !ok {
		app.ID = u.AppID
	}
	made := &phoneCode{appID: app.ID, openID: u.OpenID, phone: p, madeAt: s.Now()}
	s.state.phoneCodes.put(code, made, func(c *phoneCode) bool { return s.expired(c.madeAt) })
	return code
}

// phoneReply is a successful reply of getuserphonenumber.
type phoneReply struct {
	success
	Info map[string]any `json:"phone_info"`
}

// phoneNumber plays POST /wxa/business/getuserphonenumber. What it answers to a used code and to the wrong openid is
// not documented: 40029 and 40003 are guesses.
func (s *Server) phoneNumber(appID string, in call) (any, error) {
	var body struct {
		Code   string `json:"code"`
		OpenID string `json:"openid"`
	}
	if err := in.decode(&body); err != nil {
		return nil, err
	}
	if typed, ok := strings.CutPrefix(body.Code, "sim-"); ok {
		p, ok := parsePhone(typed)
		if !ok {
			return nil, refuse(40029)
		}
		return phoneReply{success{0, "ok"}, s.phoneInfo(p, appID)}, nil
	}
	c, ok := s.state.phoneCodes.get(body.Code)
	switch {
	case !ok, c.used, c.appID != appID, s.expired(c.madeAt):
		return nil, refuse(40029)
	case body.OpenID != "" && body.OpenID != c.openID:
		return nil, refuse(40003)
	}
	c.used = true
	return phoneReply{success{0, "ok"}, s.phoneInfo(c.phone, appID)}, nil
}

// phoneInfo is a number in WeChat's form. How it writes phoneNumber for a foreign one is not documented.
func (s *Server) phoneInfo(p phone, appID string) map[string]any {
	full := p.number
	if p.country != "86" {
		full = "+" + p.country + p.number
	}
	var country any = rawNumber(p.country)
	if s.countryAsText() {
		country = p.country
	}
	return map[string]any{
		"phoneNumber":     full,
		"purePhoneNumber": p.number,
		"countryCode":     country,
		"watermark":       watermark(s.Now(), appID),
	}
}

// rawNumber is digits that encode as a JSON number.
type rawNumber string

// MarshalJSON writes the digits as they are.
func (n rawNumber) MarshalJSON() ([]byte, error) { return []byte(n), nil }

func watermark(at time.Time, appID string) map[string]any {
	return map[string]any{"timestamp": at.Unix(), "appid": appID}
}

var (
	e164Pattern    = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	countryPattern = regexp.MustCompile(`^[1-9][0-9]{0,2}$`)
	numberPattern  = regexp.MustCompile(`^[0-9]{4,14}$`)
)

// twoDigits are the country codes of two digits. Those that begin with 1 or 7 have one, all others three. (ITU-T E.164)
const twoDigits = " 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66" +
	" 81 82 84 86 90 91 92 93 94 95 98 "

// parsePhone splits a number that begins with "+".
func parsePhone(e164 string) (phone, bool) {
	if !e164Pattern.MatchString(e164) {
		return phone{}, false
	}
	n := 3
	switch {
	case e164[1] == '1', e164[1] == '7':
		n = 1
	case strings.Contains(twoDigits, " "+e164[1:3]+" "):
		n = 2
	}
	return phone{e164[1 : 1+n], e164[1+n:]}, true
}

// checkPhone tells what is wrong with a number that a control route is given.
func checkPhone(number, countryCode string) error {
	_, international := parsePhone(number)
	switch {
	case international && countryCode != "":
		return errors.New(`"phoneNumber" begins with "+", so leave out "countryCode"`)
	case !international && !numberPattern.MatchString(number):
		return errors.New(`"phoneNumber" must be 4 to 14 digits, or "+", country code and number`)
	case countryCode != "" && !countryPattern.MatchString(countryCode):
		return errors.New(`"countryCode" must be 1 to 3 digits`)
	}
	return nil
}

func (s *Server) controlPhoneCode(body io.Reader) (any, error) {
	var in struct{ OpenID, PhoneNumber, CountryCode, AppID string }
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	if err := s.checkUser(in.AppID, in.OpenID); err != nil {
		return nil, err
	}
	if err := checkPhone(in.PhoneNumber, in.CountryCode); err != nil {
		return nil, err
	}
	return minted{s.PhoneCodeAs(User{OpenID: in.OpenID, AppID: in.AppID}, in.PhoneNumber, in.CountryCode)}, nil
}
