package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"wxpass/auth"
	"wxpass/db"
	"wxpass/wechat"
	"wxpass/wechat/simulator"
)

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
