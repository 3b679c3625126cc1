package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wxpass/db"
)

// expiry returns the end of a token handed out now, in a session begun at that time: in whole seconds, as tokens
// carry it, and never past the session's greatest age.
func (s *Service) expiry(begun time.Time) time.Time {
	end, latest := s.Now().Add(s.TokenTTL), begun.Add(s.SessionMaxAge)
	if end.After(latest) {
		end = latest
	}
	return end.UTC().Truncate(time.Second)
}

func (s *Service) grant(p *Principal) (*Grant, error) {
	token, err := s.Tokens.Issue(Claims{
		UserID:    p.User.ID,
		SessionID: p.Session.ID,
		AppID:     p.Session.AppID,
		IssuedAt:  s.Now(),
		ExpiresAt: p.Session.ExpiresAt,
	})
	if err != nil {
		return nil, err
	}
	return &Grant{Token: token, ExpiresAt: p.Session.ExpiresAt, User: p.User}, nil
}

// RenewSession trades the caller's token for one that lasts longer, as far as the session's greatest age allows,
// without asking WeChat. The old token stays good until its own end.
func (s *Service) RenewSession(ctx context.Context) (*Grant, error) {
	p, err := PrincipalFrom(ctx)
	if err != nil {
		return nil, err
	}
	session := *p.Session
	if end := s.expiry(session.CreatedAt); end.After(session.ExpiresAt) { // settings may have become shorter meanwhile
		session.ExpiresAt = end
	}
	err = s.Store.ExtendSession(ctx, session.UserID, session.ID, session.ExpiresAt)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return nil, &UnauthenticatedError{ReasonRevoked}
	case err != nil:
		return nil, fmt.Errorf("auth: renew session: %w", err)
	}
	return s.grant(&Principal{Session: &session, User: p.User})
}

// Sessions lists the caller's live sessions, newest first.
func (s *Service) Sessions(ctx context.Context) ([]*db.Session, error) {
	p, err := PrincipalFrom(ctx)
	if err != nil {
		return nil, err
	}
	return s.Store.Sessions(ctx, p.User.ID)
}

// LogoutScope says which of the caller's sessions end.
type LogoutScope string

// The scopes, as the schema lists them.
const (
	LogoutThis   LogoutScope = "THIS"
	LogoutOthers LogoutScope = "OTHERS"
	LogoutAll    LogoutScope = "ALL"
)

// Logout ends sessions of the caller, at once and for every token of theirs, and returns how many it ended.
func (s *Service) Logout(ctx context.Context, scope LogoutScope) (ended int, err error) {
	p, err := PrincipalFrom(ctx)
	if err != nil {
		return 0, err
	}
	kind := db.EventLogout
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		switch scope {
		case LogoutOthers:
			kind = db.EventLogoutOthers
			ended, err = tx.RevokeOtherSessions(ctx, p.User.ID, p.Session.ID)
		case LogoutAll:
			kind = db.EventLogoutAll
			ended, err = tx.RevokeSessions(ctx, p.User.ID)
		default:
			ended, err = tx.RevokeSession(ctx, p.User.ID, p.Session.ID)
		}
		if err != nil {
			return err
		}
		return tx.RecordEvent(ctx, event(ctx, p, kind))
	})
	if err != nil {
		return 0, fmt.Errorf("auth: logout: %w", err)
	}
	if scope != LogoutOthers {
		become(ctx, nil)
	}
	return ended, nil
}
