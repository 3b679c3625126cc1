package auth

import (
	"context"
	"errors"
	"time"

	"wxpass/db"
	"wxpass/keyring"
	"wxpass/wechat"
)

// Credentials keeps WeChat's credentials in the database, sealed, for all instances. It is a wechat.CredentialStore.
type Credentials struct {
	Store *db.Store
	Keys  keyring.Ring // seals them
}

// Credential returns what is stored for the app. One sealed under a key that was dropped is as good as none.
func (c *Credentials) Credential(ctx context.Context, appID string) (wechat.Credential, error) {
	row, err := c.Store.Credential(ctx, appID)
	if errors.Is(err, db.ErrNotFound) {
		return wechat.Credential{}, nil
	}
	if err != nil {
		return wechat.Credential{}, err
	}
	found := wechat.Credential{ForcedAt: row.ForcedAt, Forced: row.Forced}
	if row.Sealed == nil {
		return found, nil
	}
	value, err := c.Keys.Open(row.Sealed, credentialContext(appID))
	switch {
	case errors.Is(err, keyring.ErrUnknownKey):
		return found, nil
	case err != nil:
		return wechat.Credential{}, err
	}
	found.Value, found.ExpiresAt = wechat.Secret(value), row.ExpiresAt
	return found, nil
}

// LeaseCredential lets holder alone fetch the app's credential until then, and reports whether it does.
func (c *Credentials) LeaseCredential(ctx context.Context, appID, holder string, until time.Time) (bool, error) {
	return c.Store.LeaseCredential(ctx, appID, holder, until)
}

// StoreCredential stores a credential and ends holder's lease; wechat.ErrLeaseLost when holder has none.
func (c *Credentials) StoreCredential(ctx context.Context, appID, holder string, credential wechat.Credential) error {
	sealed, err := c.Keys.Seal([]byte(credential.Value), credentialContext(appID))
	if err != nil {
		return err
	}
	stored, err := c.Store.StoreCredential(ctx, holder, &db.Credential{
		AppID: appID, Sealed: sealed, ExpiresAt: credential.ExpiresAt, ForcedAt: credential.ForcedAt, Forced: credential.Forced,
	})
	if err == nil && !stored {
		err = wechat.ErrLeaseLost
	}
	return err
}

func credentialContext(appID string) string { return "wechat-credential/" + appID }
