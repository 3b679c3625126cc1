package testlog

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// inRequests and inAnswers find what is secret in the text of GraphQL requests and of those to WeChat, and in their
// answers.
var (
	inRequests = map[string]*regexp.Regexp{
		"code":       regexp.MustCompile(`(?:js_code=|\bcode: ?\\?"|"code": ?")([^"&\\ ]+)`),
		"secret":     regexp.MustCompile(`\bsecret(?:=|": ?")([^"&\\ ]+)`),
		"credential": regexp.MustCompile(`\baccess_token=([^"&\\ ]+)`),
		"openid":     regexp.MustCompile(`"(?:openid|unionid)": ?"([^"\\]+)`),
	}
	inAnswers = map[string]*regexp.Regexp{
		"token":       regexp.MustCompile(`"token": ?"([^"\\]+)`),
		"phone":       regexp.MustCompile(`"(?:phone|phoneNumber|purePhoneNumber)": ?"([^"\\]+)`),
		"session key": regexp.MustCompile(`"session_key": ?"([^"]+)`),
		"credential":  regexp.MustCompile(`"access_token": ?"([^"\\]+)`),
		"openid":      regexp.MustCompile(`"(?:openid|unionid)": ?"([^"\\]+)`),
	}
)

// Sent tells of the secrets in a request, a line or a body of it.
func Sent(text string) { note(inRequests, text) }

// Received tells of the secrets in an answer.
func Received(text string) { note(inAnswers, text) }

func note(shapes map[string]*regexp.Regexp, text string) {
	if !Kept() {
		return
	}
	for kind, shape := range shapes {
		for _, m := range shape.FindAllStringSubmatch(text, -1) {
			value := strings.ReplaceAll(m[1], `\/`, "/")
			if plain, err := url.QueryUnescape(value); err == nil && strings.Contains(value, "%") {
				value = plain
			}
			Secret(kind, value)
		}
	}
}

// Environment tells of the secrets among settings of the form NAME=VALUE: of each entry of a list of keys or apps what
// stands behind its name, and the password of a database.
func Environment(env []string) {
	for _, setting := range env {
		name, value, _ := strings.Cut(setting, "=")
		switch name {
		case "TOKEN_KEYS", "DATA_KEYS", "WECHAT_APPS":
			for entry := range strings.SplitSeq(value, ",") {
				_, hidden, _ := strings.Cut(entry, ":")
				Secret(name, hidden)
			}
		case "WECHAT_APP_SECRET", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN":
			Secret(name, value)
		case "DATABASE_URL":
			if u, err := url.Parse(value); err == nil {
				password, _ := u.User.Password()
				Secret(name, password)
			}
		}
	}
}

// Watch tells of the secrets in all that passes through a handler.
func Watch(next http.Handler) http.Handler {
	if !Kept() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		Sent(r.RequestURI)
		Sent(string(body))
		answer := &copier{ResponseWriter: w}
		defer func() { Received(answer.text.String()) }()
		next.ServeHTTP(answer, r)
	})
}

// copier keeps what is answered.
type copier struct {
	http.ResponseWriter
	text bytes.Buffer
}

func (c *copier) Write(p []byte) (int, error) {
	c.text.Write(p)
	return c.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (c *copier) Unwrap() http.ResponseWriter { return c.ResponseWriter }
