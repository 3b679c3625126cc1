// Package wechat calls the WeChat server API for one Mini Program, and opens what WeChat encrypted for it. It knows
// WeChat and nothing of the program that uses it.
//
// Every failed call matches exactly one of ErrCodeInvalid, ErrBlocked, ErrBusy, ErrMisconfigured and ErrUnavailable,
// except one its caller cancelled, which matches context.Canceled and none of them. No error and no log line holds an
// app secret, a code, a session key, a credential, an openid or a URL.
package wechat

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	defaultBaseURL = "https://api.weixin.qq.com"
	defaultTimeout = 4 * time.Second
	maxReply       = 64 << 10 // bytes; the replies read here are some hundred
	maxCode        = 512      // bytes; login codes have 32 and phone codes 64
	keySize        = 16       // bytes of a session key, an AES-128 key
)

// Client calls the WeChat server API as one app. It is safe for concurrent use and must not be copied.
type Client struct {
	AppID, Secret string

	// BaseURL is a scheme and host, and a path prefix if need be (http://127.0.0.1:8080/simulator); defaults to
	// WeChat's.
	BaseURL string
	// HTTP defaults to a client over NewTransport. One given here should be built on NewTransport too, for the reason
	// told there. Redirects are not followed in either case: a redirect would carry the secret elsewhere.
	HTTP *http.Client
	// Timeout bounds each request to WeChat; defaults to 4 s. A call that needs a credential may take two of it, and more
	// when WeChat wants it repeated.
	Timeout time.Duration
	// MaxInFlight bounds the requests to each endpoint that are under way at once; defaults to 128. One more fails at
	// once, with Error.NotSent, as all do while the endpoint rests.
	MaxInFlight int
	// Rest is how long an endpoint is left alone when half of at least ten requests within ten seconds got no usable
	// answer; then one is tried. Defaults to 3 s.
	Rest time.Duration
	// Credentials shares the app's credential with other instances; defaults to memory of this Client's own.
	Credentials CredentialStore
	Log         *slog.Logger     // what an operator should know although the call goes on; defaults to none
	Now         func() time.Time // required for everything but Code2Session

	once       sync.Once // makes, at the first need, what is behind it
	noRedirect *http.Client
	memory     MemoryCredentials

	mu        sync.Mutex
	cached    Credential // the one last got
	flight    *flight    // how the next one is being got; nil when it is not
	endpoints map[string]*endpoint
}

// NewTransport returns a transport fit for a Client. It opens a connection for every request: on a reused one that
// turns out dead, net/http sends an idempotent request again by itself, and a login code that is sent twice is lost
// (GH binarywang/WxJava#1323).
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: defaultTimeout}).DialContext,
		DisableKeepAlives:   true,
		TLSHandshakeTimeout: defaultTimeout,
	}
}

// Session is what WeChat tells of the user who made a login code.
type Session struct {
	OpenID     string // the user, within this app
	UnionID    string // the user, in all apps of the same Open Platform account; empty when the app has none
	SessionKey Secret // base64 of 16 bytes; it never leaves the server
}

// LogValue logs whether there is a unionid and nothing else: an openid is personal data.
func (s Session) LogValue() slog.Value {
	return slog.GroupValue(slog.Bool("unionid", s.UnionID != ""))
}

// Code2Session trades a login code, what wx.login hands out, for the session of the user who made it. A code lives five
// minutes and is spent by its first use. It is spent, too, by a call that timed out or broke off, so after an error
// the user needs a new one and the same code is never sent again.
// (developers.weixin.qq.com/miniprogram/dev/server/API/user-login/api_code2session)
func (c *Client) Code2Session(ctx context.Context, code string) (*Session, error) {
	const path = "/sns/jscode2session"
	if err := checkCode(path, code); err != nil {
		return nil, err
	}
	query := url.Values{
		"appid":      {c.AppID},
		"secret":     {c.Secret},
		"js_code":    {code},
		"grant_type": {"authorization_code"},
	}
	var reply struct {
		OpenID     string `json:"openid"`
		UnionID    string `json:"unionid"`
		SessionKey string `json:"session_key"`
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	if err := c.call(ctx, http.MethodGet, path, query, nil, &reply); err != nil {
		return nil, err
	}
	if reply.OpenID == "" {
		return nil, unavailable(path, "the reply has no openid")
	}
	key, err := base64.StdEncoding.Strict().DecodeString(reply.SessionKey)
	if err != nil || len(key) != keySize {
		return nil, unavailable(path, "the reply has no usable session_key")
	}
	return &Session{OpenID: reply.OpenID, UnionID: reply.UnionID, SessionKey: Secret(reply.SessionKey)}, nil
}

// checkCode refuses, in WeChat's stead, what cannot be a code: nothing at all, too long for a request line, or
// anything but printable ASCII. Text of that kind comes from attackers (GH binarywang/WxJava#2410), and odd replies to
// it must not look like an outage.
func checkCode(path, code string) error {
	if code == "" {
		return newError(path, 41008, "")
	}
	if len(code) > maxCode {
		return newError(path, 40029, "")
	}
	for _, b := range []byte(code) {
		if b < ' ' || b > '~' {
			return newError(path, 40029, "")
		}
	}
	return nil
}

// deadline gives a call its own deadline. The caller's, if it is earlier, stands.
func (c *Client) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.timeout())
}

func (c *Client) timeout() time.Duration { return cmp.Or(c.Timeout, defaultTimeout) }

// init makes what the first call needs.
func (c *Client) init() {
	client := http.Client{Transport: NewTransport()}
	if c.HTTP != nil {
		client = *c.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.noRedirect = &client
	c.memory.Now = c.Now
}

// client returns the HTTP client to use, which follows no redirect.
func (c *Client) client() *http.Client {
	c.once.Do(c.init)
	return c.noRedirect
}

func (c *Client) store() CredentialStore {
	c.once.Do(c.init)
	if c.Credentials == nil {
		return &c.memory
	}
	return c.Credentials
}

func (c *Client) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

// Format prints the app's id whatever the verb, so that no %+v shows the secret.
func (c *Client) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "wechat.Client(%s)", c.AppID) }

// MarshalText is the app's id, so that neither encoding/json nor slog shows the secret.
func (c *Client) MarshalText() ([]byte, error) { return []byte(c.AppID), nil }
