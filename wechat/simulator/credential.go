package simulator

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

const (
	credentialLife    = 2 * time.Hour
	credentialOverlap = 5 * time.Minute // how long the credential before is good beside the new one
	forceEvery        = 30 * time.Second
	forcePerDay       = 20
)

// credential is an access_token that was handed out.
type credential struct {
	value     string
	appID     string
	expiresAt time.Time // from then on 42001
	endsAt    time.Time // from then on 40001, when it was replaced or killed; else zero
}

// issued is what an app has. The two endpoints keep apart: neither touches the other's credential.
// (developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken)
type issued struct {
	classic, stable *credential
	forcedAt        time.Time
	forced          int // on the day of forcedAt
}

// granted is the reply of both endpoints.
type granted struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
}

// classicCredential plays GET /cgi-bin/token: every call makes a new one, which soon ends the one before.
func (s *Server) classicCredential(in call) (any, error) {
	app, err := s.authenticate(in.query.Get("appid"), in.query.Get("secret"))
	if err != nil {
		return nil, err
	}
	if in.query.Get("grant_type") != "client_credential" {
		return nil, refuse(40002)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	has := s.issued(app.ID)
	if old := has.classic; old != nil {
		old.endsAt = s.Now().Add(credentialOverlap)
	}
	has.classic = s.issue(app.ID)
	return s.grant(has.classic), nil
}

// stableCredential plays POST /cgi-bin/stable_token: the same one with less and less time left, and a new one beside it
// for the last five minutes; a new one at once, and the old one dead, by force.
func (s *Server) stableCredential(in call) (any, error) {
	var body struct {
		GrantType    string `json:"grant_type"`
		AppID        string `json:"appid"`
		Secret       string `json:"secret"`
		ForceRefresh bool   `json:"force_refresh"`
	}
	if err := in.decode(&body); err != nil {
		return nil, err
	}
	app, err := s.authenticate(body.AppID, body.Secret)
	if err != nil {
		return nil, err
	}
	if body.GrantType != "client_credential" {
		return nil, refuse(40002)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	has := s.issued(app.ID)
	old := has.stable
	if body.ForceRefresh && s.Now().Sub(has.forcedAt) >= forceEvery { // a faster call just does not refresh
		if !sameDay(s.Now(), has.forcedAt) {
			has.forced = 0
		}
		if has.forced++; has.forced > forcePerDay {
			return nil, refuse(45009)
		}
		has.forcedAt = s.Now()
		if old != nil {
			old.endsAt = s.Now()
		}
	}
	if old == nil || s.ended(old) || old.expiresAt.Sub(s.Now()) <= credentialOverlap {
		has.stable = s.issue(app.ID)
	}
	return s.grant(has.stable), nil
}

// sameDay reports whether two times are on one day in Shanghai.
func sameDay(a, b time.Time) bool {
	zone := time.FixedZone("CST", 8*60*60)
	return a.In(zone).Format(time.DateOnly) == b.In(zone).Format(time.DateOnly)
}

// KillCredential ends all credentials of an app at once, as a reset of its secret does. Calls with them answer 40001.
func (s *Server) KillCredential(appID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	has := s.issued(appID)
	for _, c := range []*credential{has.classic, has.stable} {
		if c != nil {
			c.endsAt = s.Now()
		}
	}
}

func (s *Server) issued(appID string) *issued {
	if s.state.issued == nil {
		s.state.issued = map[string]*issued{}
	}
	if s.state.issued[appID] == nil {
		s.state.issued[appID] = &issued{}
	}
	return s.state.issued[appID]
}

func (s *Server) issue(appID string) *credential {
	c := &credential{
		value:     "98_" + strings.Repeat(rand.Text(), 5), // about as long as WeChat's
		appID:     appID,
		expiresAt: s.Now().Add(credentialLife),
	}
	s.state.credentials.put(c.value, c, func(c *credential) bool { return s.Now().After(c.expiresAt.Add(credentialLife)) })
	return c
}

func (s *Server) grant(c *credential) granted {
	return granted{c.value, int(c.expiresAt.Sub(s.Now()) / time.Second)}
}

// ended reports whether c was replaced or killed.
func (s *Server) ended(c *credential) bool { return !c.endsAt.IsZero() && !s.Now().Before(c.endsAt) }

// business lets a call with a good credential through to answer, for the app of the credential.
func (s *Server) business(answer func(appID string, in call) (any, error)) func(call) (any, error) {
	return func(in call) (any, error) {
		value := in.query.Get("access_token")
		if value == "" {
			return nil, refuse(41001)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		c, ok := s.state.credentials.get(value)
		switch {
		case !ok || s.ended(c):
			return nil, refuse(40001)
		case !s.Now().Before(c.expiresAt):
			return nil, refuse(42001)
		}
		return answer(c.appID, in)
	}
}

// decode reads the JSON body of a POST.
func (in call) decode(v any) error {
	switch {
	case in.method != http.MethodPost:
		return refuse(43002)
	case len(in.body) == 0:
		return refuse(44002)
	case json.Unmarshal(in.body, v) != nil:
		return refuse(47001)
	}
	return nil
}
