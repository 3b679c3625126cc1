package simulator

import (
	"errors"
	"io"
)

// Traffic is what an endpoint has seen since the start or the last Reset.
type Traffic struct {
	Calls    int `json:"calls"`    // all requests, those that met a fault included
	InFlight int `json:"inFlight"` // those not answered yet, whose client still waits
	Peak     int `json:"peak"`     // the most of them there ever were at once
}

// Calls returns how many requests endpoint, such as "jscode2session", has seen, those that met a fault included.
func (s *Server) Calls(endpoint string) int { return s.Traffic(endpoint).Calls }

// Traffic returns what endpoint, such as "jscode2session", has seen.
func (s *Server) Traffic(endpoint string) Traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.state.traffic[endpoint]; t != nil {
		return *t
	}
	return Traffic{}
}

// count begins a call of endpoint and returns what ends it.
func (s *Server) count(endpoint string) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.traffic == nil {
		s.state.traffic = map[string]*Traffic{}
	}
	t := s.state.traffic[endpoint]
	if t == nil {
		t = &Traffic{}
		s.state.traffic[endpoint] = t
	}
	t.Calls++
	t.InFlight++
	t.Peak = max(t.Peak, t.InFlight)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		t.InFlight--
	}
}

// controlTraffic tells what each endpoint has seen.
func (s *Server) controlTraffic(body io.Reader) (any, error) {
	if err := decode(body, &struct{}{}); err != nil && !errors.Is(err, errEmpty) {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]Traffic{}
	for endpoint, t := range s.state.traffic {
		seen[endpoint] = *t
	}
	return struct {
		Endpoints map[string]Traffic `json:"endpoints"`
	}{seen}, nil
}
