package auth

import (
	"fmt"

	"github.com/google/uuid"

	"wxpass/db"
)

// sealSessionKey makes WeChat's session key fit to be stored: readable by this program alone, for this user and app
// alone. The fingerprint tells a key given again from a new one.
func (s *Service) sealSessionKey(userID uuid.UUID, wx *exchanged) (*db.SessionKey, error) {
	secret := []byte(wx.SessionKey)
	sealed, err := s.DataKeys.Seal(secret, sessionKeyContext(userID, wx.appID))
	if err != nil {
		return nil, fmt.Errorf("auth: seal session key: %w", err)
	}
	fingerprint, err := s.DataKeys.MAC("session-key", secret)
	if err != nil {
		return nil, fmt.Errorf("auth: seal session key: %w", err)
	}
	return &db.SessionKey{UserID: userID, AppID: wx.appID, OpenID: wx.OpenID, Sealed: sealed, Fingerprint: fingerprint, ExchangedAt: wx.at}, nil
}

func sessionKeyContext(userID uuid.UUID, appID string) string {
	return "session-key/" + userID.String() + "/" + appID
}
