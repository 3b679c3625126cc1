package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestWhoImportsWhom holds the layers of the house: what a package may import of ours, tests aside.
func TestWhoImportsWhom(t *testing.T) {
	t.Parallel()
	leaves := []string{}
	core := []string{"wxpass/db", "wxpass/keyring", "wxpass/wechat"}
	allowed := map[string][]string{
		"wxpass/migrations":       leaves,
		"wxpass/wechat":           leaves,
		"wxpass/wechat/simulator": {"wxpass/wechat"},
		"wxpass/keyring":          leaves,
		"wxpass/avatar":           core,
		"wxpass/db":               {"wxpass/migrations"},
		"wxpass/db/dbtest":        {"wxpass/db"},
		"wxpass/auth":             core,
		"wxpass/order":            core,
		"wxpass/graph":            {"wxpass/auth", "wxpass/db", "wxpass/order", "wxpass/wechat"},
		"wxpass/graph/generate":   leaves,
		"wxpass/graph/playground": leaves,
		"wxpass/testlog":          leaves,
	}
	output, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(output)) {
		words := strings.Fields(line)
		rule, known := allowed[words[0]]
		if words[0] == "wxpass" { // the server may import everything that ships
			if slices.Contains(words, "wxpass/db/dbtest") || slices.Contains(words, "wxpass/testlog") {
				t.Error("the program imports dbtest or testlog")
			}
			continue
		}
		if !known {
			t.Errorf("%s has no rule here: which one concern does it hide, and whom may it import?", words[0])
		}
		for _, imported := range words[1:] {
			if strings.HasPrefix(imported, "wxpass") && !slices.Contains(rule, imported) {
				t.Errorf("%s must not import %s", words[0], imported)
			}
			if words[0] == "wxpass/db" && imported == "net/http" {
				t.Error("db must not import net/http")
			}
		}
	}
}

// TestWhoCallsOut holds which files open connections: to WeChat, to a bucket and to a database of the operator's. No
// address that a client sends is ever fetched.
func TestWhoCallsOut(t *testing.T) {
	t.Parallel()
	allowed := []string{"avatar/s3.go", "db/socket.go", "parts.go", "wechat/call.go", "wechat/client.go"}
	calls := regexp.MustCompile(`\bhttp\.((Get|Post|PostForm|Head|NewRequest|NewRequestWithContext|DefaultClient|DefaultTransport)\b|Client\{|Transport\{)|\bnet\.(Dial|Dialer)`)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || path == "bench" || strings.HasPrefix(entry.Name(), ".") && path != "."):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || slices.Contains(allowed, filepath.ToSlash(path)):
			return nil
		}
		text, err := os.ReadFile(path)
		if found := calls.Find(text); found != nil {
			t.Errorf("%s makes requests of its own: %s", path, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
