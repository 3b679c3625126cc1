package db

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// SessionKey is the key WeChat gave for a user in an app, sealed, with the one it replaced.
type SessionKey struct {
	bun.BaseModel `bun:"table:wechat_session_keys,alias:k"`

	UserID      uuid.UUID `bun:",pk"`
	AppID       string    `bun:",pk"`
	OpenID      string    // the user's openid in this app
	Sealed      []byte
	Fingerprint []byte    // equal for equal keys
	ExchangedAt time.Time // when the exchange that gave it began

	PreviousSealed []byte    // nil when there was none
	ReplacedAt     time.Time `bun:",nullzero"` // when the previous key was replaced
}

const (
	insertSessionKey = `INSERT INTO wechat_session_keys AS k (user_id, app_id, open_id, sealed, fingerprint, exchanged_at)`
	unlessOlder      = ` ON CONFLICT (user_id, app_id) DO UPDATE SET
		previous_sealed = CASE WHEN k.fingerprint = EXCLUDED.fingerprint THEN k.previous_sealed ELSE k.sealed END,
		replaced_at = CASE WHEN k.fingerprint = EXCLUDED.fingerprint THEN k.replaced_at ELSE EXCLUDED.exchanged_at END,
		sealed = EXCLUDED.sealed,
		fingerprint = EXCLUDED.fingerprint,
		open_id = EXCLUDED.open_id,
		exchanged_at = EXCLUDED.exchanged_at
	WHERE k.exchanged_at <= EXCLUDED.exchanged_at`
)

// SaveSessionKey keeps key as the current one and the former one as its previous. A key that was exchanged before the
// one on file changes nothing: of two logins at once the later one counts, however their answers cross. The same key
// given again keeps the previous one as it is.
func (s *Store) SaveSessionKey(ctx context.Context, key *SessionKey) error {
	_, err := s.exec(ctx, insertSessionKey+` VALUES ($1, $2, $3, $4, $5, $6)`+unlessOlder,
		key.UserID, key.AppID, key.OpenID, key.Sealed, key.Fingerprint, stamp(key.ExchangedAt))
	return wrap("save session key", err)
}

// SessionKey returns the keys of a user in an app, or ErrNotFound.
func (s *Store) SessionKey(ctx context.Context, userID uuid.UUID, appID string) (*SessionKey, error) {
	key := new(SessionKey)
	err := s.db.NewSelect().Model(key).Where("user_id = ?", userID).Where("app_id = ?", appID).Scan(ctx)
	if err != nil {
		return nil, wrap("load session key", err)
	}
	return key, nil
}

// SessionKeys lists the keys of a user, one for each app the user logged in to.
func (s *Store) SessionKeys(ctx context.Context, userID uuid.UUID) ([]SessionKey, error) {
	var keys []SessionKey
	err := s.db.NewSelect().Model(&keys).Where("user_id = ?", userID).Scan(ctx)
	return keys, wrap("list session keys", err)
}
