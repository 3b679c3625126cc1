package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/joho/godotenv"
)

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
