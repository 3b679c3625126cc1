package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"wxpass/db"
)

// Principal is who a request acts for: a user, by way of a session.
type Principal struct {
	Session *db.Session
	User    *db.User
}

// Step is something a user has done that fields may ask for. Steps are facts the server keeps; no token and no client
// asserts one.
type Step string

// The steps, as the schema lists them.
const (
	StepUser  Step = "USER"  // a profile was given
	StepPhone Step = "PHONE" // a phone number is bound
)

// Steps lists the steps a user has passed.
func Steps(u *db.User) []Step {
	steps := []Step{}
	if u.HasProfile() {
		steps = append(steps, StepUser)
	}
	if u.HasPhone() {
		steps = append(steps, StepPhone)
	}
	return steps
}

// StepRequiredError says that a caller has to pass a step first.
type StepRequiredError struct{ Missing, Completed []Step }

func (e *StepRequiredError) Error() string { return fmt.Sprintf("auth: steps missing: %v", e.Missing) }

// Require fails with a StepRequiredError unless p has passed every step.
func (p *Principal) Require(steps []Step) error {
	completed := Steps(p.User)
	missing := slices.DeleteFunc(slices.Clone(steps), func(s Step) bool { return slices.Contains(completed, s) })
	if len(missing) > 0 {
		return &StepRequiredError{Missing: missing, Completed: completed}
	}
	return nil
}

// Reason says why a request acts for nobody.
type Reason string

// The reasons, as the schema lists them.
const (
	ReasonMissing Reason = "MISSING" // no token came
	ReasonInvalid Reason = "INVALID" // what came is not a token of ours
	ReasonExpired Reason = "EXPIRED" // the token has run out
	ReasonRevoked Reason = "REVOKED" // the session was ended, or the user is gone
)

// UnauthenticatedError says that a request acts for nobody.
type UnauthenticatedError struct{ Reason Reason }

func (e *UnauthenticatedError) Error() string { return "auth: unauthenticated: " + string(e.Reason) }

// ErrAccountBlocked says that an operator disabled the account.
var ErrAccountBlocked = errors.New("auth: account disabled")

// caller is a request's place for its principal. It is filled from the token at the first guarded field, by one query
// however many fields ask, and anew by a login in the same document.
type caller struct {
	service *Service
	claims  *Claims
	fault   error // why there are no claims

	mu        sync.Mutex
	settled   bool
	principal *Principal
	err       error
}

type callerKey struct{}

// Middleware verifies the bearer token of each request and puts the claims, or why there are none, in its context. It
// asks no database and refuses nothing: that is for the fields that need a principal.
func (s *Service) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &caller{service: s}
		c.claims, c.fault = s.claims(r.Header.Values("Authorization"))
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})
}

// claims reads the one bearer token that RFC 6750 section 2.1 allows.
func (s *Service) claims(headers []string) (*Claims, error) {
	if len(headers) == 0 {
		return nil, &UnauthenticatedError{ReasonMissing}
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if len(headers) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return nil, &UnauthenticatedError{ReasonInvalid}
	}
	return s.Tokens.Verify(strings.Trim(token, " "))
}

// PrincipalFrom returns who the request acts for, as the database knows it now. It fails with an UnauthenticatedError,
// with ErrAccountBlocked, or with the database's own error, which is an outage and never a logout.
func PrincipalFrom(ctx context.Context) (*Principal, error) {
	c, ok := ctx.Value(callerKey{}).(*caller)
	if !ok {
		return nil, &UnauthenticatedError{ReasonMissing}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.settled {
		c.principal, c.err = c.load(ctx)
		c.settled = true
	}
	return c.principal, c.err
}

func (c *caller) load(ctx context.Context) (*Principal, error) {
	if c.fault != nil {
		return nil, c.fault
	}
	session, err := c.service.Store.Caller(ctx, c.claims.UserID, c.claims.SessionID)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return nil, &UnauthenticatedError{ReasonRevoked}
	case err != nil:
		return nil, fmt.Errorf("auth: load principal: %w", err)
	case session.AppID != c.claims.AppID:
		return nil, &UnauthenticatedError{ReasonInvalid}
	case session.User == nil, session.User.Deleted(), !session.RevokedAt.IsZero():
		return nil, &UnauthenticatedError{ReasonRevoked}
	case session.User.Disabled():
		return nil, ErrAccountBlocked
	case !session.ExpiresAt.After(c.service.Now()):
		return nil, &UnauthenticatedError{ReasonExpired}
	}
	return &Principal{Session: session, User: session.User}, nil
}

// become makes the rest of the request act for p, or with p nil for nobody any more.
func become(ctx context.Context, p *Principal) {
	c, ok := ctx.Value(callerKey{}).(*caller)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settled, c.principal, c.err = true, p, nil
	if p == nil {
		c.err = &UnauthenticatedError{ReasonRevoked}
	}
}
