package db

import (
	"context"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

const (
	callerColumns = `s.app_id, s.created_at, s.expires_at, s.revoked_at, ` + userColumns
	callerQuery   = `SELECT ` + callerColumns + ` FROM sessions AS s JOIN users ON users.id = s.user_id WHERE s.user_id = $1 AND s.id = $2`
)

// Caller returns a session together with its user, in one query. The session may be revoked or expired and the user
// disabled or deleted: that is for the reader to judge. ErrNotFound when there is no such session.
//
// What it returns was read after the call began, though perhaps together with what other calls ask for, see callers.
func (s *Store) Caller(ctx context.Context, userID, sessionID uuid.UUID) (*Session, error) {
	read := s.caller
	if !s.inTx() && s.together(ctx) {
		read = s.callers.read
	}
	session, err := read(ctx, userID, sessionID)
	return session, wrap("load caller", err)
}

// caller reads one caller.
func (s *Store) caller(ctx context.Context, userID, sessionID uuid.UUID) (session *Session, err error) {
	read := s.each
	if !s.inTx() && s.postgres() {
		read = s.briefly
	}
	err = only(ctx, read, callerQuery, []any{userID.String(), sessionID.String()}, func(row scanner) (err error) {
		session, err = scanCaller(row, userID, sessionID)
		return err
	})
	return session, err
}

// scanCaller reads callerColumns, and what is in front of them into before.
func scanCaller(row scanner, userID, sessionID uuid.UUID, before ...any) (*Session, error) {
	session := &Session{UserID: userID, ID: sessionID, User: new(User)}
	var scan struct {
		created, expires, revoked bun.NullTime
		user                      userScan
	}
	scan.user.User = session.User
	into := append(make([]any, 0, 18), before...)
	into = append(into, &session.AppID, &scan.created, &scan.expires, &scan.revoked)
	err := row.Scan(scan.user.columns(into)...)
	session.CreatedAt, session.ExpiresAt, session.RevokedAt = scan.created.Time, scan.expires.Time, scan.revoked.Time
	scan.user.fill()
	return session, err
}
