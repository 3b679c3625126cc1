package main

import (
	"time"
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

	AllowSQLite    bool   `env:"ALLOW_SQLITE" name:"allow-sqlite" help:"Let production run on SQLite."`
	MigrateOnStart bool   `env:"MIGRATE_ON_START" help:"Let production apply pending migrations when it starts."`
	DatabaseConns  int    `env:"DATABASE_MAX_CONNS" name:"database-max-conns" default:"0" help:"Database connections at most; 0 for 16, on SQLite 8."`
	BatchReads     string `env:"DATABASE_BATCH_READS" name:"database-batch-reads" default:"auto" enum:"auto,on,off" help:"Read the callers of concurrent requests by one statement: auto is on for PostgreSQL, off on Citus."`
	Prepared       bool   `env:"DATABASE_PREPARED" name:"database-prepared" default:"true" negatable:"" help:"Prepare the hot statements on PostgreSQL; false behind a pooler that gives each transaction another connection."`

	WechatApps      string `env:"WECHAT_APPS" help:"appid:secret[,appid:secret…], the default app first. Required in production; unset in development, the simulator plays WeChat."`
	WechatAppID     string `env:"WECHAT_APP_ID" name:"wechat-app-id" help:"The app id, when there is one app."`
	WechatAppSecret string `env:"WECHAT_APP_SECRET" help:"Its secret."`
	WechatBaseURL   string `env:"WECHAT_BASE_URL" name:"wechat-base-url" help:"Where WeChat is; https://api.weixin.qq.com by default."`

	WechatMaxInFlight int  `env:"WECHAT_MAX_IN_FLIGHT" name:"wechat-max-in-flight" default:"128" help:"Calls to each WeChat endpoint under way at once, for each app; more are refused at once."`
	WechatPhoneOpenID bool `env:"WECHAT_PHONE_OPENID" name:"wechat-phone-openid" help:"Have WeChat check that a phone code is the caller's own; some accounts get a format error for it."`

	AvatarStore     string `env:"AVATAR_STORE" help:"Where avatars are kept: file:FOLDER or s3://BUCKET?…; the folder avatars in the data folder by default."`
	AccessKeyID     string `env:"AWS_ACCESS_KEY_ID" name:"aws-access-key-id" help:"For an s3:// store: the key's id."`
	SecretAccessKey string `env:"AWS_SECRET_ACCESS_KEY" name:"aws-secret-access-key" help:"Its secret."`
	SessionToken    string `env:"AWS_SESSION_TOKEN" name:"aws-session-token" help:"What goes with a temporary key."`

	MetricsAddr string `env:"METRICS_ADDR" name:"metrics-addr" help:"Where to serve /metrics alone; in development by default with everything else, in production nowhere."`

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
