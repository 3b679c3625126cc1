package simulator

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"
)

const (
	maxFaults = 1000
	maxDelay  = time.Minute
)

// Fault is something wrong with the next answers of an endpoint. An errcode, a status, a body, a drop and a reset take
// the place of the answer, and the request has then no effect. A delay comes before the answer, and a cut, a stall or a
// trickle spoil how it arrives, whichever answer it is.
//
// What a fault cannot play is a WeChat that refuses connections: end the simulator for that.
type Fault struct {
	Endpoint  string  `json:"endpoint"`            // the last element of the path, such as "jscode2session", or "*" for all
	ErrCode   int     `json:"errcode,omitempty"`   // answer this error of WeChat's
	Status    int     `json:"status,omitempty"`    // HTTP status; defaults to 200
	DelayMS   int     `json:"delayMs,omitempty"`   // wait so many milliseconds first
	Body      *string `json:"body,omitempty"`      // answer exactly this; may be empty
	Drop      bool    `json:"drop,omitempty"`      // close the connection instead of answering
	Reset     bool    `json:"reset,omitempty"`     // break the connection off, with a TCP reset, instead of answering
	Cut       bool    `json:"cut,omitempty"`       // close the connection in the middle of the body
	Stall     bool    `json:"stall,omitempty"`     // stop in the middle of the body, and keep the connection for a minute
	TrickleMS int     `json:"trickleMs,omitempty"` // send the body a byte at a time, with so many milliseconds between
	Share     float64 `json:"share,omitempty"`     // of the requests, taken at random, that are met; defaults to all, 1
	Times     int     `json:"times"`               // how many requests are met; defaults to 1, negative for all until it is cleared

	// AfterConsume lets the request have its effect before things go wrong, so that its code is spent.
	AfterConsume bool `json:"afterConsume,omitempty"`
}

// Fault adds f behind the faults already waiting. A request meets the first that fits.
func (s *Server) Fault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Times == 0 {
		f.Times = 1
	}
	s.state.faults = append(s.state.faults, &f)
}

// Faults returns the faults that are waiting, with how often each still comes.
func (s *Server) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := []Fault{} // and not nil, which JSON writes as null
	for _, f := range s.state.faults {
		waiting = append(waiting, *f)
	}
	return waiting
}

// ClearFaults takes away the faults of one endpoint, as it is written in them, or with "" all, and returns how many.
// Requests that have met one already go on as they are.
func (s *Server) ClearFaults(endpoint string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept []*Fault
	for _, f := range s.state.faults {
		if endpoint != "" && f.Endpoint != endpoint {
			kept = append(kept, f)
		}
	}
	cleared := len(s.state.faults) - len(kept)
	s.state.faults = kept
	return cleared
}

// meet returns the fault in the way of a request to endpoint; the zero Fault when there is none.
func (s *Server) meet(endpoint string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.state.faults {
		if f.Endpoint != endpoint && f.Endpoint != "*" || f.Share > 0 && rand.Float64() >= f.Share {
			continue
		}
		met := *f
		if f.Times > 0 {
			f.Times--
		}
		if f.Times == 0 {
			s.state.faults = append(s.state.faults[:i:i], s.state.faults[i+1:]...)
		}
		return met
	}
	return Fault{}
}

// validate tells what is wrong with a fault that came over the wire.
func (f *Fault) validate() error {
	most := int(maxDelay.Milliseconds())
	hangsUp, spoils := f.Drop || f.Reset, 0
	for _, is := range []bool{hangsUp, f.Cut, f.Stall, f.TrickleMS != 0} {
		if is {
			spoils++
		}
	}
	switch {
	case f.Endpoint == "" || strings.Contains(f.Endpoint, "/"):
		return errors.New(`"endpoint" must be the last element of an API path, such as "jscode2session", or "*"`)
	case f.ErrCode == 0 && f.Status == 0 && f.DelayMS == 0 && f.Body == nil && spoils == 0:
		return errors.New(`nothing to go wrong: give "errcode", "status", "delayMs", "body", "drop", "reset", "cut", "stall" or "trickleMs"`)
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return errors.New(`"status" must be 200 to 599`)
	case f.DelayMS < 0 || f.DelayMS > most || f.TrickleMS < 0 || f.TrickleMS > most:
		return fmt.Errorf(`"delayMs" and "trickleMs" must be 0 to %d`, most)
	case f.ErrCode != 0 && f.Body != nil:
		return errors.New(`"errcode" and "body" exclude each other`)
	case hangsUp && (f.ErrCode != 0 || f.Body != nil || f.Status != 0):
		return errors.New(`"drop" and "reset" exclude "errcode", "status" and "body"`)
	case spoils > 1 || f.Drop && f.Reset:
		return errors.New(`"drop", "reset", "cut", "stall" and "trickleMs" exclude each other`)
	case f.Share < 0 || f.Share > 1:
		return errors.New(`"share" must be 0 to 1; 0 and 1 are all requests`)
	case f.Times < -1:
		return errors.New(`"times" must be a count, or -1 or 0 for all until it is cleared`)
	}
	return nil
}

func (s *Server) controlFault(body io.Reader) (any, error) {
	in := Fault{Times: 1}
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	if err := in.validate(); err != nil {
		return nil, err
	}
	if in.Times == 0 {
		in.Times = -1
	}
	s.mu.Lock()
	waiting := len(s.state.faults)
	s.mu.Unlock()
	if waiting >= maxFaults {
		return nil, errors.New("too many faults are waiting; POST /simulator/control/faults/clear takes them away")
	}
	s.Fault(in)
	return done{true}, nil
}

func (s *Server) controlListFaults(body io.Reader) (any, error) {
	if err := decode(body, &struct{}{}); err != nil && !errors.Is(err, errEmpty) {
		return nil, err
	}
	return struct {
		Faults []Fault `json:"faults"`
	}{s.Faults()}, nil
}

// controlClearFaults clears the faults of the endpoint named, or all.
func (s *Server) controlClearFaults(body io.Reader) (any, error) {
	var in struct{ Endpoint string }
	if err := decode(body, &in); err != nil && !errors.Is(err, errEmpty) {
		return nil, err
	}
	return struct {
		Cleared int `json:"cleared"`
	}{s.ClearFaults(in.Endpoint)}, nil
}
