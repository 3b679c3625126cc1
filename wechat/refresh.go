package wechat

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/google/uuid"
)

const (
	credentialPath   = "/cgi-bin/stable_token"
	credentialMargin = 90 * time.Second // WeChat renews five minutes before the end, so this must stay below that
	credentialLife   = 2 * time.Hour    // the longest that WeChat grants
	leaseSlack       = 2 * time.Second  // how much longer a lease lasts than the work done under it
	leasePoll        = 100 * time.Millisecond
	storeTimeout     = time.Second // for storing what was fetched, even when the caller has left
)

// authorized makes a business call: a POST with the app's credential in the query. It is made once more after a moment
// when WeChat says it is overloaded, and once more with another credential when WeChat refuses the first.
func (c *Client) authorized(ctx context.Context, path string, body, reply any) error {
	var rejected Secret
	var err error
	for range 2 {
		var credential Credential
		if credential, err = c.timelyCredential(ctx, rejected); err != nil {
			return err
		}
		query := url.Values{"access_token": {string(credential.Value)}}
		err = repeat(ctx, 1, overloaded, func() error { return c.timelyCall(ctx, path, query, body, reply) })
		if !refusesCredential(err) {
			return err
		}
		rejected = credential.Value
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		e.class, e.Message = ErrUnavailable, "WeChat refuses the credential it has just given; another program may be replacing it"
	}
	return err
}

// timelyCredential and timelyCall have each the whole Timeout: a slow credential must not cost the code that waits for it,
// which is spent when its call breaks off.
func (c *Client) timelyCredential(ctx context.Context, rejected Secret) (Credential, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	return c.credential(ctx, rejected)
}

func (c *Client) timelyCall(ctx context.Context, path string, query url.Values, body, reply any) error {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	return c.call(ctx, http.MethodPost, path, query, body, reply)
}

// refusesCredential reports whether a business call failed for want of a valid credential.
// (developers.weixin.qq.com/doc/oplatform/developers/errCode)
func refusesCredential(err error) bool {
	return errors.Is(err, &Error{Code: 40001}) || errors.Is(err, &Error{Code: 40014}) || errors.Is(err, &Error{Code: 42001})
}

// overloaded reports whether WeChat answered that it is. After such an answer a phone code is worth a second try, at
// worst it turns out spent; after no answer it most likely is.
func overloaded(err error) bool { return errors.Is(err, &Error{Code: -1}) }

// mayAnswerYet reports whether a call that can be repeated freely failed in a way worth that.
func mayAnswerYet(err error) bool {
	var e *Error
	return errors.Is(err, ErrUnavailable) && errors.As(err, &e) && e.RetryAfter == 0
}

// repeat calls do, and while it fails in a way worth that, up to retries times more, each after a longer pause, and a
// random one, so that callers who failed together do not come back together.
func repeat(ctx context.Context, retries int, worth func(error) bool, do func() error) error {
	policy := retrypolicy.NewBuilder[any]().
		HandleIf(func(_ any, err error) bool { return err != nil && worth(err) }).
		WithMaxRetries(retries).
		WithBackoff(200*time.Millisecond, time.Second).
		WithJitterFactor(0.5).
		Build()
	var last error // the library's own would be that of ctx, where do tells more
	_ = failsafe.With(policy).WithContext(ctx).Run(func() error { last = do(); return last })
	return last
}

// pause waits for d and reports whether ctx lasted as long.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// flight is a journey for a credential, on which one goes and others wait.
type flight struct {
	landed chan struct{} // closed when err is set
	err    error
}

// credential returns a usable credential that is not the rejected one.
func (c *Client) credential(ctx context.Context, rejected Secret) (Credential, error) {
	for {
		c.mu.Lock()
		cached, f := c.cached, c.flight
		if cached.usable(c.Now()) && cached.Value != rejected {
			c.mu.Unlock()
			return cached, nil
		}
		if f == nil {
			f = &flight{landed: make(chan struct{})}
			c.flight = f
			c.mu.Unlock()
			return c.fly(ctx, f, rejected)
		}
		c.mu.Unlock()
		select {
		case <-f.landed:
		case <-ctx.Done():
			return Credential{}, noAnswer(ctx, credentialPath, ctx.Err())
		}
		// What WeChat told the one who went holds for those who waited. That one's patience does not.
		if f.err != nil && !errors.Is(f.err, context.Canceled) && !errors.Is(f.err, context.DeadlineExceeded) {
			return Credential{}, f.err
		}
	}
}

// fly goes for a credential on behalf of all who wait for f.
func (c *Client) fly(ctx context.Context, f *flight, rejected Secret) (got Credential, err error) {
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.cached, f.err = got, err; err != nil {
			c.cached = Credential{}
		}
		c.flight = nil
		close(f.landed)
	}()
	return c.refresh(ctx, rejected)
}

// refresh returns the stored credential, or one it fetches while no other instance does. Without a working store it
// fetches all the same: in normal mode WeChat gives every instance the same one, so nobody is harmed.
func (c *Client) refresh(ctx context.Context, rejected Secret) (Credential, error) {
	store, holder := c.store(), uuid.NewString()
	for {
		stored, err := store.Credential(ctx, c.AppID)
		if err == nil && stored.usable(c.Now()) && stored.Value != rejected {
			return stored, nil
		}
		var leased bool
		if err == nil {
			leased, err = store.LeaseCredential(ctx, c.AppID, holder, c.Now().Add(c.timeout()+leaseSlack))
		}
		switch {
		case ctx.Err() != nil:
			return Credential{}, noAnswer(ctx, credentialPath, ctx.Err())
		case err != nil:
			c.log().WarnContext(ctx, "wechat: credential store failed; fetching without it", "error", err)
			return c.fetch(ctx, false)
		case leased:
			return c.renew(ctx, store, holder, rejected)
		case !pause(ctx, leasePoll):
			return Credential{}, noAnswer(ctx, credentialPath, ctx.Err())
		}
	}
}

// renew replaces the stored credential under a lease, and ends the lease whatever comes of it.
func (c *Client) renew(ctx context.Context, store CredentialStore, holder string, rejected Secret) (Credential, error) {
	got, err := store.Credential(ctx, c.AppID) // again: it may have come between the last look and the lease
	if err != nil {
		return c.fetch(ctx, false)
	}
	if !got.usable(c.Now()) || got.Value == rejected {
		got, err = c.fetchOther(ctx, got, rejected)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := store.StoreCredential(ctx, c.AppID, holder, got); err != nil {
		c.log().WarnContext(ctx, "wechat: credential not stored", "error", err)
	}
	return got, err
}

// fetchOther fetches a credential that is not the rejected one, by force if WeChat gives that one again. What it
// returns is to be stored even when it fails: the old one, with the attempt at force counted.
func (c *Client) fetchOther(ctx context.Context, old Credential, rejected Secret) (Credential, error) {
	got, err := c.fetch(ctx, false)
	if err == nil && got.Value == rejected {
		var granted bool
		if old, granted = old.force(c.Now()); !granted {
			return old, unavailable(credentialPath, "WeChat gives the credential it refuses, and it is too soon to replace it by force")
		}
		c.log().WarnContext(ctx, "wechat: replacing the credential by force", "appid", c.AppID, "today", old.Forced)
		got, err = c.fetch(ctx, true)
	}
	if err != nil {
		return old, err
	}
	if got.Value == rejected {
		return old, unavailable(credentialPath, "WeChat gives the credential it refuses, even by force")
	}
	got.ForcedAt, got.Forced = old.ForcedAt, old.Forced
	return got, nil
}

// fetch asks WeChat for the app's credential: for the one it has, or, by force, for a new one that ends the old at once.
// It may be repeated freely, unlike an exchange of a code, and is, twice.
// (developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken)
func (c *Client) fetch(ctx context.Context, force bool) (Credential, error) {
	body := struct {
		GrantType    string `json:"grant_type"`
		AppID        string `json:"appid"`
		Secret       string `json:"secret"`
		ForceRefresh bool   `json:"force_refresh"`
	}{"client_credential", c.AppID, c.Secret, force}
	var reply struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"` // seconds
	}
	asked := c.Now()
	err := repeat(ctx, 2, mayAnswerYet, func() error { return c.call(ctx, http.MethodPost, credentialPath, nil, body, &reply) })
	if err != nil {
		return Credential{}, err
	}
	if reply.AccessToken == "" {
		return Credential{}, unavailable(credentialPath, "the reply has no credential")
	}
	life := time.Duration(min(max(reply.ExpiresIn, 0), int64(credentialLife/time.Second))) * time.Second
	life = max(life-credentialMargin, life/2, time.Second) // never none at all: WeChat's remainder may be short
	return Credential{Value: Secret(reply.AccessToken), ExpiresAt: asked.Add(life)}, nil
}
