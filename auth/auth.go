// Package auth decides who a request acts for, and how they became that.
package auth

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/singleflight"

	"wxpass/db"
	"wxpass/keyring"
	"wxpass/wechat"
)

// Service logs callers in and out, and knows who a request acts for.
type Service struct {
	Store    *db.Store
	WeChat   []*wechat.Client // one for each app served; the first is the default app's
	Tokens   *Issuer
	DataKeys keyring.Ring // seals WeChat's session keys

	TokenTTL      time.Duration    // life of a token
	SessionMaxAge time.Duration    // how long renewals may stretch one session
	Now           func() time.Time // required
	Log           *slog.Logger     // required

	SendPhoneOpenID bool // have WeChat check that a phone code is the caller's own

	// DeleteAvatar removes an uploaded image for good; nil when there are none.
	DeleteAvatar func(ctx context.Context, id uuid.UUID) error

	exchanges singleflight.Group // login codes under way, by app and code
	phones    phoneExchanges
}

// InputError says that a value the client sent cannot be taken, and which.
type InputError struct {
	Field   string // path of the argument, such as input.appId
	Message string // for a developer; never repeats the value
}

func (e *InputError) Error() string { return "auth: bad input: " + e.Field + ": " + e.Message }

// client returns the client of the app p logged in to.
func (s *Service) client(p *Principal) (*wechat.Client, error) { return s.app(&p.Session.AppID) }

// app returns the client of the app with that id, of the default app when there is no id.
func (s *Service) app(id *string) (*wechat.Client, error) {
	if id == nil {
		return s.WeChat[0], nil
	}
	for _, c := range s.WeChat {
		if c.AppID == *id {
			return c, nil
		}
	}
	return nil, &InputError{Field: "input.appId", Message: "This server does not serve that app."}
}

// Input returns what is wrong, and where.
func (e *InputError) Input() (field, message string) { return e.Field, e.Message }

// event is the beginning of a line in the history of p's account.
func event(ctx context.Context, p *Principal, kind db.EventKind) db.Event {
	return db.Event{UserID: p.User.ID, AppID: p.Session.AppID, RequestID: RequestFrom(ctx).ID, Kind: kind}
}
