package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// success begins the reply of every endpoint under /wxa that did what was asked.
type success struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
}

// checkSession plays GET /wxa/checksession: whether the caller holds the user's current session key.
func (s *Server) checkSession(appID string, in call) (any, error) {
	if _, err := s.provenUser(appID, in); err != nil {
		return nil, err
	}
	return success{0, "ok"}, nil
}

// resetSession plays GET /wxa/resetusersessionkey: a new key, and the old one is dead at once.
func (s *Server) resetSession(appID string, in call) (any, error) {
	u, err := s.provenUser(appID, in)
	if err != nil {
		return nil, err
	}
	u.renewKey(s.Now())
	return struct {
		success
		OpenID     string `json:"openid"`
		SessionKey string `json:"session_key"`
	}{success{0, "ok"}, u.openID, u.key}, nil
}

// provenUser returns the user whose current key signed the call.
func (s *Server) provenUser(appID string, in call) (*user, error) {
	u, known := s.state.users.get(appID + "/" + in.query.Get("openid"))
	switch {
	case !known:
		return nil, refuse(40003)
	case in.query.Get("sig_method") != "hmac_sha256":
		return nil, refuse(87008)
	case !hmac.Equal([]byte(in.query.Get("signature")), []byte(sign("", u.key))):
		return nil, refuse(87009)
	}
	return u, nil
}

// sign proves possession of a session key. The HMAC key is the text as received, not decoded.
// (developers.weixin.qq.com/minigame/en/dev/tutorial/open-ability/http-signature.html)
func sign(message, sessionKey string) string {
	mac := hmac.New(sha256.New, []byte(sessionKey))
	mac.Write([]byte(message))
	return hex.EncodeToString(mac.Sum(nil))
}
