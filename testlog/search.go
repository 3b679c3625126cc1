package testlog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// least is the length, in bytes, of the shortest secret that is looked for.
const least = 8

// shapes tell secrets that no test knows, because a program made them for itself.
var shapes = map[string]*regexp.Regexp{
	"token":       regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}`),
	"session key": regexp.MustCompile(`(?:^|[^A-Za-z0-9+/\\])[A-Za-z0-9+/]{22}==`),
	"key":         regexp.MustCompile(`(?:^|[^A-Za-z0-9+/])[A-Za-z0-9+/]{43}=(?:$|[^=])`),
	"credential":  regexp.MustCompile(`98_[A-Z2-7]{26}`),
	"login code":  regexp.MustCompile(`(?:^|[^A-Z2-7_])[A-Z2-7]{32}(?:$|[^A-Z2-7])`),
	"phone":       regexp.MustCompile(`(?:^|[^0-9A-Za-z.-])(?:\+?86)?1[3-9][0-9]{9}(?:$|[^0-9A-Za-z-])`),
	"query":       regexp.MustCompile(`js_code=|access_token=|secret=|session_key\\?"?[=:]`),
}

// haystack finds secrets in text: by their first bytes, which are looked up at every place, and then in whole.
type haystack struct {
	byStart map[[least]byte][]secret
	maybe   [1 << 16]bool // whether a secret starts with these two bytes
}

func newHaystack(secrets map[string]string) *haystack {
	h := &haystack{byStart: map[[least]byte][]secret{}}
	for value, kind := range secrets {
		forms := []string{value, url.QueryEscape(value), strings.ReplaceAll(value, "/", `\/`)}
		slices.Sort(forms)
		for _, form := range slices.Compact(forms) {
			start := [least]byte([]byte(form))
			h.byStart[start] = append(h.byStart[start], secret{kind, form})
			h.maybe[int(start[0])<<8|int(start[1])] = true
		}
	}
	return h
}

// find calls hit for each secret in a line.
func (h *haystack) find(line []byte, hit func(secret)) {
	for i := 0; i+least <= len(line); i++ {
		if !h.maybe[int(line[i])<<8|int(line[i+1])] {
			continue
		}
		for _, s := range h.byStart[[least]byte(line[i:])] {
			if strings.HasPrefix(string(line[i:min(len(line), i+len(s.Value))]), s.Value) {
				hit(s)
			}
		}
	}
	for kind, shape := range shapes {
		if found := shape.Find(line); found != nil {
			hit(secret{"what looks like a " + kind, string(found)})
		}
	}
}

// Run is what a search found.
type Run struct {
	Logs, Bytes int            // how much was searched
	Secrets     map[string]int // how many distinct ones were looked for, by kind
	Controls    int            // how many of the controls, planted in the logs, were found
	Leaks       []string       // each line with a secret in it: where, which kind, and the line
}

// Search looks in all logs of a folder for all secrets in it.
func Search(folder string) (*Run, error) {
	secrets := map[string]string{} // kind by value
	if err := eachLine(folder, "secrets", func(_ string, line []byte) error {
		var s secret
		if err := json.Unmarshal(line, &s); err != nil {
			return err
		}
		secrets[s.Value] = s.Kind
		return nil
	}); err != nil {
		return nil, err
	}
	run := &Run{Secrets: map[string]int{}}
	for _, kind := range secrets {
		run.Secrets[kind]++
	}
	stack := newHaystack(secrets)
	last := ""
	err := eachLine(folder, "log", func(file string, line []byte) error {
		if file != last {
			last = file
			run.Logs++
		}
		run.Bytes += len(line) + 1
		if invitation.Match(line) {
			return nil
		}
		stack.find(line, func(s secret) {
			if s.Kind == control {
				run.Controls++
				return
			}
			run.Leaks = append(run.Leaks, fmt.Sprintf("%s: %s %q in: %s", filepath.Base(file), s.Kind, s.Value, line))
		})
		return nil
	})
	return run, err
}

// invitation is the line that development prints for its user to log in with, and the one of the simulator.
var invitation = regexp.MustCompile(`^ +curl -s http://\S+/graphql -H 'content-type: application/json' -d '|^ +always works +the login code sim-alice logs in as alice$`)

// eachLine calls do with each line of the files of a kind.
func eachLine(folder, kind string, do func(file string, line []byte) error) error {
	files, err := filepath.Glob(filepath.Join(folder, "*."+kind))
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := eachLineOf(name, do); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func eachLineOf(name string, do func(file string, line []byte) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			if err := do(name, bytes.TrimSuffix(line, []byte("\n"))); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}
