package simulator

import (
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxContent  = 2500          // characters
	activeSince = 2 * time.Hour // a user must have used the app within this time
	maxVerdicts = 1000
)

// Verdict is what the content check says of a text.
type Verdict struct {
	Contains string `json:"contains"` // the texts meant; "" is all
	Suggest  string `json:"suggest"`  // "pass", "review" or "risky"
	Label    int    `json:"label"`    // 100 normal, 20001 politics, 20002 porn, 20003 abuse, ...
}

// Judge makes the content check say v of the texts it means. The latest that fits decides; without any, all pass.
func (s *Server) Judge(v Verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.verdicts = append(s.state.verdicts, v)
	if n := len(s.state.verdicts); n > maxVerdicts {
		s.state.verdicts = s.state.verdicts[n-maxVerdicts:]
	}
}

// validate tells what is wrong with a verdict that came over the wire.
func (v Verdict) validate() error {
	switch {
	case v.Suggest != "pass" && v.Suggest != "review" && v.Suggest != "risky":
		return errors.New(`"suggest" must be "pass", "review" or "risky"`)
	case v.Label <= 0:
		return errors.New(`"label" must be a positive number, such as 100 for normal`)
	}
	return nil
}

// checkContent plays POST /wxa/msg_sec_check, version 2.
// (developers.weixin.qq.com/miniprogram/dev/server/API/sec-center/sec-check/api_msgseccheck)
func (s *Server) checkContent(appID string, in call) (any, error) {
	var body struct {
		Content, OpenID, Title, Nickname, Signature string
		Version, Scene                              int
	}
	if err := in.decode(&body); err != nil {
		return nil, err
	}
	u, known := s.state.users.get(appID + "/" + body.OpenID)
	switch {
	case body.Content == "" || body.Version != 2 || body.Scene < 1 || body.Scene > 4:
		return nil, refuse(47001)
	case utf8.RuneCountInString(body.Content) > maxContent:
		return nil, refuse(45002)
	case !known:
		return nil, refuse(40003)
	case s.Now().Sub(u.seenAt) > activeSince:
		return nil, refuse(61010)
	}
	verdict := Verdict{Suggest: "pass", Label: 100}
	text := strings.Join([]string{body.Content, body.Title, body.Nickname, body.Signature}, "\n")
	for _, v := range s.state.verdicts {
		if strings.Contains(text, v.Contains) {
			verdict = v
		}
	}
	type result struct {
		Suggest string `json:"suggest"`
		Label   int    `json:"label"`
	}
	type detail struct {
		Strategy string `json:"strategy"`
		ErrCode  int    `json:"errcode"`
		result
		Prob int `json:"prob"`
	}
	said := result{verdict.Suggest, verdict.Label}
	return struct {
		success
		TraceID string   `json:"trace_id"`
		Result  result   `json:"result"`
		Detail  []detail `json:"detail"`
	}{success{0, "ok"}, newRID(), said, []detail{{"content_model", 0, said, 90}}}, nil
}

// controlVerdict makes the content check answer as told.
func (s *Server) controlVerdict(body io.Reader) (any, error) {
	var in Verdict
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	if err := in.validate(); err != nil {
		return nil, err
	}
	s.Judge(in)
	return done{true}, nil
}
