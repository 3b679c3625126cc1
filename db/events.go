package db

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// EventKind says what happened to an account.
type EventKind string

// What is recorded. An event holds no secret and no number.
const (
	EventLogin           EventKind = "login"
	EventLoginRefused    EventKind = "login_refused"    // the account is disabled
	EventUnionIDConflict EventKind = "unionid_conflict" // WeChat gave a unionid that leads to another account
	EventLogout          EventKind = "logout"           // of this session
	EventLogoutOthers    EventKind = "logout_others"    // of all sessions but this one
	EventLogoutAll       EventKind = "logout_all"
	EventProfileGiven    EventKind = "profile_given"
	EventProfileRefused  EventKind = "profile_refused" // encrypted data that is not the caller's, or stale
	EventPhoneBound      EventKind = "phone_bound"
	EventPhoneUnbound    EventKind = "phone_unbound"
	EventPhoneRefused    EventKind = "phone_refused" // another account's number, or a code or data that does not count
	EventAccountDeleted  EventKind = "account_deleted"
)

// Event is one line of an account's history.
type Event struct {
	bun.BaseModel `bun:"table:auth_events,alias:e"`

	UserID    uuid.UUID `bun:",pk"`
	ID        uuid.UUID `bun:",pk"`
	Kind      EventKind
	AppID     string
	RequestID string
	CreatedAt time.Time
}

const insertEvent = `INSERT INTO auth_events (user_id, id, kind, app_id, request_id, created_at)`

// RecordEvent adds event, giving it an id and the time.
func (s *Store) RecordEvent(ctx context.Context, event Event) error {
	_, err := s.exec(ctx, insertEvent+` VALUES ($1, $2, $3, $4, $5, $6)`,
		event.UserID, NewID(), event.Kind, event.AppID, event.RequestID, s.now())
	return wrap("record event", err)
}

// Events lists a user's history, newest first, at most limit of it.
func (s *Store) Events(ctx context.Context, userID uuid.UUID, limit int64) ([]Event, error) {
	var events []Event
	err := s.db.NewSelect().Model(&events).Where("user_id = ?", userID).Order("id DESC").Limit(limit).Scan(ctx)
	return events, wrap("list events", err)
}
