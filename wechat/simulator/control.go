package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
)

// failure is a control route's refusal, in words for whoever wrote the request.
type failure struct {
	Error string `json:"error"`
}

// control answers a control route: JSON in, JSON out, and 400 with a reason for anything not understood.
func (s *Server) control(w http.ResponseWriter, r *http.Request, route string) {
	act := s.controlRoute(route)
	if act == nil || r.Method != http.MethodPost {
		writeJSON(w, http.StatusNotFound, failure{"the control routes are POST with JSON; there is no " + r.Method + " /simulator/control/" + route})
		return
	}
	reply, err := act(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		writeJSON(w, http.StatusBadRequest, failure{err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, reply)
}

// controlRoute returns what a control route does, nil when there is no such route.
func (s *Server) controlRoute(route string) func(body io.Reader) (any, error) {
	switch route {
	case "login-code":
		return s.controlLoginCode
	case "phone-code":
		return s.controlPhoneCode
	case "encrypt":
		return s.controlEncrypt
	case "content-check":
		return s.controlVerdict
	case "settings":
		return s.controlSettings
	case "faults":
		return s.controlFault
	case "faults/list":
		return s.controlListFaults
	case "faults/clear":
		return s.controlClearFaults
	case "calls":
		return s.controlTraffic
	case "reset":
		return s.controlReset
	}
	return nil
}

// done is the reply of a route that has nothing to tell.
type done struct {
	OK bool `json:"ok"`
}

// minted is a code made by a control route.
type minted struct {
	Code string `json:"code"`
}

func (s *Server) controlReset(body io.Reader) (any, error) {
	if err := decode(body, &struct{}{}); err != nil && !errors.Is(err, errEmpty) {
		return nil, err
	}
	s.Reset()
	return done{true}, nil
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// checkUser tells what is wrong with a user that a control route is asked about.
func (s *Server) checkUser(appID, openID string) error {
	if !idPattern.MatchString(openID) {
		return errors.New(`"openid" must be 1 to 64 letters, digits, "_" or "-"`)
	}
	if _, ok := s.app(appID); !ok {
		return errors.New(`"appid" is not an app this simulator knows`)
	}
	return nil
}

var errEmpty = errors.New("the body must be one JSON object")

// decode reads one JSON object into v, and refuses fields that v does not have.
func decode(body io.Reader, v any) error {
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	switch err := dec.Decode(v); {
	case errors.Is(err, io.EOF):
		return errEmpty
	case err != nil:
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errEmpty
	}
	return nil
}
