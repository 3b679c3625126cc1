package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"wxpass/db"
	"wxpass/wechat"
)

var (
	// ErrPhoneCodeInvalid says that WeChat refuses the phone code, or would: the user has to tap the button again.
	ErrPhoneCodeInvalid = errors.New("auth: phone code invalid")
	// ErrPhoneCodeIsLoginCode is the ErrPhoneCodeInvalid of a code that looks like wx.login's.
	ErrPhoneCodeIsLoginCode = fmt.Errorf("%w: looks like a login code", ErrPhoneCodeInvalid)
	// ErrPhoneAlreadyBound says that another account of the app has the number.
	ErrPhoneAlreadyBound = errors.New("auth: phone already bound to another account")
)

// bindTimeout bounds WeChat and the database together.
const bindTimeout = 10 * time.Second

// PhoneInput is a phone number on its way in, one way or the other.
type PhoneInput struct {
	Code      *string        // from the phone button
	Encrypted *EncryptedData // from older clients
}

// BindPhone gives the caller the phone number WeChat vouches for, in place of a former one, and returns the user. It
// fails with an InputError, ErrPhoneCodeInvalid, ErrPhoneAlreadyBound, ErrSessionKeyExpired, ErrEncryptedDataInvalid or
// one of wechat's error classes. A number the caller has already changes nothing.
//
// Each tap of the button costs the operator money, so what a tap brought is not lost: a client that hangs up does not
// stop the binding, and a code WeChat has answered is good for five minutes more, for the same caller.
func (s *Service) BindPhone(ctx context.Context, in PhoneInput) (*db.User, error) {
	p, err := PrincipalFrom(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bindTimeout)
	defer cancel()
	phone, err := s.phoneNumber(ctx, p, in)
	if errors.Is(err, ErrEncryptedDataInvalid) || errors.Is(err, ErrPhoneCodeInvalid) {
		err = errors.Join(err, s.Store.RecordEvent(ctx, event(ctx, p, db.EventPhoneRefused)))
	}
	if err != nil {
		return nil, fmt.Errorf("auth: phone: %w", err)
	}
	user, err := s.bind(ctx, p, phone)
	if err != nil {
		return nil, fmt.Errorf("auth: phone: %w", err)
	}
	return user, nil
}

// bind makes the number the caller's. The claims settle who has it, whatever happens at the same moment.
func (s *Service) bind(ctx context.Context, p *Principal, phone wechat.Phone) (*db.User, error) {
	subjects, err := s.phoneSubjects(phone.E164())
	if err != nil {
		return nil, err
	}
	sealed, err := s.DataKeys.Seal([]byte(phone.E164()), phoneContext(p.User))
	if err != nil {
		return nil, err
	}
	var taken error
	user, err := s.changeUser(ctx, p, func(tx *db.Store, user *db.User) error {
		taken = nil
		former := strings.Fields(user.PhoneSubjects)
		mine, err := claimPhone(ctx, tx, user.ID, subjects)
		if err != nil {
			return err
		}
		if !mine { // refused, and remembered
			taken = ErrPhoneAlreadyBound
			if err := releasePhone(ctx, tx, user.ID, without(subjects, former)); err != nil {
				return err
			}
			return tx.RecordEvent(ctx, event(ctx, p, db.EventPhoneRefused))
		}
		if slices.Equal(former, subjects) {
			return nil
		}
		user.PhoneSealed, user.PhoneSubjects = sealed, strings.Join(subjects, " ")
		if err := tx.SaveUser(ctx, user); err != nil {
			return err
		}
		if err := releasePhone(ctx, tx, user.ID, without(former, subjects)); err != nil {
			return err
		}
		return tx.RecordEvent(ctx, event(ctx, p, db.EventPhoneBound))
	})
	if err == nil {
		err = taken
	}
	return user, err
}

// UnbindPhone takes the caller's phone number away, and with it the step, for every session at once.
func (s *Service) UnbindPhone(ctx context.Context) (*db.User, error) {
	p, err := PrincipalFrom(ctx)
	if err != nil {
		return nil, err
	}
	user, err := s.changeUser(ctx, p, func(tx *db.Store, user *db.User) error {
		if !user.HasPhone() {
			return nil
		}
		if err := releasePhone(ctx, tx, user.ID, strings.Fields(user.PhoneSubjects)); err != nil {
			return err
		}
		user.PhoneSealed, user.PhoneSubjects = nil, ""
		if err := tx.SaveUser(ctx, user); err != nil {
			return err
		}
		return tx.RecordEvent(ctx, event(ctx, p, db.EventPhoneUnbound))
	})
	if err != nil {
		return nil, fmt.Errorf("auth: unbind phone: %w", err)
	}
	return user, nil
}

// Phone returns a user's number as E.164, empty when none is bound.
func (s *Service) Phone(u *db.User) (string, error) {
	if !u.HasPhone() {
		return "", nil
	}
	number, err := s.DataKeys.Open(u.PhoneSealed, phoneContext(u))
	if err != nil {
		return "", fmt.Errorf("auth: phone: %w", err)
	}
	return string(number), nil
}

// MaskedPhone returns a user's number with its middle hidden, as "+86138****8000"; empty when none is bound.
func (s *Service) MaskedPhone(u *db.User) (string, error) {
	number, err := s.Phone(u)
	if err != nil || number == "" {
		return "", err
	}
	end := max(len(number)-4, 0)
	begin := max(end-4, 0)
	return number[:begin] + strings.Repeat("*", end-begin) + number[end:], nil
}

// phoneNumber asks WeChat, or opens what WeChat encrypted.
func (s *Service) phoneNumber(ctx context.Context, p *Principal, in PhoneInput) (wechat.Phone, error) {
	switch {
	case (in.Code == nil) == (in.Encrypted == nil):
		return wechat.Phone{}, &InputError{Field: "input", Message: "Send either a code or encrypted data."}
	case in.Code != nil:
		return s.phoneByCode(ctx, p, *in.Code)
	}
	plaintext, _, err := s.open(ctx, p, *in.Encrypted)
	if err != nil {
		return wechat.Phone{}, err
	}
	info, err := wechat.ParsePhoneInfo(plaintext)
	if err != nil {
		return wechat.Phone{}, fmt.Errorf("%w: %w", ErrEncryptedDataInvalid, err)
	}
	return info.Phone, s.checkWatermark(p, info.Watermark)
}

// phoneByCode trades a phone code for the number.
func (s *Service) phoneByCode(ctx context.Context, p *Principal, code string) (wechat.Phone, error) {
	if checkLoginCode(code) != nil { // the same form, and the same mock text
		return wechat.Phone{}, ErrPhoneCodeInvalid
	}
	client, err := s.client(p)
	if err != nil {
		return wechat.Phone{}, err
	}
	openID := ""
	if s.SendPhoneOpenID {
		key, err := s.Store.SessionKey(ctx, p.User.ID, p.Session.AppID)
		if err != nil {
			return wechat.Phone{}, err
		}
		openID = key.OpenID
	}
	phone, err := s.phones.exchange(p.Session.AppID+" "+p.User.ID.String()+" "+code, s.Now, func() (*wechat.Phone, error) {
		return client.PhoneNumber(ctx, code, openID)
	})
	switch {
	case errors.Is(err, wechat.ErrCodeInvalid) && looksLikeLoginCode(code):
		return wechat.Phone{}, fmt.Errorf("%w: %w", ErrPhoneCodeIsLoginCode, err)
	case errors.Is(err, wechat.ErrCodeInvalid):
		return wechat.Phone{}, fmt.Errorf("%w: %w", ErrPhoneCodeInvalid, err)
	case err != nil:
		return wechat.Phone{}, err
	}
	return *phone, nil
}

// looksLikeLoginCode goes by length: login codes have 32 characters and phone codes 64. The simulator's typed ones tell
// themselves apart.
func looksLikeLoginCode(code string) bool {
	return len(code) == 32 || strings.HasPrefix(code, "sim-") && !strings.HasPrefix(code, "sim-+")
}
