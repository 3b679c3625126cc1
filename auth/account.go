package auth

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"wxpass/db"
)

// confirmation is what a client must send to delete an account.
const confirmation = "DELETE"

// DeleteAccount removes everything that tells who the caller was: sessions, keys, identities, profile, phone, uploads.
// The bare account stays, as the anonymous owner of its orders; logging in again makes a new one. It fails with an
// InputError.
func (s *Service) DeleteAccount(ctx context.Context, confirm string) error {
	if confirm != confirmation {
		return &InputError{Field: "input.confirm", Message: "Send the word DELETE to confirm."}
	}
	p, err := PrincipalFrom(ctx)
	if err != nil {
		return err
	}
	var uploads []uuid.UUID
	_, err = s.changeUser(ctx, p, func(tx *db.Store, user *db.User) error {
		ids, err := identitiesOf(ctx, tx, user)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := tx.ReleaseIdentity(ctx, id, user.ID); err != nil {
				return err
			}
		}
		if err := releasePhone(ctx, tx, user.ID, strings.Fields(user.PhoneSubjects)); err != nil {
			return err
		}
		if uploads, err = tx.Avatars(ctx, user.ID); err != nil {
			return err
		}
		if err := tx.EraseUser(ctx, user.ID); err != nil {
			return err
		}
		return tx.RecordEvent(ctx, event(ctx, p, db.EventAccountDeleted))
	})
	if err != nil {
		return fmt.Errorf("auth: delete account: %w", err)
	}
	become(ctx, nil)
	s.deleteAvatars(ctx, uploads)
	return nil
}

// identitiesOf lists what WeChat told of who the user is, from the copies on the user's own shard.
func identitiesOf(ctx context.Context, tx *db.Store, user *db.User) ([]db.Identity, error) {
	keys, err := tx.SessionKeys(ctx, user.ID)
	if err != nil {
		return nil, err
	}
	ids := []db.Identity{db.OpenIDIdentity(user.AppID, user.OpenID), db.UnionIDIdentity(user.UnionID)}
	for _, key := range keys {
		ids = append(ids, db.OpenIDIdentity(key.AppID, key.OpenID))
	}
	return ids, nil
}

// deleteAvatars removes images for good. One that cannot be removed now belongs to nobody any more, and is collected.
func (s *Service) deleteAvatars(ctx context.Context, ids []uuid.UUID) {
	for _, id := range ids {
		if s.DeleteAvatar == nil {
			return
		}
		if err := s.DeleteAvatar(context.WithoutCancel(ctx), id); err != nil {
			s.Log.WarnContext(ctx, "an avatar of a deleted account stays until it is collected", "avatar", id, "err", err)
		}
	}
}
