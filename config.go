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

// databaseConfig is what every command that touches the database reads.
type databaseConfig struct {
	AppEnv      string `env:"APP_ENV" default:"development" enum:"development,production" help:"development or production."`
	DataDir     string `env:"DATA_DIR" default:"data" help:"Development's folder: database and generated keys."`
	DatabaseURL string `env:"DATABASE_URL" help:"postgres://… or sqlite:PATH; by default wxpass.db in the data folder. Required in production."`
}

// config is everything `serve` can be told. The command-line library fills it; settings judges it.
type config struct {
	databaseConfig

	Addr string `env:"ADDR" help:"Where to listen; 127.0.0.1:8080 by default, in production :8080."`
	Port string `env:"PORT" help:"The port alone, as hosting platforms set it."`

	AllowSQLite    bool `env:"ALLOW_SQLITE" name:"allow-sqlite" help:"Let production run on SQLite."`
	MigrateOnStart bool `env:"MIGRATE_ON_START" help:"Let production apply pending migrations when it starts."`
	DatabaseConns  int  `env:"DATABASE_MAX_CONNS" name:"database-max-conns" default:"0" help:"Database connections at most; 0 for 16, on SQLite 8."`

	WechatApps      string `env:"WECHAT_APPS" help:"appid:secret[,appid:secret…], the default app first. Required in production; unset in development, the simulator plays WeChat."`
	WechatAppID     string `env:"WECHAT_APP_ID" name:"wechat-app-id" help:"The app id, when there is one app."`
	WechatAppSecret string `env:"WECHAT_APP_SECRET" help:"Its secret."`
	WechatBaseURL   string `env:"WECHAT_BASE_URL" name:"wechat-base-url" help:"Where WeChat is; https://api.weixin.qq.com by default."`

	WechatPhoneOpenID bool `env:"WECHAT_PHONE_OPENID" name:"wechat-phone-openid" help:"Have WeChat check that a phone code is the caller's own; some accounts get a format error for it."`

	AvatarStore     string `env:"AVATAR_STORE" help:"Where avatars are kept: file:FOLDER or s3://BUCKET?…; the folder avatars in the data folder by default."`
	AccessKeyID     string `env:"AWS_ACCESS_KEY_ID" name:"aws-access-key-id" help:"For an s3:// store: the key's id."`
	SecretAccessKey string `env:"AWS_SECRET_ACCESS_KEY" name:"aws-secret-access-key" help:"Its secret."`
	SessionToken    string `env:"AWS_SESSION_TOKEN" name:"aws-session-token" help:"What goes with a temporary key."`

	PublicURL string `env:"PUBLIC_URL" name:"public-url" help:"https://host of this server as clients reach it; by default what each request says."`

	TokenKeys string `env:"TOKEN_KEYS" help:"Keys that sign tokens, id:base64[,id:base64…], 32 bytes or more each; the first signs, all verify. Required in production."`
	DataKeys  string `env:"DATA_KEYS" help:"Keys that seal data at rest, same form, 32 bytes each; the first seals, all open. Required in production."`

	TokenTTL       time.Duration `env:"TOKEN_TTL" name:"token-ttl" default:"168h" help:"Life of a token."`
	SessionMaxAge  time.Duration `env:"SESSION_MAX_AGE" default:"720h" help:"How long renewals may stretch one session."`
	RateLimitScale float64       `env:"RATE_LIMIT_SCALE" default:"1" help:"Multiplies every rate limit; 0 turns them off."`
	limitConfig    `embed:""`
	TrustedFile    string        `env:"TRUSTED_DOCUMENTS" name:"trusted-documents" help:"A JSON file of SHA-256 to document: in production nothing else is executed."`
	CORSOrigins    []string      `env:"CORS_ORIGINS" name:"cors-origins" help:"Browser origins that may call the API, or *; any in development, none in production. A Mini Program needs none."`
	TrustedProxies []string      `env:"TRUSTED_PROXIES" help:"CIDRs whose X-Forwarded-For is believed."`
	PublishSchema  bool          `env:"PUBLISH_SCHEMA" help:"Serve /schema.graphqls in production too."`
	DrainDelay     time.Duration `env:"DRAIN_DELAY" default:"-1s" help:"How long to go on serving, not ready, after SIGTERM; 500ms by default, in production 5s."`

	LogLevel  string `env:"LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
	LogFormat string `env:"LOG_FORMAT" default:"" enum:",text,json" help:"text or json; text by default, in production json."`
}

// limitConfig is graph.Limits, told.
type limitConfig struct {
	MaxBody       int `env:"MAX_BODY" default:"65536" help:"Bytes of a GraphQL request at most."`
	MaxTokens     int `env:"MAX_TOKENS" default:"1000" help:"Lexical tokens of a document at most."`
	MaxDepth      int `env:"MAX_DEPTH" default:"10" help:"Selections in one another at most."`
	MaxRootFields int `env:"MAX_ROOT_FIELDS" default:"10" help:"Fields of an operation itself at most."`
	MaxAliases    int `env:"MAX_ALIASES" default:"15" help:"Aliases of an operation at most."`
	MaxDirectives int `env:"MAX_DIRECTIVES" default:"50" help:"Directives of an operation at most."`
	MaxFields     int `env:"MAX_FIELDS" default:"500" help:"Fields of a document at most, fragments expanded."`
	MaxFragments  int `env:"MAX_FRAGMENTS" default:"50" help:"Fragments of a document at most."`
	MaxRepeats    int `env:"MAX_REPEATS" default:"30" help:"Times a document may ask for one place in the answer at most."`
	MaxNodes      int `env:"MAX_NODES" default:"1000" help:"Objects in the lists of an answer at most."`
}

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

type generatedKeys struct{ Token, Data string }

// developmentKeys reads the keys in dir, made at the first start. Several processes may start at once: each writes its
// own file, and the first to link it to the name wins.
func developmentKeys(dir string) (generatedKeys, error) {
	path := filepath.Join(dir, "keys.env")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return generatedKeys{}, err
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		draft, err := os.CreateTemp(dir, "keys-*")
		if err != nil {
			return generatedKeys{}, err
		}
		defer os.Remove(draft.Name())
		_, writeErr := fmt.Fprintf(draft, "TOKEN_KEYS=%s\nDATA_KEYS=%s\n", keyring.New("dev").Encode(), keyring.New("dev").Encode())
		if err := errors.Join(writeErr, draft.Close()); err != nil {
			return generatedKeys{}, err
		}
		if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
			return generatedKeys{}, err
		}
	}
	kept, err := readEnvFile(path)
	if err != nil {
		return generatedKeys{}, err
	}
	return generatedKeys{Token: kept["TOKEN_KEYS"], Data: kept["DATA_KEYS"]}, nil
}
