package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"wxpass/keyring"
)

const (
	issuer       = "wxpass"
	maxTokenSize = 2048            // bytes; ours have some 350
	clockSkew    = 1 * time.Minute // by which another instance's clock may run ahead
)

// Claims are what a token says: whose request it is. Whether the session still stands is not for the token to say.
type Claims struct {
	UserID    uuid.UUID // sub
	SessionID uuid.UUID // sid
	AppID     string    // aud
	IssuedAt  time.Time // iat, whole seconds
	ExpiresAt time.Time // exp, whole seconds
}

// Issuer signs tokens and verifies them: JWTs (RFC 7519), HS256 alone, checked as RFC 8725 advises.
type Issuer struct {
	Keys keyring.Ring     // the first signs, all verify
	Apps []string         // the audiences served
	Now  func() time.Time // required

	verified verified
}

// jwtClaims is the form on the wire.
type jwtClaims struct {
	jwt.RegisteredClaims
	SessionID uuid.UUID `json:"sid"`
	AppID     string    `json:"aud"` // one app, in place of the library's list
}

// UnmarshalJSON takes the form on the wire, and times as numbers alone: the library takes texts for them too.
func (c *jwtClaims) UnmarshalJSON(data []byte) error {
	type plain jwtClaims
	var times struct {
		ExpiresAt float64 `json:"exp"`
		IssuedAt  float64 `json:"iat"`
		NotBefore float64 `json:"nbf"`
	}
	return errors.Join(json.Unmarshal(data, (*plain)(c)), json.Unmarshal(data, &times))
}

// Issue returns a signed token.
func (i *Issuer) Issue(c Claims) (string, error) {
	if len(i.Keys) == 0 {
		return "", fmt.Errorf("auth: issue token: %w", keyring.ErrUnknownKey)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwtClaims{
		SessionID: c.SessionID,
		AppID:     c.AppID,
		RegisteredClaims: jwt.RegisteredClaims{
			Subject:   c.UserID.String(),
			Issuer:    issuer,
			IssuedAt:  jwt.NewNumericDate(c.IssuedAt),
			ExpiresAt: jwt.NewNumericDate(c.ExpiresAt),
		},
	})
	token.Header["kid"] = i.Keys[0].ID
	signed, err := token.SignedString(i.Keys[0].Secret)
	if err != nil {
		return "", fmt.Errorf("auth: issue token: %w", err)
	}
	return signed, nil
}

// Verify returns what token claims if one of the keys signed it, for an app served here, and its time is now. Every
// failure is an UnauthenticatedError: EXPIRED when only its time has passed, else INVALID. The claims are shared, and not to
// be changed.
func (i *Issuer) Verify(token string) (*Claims, error) {
	if len(token) > maxTokenSize {
		return nil, &UnauthenticatedError{ReasonInvalid}
	}
	if c, ok := i.verified.find(token, i.Keys); ok {
		switch {
		case !i.serves(c):
			return nil, &UnauthenticatedError{ReasonInvalid}
		case !i.Now().Before(c.ExpiresAt):
			return nil, &UnauthenticatedError{ReasonExpired}
		}
		return c, nil
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(i.Now),
		jwt.WithIssuer(issuer),
		jwt.WithExpirationRequired(),
	)
	var claims jwtClaims
	parsed, err := parser.ParseWithClaims(token, &claims, i.key)
	if err != nil && !onlyExpired(err) {
		return nil, &UnauthenticatedError{ReasonInvalid}
	}
	c, ok := i.check(claims)
	switch {
	case !ok:
		return nil, &UnauthenticatedError{ReasonInvalid}
	case err != nil:
		return nil, &UnauthenticatedError{ReasonExpired}
	}
	kid, _ := parsed.Header["kid"].(string)
	i.verified.add(token, c, kid, i.Keys)
	return c, nil
}

// key finds the key a token's header names. A header that asks for anything but ours (jwk, jku, x5u, crit, another typ)
// is refused, whatever it says.
func (i *Issuer) key(token *jwt.Token) (any, error) {
	id, _ := token.Header["kid"].(string)
	key, ok := i.Keys.Find(id)
	if !ok || token.Header["typ"] != "JWT" || len(token.Header) != 3 {
		return nil, keyring.ErrUnknownKey
	}
	return key.Secret, nil
}

// onlyExpired reports whether err, from a token whose signature holds, complains of nothing but its end.
func onlyExpired(err error) bool {
	return errors.Is(err, jwt.ErrTokenExpired) && !errors.Is(err, jwt.ErrTokenInvalidIssuer) && !errors.Is(err, jwt.ErrTokenNotValidYet)
}

// check takes the claims that golang-jwt leaves to us.
func (i *Issuer) check(c jwtClaims) (*Claims, bool) {
	userID, err := uuid.Parse(c.Subject)
	if err != nil || c.SessionID == uuid.Nil || c.IssuedAt == nil || c.ExpiresAt == nil {
		return nil, false
	}
	claims := &Claims{UserID: userID, SessionID: c.SessionID, AppID: c.AppID, IssuedAt: c.IssuedAt.Time, ExpiresAt: c.ExpiresAt.Time}
	return claims, i.serves(claims)
}

// serves reports whether c is for an app served here, and was issued by now.
func (i *Issuer) serves(c *Claims) bool {
	return !c.IssuedAt.After(i.Now().Add(clockSkew)) && slices.Contains(i.Apps, c.AppID)
}
