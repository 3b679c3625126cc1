package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"wxpass/auth"
	"wxpass/db"
	"wxpass/wechat"
	"wxpass/wechat/simulator"
)

// openStore opens the database, and in development brings its schema up to date; production refuses to run on an old
// one, because who migrates, and when, is the operator's to say.
func openStore(p *program, s *settings, log *slog.Logger) (*db.Store, error) {
	store, err := db.Open(db.Options{URL: s.DatabaseURL, Now: p.now, MaxConns: s.DatabaseConns, Unprepared: !s.Prepared, BatchReads: db.Batch(s.BatchReads)})
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
func wechatClients(p *program, s *settings, store *db.Store, metrics *metrics, log *slog.Logger) (o *outside, stop func(), err error) {
	o, stop = &outside{}, func() {}
	baseURL := s.WechatBaseURL
	if s.Simulate {
		o.fake = &simulator.Server{Now: p.now}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, fmt.Errorf("simulator: %w", err)
		}
		baseURL = "http://" + listener.Addr().String()
		stop = serveAside(p, listener, o.fake, func(err error) { log.Warn("simulator", "err", err) })
	}
	credentials := &auth.Credentials{Store: store, Keys: s.DataRing}
	transport := metrics.transport(wechat.NewTransport(), p.now)
	for _, a := range s.Apps {
		o.clients = append(o.clients, &wechat.Client{AppID: a.ID, Secret: a.Secret, BaseURL: baseURL, HTTP: &http.Client{Transport: transport},
			MaxInFlight: s.WechatMaxInFlight, Credentials: credentials, Now: p.now, Log: log})
	}
	return o, stop, nil
}

// The pauses between two tries to have WeChat take an app.
const (
	firstGreeting = 10 * time.Second
	lastGreeting  = 10 * time.Minute
)

// greet finds out whether WeChat takes each app, so that an operator learns at the start, and not from the first user,
// that it refuses one. It goes on until WeChat takes them all or ctx ends.
func (o *outside) greet(ctx context.Context, log *slog.Logger) {
	for pause := firstGreeting; ; pause = min(2*pause, lastGreeting) {
		taken := 0
		for _, client := range o.clients {
			err := client.Check(ctx)
			var fault *wechat.Error
			switch {
			case ctx.Err() != nil:
				return
			case err == nil:
				taken++
				log.InfoContext(ctx, "WeChat takes the app", "app", client.AppID)
			case errors.Is(err, wechat.ErrMisconfigured) && errors.As(err, &fault):
				log.ErrorContext(ctx, "WeChat refuses this server: nobody can log in, or nobody can bind a phone, until this is mended",
					"app", client.AppID, "err", fault, "fix", fault.Hint())
			default:
				log.WarnContext(ctx, "WeChat did not say whether it takes the app", "app", client.AppID, "err", err)
			}
		}
		if taken == len(o.clients) {
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}
