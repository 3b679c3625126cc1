package auth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"wxpass/db"
	"wxpass/wechat"
)

const (
	maxNickname = 32 // characters
	// placeholderName and placeholderAvatar are what WeChat gives in place of a profile since November 2022.
	// (community 00022c683e8a80b29bed2142b56c01, 0008a07ff90e30c8aadeb58c751800)
	placeholderName   = "微信用户"
	placeholderAvatar = "POgEwh4mIHO4nibH0KlMECNjjGxQUq24ZEaGT4poC6icRiccVGKSyXwibcPq4BWmiaIGuG1icwxaQX6grC9VemZoJ8rg"
)

// ProfileInput is a profile on its way in. What is nil stays as it is.
type ProfileInput struct {
	Nickname  *string
	AvatarID  *uuid.UUID     // from the upload route
	Encrypted *EncryptedData // from older clients, in place of the others
}

// AuthorizeProfile takes the caller's profile and returns the user with it. It fails with an InputError,
// ErrSessionKeyExpired or ErrEncryptedDataInvalid. WeChat's placeholders in encrypted data change nothing.
func (s *Service) AuthorizeProfile(ctx context.Context, in ProfileInput) (*db.User, error) {
	p, err := PrincipalFrom(ctx)
	if err != nil {
		return nil, err
	}
	change, err := s.profileChange(ctx, p, in)
	if errors.Is(err, ErrEncryptedDataInvalid) {
		err = errors.Join(err, s.Store.RecordEvent(ctx, event(ctx, p, db.EventProfileRefused)))
	}
	if err != nil {
		return nil, fmt.Errorf("auth: profile: %w", err)
	}
	return s.changeUser(ctx, p, func(tx *db.Store, user *db.User) error {
		before := *user
		change(user)
		if before.DisplayName() == user.DisplayName() && before.HasProfile() == user.HasProfile() && before.AvatarID == user.AvatarID && before.AvatarURL == user.AvatarURL {
			return nil
		}
		if err := tx.SaveUser(ctx, user); err != nil {
			return err
		}
		return tx.RecordEvent(ctx, event(ctx, p, db.EventProfileGiven))
	})
}

// changeUser runs do in a transaction on the user's row as it is now, and lets the rest of the request see the change.
// As a transaction may, do runs more than once when it has to.
func (s *Service) changeUser(ctx context.Context, p *Principal, do func(tx *db.Store, user *db.User) error) (*db.User, error) {
	var user *db.User
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		if user, err = tx.LockUser(ctx, p.User.ID); errors.Is(err, db.ErrNotFound) {
			return &UnauthenticatedError{ReasonRevoked} // deleted meanwhile
		}
		if err != nil {
			return err
		}
		return do(tx, user)
	})
	if err != nil {
		return nil, err
	}
	become(ctx, &Principal{Session: p.Session, User: user})
	return user, nil
}

// profileChange judges a profile before any transaction opens, and returns what it does to a user.
func (s *Service) profileChange(ctx context.Context, p *Principal, in ProfileInput) (func(*db.User), error) {
	switch {
	case in.Encrypted != nil && (in.Nickname != nil || in.AvatarID != nil):
		return nil, &InputError{Field: "input.encrypted", Message: "Send either encrypted data or a nickname and an avatar."}
	case in.Encrypted != nil:
		return s.encryptedProfile(ctx, p, *in.Encrypted)
	case in.Nickname == nil && in.AvatarID == nil:
		return nil, &InputError{Field: "input.nickname", Message: "There is nothing to change: send a nickname, an avatarId or both."}
	}
	var nickname *string
	if in.Nickname != nil {
		text, ok := cleanNickname(*in.Nickname)
		if !ok {
			return nil, &InputError{Field: "input.nickname", Message: "A nickname has 1 to 32 characters, no control characters, and is not WeChat's placeholder."}
		}
		nickname = &text
	}
	if in.AvatarID != nil {
		if own, err := s.Store.HasAvatar(ctx, p.User.ID, *in.AvatarID); err != nil {
			return nil, err
		} else if !own {
			return nil, &InputError{Field: "input.avatarId", Message: "There is no such upload of the caller's: upload the image first."}
		}
	}
	return func(u *db.User) {
		if nickname != nil {
			u.Nickname = nickname
		}
		if in.AvatarID != nil {
			u.AvatarID, u.AvatarURL = *in.AvatarID, ""
		}
	}, nil
}

// encryptedProfile judges a profile from wx.getUserInfo or wx.getUserProfile.
func (s *Service) encryptedProfile(ctx context.Context, p *Principal, data EncryptedData) (func(*db.User), error) {
	plaintext, openID, err := s.open(ctx, p, data)
	if err != nil {
		return nil, err
	}
	info, err := wechat.ParseUserInfo(plaintext)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEncryptedDataInvalid, err)
	}
	if err := s.checkWatermark(p, info.Watermark); err != nil {
		return nil, err
	}
	if info.OpenID != "" && info.OpenID != openID {
		return nil, fmt.Errorf("%w: another user's", ErrEncryptedDataInvalid)
	}
	return func(u *db.User) {
		if nickname, ok := cleanNickname(info.NickName); ok {
			u.Nickname = &nickname
		}
		if avatar, ok := wechatAvatar(info.AvatarURL); ok && u.AvatarID == uuid.Nil {
			u.AvatarURL = avatar
		}
	}, nil
}

// cleanNickname brings a nickname into its one spelling (NFC, no space around it); ok is false for what is no nickname.
func cleanNickname(text string) (clean string, ok bool) {
	if len(text) > 32*maxNickname || !utf8.ValidString(text) {
		return "", false
	}
	clean = strings.TrimSpace(norm.NFC.String(text))
	length := utf8.RuneCountInString(clean)
	bare := strings.Map(func(r rune) rune {
		if joins(r) || unicode.IsSpace(r) {
			return -1
		}
		return r
	}, norm.NFKC.String(clean))
	return clean, bare != "" && bare != placeholderName && length <= maxNickname && !strings.ContainsFunc(clean, unseen)
}

// joins reports whether r only joins or parts its neighbours, as in emoji and in Persian.
func joins(r rune) bool { return r == '\u200c' || r == '\u200d' || r >= '\ufe00' && r <= '\ufe0f' }

// unseen reports whether r shows nothing, or turns or breaks the text around it: controls, formats but for joiners, line
// separators, and the blanks that Unicode counts as letters or symbols.
func unseen(r rune) bool {
	switch r {
	case '\u2028', '\u2029', '\u2800', '\u115f', '\u1160', '\u3164', '\uffa0', utf8.RuneError:
		return true
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && !joins(r)
}

// wechatAvatar takes the address of a real avatar on WeChat's own host, as https; the server never fetches it.
func wechatAvatar(text string) (address string, ok bool) {
	u, err := url.Parse(text)
	if err != nil || len(text) > 512 || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Port() != "" {
		return "", false
	}
	if !strings.HasSuffix(u.Hostname(), ".qlogo.cn") || strings.Contains(u.Path, placeholderAvatar) {
		return "", false
	}
	u.Scheme = "https"
	return u.String(), true
}
