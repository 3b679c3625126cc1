// Command bench measures wxpass against the floor: the least a server could do for the same request. Both run side by
// side on one database, in turn, and only their ratios mean anything. It needs Linux, for CPU times are read from /proc.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options is what the command line says.
type options struct {
	rounds      int
	measure     time.Duration
	users       []int
	cases       []string
	connections []int
	callers     int
	data        string
	product     string // folder of wxpass's source
	binary      string // a wxpass that is built already
	small       bool
	hold        bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := bench
	if len(os.Args) > 1 && os.Args[1] == "floor" { // started by ourselves, as a process of its own
		run = func(ctx context.Context, _ []string) error { return serveFloor(ctx, os.Getenv) }
	}
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parseOptions(args []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 20, "rounds, each of both servers; medians are shown")
	seconds := flags.Float64("seconds", 0.5, "seconds of one measurement")
	users := flags.String("users", "1000000", "users stored; several, such as 10000,1000000, are put side by side")
	cases := flags.String("cases", "", "cases to run, comma-separated; all by default: "+strings.Join(caseNames(), ","))
	connections := flags.String("connections", "1,8,32,128", "connections to drive each server at")
	flags.IntVar(&o.callers, "callers", 10000, "users whose requests come, at random, of those stored")
	flags.StringVar(&o.data, "data", "data", "folder of the filled PostgreSQL, kept for the next run")
	flags.StringVar(&o.product, "product", "..", "folder of wxpass's source")
	flags.StringVar(&o.binary, "binary", "", "a wxpass built already, in place of building one")
	flags.BoolVar(&o.small, "small", false, "run everything once on little data: only whether the answers are right counts")
	flags.BoolVar(&o.hold, "hold", false, "start everything, say where, and wait: for profilers and for curl")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if o.small {
		o.rounds, *seconds, *users, *connections, o.callers = 1, 0.2, "2000", "1,32", 500
	}
	o.measure = time.Duration(*seconds * float64(time.Second))
	var err error
	if o.users, err = numbers(*users); err != nil {
		return nil, fmt.Errorf("--users: %w", err)
	}
	if o.connections, err = numbers(*connections); err != nil {
		return nil, fmt.Errorf("--connections: %w", err)
	}
	o.cases = caseNames()
	if *cases != "" {
		o.cases = strings.Split(*cases, ",")
	}
	for _, name := range o.cases {
		if !slices.Contains(caseNames(), name) {
			return nil, fmt.Errorf("--cases: there is no %q: choose of %s", name, strings.Join(caseNames(), ","))
		}
	}
	if o.rounds < 1 || o.measure <= 0 || o.callers < 1 || slices.Min(o.users) < leastUsers {
		return nil, fmt.Errorf("rounds, seconds and callers must be more than 0, users %d or more", leastUsers)
	}
	o.data, err = filepath.Abs(o.data)
	return o, err
}

func numbers(list string) ([]int, error) {
	var out []int
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is not a number above 0", text)
		}
		out = append(out, n)
	}
	return out, nil
}

// bench does what args say: for each number of users it fills a database, runs the cases on it and prints a table.
func bench(ctx context.Context, args []string) (err error) {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	if _, err := postgresBinaries(); err != nil && o.small && os.Getenv("CI") != "true" {
		fmt.Fprintln(os.Stderr, "*** bench: SKIPPED:", err)
		return nil
	}
	work, err := os.MkdirTemp("", "wxpass-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if o.small {
		o.data = filepath.Join(work, "data")
	}
	b := &runner{options: o, work: work, log: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }}
	if err := b.build(ctx); err != nil {
		return err
	}
	var tables []table
	for _, users := range o.users {
		t, err := b.run(ctx, users)
		if err != nil {
			return fmt.Errorf("%d users: %w", users, err)
		}
		if !o.small && !o.hold {
			t.print(os.Stdout)
		}
		tables = append(tables, t)
	}
	if len(tables) > 1 {
		compare(os.Stdout, tables)
	}
	return nil
}
