package wechat

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// What a failed call means to the program. An *Error matches exactly one of them by errors.Is.
var (
	// ErrCodeInvalid says that the user must get a new login or phone code: this one is bad, used, expired or another
	// app's.
	ErrCodeInvalid = errors.New("wechat: code invalid")
	// ErrBlocked says that WeChat keeps this user from logging in. Another try does not help.
	ErrBlocked = errors.New("wechat: user blocked")
	// ErrBusy says that a quota of WeChat's is used up, for the minute or for the day.
	ErrBusy = errors.New("wechat: quota used up")
	// ErrMisconfigured says that WeChat refuses the app, not the user: its id, secret, address or rights. An operator
	// has to act; Error.Hint says how.
	ErrMisconfigured = errors.New("wechat: app misconfigured")
	// ErrUnavailable says that WeChat gave no usable answer: none, none in time, or one that makes no sense.
	ErrUnavailable = errors.New("wechat: unavailable")
)

// Error is a call that failed. Its text is safe to log: WeChat's own message is left out, since it may repeat what was
// sent.
type Error struct {
	Path    string     // the endpoint, such as /sns/jscode2session
	Code    int        // WeChat's errcode; 0 when there was no answer to take one from
	Message string     // what happened, in our words
	RID     string     // WeChat's name for the request, which the developer can look up there for 7 days; may be empty
	IP      netip.Addr // the address WeChat saw us call from, when it refuses that; else the zero Addr

	// NotSent says that WeChat never got the request, so that a code in it is as good as before.
	NotSent bool
	// RetryAfter is how long it will take at least until another try can help; 0 when that is not known.
	RetryAfter time.Duration

	class error // one of the sentinels above
	cause error // context.DeadlineExceeded, when that was it
}

// Error names the endpoint and all that is known.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "wechat: %s: ", e.Path)
	if e.Code != 0 {
		fmt.Fprintf(&b, "errcode %d: ", e.Code)
	}
	b.WriteString(e.Message)
	if e.IP.IsValid() {
		fmt.Fprintf(&b, ", calling from %s", e.IP)
	}
	if e.RID != "" {
		fmt.Fprintf(&b, " (rid %s)", e.RID)
	}
	return b.String()
}

// Is reports whether target is an Error with the same errcode.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Unwrap returns the class, and the deadline if that is what was missed.
func (e *Error) Unwrap() []error {
	if e.cause != nil {
		return []error{e.class, e.cause}
	}
	return []error{e.class}
}

// Hint says what the operator has to do about an error of class ErrMisconfigured; it is empty for the others.
func (e *Error) Hint() string {
	if e.class != ErrMisconfigured {
		return ""
	}
	return cmp.Or(meanings[e.Code].hint, "check the configured WeChat base URL")
}

// meaning is what an errcode says.
type meaning struct {
	class         error
	message, hint string
}

const (
	hintAppID     = "compare the configured app id with the one in the WeChat console (and in the developer tools)"
	hintSecret    = "compare the configured app secret with the one in the WeChat console; a reset there needs the new one here"
	hintWhitelist = "add this server's address to the IP whitelist in the WeChat console, under development settings, or switch the whitelist off"
	hintAltered   = "something between this server and WeChat alters requests, such as a proxy; if not, report a bug"
)

// meanings are the errcodes known to matter, from the endpoints' own pages and from the global table
// (developers.weixin.qq.com/doc/oplatform/developers/errCode). It is only read.
var meanings = map[int]meaning{
	-1: {ErrUnavailable, "WeChat is overloaded", ""},

	40029: {ErrCodeInvalid, "the code is not valid, or not any more, or not for this app", ""},
	40163: {ErrCodeInvalid, "the code was used before", ""},
	42003: {ErrCodeInvalid, "the code has expired", ""},
	41008: {ErrCodeInvalid, "the code is missing", ""},
	40003: {ErrCodeInvalid, "the code is not this user's", ""}, // of a phone code sent with an openid; not confirmed

	40226: {ErrBlocked, "WeChat rates the user a high risk", ""},
	50002: {ErrBlocked, "the user's account is limited, frozen or closed", ""},

	45009: {ErrBusy, "the quota for the day is used up", ""},
	45011: {ErrBusy, "the quota for the minute is used up", ""},

	40001: {ErrMisconfigured, "the app secret is wrong", hintSecret}, // of a business call it is about the credential
	40002: {ErrMisconfigured, "the grant type is wrong", hintAltered},
	40013: {ErrMisconfigured, "the app id is wrong", hintAppID},
	40125: {ErrMisconfigured, "the app secret is wrong", hintSecret},
	40164: {ErrMisconfigured, "this server's address is not in the app's IP whitelist", hintWhitelist},
	40243: {ErrMisconfigured, "the app secret is frozen", "unfreeze the app secret in the WeChat console; that takes about ten minutes"},
	41001: {ErrMisconfigured, "the credential is missing", hintAltered},
	41002: {ErrMisconfigured, "the app id is missing", hintAppID},
	41004: {ErrMisconfigured, "the app secret is missing", hintSecret},
	43002: {ErrMisconfigured, "the request should have been a POST", hintAltered},
	44002: {ErrMisconfigured, "the request lost its body", hintAltered},
	47001: {ErrMisconfigured, "the request's body is not JSON", hintAltered},
	48001: {ErrMisconfigured, "the app has no right to this API", "get the right in the WeChat console; individual and uncertified accounts cannot read phone numbers"},
	48004: {ErrMisconfigured, "WeChat has banned the app from this API", "look in the WeChat console for the reason"},
	50004: {ErrMisconfigured, "WeChat has banned the app from this API", "look in the WeChat console for the reason"},
	61004: {ErrMisconfigured, "this server's address is not in the app's IP whitelist", hintWhitelist},
	61007: {ErrMisconfigured, "the app has not granted this API to its third-party platform", "renew the grant in the WeChat console"},
	89503: {ErrMisconfigured, "this server's address waits for the administrator's consent", "have the app's administrator confirm the request WeChat sent; a refusal blocks the address for an hour"},
}

var (
	ridPattern = regexp.MustCompile(`\brid: ([0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8})\b`)
	ipPattern  = regexp.MustCompile(`\binvalid ip ([0-9a-fA-F.:]{2,45})\b`)
)

// newError makes the error for a reply with an errcode. Of errmsg it takes the request's id and, where WeChat refuses
// our address, the address. An errcode nobody has described is WeChat's doing: ErrUnavailable.
func newError(path string, code int, errmsg string) *Error {
	m, ok := meanings[code]
	if !ok {
		m = meaning{class: ErrUnavailable, message: "an error not known here"}
	}
	e := &Error{Path: path, Code: code, Message: m.message, class: m.class}
	if match := ridPattern.FindStringSubmatch(errmsg); match != nil {
		e.RID = match[1]
	}
	switch code {
	case 45011:
		e.RetryAfter = time.Minute
	case 45009:
		e.RetryAfter = time.Hour // it is a day's quota, and nobody tells how much of the day is left
	}
	if match := ipPattern.FindStringSubmatch(errmsg); match != nil && code == 40164 {
		e.IP, _ = netip.ParseAddr(match[1])
	}
	return e
}

// unavailable makes the error for an answer that cannot be used.
func unavailable(path, message string) *Error {
	return &Error{Path: path, Message: message, class: ErrUnavailable}
}

// noAnswer makes the error for a request that failed with err, which it does not wrap: a *url.Error holds the URL, and
// so the secret. When the caller cancelled ctx, the error says that and blames nobody.
func noAnswer(ctx context.Context, path string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("wechat: %s: %w", path, context.Canceled)
	}
	e := unavailable(path, reason(err))
	var op *net.OpError
	e.NotSent = errors.As(err, &op) && op.Op == "dial"
	if errors.Is(err, context.DeadlineExceeded) {
		e.cause = context.DeadlineExceeded
	}
	return e
}

// reason tells in safe words why there was no answer. Only errors made by the network, which see a host and never a
// URL, speak for themselves; net/http's own may quote what was sent or received.
func reason(err error) string {
	var (
		cert *tls.CertificateVerificationError
		op   *net.OpError
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &cert):
		return cert.Error() + "; in WeChat Cloud Hosting, switch the token-free API service off"
	case errors.As(err, &op): // holds the DNS error, if it was one
		return op.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was cut"
	}
	return "the connection failed, or what came back was not HTTP"
}
