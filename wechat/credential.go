package wechat

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Credential is an app's permission to call the API, which WeChat names access_token.
type Credential struct {
	Value     Secret
	ExpiresAt time.Time // some time before WeChat's own, so that a call under way does not outlive it

	// WeChat allows a credential to be replaced by force 20 times a day, 30 seconds apart. The count is kept here,
	// because all instances share it.
	ForcedAt time.Time // the last time; zero when there was none
	Forced   int       // how often on the day of ForcedAt, in Shanghai
}

// usable reports whether c can be called with at the time now.
func (c Credential) usable(now time.Time) bool { return c.Value != "" && now.Before(c.ExpiresAt) }

const (
	forceEvery  = 30 * time.Second
	forcePerDay = 20
)

// shanghai is where WeChat's day begins. China has no summer time.
func shanghai(t time.Time) (year int, month time.Month, day int) {
	return t.In(time.FixedZone("CST", 8*60*60)).Date()
}

// force returns c with one more replacement by force counted, and false when WeChat would not grant it at the time now.
// (developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken)
func (c Credential) force(now time.Time) (Credential, bool) {
	if now.Sub(c.ForcedAt) < forceEvery {
		return c, false
	}
	y, m, d := shanghai(now)
	if ly, lm, ld := shanghai(c.ForcedAt); ly != y || lm != m || ld != d {
		c.Forced = 0
	}
	if c.Forced >= forcePerDay {
		return c, false
	}
	c.Forced++
	c.ForcedAt = now
	return c, true
}

// Check finds out whether WeChat takes the app's id and secret and this server's address, by getting the credential unless
// one is at hand; nil says that it does.
func (c *Client) Check(ctx context.Context) error {
	_, err := c.timelyCredential(ctx, "")
	return err
}

// ErrLeaseLost says that a credential was not stored, because another holder has the lease by now.
var ErrLeaseLost = errors.New("wechat: credential lease lost")

// CredentialStore keeps credentials where every instance of the program finds them, and lets one instance at a time
// fetch a new one. MemoryCredentials serves the clients of one process.
type CredentialStore interface {
	// Credential returns what is stored for the app, usable or not; the zero Credential when nothing is.
	Credential(ctx context.Context, appID string) (Credential, error)
	// LeaseCredential lets holder alone fetch the app's credential until then, and reports whether it does: not while
	// somebody else's lease runs.
	LeaseCredential(ctx context.Context, appID, holder string, until time.Time) (bool, error)
	// StoreCredential stores c and ends holder's lease. When holder has none any more, because it ran out and another
	// took it, it changes nothing and fails with ErrLeaseLost.
	StoreCredential(ctx context.Context, appID, holder string, c Credential) error
}

// MemoryCredentials is a CredentialStore for the clients of one process. It is safe for concurrent use and must not be
// copied.
type MemoryCredentials struct {
	Now func() time.Time // required

	mu   sync.Mutex
	apps map[string]*leased
}

// leased is an app's credential and who may replace it.
type leased struct {
	credential Credential
	holder     string // empty when there is no lease
	until      time.Time
}

// app returns the entry of an app. The caller holds the lock.
func (m *MemoryCredentials) app(appID string) *leased {
	if m.apps == nil {
		m.apps = map[string]*leased{}
	}
	if m.apps[appID] == nil {
		m.apps[appID] = &leased{}
	}
	return m.apps[appID]
}

// Credential implements CredentialStore.
func (m *MemoryCredentials) Credential(_ context.Context, appID string) (Credential, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.app(appID).credential, nil
}

// LeaseCredential implements CredentialStore.
func (m *MemoryCredentials) LeaseCredential(_ context.Context, appID, holder string, until time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	app := m.app(appID)
	if app.holder != "" && app.holder != holder && m.Now().Before(app.until) {
		return false, nil
	}
	app.holder, app.until = holder, until
	return true, nil
}

// StoreCredential implements CredentialStore.
func (m *MemoryCredentials) StoreCredential(_ context.Context, appID, holder string, c Credential) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	app := m.app(appID)
	if app.holder != holder {
		return ErrLeaseLost
	}
	*app = leased{credential: c}
	return nil
}
