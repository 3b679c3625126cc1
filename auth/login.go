package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"wxpass/db"
	"wxpass/wechat"
)

var (
	// ErrLoginCodeInvalid says that WeChat refuses the login code, or would: the client has to call wx.login again.
	ErrLoginCodeInvalid = errors.New("auth: login code invalid")
	// ErrMockCode is the ErrLoginCodeInvalid of WeChat's developer tools running without an app id of one's own.
	ErrMockCode = fmt.Errorf("%w: the developer tools' mock text", ErrLoginCodeInvalid)

	errAccountGone = errors.New("auth: account was deleted meanwhile")
)

const (
	maxCodeSize = 256 // bytes; WeChat's have 32
	// mockCode is what wx.login gives in the developer tools with a tourist's or somebody else's app id.
	mockCode = "the code is a mock one"
)

// LoginInput is what a Mini Program sends to log in.
type LoginInput struct {
	Code  string  // from wx.login
	AppID *string // nil for the default app
}

// Grant is a token handed out, and to whom.
type Grant struct {
	Token     string
	ExpiresAt time.Time
	User      *db.User
	IsNewUser bool // this login made the account
}

// exchanged is WeChat's answer to a login code.
type exchanged struct {
	*wechat.Session
	appID string
	at    time.Time // when the exchange began
}

// SilentLogin trades a login code for a token, making the account at the first login. It fails with an InputError,
// ErrLoginCodeInvalid, ErrAccountBlocked, or one of wechat's error classes. The rest of the request acts for who
// logged in.
func (s *Service) SilentLogin(ctx context.Context, in LoginInput) (*Grant, error) {
	app, err := s.app(in.AppID)
	if err != nil {
		return nil, err
	}
	if err := checkLoginCode(in.Code); err != nil {
		return nil, err
	}
	// WeChat is asked before the transaction opens: a slow answer must not hold a connection.
	wx, err := s.exchange(ctx, app, in.Code)
	if err != nil {
		return nil, fmt.Errorf("auth: login: %w", err)
	}
	p, isNew, err := s.enter(ctx, wx)
	if err != nil {
		return nil, fmt.Errorf("auth: login: %w", err)
	}
	if err := s.linkUnionID(ctx, p.User, wx); err != nil {
		return nil, fmt.Errorf("auth: login: %w", err)
	}
	become(ctx, p)
	grant, err := s.grant(p)
	if err != nil {
		return nil, err
	}
	grant.IsNewUser = isNew
	return grant, nil
}

// checkLoginCode refuses what wx.login never gives, so that WeChat is not asked in vain.
func checkLoginCode(code string) error {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	switch {
	case code == mockCode:
		return ErrMockCode
	case code == "", len(code) > maxCodeSize, strings.ContainsFunc(code, odd):
		return ErrLoginCodeInvalid
	}
	return nil
}

// exchange asks WeChat whose code it is. A code works once, so a second request with it that arrives while the first
// is under way shares the first one's answer; and since others may be waiting, a client that hangs up does not stop the
// exchange: its own deadline does.
func (s *Service) exchange(ctx context.Context, app *wechat.Client, code string) (*exchanged, error) {
	answer := s.exchanges.DoChan(app.AppID+" "+code, func() (any, error) {
		began := s.Now()
		session, err := app.Code2Session(context.WithoutCancel(ctx), code)
		return &exchanged{Session: session, appID: app.AppID, at: began}, err
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case a := <-answer:
		switch {
		case errors.Is(a.Err, wechat.ErrCodeInvalid):
			return nil, fmt.Errorf("%w: %w", ErrLoginCodeInvalid, a.Err)
		case a.Err != nil:
			return nil, a.Err
		}
		return a.Val.(*exchanged), nil
	}
}

// enter finds or makes the user behind wx and gives them a session. When the account is being deleted at the same
// moment, its identities are taken off and the login starts over with a new account.
func (s *Service) enter(ctx context.Context, wx *exchanged) (p *Principal, isNew bool, err error) {
	for range 3 {
		var userID uuid.UUID
		if userID, err = s.owner(ctx, wx); err != nil {
			return nil, false, err
		}
		p, isNew, err = s.openSession(ctx, userID, wx)
		if !errors.Is(err, errAccountGone) {
			return p, isNew, err
		}
		for _, id := range wx.identities() {
			if err := s.Store.ReleaseIdentity(ctx, id, userID); err != nil {
				return nil, false, err
			}
		}
	}
	return nil, false, err
}

// identities lists what WeChat told of who the user is, the widest last.
func (wx *exchanged) identities() []db.Identity {
	ids := []db.Identity{db.OpenIDIdentity(wx.appID, wx.OpenID)}
	if wx.UnionID != "" {
		ids = append(ids, db.UnionIDIdentity(wx.UnionID))
	}
	return ids
}

// owner returns the user the openid leads to. A new openid leads to the user its unionid leads to, if there is one,
// so that a person is one account over all apps; else to a fresh id. Claims are statements of their own, so that on
// Citus a login needs no two-phase commit; whoever loses a race for one gets the winner's user.
func (s *Service) owner(ctx context.Context, wx *exchanged) (uuid.UUID, error) {
	ids := wx.identities()
	owner, err := s.Store.IdentityOwner(ctx, ids[0])
	if !errors.Is(err, db.ErrNotFound) {
		return owner, err
	}
	owner = db.NewID()
	for i := len(ids) - 1; i >= 0; i-- {
		if owner, err = s.Store.ClaimIdentity(ctx, ids[i], owner); err != nil {
			return uuid.Nil, err
		}
	}
	return owner, nil
}

// openSession writes a login: the user, WeChat's session key, the session. That is one statement where it can be, nearly
// always, else one transaction on the user's shard.
func (s *Service) openSession(ctx context.Context, userID uuid.UUID, wx *exchanged) (p *Principal, isNew bool, err error) {
	key, err := s.sealSessionKey(userID, wx)
	if err != nil {
		return nil, false, err
	}
	event := db.Event{UserID: userID, AppID: wx.appID, RequestID: RequestFrom(ctx).ID, Kind: db.EventLogin}
	session := &db.Session{UserID: userID, ID: db.NewID(), AppID: wx.appID, ExpiresAt: s.expiry(s.Now())}
	session.User, err = s.Store.EnterKnown(ctx, db.Login{Session: session, Key: key, Event: event, Phone: s.phoneForm()})
	switch {
	case err == nil:
		return &Principal{Session: session, User: session.User}, false, nil
	case !errors.Is(err, db.ErrNotFound):
		return nil, false, err
	}
	var denied error
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		denied, event.Kind = nil, db.EventLogin
		session.User, isNew, err = findOrMake(ctx, tx, userID, wx)
		switch {
		case err != nil:
			return err
		case session.User.Disabled(): // refused, and remembered: the transaction commits
			denied, event.Kind = ErrAccountBlocked, db.EventLoginRefused
			return tx.RecordEvent(ctx, event)
		}
		if err := tx.SaveSessionKey(ctx, key); err != nil {
			return err
		}
		if err := s.renewPhone(ctx, tx, session.User, wx.appID); err != nil {
			return err
		}
		if err := tx.DeleteEndedSessions(ctx, userID); err != nil {
			return err
		}
		if err := tx.CreateSession(ctx, session); err != nil {
			return err
		}
		return tx.RecordEvent(ctx, event)
	})
	if err := cmp.Or(err, denied); err != nil {
		return nil, false, err
	}
	return &Principal{Session: session, User: session.User}, isNew, nil
}

// findOrMake returns the user with that id as of this login, or errAccountGone when it is deleted.
func findOrMake(ctx context.Context, tx *db.Store, id uuid.UUID, wx *exchanged) (user *db.User, isNew bool, err error) {
	user, err = tx.RecordLogin(ctx, id)
	if !errors.Is(err, db.ErrNotFound) {
		return user, false, err
	}
	user = &db.User{ID: id, AppID: wx.appID, OpenID: wx.OpenID}
	if isNew, err = tx.CreateUser(ctx, user); isNew || err != nil {
		return user, isNew, err
	}
	// Somebody made it since we looked, or it is there and deleted.
	if user, err = tx.RecordLogin(ctx, id); errors.Is(err, db.ErrNotFound) {
		err = errAccountGone
	}
	return user, false, err
}

// linkUnionID fills in a unionid that WeChat gave for the first time. One that leads to another account, or that
// differs from the one on file, is a conflict for an operator to look at, never a silent merge.
func (s *Service) linkUnionID(ctx context.Context, user *db.User, wx *exchanged) error {
	if wx.UnionID == "" || wx.UnionID == user.UnionID {
		return nil
	}
	owner := user.ID
	if user.UnionID == "" {
		var err error
		if owner, err = s.Store.ClaimIdentity(ctx, db.UnionIDIdentity(wx.UnionID), user.ID); err != nil {
			return err
		}
		if owner == user.ID {
			user.UnionID = wx.UnionID
			err := s.Store.SetUnionID(ctx, user.ID, wx.UnionID)
			if errors.Is(err, db.ErrNotFound) { // deleted meanwhile, or another login was first with another one
				err = s.Store.ReleaseIdentity(ctx, db.UnionIDIdentity(wx.UnionID), user.ID)
			}
			return err
		}
	}
	s.Log.WarnContext(ctx, "WeChat gives a unionid that is not this account's; the accounts are left as they are",
		"user", user.ID, "owner", owner, "app", wx.appID)
	return s.Store.RecordEvent(ctx, db.Event{UserID: user.ID, AppID: wx.appID, RequestID: RequestFrom(ctx).ID, Kind: db.EventUnionIDConflict})
}
