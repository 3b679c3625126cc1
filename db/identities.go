package db

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// IdentityKind says what an Identity's subject is.
type IdentityKind string

// The kinds, as the database constrains them.
const (
	IdentityOpenID  IdentityKind = "wx_open_id"
	IdentityUnionID IdentityKind = "wx_union_id"
	IdentityPhone   IdentityKind = "phone"
)

// Identity is what leads to one user and no other: an openid or a phone within its app, or a unionid over all apps.
type Identity struct {
	Kind    IdentityKind
	AppID   string // empty for a unionid
	Subject string
}

// OpenIDIdentity is the identity of an openid in the app it is of.
func OpenIDIdentity(appID, openID string) Identity {
	return Identity{Kind: IdentityOpenID, AppID: appID, Subject: openID}
}

// UnionIDIdentity is the identity of a unionid, which all apps of one WeChat Open Platform account share.
func UnionIDIdentity(unionID string) Identity {
	return Identity{Kind: IdentityUnionID, Subject: unionID}
}

// PhoneIdentity is the identity of a phone number in an app; subject is a keyed hash of the number.
func PhoneIdentity(appID, subject string) Identity {
	return Identity{Kind: IdentityPhone, AppID: appID, Subject: subject}
}

type identityRow struct {
	bun.BaseModel `bun:"table:user_identities,alias:i"`

	Subject   string
	AppID     string
	Kind      IdentityKind
	UserID    uuid.UUID
	CreatedAt time.Time
}

// IdentityOwner returns the user id leads to, or ErrNotFound.
func (s *Store) IdentityOwner(ctx context.Context, id Identity) (uuid.UUID, error) {
	var owner uuid.UUID
	err := s.one(ctx, `SELECT user_id FROM user_identities WHERE subject = $1 AND app_id = $2 AND kind = $3`,
		[]any{id.Subject, id.AppID, id.Kind}, func(row scanner) error { return row.Scan(&owner) })
	return owner, wrap("find identity", err)
}

// ClaimIdentity makes id lead to userID unless it already leads somewhere, and returns the user it leads to. It is a
// statement of its own at a login, before the transaction that writes the user: a claim left behind by a crash is harmless, the
// next login uses it.
func (s *Store) ClaimIdentity(ctx context.Context, id Identity, userID uuid.UUID) (owner uuid.UUID, err error) {
	row := &identityRow{Subject: id.Subject, AppID: id.AppID, Kind: id.Kind, UserID: userID, CreatedAt: s.now()}
	for range 3 { // what stood in the way may be released before we see whose it was
		res, err := s.write(ctx, s.db.NewInsert().Model(row).On("CONFLICT DO NOTHING"))
		n, err := affected("claim identity", res, err)
		if err != nil || n == 1 {
			return userID, err
		}
		if owner, err = s.IdentityOwner(ctx, id); !errors.Is(err, ErrNotFound) {
			return owner, err
		}
	}
	return uuid.Nil, wrap("claim identity", ErrNotFound)
}

// ReleaseIdentity makes id lead nowhere, if it leads to userID.
func (s *Store) ReleaseIdentity(ctx context.Context, id Identity, userID uuid.UUID) error {
	_, err := s.write(ctx, s.db.NewDelete().Model((*identityRow)(nil)).
		Where("subject = ?", id.Subject).
		Where("app_id = ?", id.AppID).
		Where("kind = ?", id.Kind).
		Where("user_id = ?", userID))
	return wrap("release identity", err)
}
