package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"wxpass/db"
	"wxpass/keyring"
	"wxpass/wechat/simulator"
)

// commands is the command line.
type commands struct {
	Serve   serveCommand `cmd:"" default:"withargs" help:"Run the server (the default command)."`
	Migrate struct {
		Up     migrateUp     `cmd:"" help:"Apply pending migrations."`
		Down   migrateDown   `cmd:"" help:"Undo the group of migrations applied last, and its data with it."`
		Status migrateStatus `cmd:"" help:"List the migrations."`

		Distribute migrateDistribute `cmd:"" help:"On a Citus coordinator, distribute the tables. Safe to repeat."`
	} `cmd:"" help:"Change the database's schema."`
	Products struct {
		Import productsImport `cmd:"" help:"Add products from a file, and give known SKUs their new title and price; all or none."`
	} `cmd:"" help:"Change what can be ordered."`
	Simulator simulatorCommand `cmd:"" help:"Run the WeChat simulator alone, for other back ends."`
	Schema    schemaCommand    `cmd:"" help:"Print the GraphQL schema."`
	Keys      struct {
		New keysNew `cmd:"" help:"Print a fresh key for TOKEN_KEYS or DATA_KEYS."`
	} `cmd:"" help:"Make keys."`
}

// program is what a command runs in.
type program struct {
	ctx    context.Context
	now    func() time.Time
	stdout io.Writer
	stderr io.Writer
}

// withStore runs do on the database, without a time-out on statements: changing a large table takes its time.
func (c databaseConfig) withStore(p *program, do func(*db.Store) error) error {
	if c.databaseURL() == "" {
		return errors.New("DATABASE_URL is not set")
	}
	store, err := db.Open(db.Options{URL: c.databaseURL(), Now: p.now, StatementTimeout: -1})
	if err != nil {
		return err
	}
	return errors.Join(do(store), store.Close())
}

type simulatorCommand struct {
	AppEnv string   `env:"APP_ENV" default:"development" enum:"development,production" help:"The simulator refuses to run in production."`
	Addr   string   `default:"127.0.0.1:8090" help:"Where to listen."`
	App    []string `placeholder:"APPID:SECRET" help:"An app to serve, appid:secret; may be repeated. By default the one the server uses too."`
}

// Run plays WeChat until it is told to stop.
func (c *simulatorCommand) Run(p *program) error {
	if c.AppEnv == "production" {
		return errors.New("APP_ENV is production: the simulator lets anybody be anybody and does not run there")
	}
	fake := &simulator.Server{Now: p.now, Log: newLogger(p.stderr, "info", "text")}
	for _, pair := range c.App {
		id, secret, ok := strings.Cut(pair, ":")
		if !ok || id == "" || secret == "" {
			return errors.New("--app: give appid:secret")
		}
		fake.Apps = append(fake.Apps, simulator.App{ID: id, Secret: secret})
	}
	listener, err := listen(c.Addr, "--addr", p.now)
	if err != nil {
		return err
	}
	shown := simulator.DefaultApp()
	if len(fake.Apps) > 0 {
		shown = fake.Apps[0]
	}
	fmt.Fprintf(p.stderr, simulatorBanner, listener.Addr(), shown.ID)
	return serveUntil(p.ctx, listener, fake)
}

// serveUntil serves until ctx ends and lets the requests under way finish.
func serveUntil(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: readHeaderTimeout}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownPatience)
	defer cancel()
	return server.Shutdown(patience)
}

// serveAside serves beside the server proper, and beyond the end of the program's context, until stop is called.
func serveAside(p *program, listener net.Listener, handler http.Handler, failed func(error)) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := serveUntil(ctx, listener, handler); err != nil {
			failed(err)
		}
	}()
	return func() { cancel(); <-done }
}

type schemaCommand struct{}

// Run prints the schema.
func (schemaCommand) Run(p *program) error {
	_, err := io.WriteString(p.stdout, schemaText)
	return err
}

type keysNew struct {
	ID string `arg:"" optional:"" help:"A name for the key; by default the day."`
}

// Run prints a fresh key, in the form the settings take.
func (c *keysNew) Run(p *program) error {
	id := c.ID
	if id == "" {
		id = p.now().UTC().Format("k20060102")
	}
	text := keyring.New(id).Encode()
	if ring, err := keyring.Parse(text); err != nil || ring[0].ID != id {
		return errors.New("a key's id has 1 to 32 letters, digits, '.', '_' or '-'")
	}
	_, err := fmt.Fprintln(p.stdout, text)
	return err
}
