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
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"wxpass/avatar"
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

	// gcPercent lets the heap, which is small, grow to three times what is alive before it is collected, not twice: some
	// 5 % of a busy server's time, for 15 MiB. Pictures stay within their 64 MiB. GOGC sets something else.
	gcPercent = 200
)

func main() {
	if set := debug.SetGCPercent(gcPercent); set != 100 { // GOGC said so
		debug.SetGCPercent(set)
	}
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

	metrics := newMetrics()
	world, stopWorld, err := wechatClients(p, s, store, metrics, log)
	if err != nil {
		return err
	}
	defer stopWorld()
	metrics.watch(world.clients, store.Stats)
	stopMetrics, err := metrics.serve(p, s.MetricsAddr, log)
	if err != nil {
		return err
	}
	defer stopMetrics()

	avatars, err := avatar.Open(avatar.Options{URL: s.AvatarStore, AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey,
		SessionToken: s.SessionToken, Now: p.now, Log: log})
	if err != nil {
		return fmt.Errorf("AVATAR_STORE: %w", err)
	}
	background, stopBackground := context.WithCancel(p.ctx)
	var owned sync.WaitGroup
	defer func() { stopBackground(); owned.Wait() }()
	owned.Go(func() { collectOrphans(background, store, avatars, p.now, log) })
	if !s.Simulate {
		owned.Go(func() { world.greet(background, log) })
	}

	front := &edge{proxies: s.Proxies, origin: s.PublicURL, secure: s.Production, now: p.now, log: log, metrics: metrics}
	health := &health{store: store, wechat: world.clients, draining: &front.draining}
	server := &http.Server{
		Handler:           front.wrap(routes(p, s, store, avatars, world, health, metrics, log)),
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
