package db

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// maxListedSessions bounds Sessions: far more than one person's devices.
const maxListedSessions = 100

// Session is one login on one device.
type Session struct {
	bun.BaseModel `bun:"table:sessions,alias:s"`

	UserID    uuid.UUID `bun:",pk"`
	ID        uuid.UUID `bun:",pk"`
	AppID     string
	CreatedAt time.Time
	ExpiresAt time.Time
	RevokedAt time.Time `bun:",nullzero"`

	User *User `bun:"rel:belongs-to,join:user_id=id"` // loaded by Caller alone
}

const (
	insertSession = `INSERT INTO sessions (user_id, id, app_id, created_at, expires_at)`
	deleteEnded   = `DELETE FROM sessions WHERE user_id = $1 AND expires_at <= $2`
)

// CreateSession adds a session, stamped with the time.
func (s *Store) CreateSession(ctx context.Context, session *Session) error {
	session.CreatedAt = s.now()
	_, err := s.exec(ctx, insertSession+` VALUES ($1, $2, $3, $4, $5)`,
		session.UserID, session.ID, session.AppID, session.CreatedAt, stamp(session.ExpiresAt))
	return wrap("create session", err)
}

// Sessions lists a user's live sessions, newest first, the newest hundred.
func (s *Store) Sessions(ctx context.Context, userID uuid.UUID) ([]*Session, error) {
	var sessions []*Session
	err := s.live(s.db.NewSelect().Model(&sessions), userID).
		Order("id DESC").
		Limit(maxListedSessions).
		Scan(ctx)
	return sessions, wrap("list sessions", err)
}

// ExtendSession moves the end of a live session; ErrNotFound when it is not live any more.
func (s *Store) ExtendSession(ctx context.Context, userID, id uuid.UUID, expiresAt time.Time) error {
	res, err := s.write(ctx, s.db.NewUpdate().Model((*Session)(nil)).
		Set("expires_at = ?", expiresAt).
		Where("user_id = ?", userID).
		Where("id = ?", id).
		Where("revoked_at IS NULL").
		Where("expires_at > ?", s.now()))
	n, err := affected("extend session", res, err)
	if err == nil && n == 0 {
		return wrap("extend session", ErrNotFound)
	}
	return err
}

// RevokeSession ends one session and reports how many live ones that were: one or none.
func (s *Store) RevokeSession(ctx context.Context, userID, id uuid.UUID) (int, error) {
	return s.revoke(ctx, userID, "id = ?", id)
}

// RevokeOtherSessions ends all of a user's sessions but one and reports how many live ones that were.
func (s *Store) RevokeOtherSessions(ctx context.Context, userID, keep uuid.UUID) (int, error) {
	return s.revoke(ctx, userID, "id <> ?", keep)
}

// RevokeSessions ends all of a user's sessions and reports how many live ones that were.
func (s *Store) RevokeSessions(ctx context.Context, userID uuid.UUID) (int, error) {
	return s.revoke(ctx, userID, "TRUE")
}

func (s *Store) revoke(ctx context.Context, userID uuid.UUID, which string, args ...any) (int, error) {
	now := s.now()
	res, err := s.write(ctx, s.db.NewUpdate().Model((*Session)(nil)).
		Set("revoked_at = ?", now).
		Where("user_id = ?", userID).
		Where(which, args...).
		Where("revoked_at IS NULL").
		Where("expires_at > ?", now))
	return affected("revoke sessions", res, err)
}

// DeleteEndedSessions removes a user's sessions whose tokens have all run out, so that nobody's list grows for ever.
func (s *Store) DeleteEndedSessions(ctx context.Context, userID uuid.UUID) error {
	_, err := s.exec(ctx, deleteEnded, userID, s.now())
	return wrap("delete ended sessions", err)
}

// live narrows q to a user's sessions that still stand.
func (s *Store) live(q *bun.SelectQuery, userID uuid.UUID) *bun.SelectQuery {
	return q.Where("user_id = ?", userID).Where("revoked_at IS NULL").Where("expires_at > ?", s.now())
}
