package db

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Avatar is an image a user uploaded.
type Avatar struct {
	bun.BaseModel `bun:"table:avatars,alias:a"`

	UserID    uuid.UUID `bun:",pk"`
	ID        uuid.UUID `bun:",pk"`
	CreatedAt time.Time
}

// CreateAvatar notes that the user uploaded an image, unless there are max of theirs already, and reports whether it
// did. Two uploads at the same moment may both be the last one allowed.
func (s *Store) CreateAvatar(ctx context.Context, userID, id uuid.UUID, max int) (bool, error) {
	n, err := s.db.NewSelect().Model((*Avatar)(nil)).Where("user_id = ?", userID).Count(ctx)
	if err != nil || int(n) >= max {
		return false, wrap("count avatars", err)
	}
	_, err = s.db.NewInsert().Model(&Avatar{UserID: userID, ID: id, CreatedAt: s.now()}).Exec(ctx)
	return err == nil, wrap("create avatar", err)
}

// HasAvatar reports whether the user uploaded that image.
func (s *Store) HasAvatar(ctx context.Context, userID, id uuid.UUID) (bool, error) {
	found, err := s.db.NewSelect().Model((*Avatar)(nil)).Where("user_id = ?", userID).Where("id = ?", id).Exists(ctx)
	return found, wrap("find avatar", err)
}

// Avatars lists what a user uploaded.
func (s *Store) Avatars(ctx context.Context, userID uuid.UUID) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	err := s.db.NewSelect().Model((*Avatar)(nil)).Column("id").Where("user_id = ?", userID).Scan(ctx, &ids)
	return ids, wrap("list avatars", err)
}

// AvatarsInUse returns those of ids that are some user's avatar, and forgets who uploaded the others. It is the
// collector's: it asks every shard.
func (s *Store) AvatarsInUse(ctx context.Context, ids []uuid.UUID) (used []uuid.UUID, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = s.db.NewSelect().Model((*User)(nil)).Column("avatar_id").Where("avatar_id IN (?)", bun.List(ids)).Scan(ctx, &used)
	if err != nil {
		return nil, wrap("find avatars in use", err)
	}
	forget := s.db.NewDelete().Model((*Avatar)(nil)).Where("id IN (?)", bun.List(ids))
	if len(used) > 0 {
		forget = forget.Where("id NOT IN (?)", bun.List(used))
	}
	_, err = forget.Exec(ctx)
	return used, wrap("forget unused avatars", err)
}
