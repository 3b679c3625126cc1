package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

var (
	errToken   = errors.New("not a token of ours")
	errExpired = errors.New("the token has expired")
)

// claims are those of wxpass's tokens, in its order.
type claims struct {
	Issuer    string `json:"iss"`
	UserID    string `json:"sub"`
	ExpiresAt int64  `json:"exp"`
	IssuedAt  int64  `json:"iat"`
	SessionID string `json:"sid"`
	AppID     string `json:"aud"`
}

// signer makes and verifies wxpass's tokens, HS256 under one key.
type signer struct {
	secret []byte
	header string // the one header there is, encoded
	appID  string
}

func newSigner(k key, appID string) *signer {
	return &signer{k.secret, base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","kid":"` + k.id + `","typ":"JWT"}`)), appID}
}

func (s *signer) sign(userID, sessionID uuid, issued, expires time.Time) (string, error) {
	payload, err := json.Marshal(claims{"wxpass", formatUUID(userID), expires.Unix(), issued.Unix(), formatUUID(sessionID), s.appID})
	text := s.header + "." + base64.RawURLEncoding.EncodeToString(payload)
	return text + "." + base64.RawURLEncoding.EncodeToString(s.mac(text)), err
}

func (s *signer) mac(text string) []byte {
	h := hmac.New(sha256.New, s.secret)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// verify returns the ids a token is about. It fails with errExpired or errToken.
func (s *signer) verify(token string, now time.Time) (userID, sessionID uuid, err error) {
	end := strings.LastIndexByte(token, '.')
	if end <= len(s.header) || token[:len(s.header)] != s.header || token[len(s.header)] != '.' {
		return userID, sessionID, errToken
	}
	signature, err := base64.RawURLEncoding.DecodeString(token[end+1:])
	if err != nil || subtle.ConstantTimeCompare(signature, s.mac(token[:end])) != 1 {
		return userID, sessionID, errToken
	}
	payload, err := base64.RawURLEncoding.DecodeString(token[len(s.header)+1 : end])
	if err != nil {
		return userID, sessionID, errToken
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil || c.Issuer != "wxpass" || c.AppID != s.appID || c.IssuedAt > now.Add(time.Minute).Unix() {
		return userID, sessionID, errToken
	}
	if c.ExpiresAt <= now.Unix() {
		return userID, sessionID, errExpired
	}
	userID, userErr := parseUUID(c.UserID)
	sessionID, sessionErr := parseUUID(c.SessionID)
	if userErr != nil || sessionErr != nil {
		return userID, sessionID, errToken
	}
	return userID, sessionID, nil
}
