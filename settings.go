package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"wxpass/graph"
	"wxpass/keyring"
	"wxpass/wechat/simulator"
)

// settings is a config found good, in the form the program uses.
type settings struct {
	config
	Production bool
	Proxies    []netip.Prefix
	Apps       []app
	Simulate   bool // play WeChat ourselves

	TokenRing, DataRing keyring.Ring
	Trusted             graph.TrustedDocuments // nil for any
}

type app struct{ ID, Secret string }

// settings names every fault by the name its owner knows, with what to do; it never prints a secret.
func (c config) settings() (*settings, error) {
	s := &settings{config: c, Production: c.AppEnv == "production"}
	s.fillDefaults()
	err := errors.Join(s.checkDatabase(), s.checkWeChat(), s.checkKeys(), s.checkTimes(), s.checkLimits(), s.checkProxies(), s.checkOrigins(), s.checkPublicURL(), s.readTrusted())
	return s, err
}

func (s *settings) fillDefaults() {
	host := "127.0.0.1"
	if s.Production {
		host = ""
	}
	s.Addr = cmp.Or(s.Addr, net.JoinHostPort(host, cmp.Or(s.Port, "8080")))
	s.DatabaseURL = s.databaseURL()
	s.AvatarStore = cmp.Or(s.AvatarStore, "file:"+filepath.Join(s.DataDir, "avatars"))
	if s.DrainDelay < 0 {
		s.DrainDelay = 500 * time.Millisecond
		if s.Production {
			s.DrainDelay = 5 * time.Second
		}
	}
	s.LogFormat = cmp.Or(s.LogFormat, map[bool]string{true: "json", false: "text"}[s.Production])
}

// databaseURL is the URL configured, in development the embedded database when there is none.
func (c databaseConfig) databaseURL() string {
	if c.DatabaseURL == "" && c.AppEnv != "production" {
		return "sqlite:" + filepath.Join(c.DataDir, "wxpass.db")
	}
	return c.DatabaseURL
}

func (s *settings) checkDatabase() error {
	switch {
	case s.DatabaseURL == "":
		return errors.New("DATABASE_URL is not set: production needs postgres://user:password@host/name?sslmode=verify-full")
	case s.Production && strings.HasPrefix(s.DatabaseURL, "sqlite:") && !s.AllowSQLite:
		return errors.New("DATABASE_URL names SQLite: use PostgreSQL in production, or set ALLOW_SQLITE=true if one process on one machine is all you want")
	case s.DatabaseConns < 0:
		return errors.New("DATABASE_MAX_CONNS must be 1 or more, or 0 for the default")
	}
	return nil
}

func (s *settings) checkWeChat() error {
	var faults []error
	list, simulated := s.WechatApps, simulator.DefaultApp()
	switch one := s.WechatAppID + ":" + s.WechatAppSecret; {
	case one != ":" && list != "":
		faults = append(faults, errors.New("WECHAT_APPS and WECHAT_APP_ID are both set: keep one of them"))
	case one != ":" && (s.WechatAppID == "" || s.WechatAppSecret == ""):
		faults = append(faults, errors.New("WECHAT_APP_ID and WECHAT_APP_SECRET belong together: one of them is not set"))
	case one != ":":
		list = one
	case list == "" && s.Production:
		faults = append(faults, errors.New("WECHAT_APPS is not set: give appid:secret of your Mini Program, both from the WeChat console"))
	case list == "":
		s.Apps = []app{{simulated.ID, simulated.Secret}}
		s.Simulate = s.WechatBaseURL == ""
	}
	for i, pair := range strings.Split(list, ",") {
		if list == "" {
			break
		}
		id, secret, _ := strings.Cut(strings.TrimSpace(pair), ":")
		switch {
		case id == "" || secret == "":
			faults = append(faults, fmt.Errorf("WECHAT_APPS: entry %d is not of the form appid:secret", i+1))
		case s.Production && (id == simulated.ID || secret == simulated.Secret):
			faults = append(faults, fmt.Errorf("WECHAT_APPS: entry %d is the simulator's app: give your own", i+1))
		case slices.ContainsFunc(s.Apps, func(a app) bool { return a.ID == id }):
			faults = append(faults, fmt.Errorf("WECHAT_APPS: entry %d repeats an app id", i+1))
		}
		s.Apps = append(s.Apps, app{id, secret})
	}
	if s.WechatMaxInFlight < 1 {
		faults = append(faults, errors.New("WECHAT_MAX_IN_FLIGHT must be at least 1"))
	}
	return errors.Join(append(faults, s.checkBaseURL())...)
}

func (s *settings) checkBaseURL() error {
	if s.WechatBaseURL == "" { // the client's own default
		return nil
	}
	u, err := url.Parse(s.WechatBaseURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" {
		return errors.New("WECHAT_BASE_URL is not a plain http(s)://host URL")
	}
	loopback := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	if s.Production && (u.Scheme != "https" || loopback) {
		return errors.New("WECHAT_BASE_URL must be https and not this machine in production: leave it unset")
	}
	return nil
}

// checkKeys reads the key rings; in development missing ones are made once and kept in the data folder.
func (s *settings) checkKeys() error {
	if !s.Production && (s.TokenKeys == "" || s.DataKeys == "") {
		made, err := developmentKeys(s.DataDir)
		if err != nil {
			return fmt.Errorf("DATA_DIR: %w", err)
		}
		s.TokenKeys, s.DataKeys = cmp.Or(s.TokenKeys, made.Token), cmp.Or(s.DataKeys, made.Data)
	}
	var tokenErr, dataErr, sharedErr error
	s.TokenRing, tokenErr = readRing("TOKEN_KEYS", s.TokenKeys, s.Production, func(n int) bool { return n >= keyring.KeySize })
	s.DataRing, dataErr = readRing("DATA_KEYS", s.DataKeys, s.Production, func(n int) bool { return n == keyring.KeySize })
	for _, k := range s.TokenRing {
		if s.DataRing.Holds(k.Secret) {
			sharedErr = errors.New("DATA_KEYS repeats a key of TOKEN_KEYS: make each with `wxpass keys new`")
		}
	}
	return errors.Join(tokenErr, dataErr, sharedErr)
}

func readRing(name, text string, production bool, fits func(size int) bool) (keyring.Ring, error) {
	if text == "" {
		return nil, fmt.Errorf("%s is not set: put the line that `wxpass keys new` prints", name)
	}
	ring, err := keyring.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var faults []error
	for _, k := range ring {
		if !fits(len(k.Secret)) {
			faults = append(faults, fmt.Errorf("%s: key %q has %d bytes, %d are wanted: make it with `wxpass keys new`", name, k.ID, len(k.Secret), keyring.KeySize))
		} else if production && k.Guessable() {
			faults = append(faults, fmt.Errorf("%s: key %q is an example or otherwise not random: make it with `wxpass keys new`", name, k.ID))
		}
	}
	return ring, errors.Join(faults...)
}

func (s *settings) checkTimes() error {
	var faults []error
	if s.TokenTTL < time.Minute {
		faults = append(faults, errors.New("TOKEN_TTL must be a minute or more"))
	}
	if s.SessionMaxAge < s.TokenTTL {
		faults = append(faults, errors.New("SESSION_MAX_AGE must not be shorter than TOKEN_TTL"))
	}
	if !(s.RateLimitScale >= 0 && s.RateLimitScale <= 1e6) {
		faults = append(faults, errors.New("RATE_LIMIT_SCALE must be 0 to 1000000"))
	}
	return errors.Join(faults...)
}

func (s *settings) checkLimits() error {
	var faults []error
	limits := reflect.ValueOf(s.limitConfig)
	for i := range limits.NumField() {
		if limits.Field(i).Int() < 1 {
			faults = append(faults, fmt.Errorf("%s must be at least 1", limits.Type().Field(i).Tag.Get("env")))
		}
	}
	return errors.Join(faults...)
}

// checkOrigins wants origins as browsers send them, which compare by letter.
func (s *settings) checkOrigins() error {
	if len(s.CORSOrigins) == 0 && !s.Production {
		s.CORSOrigins = []string{"*"}
	}
	var faults []error
	for i, origin := range s.CORSOrigins {
		origin = strings.TrimSpace(origin)
		s.CORSOrigins[i] = origin
		u, err := url.Parse(origin)
		if origin != "*" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || origin != u.Scheme+"://"+strings.ToLower(u.Host) || strings.Contains(u.Host, "*")) {
			faults = append(faults, fmt.Errorf("CORS_ORIGINS: entry %d is not of the form https://host or *", i+1))
		}
	}
	return errors.Join(faults...)
}

func (s *settings) checkProxies() error {
	var faults []error
	for _, text := range s.TrustedProxies {
		text = strings.TrimSpace(text)
		prefix, err := netip.ParsePrefix(text)
		if address, addrErr := netip.ParseAddr(text); addrErr == nil {
			prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("TRUSTED_PROXIES: %q is not a CIDR such as 10.0.0.0/8", text))
		}
		if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
		}
		s.Proxies = append(s.Proxies, prefix)
	}
	return errors.Join(faults...)
}

func (s *settings) readTrusted() error {
	if s.TrustedFile == "" {
		return nil
	}
	text, err := os.ReadFile(s.TrustedFile)
	if err == nil {
		s.Trusted, err = graph.ParseTrustedDocuments(text)
	}
	if err != nil {
		return fmt.Errorf("TRUSTED_DOCUMENTS: %s: %w", s.TrustedFile, err)
	}
	return nil
}

func (s *settings) checkPublicURL() error {
	u, err := url.Parse(s.PublicURL)
	if s.PublicURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "") {
		return errors.New("PUBLIC_URL is not of the form https://host")
	}
	s.PublicURL = strings.TrimRight(s.PublicURL, "/")
	return nil
}
