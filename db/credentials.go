package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Credential is WeChat's credential for the server calls of an app, sealed, and who may renew it.
type Credential struct {
	bun.BaseModel `bun:"table:wechat_access_tokens,alias:t"`

	AppID      string    `bun:",pk"`
	Sealed     []byte    // nil when there is none
	ExpiresAt  time.Time `bun:",nullzero"`
	ForcedAt   time.Time `bun:",nullzero"` // when one was last replaced by force
	Forced     int       // how often on the day of ForcedAt
	LeaseOwner string    `bun:",nullzero"`
	LeaseUntil time.Time `bun:",nullzero"`
	UpdatedAt  time.Time
}

// Credential returns what is stored for the app, or ErrNotFound.
func (s *Store) Credential(ctx context.Context, appID string) (*Credential, error) {
	c := new(Credential)
	if err := s.db.NewSelect().Model(c).Where("app_id = ?", appID).Scan(ctx); err != nil {
		return nil, wrap("load credential", err)
	}
	return c, nil
}

// LeaseCredential lets holder alone renew the app's credential until then, and reports whether it does: not while
// somebody else's lease runs. The lease is a row compared and set, so nothing is locked while WeChat is asked.
func (s *Store) LeaseCredential(ctx context.Context, appID, holder string, until time.Time) (bool, error) {
	row := &Credential{AppID: appID, LeaseOwner: holder, LeaseUntil: until, UpdatedAt: s.now()}
	res, err := s.write(ctx, s.db.NewInsert().Model(row).
		On("CONFLICT (app_id) DO UPDATE").
		Set("lease_owner = EXCLUDED.lease_owner").
		Set("lease_until = EXCLUDED.lease_until").
		Where("t.lease_owner IS NULL OR t.lease_owner = EXCLUDED.lease_owner OR t.lease_until < EXCLUDED.updated_at"))
	n, err := affected("lease credential", res, err)
	return n == 1, err
}

// StoreCredential stores c and ends holder's lease. It reports false, and changes nothing, when holder has none.
func (s *Store) StoreCredential(ctx context.Context, holder string, c *Credential) (bool, error) {
	c.UpdatedAt = s.now()
	res, err := s.write(ctx, s.db.NewUpdate().Model(c).
		Column("sealed", "expires_at", "forced_at", "forced", "lease_owner", "lease_until", "updated_at").
		Where("app_id = ?", c.AppID).
		Where("lease_owner = ?", holder))
	n, err := affected("store credential", res, err)
	return n == 1, err
}
