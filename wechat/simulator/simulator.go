// Package simulator plays WeChat for development and tests: the server API of api.weixin.qq.com, down to errcodes,
// content types and the life of a code, and control routes to log people in and to make it misbehave.
//
// Whoever reaches it can log in as anybody. It must not run in production.
package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"
)

const maxBody = 64 << 10 // bytes of a request

// App is a Mini Program that the simulator knows.
type App struct {
	ID, Secret string
	// Unbound says that the app belongs to no Open Platform account: its logins yield no unionid.
	Unbound bool
}

// DefaultApp returns the app that is known when no other is.
func DefaultApp() App {
	return App{ID: "wx0123456789abcdef", Secret: "51e51e51e51e51e51e51e51e51e51e51"}
}

// Rotation says when a new login code gives a user a new session key and makes the one before it useless.
type Rotation int

// The rotations.
const (
	// RotateSeldom keeps a key for a minute at least, as the platform is reported to do.
	// (juejin.cn/post/6990231196940632095; the true period is not published)
	RotateSeldom Rotation = iota
	// RotateAlways makes a new key for every code.
	RotateAlways
	// RotateNever keeps the first.
	RotateNever
)

// Server plays WeChat. It answers every path both as it is and under /simulator, so that it can be mounted there, and
// called there by a client with a base URL of http://HOST/simulator. It is safe for concurrent use and must not be
// copied.
type Server struct {
	Now func() time.Time // required

	Apps     []App    // who may call, the first for those who name no app; defaults to DefaultApp alone
	Rotation Rotation // when session keys change; defaults to RotateSeldom
	// CountryCodeText makes countryCode of a phone number a JSON string, as the page declares it, and not a number, as
	// its sample shows.
	CountryCodeText bool
	Log             *slog.Logger // one line a call, without codes, keys or openids; defaults to none

	mu    sync.Mutex
	state state
}

// state is everything the simulator remembers. The zero state remembers nothing.
type state struct {
	settings    settings
	traffic     map[string]*Traffic // by endpoint
	faults      []*Fault
	verdicts    []Verdict
	users       memory[*user] // by app id and openid
	loginCodes  memory[*loginCode]
	phoneCodes  memory[*phoneCode]
	credentials memory[*credential]
	issued      map[string]*issued // by app id
}

// Reset forgets everything: codes, users, keys, faults and counts.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state{}
}

// ServeHTTP answers the API and the control routes, and 404 to everything else.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route := strings.TrimPrefix(r.URL.Path, "/simulator")
	if strings.HasPrefix(route, "/control/") {
		s.control(w, r, strings.TrimPrefix(route, "/control/"))
		return
	}
	answer := s.endpoint(route)
	if answer == nil {
		writeJSON(w, http.StatusNotFound, failure{"the simulator has no " + route})
		return
	}
	s.serve(w, r, route, answer)
}

// call is a request to the API.
type call struct {
	method string
	query  url.Values
	body   []byte
}

// endpoint returns what answers an API path, nil when there is no such path.
func (s *Server) endpoint(route string) func(call) (any, error) {
	switch route {
	case "/sns/jscode2session":
		return s.code2Session
	case "/cgi-bin/token":
		return s.classicCredential
	case "/cgi-bin/stable_token":
		return s.stableCredential
	case "/wxa/business/getuserphonenumber":
		return s.business(s.phoneNumber)
	case "/wxa/checksession":
		return s.business(s.checkSession)
	case "/wxa/resetusersessionkey":
		return s.business(s.resetSession)
	case "/wxa/msg_sec_check":
		return s.business(s.checkContent)
	}
	return nil
}

// serve counts the call, lets a fault in its way, and answers like WeChat: 200 also for errors, and JSON under a wrong
// label on /sns/*. (cnblogs.com/yuyiming/p/17607286)
func (s *Server) serve(w http.ResponseWriter, r *http.Request, route string, answer func(call) (any, error)) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)) // first, or net/http does not see a client leave
	if err != nil {
		writeJSON(w, http.StatusRequestEntityTooLarge, failure{"the body is too large, or broke off"})
		return
	}
	in := call{method: r.Method, query: r.URL.Query(), body: body}
	endpoint := path.Base(route)
	defer s.count(endpoint)()
	fault := s.meet(endpoint)
	var reply any
	if fault.AfterConsume {
		reply, err = answer(in)
	}
	if !wait(r.Context(), fault.DelayMS) {
		return
	}
	if fault.Drop || fault.Reset {
		hangUp(w, fault.Reset)
		s.log(r.Context(), route, "fault")
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	if strings.HasPrefix(route, "/sns/") {
		w.Header().Set("Content-Type", "text/plain")
	}
	status, content, struck := fault.answer(w.Header())
	if struck {
		reply = "fault"
	} else {
		if !fault.AfterConsume {
			reply, err = answer(in)
		}
		if err != nil {
			reply = err // a refusal
		}
		content = bytes.ReplaceAll(encode(reply), []byte("/"), []byte(`\/`)) // as WeChat's encoder may do
	}
	fault.send(r.Context(), w, status, content)
	s.log(r.Context(), route, reply)
}

func (s *Server) log(ctx context.Context, route string, reply any) {
	if s.Log == nil {
		return
	}
	outcome := "ok"
	switch reply := reply.(type) {
	case refusal:
		outcome = fmt.Sprintf("errcode %d", reply.ErrCode)
	case string:
		outcome = reply
	}
	s.Log.InfoContext(ctx, "simulator: answered", "route", route, "outcome", outcome)
}

// app finds an app by id; "" is the default one.
func (s *Server) app(id string) (App, bool) {
	apps := s.Apps
	if len(apps) == 0 {
		apps = []App{DefaultApp()}
	}
	for _, a := range apps {
		if a.ID == id || id == "" {
			return a, true
		}
	}
	return App{}, false
}

// encode is JSON without the escapes that make HTML safe, which WeChat does not write either.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // only types of this package come here, and they all encode
		return []byte("{}")
	}
	return bytes.TrimSpace(b.Bytes())
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	w.Write(encode(v))
}
