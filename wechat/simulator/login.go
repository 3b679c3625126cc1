package simulator

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"regexp"
	"strings"
	"time"
)

const (
	codeLife = 5 * time.Minute // of a login or phone code (DOC/miniprogram/dev/api/open-api/login/wx.login)
	keyLife  = time.Minute     // the least time between two session keys under RotateSeldom
)

// User is somebody who uses an app.
type User struct {
	OpenID  string
	UnionID string // may be empty; once told it is remembered
	AppID   string // defaults to the default app
}

// user is what WeChat knows of an openid in an app.
type user struct {
	openID, unionID  string
	key, previousKey string // base64 of 16 bytes
	keyAt            time.Time
	seenAt           time.Time // the last login
}

// loginCode is a code that was handed out. It yields the session key that came with it, even when a later login has
// made that one useless by then.
type loginCode struct {
	appID, key string
	user       *user
	madeAt     time.Time
	used       bool
}

// Login returns a login code of openid for the default app, as wx.login gives the Mini Program.
func (s *Server) Login(openid string) string { return s.LoginAs(User{OpenID: openid}) }

// LoginAs returns a login code of u. For an app that the simulator does not know, nobody can trade it.
func (s *Server) LoginAs(u User) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, ok := s.app(u.AppID)
	if !ok {
		app.ID = u.AppID
	}
	who := s.login(app.ID, u.OpenID, u.UnionID)
	code := (rand.Text() + rand.Text())[:32]
	made := &loginCode{appID: app.ID, key: who.key, user: who, madeAt: s.Now()}
	s.state.loginCodes.put(code, made, func(c *loginCode) bool { return s.expired(c.madeAt) })
	return code
}

// SessionKey returns the current session key of a user, empty for somebody who never logged in.
func (s *Server) SessionKey(appID, openid string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, ok := s.state.users.get(appID + "/" + openid); ok {
		return u.key
	}
	return ""
}

// login remembers the user and gives them a new session key if one is due.
func (s *Server) login(appID, openID, unionID string) *user {
	id := appID + "/" + openID
	u, ok := s.state.users.get(id)
	if !ok {
		u = &user{openID: openID}
		s.state.users.put(id, u, func(*user) bool { return false })
	}
	u.seenAt = s.Now()
	if unionID != "" {
		u.unionID = unionID
	}
	due := s.rotation() == RotateAlways || s.rotation() == RotateSeldom && s.Now().Sub(u.keyAt) >= keyLife
	if u.key == "" || due {
		u.renewKey(s.Now())
	}
	return u
}

func (u *user) renewKey(now time.Time) {
	key := make([]byte, 16)
	rand.Read(key)
	u.key, u.previousKey, u.keyAt = base64.StdEncoding.EncodeToString(key), u.key, now
}

func (s *Server) expired(madeAt time.Time) bool { return s.Now().Sub(madeAt) >= codeLife }

// session is a successful reply of jscode2session. It has no errcode, whatever WeChat's page says.
// (community 000e0401868440e9cbc72e95456000)
type session struct {
	SessionKey string `json:"session_key"`
	OpenID     string `json:"openid"`
	UnionID    string `json:"unionid,omitempty"`
}

// code2Session plays GET /sns/jscode2session. Parameters in a body are not seen. (CSDN LYT_XLS/116333475)
func (s *Server) code2Session(in call) (any, error) {
	app, err := s.authenticate(in.query.Get("appid"), in.query.Get("secret"))
	code := in.query.Get("js_code")
	switch {
	case err != nil:
		return nil, err
	case code == "":
		return nil, refuse(41008)
	case in.query.Get("grant_type") != "authorization_code":
		return nil, refuse(40002)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if name, ok := strings.CutPrefix(code, "sim-"); ok && namePattern.MatchString(name) {
		u := s.login(app.ID, openIDOf(app.ID, name), "")
		return session{SessionKey: u.key, OpenID: u.openID}, nil
	}
	c, ok := s.state.loginCodes.get(code)
	switch {
	case !ok, c.appID != app.ID, s.expired(c.madeAt):
		return nil, refuse(40029)
	case c.used:
		return nil, refuse(40163)
	}
	c.used = true
	reply := session{SessionKey: c.key, OpenID: c.user.openID}
	if !app.Unbound {
		reply.UnionID = c.user.unionID
	}
	return reply, nil
}

// authenticate finds the app that calls with its secret.
func (s *Server) authenticate(id, secret string) (App, error) {
	app, known := s.app(id)
	switch {
	case id == "":
		return App{}, refuse(41002)
	case secret == "":
		return App{}, refuse(41004)
	case !known:
		return App{}, refuse(40013)
	case secret != app.Secret:
		return App{}, refuse(40125)
	}
	return app, nil
}

// namePattern is the NAME of a code typed by hand, sim-NAME, which always logs in as NAME.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// openIDOf makes up the openid of NAME: the same every time, another in each app, and of the true shape.
func openIDOf(appID, name string) string {
	sum := sha256.Sum256([]byte(appID + "/" + name))
	return "o" + base64.RawURLEncoding.EncodeToString(sum[:])[:27]
}

func (s *Server) controlLoginCode(body io.Reader) (any, error) {
	var in struct{ OpenID, UnionID, AppID string }
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	if in.UnionID != "" && !idPattern.MatchString(in.UnionID) {
		return nil, errors.New(`"unionid" must be 1 to 64 letters, digits, "_" or "-"`)
	}
	if err := s.checkUser(in.AppID, in.OpenID); err != nil {
		return nil, err
	}
	return minted{s.LoginAs(User{OpenID: in.OpenID, UnionID: in.UnionID, AppID: in.AppID})}, nil
}
