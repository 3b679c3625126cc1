package db

import (
	"context"
	"slices"
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
// did; ErrNotFound when the account was deleted meanwhile.
func (s *Store) CreateAvatar(ctx context.Context, userID, id uuid.UUID, max int) (created bool, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		created = false // an earlier run may have got further
		if _, err := tx.LockUser(ctx, userID); err != nil {
			return err
		}
		n, err := tx.CountAvatars(ctx, userID)
		if err != nil || n >= max {
			return err
		}
		created = true
		_, err = tx.db.NewInsert().Model(&Avatar{UserID: userID, ID: id, CreatedAt: tx.now()}).Exec(ctx)
		return wrap("create avatar", err)
	})
	return created && err == nil, err
}

// CountAvatars returns how many images of a user there are.
func (s *Store) CountAvatars(ctx context.Context, userID uuid.UUID) (int, error) {
	n, err := s.db.NewSelect().Model((*Avatar)(nil)).Where("user_id = ?", userID).Count(ctx)
	return int(n), wrap("count avatars", err)
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

// AvatarsToKeep returns those of ids that are some user's avatar, or that nobody uploaded here: a folder or a bucket may
// be shared with another database. It forgets who uploaded the others. It is the collector's: it asks every shard.
func (s *Store) AvatarsToKeep(ctx context.Context, ids []uuid.UUID) (keep []uuid.UUID, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var ours, used []uuid.UUID
	if err := s.db.NewSelect().Model((*Avatar)(nil)).Column("id").Where("id IN (?)", bun.List(ids)).Scan(ctx, &ours); err != nil {
		return nil, wrap("find avatars", err)
	}
	if err := s.db.NewSelect().Model((*User)(nil)).Column("avatar_id").Where("avatar_id IN (?)", bun.List(ids)).Scan(ctx, &used); err != nil {
		return nil, wrap("find avatars in use", err)
	}
	var orphans []uuid.UUID
	for _, id := range ids {
		if slices.Contains(used, id) || !slices.Contains(ours, id) {
			keep = append(keep, id)
		} else {
			orphans = append(orphans, id)
		}
	}
	if len(orphans) > 0 {
		_, err = s.write(ctx, s.db.NewDelete().Model((*Avatar)(nil)).Where("id IN (?)", bun.List(orphans)))
	}
	return keep, wrap("forget orphaned avatars", err)
}
