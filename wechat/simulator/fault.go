package simulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	maxFaults = 1000
	maxDelay  = time.Minute
)

// Fault is something wrong with the next answers of an endpoint. An errcode, a body and a drop take the place of the
// answer, and the request has then no effect; a delay alone comes before it.
type Fault struct {
	Endpoint string  `json:"endpoint"` // the last element of the path, such as "jscode2session", or "*" for all
	ErrCode  int     `json:"errcode"`  // answer this error of WeChat's
	Status   int     `json:"status"`   // HTTP status; defaults to 200
	DelayMS  int     `json:"delayMs"`  // wait so many milliseconds first
	Body     *string `json:"body"`     // answer exactly this; may be empty
	Drop     bool    `json:"drop"`     // close the connection instead of answering
	Times    int     `json:"times"`    // how many requests are met; defaults to 1, negative for all until Reset

	// AfterConsume lets the request have its effect before things go wrong, so that its code is spent.
	AfterConsume bool `json:"afterConsume"`
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

// validate tells what is wrong with a fault that came over the wire.
func (f *Fault) validate() error {
	switch {
	case f.Endpoint == "" || strings.Contains(f.Endpoint, "/"):
		return errors.New(`"endpoint" must be the last element of an API path, such as "jscode2session", or "*"`)
	case f.ErrCode == 0 && f.Status == 0 && f.DelayMS == 0 && f.Body == nil && !f.Drop:
		return errors.New(`nothing to go wrong: give "errcode", "status", "delayMs", "body" or "drop"`)
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return errors.New(`"status" must be 200 to 599`)
	case f.DelayMS < 0 || time.Duration(f.DelayMS)*time.Millisecond > maxDelay:
		return fmt.Errorf(`"delayMs" must be 0 to %d`, maxDelay.Milliseconds())
	case f.ErrCode != 0 && f.Body != nil:
		return errors.New(`"errcode" and "body" exclude each other`)
	case f.Drop && (f.ErrCode != 0 || f.Body != nil || f.Status != 0):
		return errors.New(`"drop" excludes "errcode", "status" and "body"`)
	case f.Times < -1:
		return errors.New(`"times" must be a count, or -1 or 0 for all until the reset`)
	}
	return nil
}

// meet counts a request to endpoint and returns the fault in its way; the zero Fault when there is none.
func (s *Server) meet(endpoint string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.calls == nil {
		s.state.calls = map[string]int{}
	}
	s.state.calls[endpoint]++
	for i, f := range s.state.faults {
		if f.Endpoint != endpoint && f.Endpoint != "*" {
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

// delay waits, and reports whether the client did too.
func (f *Fault) delay(ctx context.Context) bool {
	if f.DelayMS <= 0 {
		return true
	}
	timer := time.NewTimer(time.Duration(f.DelayMS) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// strike answers in the place of the endpoint, under the Content-Type set, and reports whether it did: a fault may be a
// mere delay, or none.
func (f *Fault) strike(w http.ResponseWriter) bool {
	status := f.Status
	if status == 0 {
		status = http.StatusOK
	}
	switch {
	case f.Drop:
		hangUp(w)
	case f.Body != nil:
		w.WriteHeader(status)
		fmt.Fprint(w, *f.Body)
	case f.ErrCode != 0:
		w.WriteHeader(status)
		w.Write(encode(refuse(f.ErrCode)))
	case f.Status != 0:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<html><body><h1>%d %s</h1></body></html>", status, http.StatusText(status))
	default:
		return false
	}
	return true
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the way net/http documents, for HTTP/2 and for writers that cannot be hijacked
	}
	conn.Close()
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
		return nil, errors.New("too many faults are waiting; POST /simulator/control/reset forgets them")
	}
	s.Fault(in)
	return done{true}, nil
}
