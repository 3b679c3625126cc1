package simulator

import (
	"errors"
	"io"
)

// settings change, until Reset, what the Server was started with. Nil leaves it alone.
type settings struct {
	rotation    *Rotation
	countryText *bool
}

func (s *Server) rotation() Rotation {
	if r := s.state.settings.rotation; r != nil {
		return *r
	}
	return s.Rotation
}

func (s *Server) countryAsText() bool {
	if text := s.state.settings.countryText; text != nil {
		return *text
	}
	return s.CountryCodeText
}

// controlSettings changes how the simulator behaves, until the reset.
func (s *Server) controlSettings(body io.Reader) (any, error) {
	var in struct{ Rotation, CountryCode string }
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	rotation, ok := map[string]Rotation{"seldom": RotateSeldom, "always": RotateAlways, "never": RotateNever}[in.Rotation]
	if !ok && in.Rotation != "" {
		return nil, errors.New(`"rotation" must be "seldom", "always" or "never"`)
	}
	text := in.CountryCode == "string"
	if !text && in.CountryCode != "" && in.CountryCode != "number" {
		return nil, errors.New(`"countryCode" must be "number" or "string"`)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.Rotation != "" {
		s.state.settings.rotation = &rotation
	}
	if in.CountryCode != "" {
		s.state.settings.countryText = &text
	}
	return done{true}, nil
}
