// Package testlog keeps what a test run logs and which secrets its tests know, so that the one can be searched for the
// other. It does so in the folder that the environment variable WXPASS_TEST_LOGS names, and nothing when there is none.
package testlog

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
)

// folder is where the run is kept, empty when it is not.
func folder() string { return os.Getenv("WXPASS_TEST_LOGS") }

// Kept reports whether the run is kept.
func Kept() bool { return folder() != "" }

// control is the kind of secret that a log is given to show that a secret in it is found.
const control = "control"

// Tee returns a writer to w that keeps what is written.
func Tee(w io.Writer) io.Writer {
	if !Kept() {
		return w
	}
	planted := "control-" + rand.Text()
	Secret(control, planted)
	kept := keeper("log")
	fmt.Fprintln(kept, planted)
	return io.MultiWriter(w, kept)
}

// Logger returns a logger of everything to w, which is kept. With nil it is only kept.
func Logger(w io.Writer) *slog.Logger {
	if w == nil {
		w = io.Discard
	}
	return slog.New(slog.NewTextHandler(Tee(w), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Secret tells that value must be in no log. Values of fewer than eight bytes, which turn up by chance, are not looked
// for.
func Secret(kind, value string) {
	if !Kept() || len(value) < least {
		return
	}
	line, err := json.Marshal(secret{kind, value})
	if err != nil {
		panic(err) // two strings always encode
	}
	fmt.Fprintln(keeper("secrets"), string(line))
}

// secret is a line of a list of secrets.
type secret struct{ Kind, Value string }

// keeper appends to a file of this process. It opens it for every write, so that nobody has to close it: not a test, and
// not a process that is killed.
type keeper string

func (k keeper) Write(p []byte) (int, error) {
	name := filepath.Join(folder(), fmt.Sprintf("%d.%s", os.Getpid(), string(k)))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := f.Write(p)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return n, err
}
