package main

import (
	"os/exec"
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
		"wxpass/graph/playground": leaves,
	}
	output, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(output)) {
		words := strings.Fields(line)
		rule, known := allowed[words[0]]
		if words[0] == "wxpass" { // the server may import everything that ships
			if slices.Contains(words, "wxpass/db/dbtest") {
				t.Error("the program imports dbtest")
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
