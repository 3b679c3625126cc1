package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"wxpass/db"
	"wxpass/keyring"
	"wxpass/wechat"
)

var (
	// ErrSessionKeyExpired says that encrypted data does not open with the keys on file: the client has to log in, and
	// only then let the user tap again.
	ErrSessionKeyExpired = errors.New("auth: encrypted data does not open with the session key on file")
	// ErrEncryptedDataInvalid says that encrypted data opens but is another app's, another user's, stale, or not what
	// was asked for.
	ErrEncryptedDataInvalid = errors.New("auth: encrypted data is not acceptable")
)

const (
	previousKeyLife = 10 * time.Minute // after a new key came, for taps made before it
	maxDataAge      = 10 * time.Minute // from WeChat's watermark
)

// EncryptedData is what WeChat encrypts for the server under the user's session key.
type EncryptedData struct {
	EncryptedData string  // base64
	IV            string  // base64
	RawData       *string // what the client was shown of it
	Signature     *string // over RawData, hex
}

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

// open decrypts data that p sent, under the session key WeChat gave last or the one before it. Whatever is wrong, a
// damaged text or another's key, the failure is the same ErrSessionKeyExpired.
func (s *Service) open(ctx context.Context, p *Principal, data EncryptedData) (plaintext []byte, openID string, err error) {
	if (data.RawData == nil) != (data.Signature == nil) {
		return nil, "", &InputError{Field: "input.encrypted.signature", Message: "rawData and signature belong together."}
	}
	row, err := s.Store.SessionKey(ctx, p.User.ID, p.Session.AppID)
	if errors.Is(err, db.ErrNotFound) {
		return nil, "", ErrSessionKeyExpired
	}
	if err != nil {
		return nil, "", err
	}
	candidates := [][]byte{row.Sealed}
	if row.PreviousSealed != nil && s.Now().Before(row.ReplacedAt.Add(previousKeyLife)) {
		candidates = append(candidates, row.PreviousSealed)
	}
	for _, sealed := range candidates {
		key, err := s.DataKeys.Open(sealed, sessionKeyContext(p.User.ID, p.Session.AppID))
		if errors.Is(err, keyring.ErrUnknownKey) { // sealed under a key that was dropped: the next login brings another
			continue
		}
		if err != nil {
			return nil, "", fmt.Errorf("auth: session key: %w", err)
		}
		plaintext, err := wechat.Decrypt(string(key), data.EncryptedData, data.IV)
		if err != nil {
			continue
		}
		if data.RawData != nil && !wechat.VerifySignature(*data.RawData, string(key), *data.Signature) {
			return nil, "", fmt.Errorf("%w: signature", ErrEncryptedDataInvalid)
		}
		return plaintext, row.OpenID, nil
	}
	return nil, "", ErrSessionKeyExpired
}

// checkWatermark refuses data made for another app or too long ago.
func (s *Service) checkWatermark(p *Principal, w wechat.Watermark) error {
	if err := w.Check(p.Session.AppID, s.Now(), maxDataAge); err != nil {
		return fmt.Errorf("%w: %w", ErrEncryptedDataInvalid, err)
	}
	return nil
}
