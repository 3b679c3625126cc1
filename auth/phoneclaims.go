package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"wxpass/db"
	"wxpass/keyring"
)

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
