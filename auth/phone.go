package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"wxpass/db"
	"wxpass/keyring"
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

// bindTimeout bounds WeChat and the database together.
const bindTimeout = 10 * time.Second

// phoneSubjects returns what claims a number: a keyed hash under each data key, so that the number stays unique while
// instances with the old and with the new keys run side by side. They are sorted, because two instances that claim in
// different orders wait for each other.
func (s *Service) phoneSubjects(e164 string) ([]string, error) {
	var subjects []string
	for _, key := range s.DataKeys {
		hash, err := key.MAC("phone", []byte(e164))
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, key.ID+":"+hex.EncodeToString(hash))
	}
	slices.Sort(subjects)
	return subjects, nil
}

// phoneForm is that of a number which renewPhone would find in order: subjects under all data keys and none else, as
// phoneSubjects makes them, and sealed with the newest.
func (s *Service) phoneForm() db.PhoneForm {
	var subjects []string
	for _, key := range s.DataKeys {
		subjects = append(subjects, key.ID+":"+strings.Repeat("_", hex.EncodedLen(sha256.Size)))
	}
	slices.Sort(subjects)
	for i, subject := range subjects {
		id, hash, _ := strings.Cut(subject, ":")
		subjects[i] = strings.ReplaceAll(id, "_", `\_`) + ":" + hash
	}
	return db.PhoneForm{Subjects: strings.Join(subjects, " "), Sealed: s.DataKeys.Head()}
}

// claimPhone claims subjects for a user in every app the user logged in to, and reports whether all are the user's now.
func claimPhone(ctx context.Context, tx *db.Store, userID uuid.UUID, subjects []string) (bool, error) {
	keys, err := tx.SessionKeys(ctx, userID)
	if err != nil {
		return false, err
	}
	for _, key := range keys {
		for _, subject := range subjects {
			owner, err := tx.ClaimIdentity(ctx, db.PhoneIdentity(key.AppID, subject), userID)
			if err != nil || owner != userID {
				return false, err
			}
		}
	}
	return true, nil
}

// renewPhone brings a user's number, at a login, to today's data keys and to the app logged in to: sealed anew and claimed
// under each key. A number claimed there by another account meanwhile stays as it is; that is for an operator to look at.
// Nearly always all is as it should be: then it takes one read, and the login stays on the user's shard.
func (s *Service) renewPhone(ctx context.Context, tx *db.Store, user *db.User, appID string) error {
	number, err := s.Phone(user)
	if errors.Is(err, keyring.ErrUnknownKey) { // sealed under a key that was dropped
		s.Log.ErrorContext(ctx, "a phone number cannot be read: its data key was dropped", "user", user.ID)
		return nil
	}
	if number == "" || err != nil {
		return err
	}
	subjects, err := s.phoneSubjects(number)
	if err != nil {
		return err
	}
	former := strings.Fields(user.PhoneSubjects)
	fresh := slices.Equal(former, subjects) && bytes.HasPrefix(user.PhoneSealed, s.DataKeys.Head())
	if fresh {
		owner, err := tx.IdentityOwner(ctx, db.PhoneIdentity(appID, subjects[0]))
		if owner == user.ID || err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		}
	}
	mine, err := claimPhone(ctx, tx, user.ID, subjects)
	if err != nil {
		return err
	}
	if !mine {
		s.Log.WarnContext(ctx, "an account's phone number is claimed by another account in one of its apps", "user", user.ID)
		return nil
	}
	if fresh {
		return nil
	}
	if user.PhoneSealed, err = s.DataKeys.Seal([]byte(number), phoneContext(user)); err != nil {
		return err
	}
	user.PhoneSubjects = strings.Join(subjects, " ")
	if err := tx.SaveUser(ctx, user); err != nil {
		return err
	}
	return releasePhone(ctx, tx, user.ID, without(former, subjects))
}

// releasePhone takes claims of a user's off, in every app the user logged in to: a number is bound in one and may have
// been brought again in another.
func releasePhone(ctx context.Context, tx *db.Store, userID uuid.UUID, subjects []string) error {
	if len(subjects) == 0 {
		return nil
	}
	keys, err := tx.SessionKeys(ctx, userID)
	if err != nil {
		return err
	}
	for _, key := range keys {
		for _, subject := range subjects {
			if err := tx.ReleaseIdentity(ctx, db.PhoneIdentity(key.AppID, subject), userID); err != nil {
				return err
			}
		}
	}
	return nil
}

func without(list, remove []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(remove, s) })
}

func phoneContext(u *db.User) string { return "phone/" + u.ID.String() }
