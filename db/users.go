package db

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// User is one account: one person in one app, or in several apps joined by a unionid.
type User struct {
	bun.BaseModel `bun:"table:users,alias:u"`

	ID          uuid.UUID `bun:",pk"`
	AppID       string    // the app of the first login
	OpenID      string    `bun:",nullzero"` // a copy of the identity of the first login
	UnionID     string    `bun:",nullzero"` // a copy of the identity; empty while WeChat gives none
	Points      int64
	Nickname    *string   // nil until a profile was given
	AvatarID    uuid.UUID `bun:",nullzero"` // an upload of the user's
	AvatarURL   string    `bun:",nullzero"` // or else one of WeChat's, https
	PhoneSealed []byte    // nil while no phone is bound
	// PhoneSubjects are the subjects of the identities that claim the phone, space-separated.
	PhoneSubjects string `bun:",nullzero"`
	CreatedAt     time.Time
	UpdatedAt     time.Time
	LastLoginAt   time.Time `bun:",nullzero"`
	DisabledAt    time.Time `bun:",nullzero"` // set by an operator: the account may do nothing
	DeletedAt     time.Time `bun:",nullzero"`
}

// Disabled reports whether an operator closed the account.
func (u *User) Disabled() bool { return !u.DisabledAt.IsZero() }

// Deleted reports whether the owner deleted the account.
func (u *User) Deleted() bool { return !u.DeletedAt.IsZero() }

// HasProfile reports whether the user gave a profile: a nickname, for the avatar is optional.
func (u *User) HasProfile() bool { return u.Nickname != nil }

// HasPhone reports whether a phone is bound.
func (u *User) HasPhone() bool { return u.PhoneSealed != nil }

// userColumns are the columns of a User for a hot statement, in the order of userScan: all but updated_at and
// last_login_at, which are for the operator to read.
const userColumns = `users.id, users.app_id, users.open_id, users.union_id, users.points, users.nickname, users.avatar_id, users.avatar_url,
	users.phone_sealed, users.phone_subjects, users.created_at, users.disabled_at, users.deleted_at`

// userScan reads a User; an absent text is empty and an absent time zero.
type userScan struct {
	*User
	openID, unionID, nickname, avatarURL, phoneSubjects sql.NullString
	created, disabled, deleted                          bun.NullTime
}

// columns adds to into where Scan puts userColumns.
func (u *userScan) columns(into []any) []any {
	return append(into, (*scanID)(&u.ID), &u.AppID, &u.openID, &u.unionID, &u.Points, &u.nickname, (*scanID)(&u.AvatarID), &u.avatarURL, &u.PhoneSealed,
		&u.phoneSubjects, &u.created, &u.disabled, &u.deleted)
}

// fill completes the User after the scan.
func (u *userScan) fill() {
	u.OpenID, u.UnionID, u.AvatarURL, u.PhoneSubjects = u.openID.String, u.unionID.String, u.avatarURL.String, u.phoneSubjects.String
	if u.nickname.Valid {
		u.Nickname = &u.nickname.String
	}
	u.CreatedAt = u.created.Time
	u.DisabledAt, u.DeletedAt = u.disabled.Time, u.deleted.Time
}

// CreateUser adds user, stamped with the time, unless one with its id is there already, and reports whether it did.
func (s *Store) CreateUser(ctx context.Context, user *User) (created bool, err error) {
	now := s.now()
	user.CreatedAt, user.UpdatedAt, user.LastLoginAt = now, now, now
	res, err := s.write(ctx, s.db.NewInsert().Model(user).On("CONFLICT (id) DO NOTHING").Returning("NULL"))
	n, err := affected("create user", res, err)
	return n == 1, err
}

// RecordLogin notes that the user logged in now and returns the user; ErrNotFound when there is none, or it is deleted.
func (s *Store) RecordLogin(ctx context.Context, id uuid.UUID) (*User, error) {
	user, err := s.user(ctx, `UPDATE users SET last_login_at = $2, updated_at = $2 WHERE id = $1 AND deleted_at IS NULL RETURNING `+userColumns, id, s.now())
	return user, wrap("record login", err)
}

// user returns the one user that query changes.
func (s *Store) user(ctx context.Context, query string, args ...any) (*User, error) {
	end, err := s.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	user := userScan{User: new(User)}
	err = s.one(ctx, query, args, func(row scanner) error { return row.Scan(user.columns(nil)...) })
	if err != nil {
		return nil, err
	}
	user.fill()
	return user.User, nil
}

// SetUnionID fills in the copy of a user's unionid, unless there is another one; ErrNotFound when there is, or the user is
// deleted.
func (s *Store) SetUnionID(ctx context.Context, id uuid.UUID, unionID string) error {
	res, err := s.write(ctx, s.db.NewUpdate().Model((*User)(nil)).
		Set("union_id = ?", unionID).
		Set("updated_at = ?", s.now()).
		Where("id = ?", id).
		Where("deleted_at IS NULL").
		Where("union_id IS NULL OR union_id = ?", unionID))
	n, err := affected("set unionid", res, err)
	if err == nil && n == 0 {
		return wrap("set unionid", ErrNotFound)
	}
	return err
}

// LockUser makes other transactions that change the user wait for the end of this one, and returns the user as it is
// now; ErrNotFound when there is none, or it is deleted. It is an UPDATE because every engine has that.
func (s *Store) LockUser(ctx context.Context, id uuid.UUID) (*User, error) {
	user, err := s.user(ctx, `UPDATE users SET updated_at = $2 WHERE id = $1 AND deleted_at IS NULL RETURNING `+userColumns, id, s.now())
	return user, wrap("lock user", err)
}

// SaveUser writes the columns of user that steps change: profile, phone and unionid.
func (s *Store) SaveUser(ctx context.Context, user *User) error {
	user.UpdatedAt = s.now()
	_, err := s.write(ctx, s.db.NewUpdate().Model(user).
		Column("nickname", "avatar_id", "avatar_url", "phone_sealed", "phone_subjects", "updated_at").
		Where("id = ?", user.ID))
	return wrap("save user", err)
}

// EraseUser removes everything that tells who the user was and leaves the bare row, for orders to belong to. The
// identities are the caller's to release: they are found by what this removes.
func (s *Store) EraseUser(ctx context.Context, id uuid.UUID) error {
	now := s.now()
	for _, owned := range []any{(*Session)(nil), (*SessionKey)(nil), (*Avatar)(nil)} {
		if _, err := s.write(ctx, s.db.NewDelete().Model(owned).Where("user_id = ?", id)); err != nil {
			return wrap("erase user", err)
		}
	}
	_, err := s.write(ctx, s.db.NewUpdate().Model((*Order)(nil)).Set("remark = NULL").Where("user_id = ?", id)) // people write addresses there
	if err != nil {
		return wrap("erase user", err)
	}
	_, err = s.write(ctx, s.db.NewUpdate().Model(&User{UpdatedAt: now, DeletedAt: now}).
		Column("open_id", "union_id", "points", "nickname", "avatar_id", "avatar_url", "phone_sealed", "phone_subjects",
			"last_login_at", "updated_at", "deleted_at").
		Where("id = ?", id))
	return wrap("erase user", err)
}

// DisplayName is what to call the user: the nickname, and before there is one a friendly name and four digits, always
// the same for the same user, and made from nothing that tells anything of them.
func (u *User) DisplayName() string {
	if u.Nickname != nil {
		return *u.Nickname
	}
	animals := [...]string{"海豚", "小鹿", "松鼠", "熊猫", "白鹭", "刺猬", "海豹", "锦鲤", "雪狐", "考拉", "企鹅", "鲸鱼", "麻雀", "水獭", "羚羊", "蜂鸟"}
	h := fnv.New32a()
	h.Write(u.ID[:])
	n := h.Sum32()
	return fmt.Sprintf("%s%04d", animals[n%uint32(len(animals))], n/uint32(len(animals))%10000)
}
