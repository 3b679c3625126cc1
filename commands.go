package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
	"github.com/joho/godotenv"

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

// parse reads the command line and the environment. Every setting that does not parse is reported at once.
func parse(args []string, getenv func(string) string, stdout, stderr io.Writer) (run *kong.Context, helped bool, err error) {
	var cli commands
	var faults []error
	env := map[*kong.Flag][]string{}
	parser, err := kong.New(&cli,
		kong.Name("wxpass"),
		kong.Description("The server a WeChat Mini Program logs in to. Every setting is a flag or a variable of the environment; a .env file is read when present."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { helped = true }),
		kong.PostBuild(func(k *kong.Kong) error { return claimEnv(k.Model.Node, env) }),
		kong.Resolvers(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
			for _, name := range env[flag] {
				text := getenv(name)
				if text == "" {
					continue
				}
				if err := check(flag, text); err != nil {
					faults = append(faults, fmt.Errorf("%s: %w", name, err))
					return nil, nil
				}
				return text, nil
			}
			return nil, nil
		})),
	)
	if err != nil {
		return nil, false, err
	}
	run, err = parser.Parse(args)
	if helped {
		return nil, true, nil
	}
	if err := errors.Join(append(faults, err)...); err != nil {
		return nil, helped, err
	}
	return run, helped, nil
}

// claimEnv takes the names of variables from the library, which would read the process's own environment, and puts
// them in the help texts and in env.
func claimEnv(node *kong.Node, env map[*kong.Flag][]string) error {
	for _, flag := range node.Flags {
		if len(flag.Tag.Envs) > 0 {
			env[flag] = flag.Tag.Envs
			flag.Help += " ($" + strings.Join(flag.Tag.Envs, ", $") + ")"
			flag.Envs, flag.Tag.Envs = nil, nil
		}
	}
	for _, child := range node.Children {
		if err := claimEnv(child, env); err != nil {
			return err
		}
	}
	return nil
}

// forms are examples of the kinds of value there are.
var forms = map[reflect.Kind]string{reflect.Bool: "true or false", reflect.Int: "16", reflect.Float64: "1.5", reflect.Int64: "168h or 500ms"}

// check reports what is wrong with text as a flag's value, without repeating it: it may be a secret put in the wrong
// place.
func check(flag *kong.Flag, text string) error {
	scan := kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: text})
	into := reflect.New(flag.Target.Type()).Elem()
	if err := flag.Parse(scan, into); err != nil {
		return fmt.Errorf("the value is not of the form %s", forms[into.Kind()])
	}
	if flag.Enum != "" && !flag.EnumMap()[into.String()] {
		return fmt.Errorf("the value must be one of %s", strings.Trim(flag.Enum, ","))
	}
	return nil
}

// environment is the process's environment, and behind it the .env file of the working folder.
func environment() (func(string) string, error) {
	file, err := readEnvFile(".env")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return func(name string) string {
		if value, ok := os.LookupEnv(name); ok {
			return value
		}
		return file[name]
	}, nil
}

// readEnvFile reads NAME=value lines; its errors never quote them.
func readEnvFile(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	values, err := godotenv.UnmarshalBytes(bytes.TrimPrefix(text, []byte("\ufeff"))) // as Notepad begins a file
	if err != nil {
		return nil, fmt.Errorf("%s: it must hold NAME=value lines and # comments only", path)
	}
	return values, nil
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

type migrateUp struct {
	databaseConfig
	Unlock bool          `help:"First remove the lock of a process that died while migrating. Be sure that it did."`
	Wait   time.Duration `default:"1m" help:"How long to wait for another process that is migrating."`
}

// Run applies pending migrations.
func (c *migrateUp) Run(p *program) error {
	return c.withStore(p, func(store *db.Store) error {
		if c.Unlock {
			if err := store.UnlockMigrations(p.ctx); err != nil {
				return err
			}
		}
		done, err := migrate(p.ctx, c.Wait, store.Migrate)
		return report(p.stdout, "applied", done, err)
	})
}

type migrateDown struct {
	databaseConfig
	Yes  bool          `help:"Needed in production: the data in the tables goes for good."`
	Wait time.Duration `default:"1m" help:"How long to wait for another process that is migrating."`
}

// Run undoes the group applied last.
func (c *migrateDown) Run(p *program) error {
	if c.AppEnv == "production" && !c.Yes {
		return errors.New("APP_ENV is production: this removes tables with all their data; give --yes to go on")
	}
	return c.withStore(p, func(store *db.Store) error {
		undone, err := migrate(p.ctx, c.Wait, store.Rollback)
		return report(p.stdout, "undone", undone, err)
	})
}

// migrate runs do for as long as it takes, but waits for another process for wait only.
func migrate(ctx context.Context, wait time.Duration, do func(context.Context, time.Duration) ([]db.Migration, error)) ([]db.Migration, error) {
	done, err := do(ctx, wait)
	if errors.Is(err, db.ErrMigrationLocked) {
		err = fmt.Errorf("%w: wait for it; if it died, run `wxpass migrate up --unlock`", err)
	}
	return done, err
}

func report(w io.Writer, verb string, list []db.Migration, err error) error {
	if err != nil {
		return err
	}
	for _, m := range list {
		fmt.Fprintln(w, verb, m.Name)
	}
	if len(list) == 0 {
		fmt.Fprintln(w, "nothing to do")
	}
	return nil
}

type migrateStatus struct{ databaseConfig }

// Run lists the migrations.
func (c *migrateStatus) Run(p *program) error {
	return c.withStore(p, func(store *db.Store) error {
		list, err := store.Migrations(p.ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "MIGRATION\tGROUP\tAPPLIED")
		for _, m := range list {
			group, applied := "-", "pending"
			if m.Group != 0 {
				group, applied = fmt.Sprint(m.Group), m.AppliedAt.Format(time.RFC3339)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\n", m.Name, group, applied)
		}
		return table.Flush()
	})
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

type migrateDistribute struct {
	databaseConfig
	DryRun bool `help:"Print the statements and run none of them."`
}

// Run distributes the tables over Citus, saying what it does.
func (c *migrateDistribute) Run(p *program) error {
	if c.DryRun {
		for _, statement := range db.DistributionStatements() {
			fmt.Fprintln(p.stdout, statement+";")
		}
		return nil
	}
	return c.withStore(p, func(store *db.Store) error {
		return store.Distribute(p.ctx, func(statement string) { fmt.Fprintln(p.stdout, statement+";") })
	})
}
