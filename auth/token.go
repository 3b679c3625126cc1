package auth

import (
	"errors"
	"fmt"
	"slices"
	"sync"
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

	once     sync.Once
	parser   *jwt.Parser // made by once
	verified verified
}

// jwtClaims is the form on the wire: one app in place of the library's list, and times as numbers alone, for which the
// library takes texts too. It implements jwt.Claims.
type jwtClaims struct {
	Issuer    string    `json:"iss,omitempty"`
	Subject   string    `json:"sub,omitempty"`
	SessionID uuid.UUID `json:"sid"`
	AppID     string    `json:"aud"`
	IssuedAt  *float64  `json:"iat,omitempty"` // seconds since 1970, as all three
	NotBefore *float64  `json:"nbf,omitempty"`
	ExpiresAt *float64  `json:"exp,omitempty"`
}

func (c *jwtClaims) GetIssuer() (string, error)              { return c.Issuer, nil }
func (c *jwtClaims) GetSubject() (string, error)             { return c.Subject, nil }
func (c *jwtClaims) GetAudience() (jwt.ClaimStrings, error)  { return jwt.ClaimStrings{c.AppID}, nil }
func (c *jwtClaims) GetIssuedAt() (*jwt.NumericDate, error)  { return numericDate(c.IssuedAt), nil }
func (c *jwtClaims) GetNotBefore() (*jwt.NumericDate, error) { return numericDate(c.NotBefore), nil }
func (c *jwtClaims) GetExpirationTime() (*jwt.NumericDate, error) {
	return numericDate(c.ExpiresAt), nil
}

func numericDate(seconds *float64) *jwt.NumericDate {
	if seconds == nil {
		return nil
	}
	return &jwt.NumericDate{Time: time.Unix(int64(*seconds), 0)}
}

// Issue returns a signed token.
func (i *Issuer) Issue(c Claims) (string, error) {
	if len(i.Keys) == 0 {
		return "", fmt.Errorf("auth: issue token: %w", keyring.ErrUnknownKey)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, &jwtClaims{
		Issuer:    issuer,
		Subject:   c.UserID.String(),
		SessionID: c.SessionID,
		AppID:     c.AppID,
		IssuedAt:  new(float64(c.IssuedAt.Unix())),
		ExpiresAt: new(float64(c.ExpiresAt.Unix())),
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
	i.once.Do(i.makeParser)
	var claims jwtClaims
	parsed, err := i.parser.ParseWithClaims(token, &claims, i.key)
	if err != nil && !onlyExpired(err) {
		return nil, &UnauthenticatedError{ReasonInvalid}
	}
	c, ok := i.check(&claims)
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

func (i *Issuer) makeParser() {
	i.parser = jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(i.Now),
		jwt.WithIssuer(issuer),
		jwt.WithExpirationRequired(),
	)
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
func (i *Issuer) check(c *jwtClaims) (*Claims, bool) {
	userID, err := uuid.Parse(c.Subject)
	if err != nil || c.SessionID == uuid.Nil || c.IssuedAt == nil || c.ExpiresAt == nil {
		return nil, false
	}
	claims := &Claims{UserID: userID, SessionID: c.SessionID, AppID: c.AppID, IssuedAt: numericDate(c.IssuedAt).Time, ExpiresAt: numericDate(c.ExpiresAt).Time}
	return claims, i.serves(claims)
}

// serves reports whether c is for an app served here, and was issued by now.
func (i *Issuer) serves(c *Claims) bool {
	return !c.IssuedAt.After(i.Now().Add(clockSkew)) && slices.Contains(i.Apps, c.AppID)
}
