// Command wxpass is the server a WeChat Mini Program logs in to. It speaks GraphQL.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"wxpass/auth"
	"wxpass/avatar"
	"wxpass/db"
	"wxpass/graph"
	"wxpass/graph/playground"
	"wxpass/order"
	"wxpass/wechat"
	"wxpass/wechat/simulator"
)

// schemaText is the API's contract.
//
//go:embed schema.graphqls
var schemaText string

const (
	readHeaderTimeout = 5 * time.Second
	shutdownPatience  = 25 * time.Second // for requests under way; orchestrators kill after 30 s
	requestTimeout    = 12 * time.Second // longer than WeChat's, shorter than the 15 s of WeChat's cloud
	migrationPatience = time.Minute      // for another process that is migrating
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	getenv, err := environment()
	if err == nil {
		err = run(ctx, os.Args[1:], getenv, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "wxpass:", err)
		os.Exit(1)
	}
}

// run is the program: it does what args say and returns when that is done, or when ctx ends.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	command, helped, err := parse(args, getenv, stdout, stderr)
	if helped || err != nil {
		return err
	}
	return command.Run(&program{ctx: ctx, now: time.Now, stdout: stdout, stderr: stderr})
}

type serveCommand struct{ config }

// Run serves until it is told to stop. The parts are stopped in the order that no request notices: readiness drops,
// the requests under way finish, the simulator goes, the database closes.
func (c *serveCommand) Run(p *program) error {
	s, err := c.settings()
	if err != nil {
		return fmt.Errorf("the configuration is not complete:\n%w", err)
	}
	log := newLogger(p.stderr, s.LogLevel, s.LogFormat)
	door, err := listen(s.Addr, "ADDR", p.now)
	if err != nil {
		return err
	}
	defer door.Close() // twice does no harm
	store, err := openStore(p, s, log)
	if err != nil {
		return err
	}
	defer store.Close()

	world, stopWorld, err := wechatClients(p, s, store, log)
	if err != nil {
		return err
	}
	defer stopWorld()

	avatars, err := avatar.Open(avatar.Options{URL: s.AvatarStore, AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey,
		SessionToken: s.SessionToken, Now: p.now, Log: log})
	if err != nil {
		return fmt.Errorf("AVATAR_STORE: %w", err)
	}
	collecting, stopCollecting := context.WithCancel(p.ctx)
	collected := make(chan struct{})
	go func() {
		defer close(collected)
		collectOrphans(collecting, store, avatars, p.now, log)
	}()
	defer func() { stopCollecting(); <-collected }()

	front := &edge{proxies: s.Proxies, origin: s.PublicURL, secure: s.Production, now: p.now, log: log}
	health := &health{store: store, draining: &front.draining}
	server := &http.Server{
		Handler:           front.wrap(routes(p, s, store, avatars, world, health, log)),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnState:         door.observe,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(door) }()
	announce(p.stderr, s, door.Addr(), log)

	select {
	case err := <-failed:
		return err
	case <-p.ctx.Done():
	}
	log.Info("stopping: not ready any more, finishing the requests under way", "delay", s.DrainDelay)
	front.draining.Store(true)
	time.Sleep(s.DrainDelay) // for load balancers to notice, and for open connections to be closed by their next answer
	patience, cancel := context.WithTimeout(context.Background(), shutdownPatience)
	defer cancel()
	if err := door.stop(patience, server); err != nil {
		return fmt.Errorf("requests were still under way after %s: %w", shutdownPatience, err)
	}
	log.Info("stopped")
	return nil
}

// openStore opens the database, and in development brings its schema up to date; production refuses to run on an old
// one, because who migrates, and when, is the operator's to say.
func openStore(p *program, s *settings, log *slog.Logger) (*db.Store, error) {
	store, err := db.Open(db.Options{URL: s.DatabaseURL, Now: p.now, MaxConns: s.DatabaseConns})
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	err = prepare(p, s, store, log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("DATABASE_URL: %w", err), store.Close())
	}
	return store, nil
}

func prepare(p *program, s *settings, store *db.Store, log *slog.Logger) error {
	pending, err := store.Pending(p.ctx)
	switch {
	case err != nil:
		return err
	case len(pending) > 0 && s.Production && !s.MigrateOnStart:
		return fmt.Errorf("%d migrations are pending: run `wxpass migrate up` first, or set MIGRATE_ON_START=true", len(pending))
	case len(pending) > 0:
		done, err := migrate(p.ctx, migrationPatience, store.Migrate)
		for _, m := range done {
			log.Info("migrated", "migration", m.Name)
		}
		if err != nil {
			return err
		}
	}
	if s.Production {
		return nil
	}
	return seed(p.ctx, store)
}

// outside is the WeChat of the configured apps: the real one, or a simulator of ours.
type outside struct {
	clients []*wechat.Client
	fake    *simulator.Server // nil when the real one is called
}

// wechatClients makes a client for each app. The simulator gets a loopback listener of its own, so that the client
// calls it over HTTP as it would WeChat, also while the server's own listener is closing.
func wechatClients(p *program, s *settings, store *db.Store, log *slog.Logger) (o *outside, stop func(), err error) {
	o, stop = &outside{}, func() {}
	baseURL := s.WechatBaseURL
	if s.Simulate {
		o.fake = &simulator.Server{Now: p.now}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, fmt.Errorf("simulator: %w", err)
		}
		baseURL = "http://" + listener.Addr().String()
		ctx, cancel := context.WithCancel(context.WithoutCancel(p.ctx))
		done := make(chan error, 1)
		go func() { done <- serveUntil(ctx, listener, o.fake) }()
		stop = func() {
			cancel()
			if err := <-done; err != nil {
				log.Warn("simulator", "err", err)
			}
		}
	}
	credentials := &auth.Credentials{Store: store, Keys: s.DataRing}
	for _, a := range s.Apps {
		o.clients = append(o.clients, &wechat.Client{AppID: a.ID, Secret: a.Secret, BaseURL: baseURL, Credentials: credentials, Now: p.now, Log: log})
	}
	return o, stop, nil
}

// routes lays out the URLs.
func routes(p *program, s *settings, store *db.Store, avatars *avatar.Store, world *outside, health *health, log *slog.Logger) http.Handler {
	var appIDs []string
	for _, a := range s.Apps {
		appIDs = append(appIDs, a.ID)
	}
	service := &auth.Service{
		Store:         store,
		WeChat:        world.clients,
		Tokens:        &auth.Issuer{Keys: s.TokenRing, Apps: appIDs, Now: p.now},
		DataKeys:      s.DataRing,
		TokenTTL:      s.TokenTTL,
		SessionMaxAge: s.SessionMaxAge,
		Now:           p.now,
		Log:           log,

		SendPhoneOpenID: s.WechatPhoneOpenID,
		DeleteAvatar:    avatars.Delete,
	}
	api := graph.Handler(&graph.Resolver{Auth: service, Orders: &order.Service{Store: store, Now: p.now, Log: log}, UploadURL: uploadURL}, graph.Options{
		Development:    !s.Production,
		RateLimitScale: s.RateLimitScale,
		MaxBody:        64 << 10,
		MaxTokens:      1000,
		Now:            p.now,
		Log:            log,
	})
	mux := http.NewServeMux()
	mux.Handle("/graphql", bounded(service.Middleware(api)))
	mux.Handle("POST /upload/avatar", service.Middleware(uploads(store, avatars, log)))
	mux.Handle("GET /avatars/{name}", avatars)
	mux.HandleFunc("GET /healthz", health.alive)
	mux.HandleFunc("GET /readyz", health.ready)
	if !s.Production || s.PublishSchema {
		mux.HandleFunc("GET /schema.graphqls", serveSchema)
	}
	if !s.Production {
		page := playground.Handler("/graphql")
		mux.Handle("GET /{$}", page)
		mux.Handle("GET /playground/", page)
	}
	if world.fake != nil {
		mux.Handle("/simulator/", http.NewCrossOriginProtection().Handler(world.fake)) // no page elsewhere logs anybody in
	}
	return mux
}

// bounded ends what a request started when its time is up, so that a database that hangs does not hang us.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func serveSchema(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, schemaText)
}

// listen opens addr; the error names the setting that holds it.
func listen(addr, setting string, now func() time.Time) (*drainer, error) {
	listener, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s: %s is taken by another program: choose another port", setting, addr)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return &drainer{door: listener.(*net.TCPListener), now: now, busy: map[net.Conn]struct{}{}}, nil
}

func newLogger(w io.Writer, level, format string) *slog.Logger {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: least}
	if format == "json" {
		return slog.New(requestLog{slog.NewJSONHandler(w, options)})
	}
	return slog.New(requestLog{slog.NewTextHandler(w, options)})
}
