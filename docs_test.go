package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryTestNamedInDocsExists holds the tables of docs to the tests that there are. A name in backticks is of a
// function in graph/, or in the folder in brackets behind it; a text in quotes is the name of a test in the file behind it.
func TestEveryTestNamedInDocsExists(t *testing.T) {
	t.Parallel()
	var (
		goTest   = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w*)`(?: \\(([a-z/]+)\\))?")
		scripted = regexp.MustCompile("\"([^\"]+)\" \\(`([^`]+)`\\)")
		inFolder = map[string]string{} // all test files of a folder
	)
	for _, page := range []string{"docs/failures.md", "docs/attacks.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		names := goTest.FindAllSubmatch(text, -1)
		for _, m := range names {
			name, folder := string(m[1]), string(m[2])
			switch folder {
			case "":
				folder = "graph"
			case "root":
				folder = "."
			}
			if _, ok := inFolder[folder]; !ok {
				inFolder[folder] = testFiles(t, folder)
			}
			if !strings.Contains(inFolder[folder], "\nfunc "+name+"(") {
				t.Errorf("%s names %s, which is not in %s", page, name, folder)
			}
		}
		for _, m := range scripted.FindAllSubmatch(text, -1) {
			script, err := os.ReadFile(string(m[2]))
			if err != nil || !strings.Contains(string(script), "test('"+string(m[1])+"'") {
				t.Errorf("%s names the test %q, which is not in %s: %v", page, m[1], m[2], err)
			}
		}
		if len(names) < 20 {
			t.Errorf("%s names %d tests: this test does not read it right", page, len(names))
		}
	}
}

// testFiles returns the text of all test files in a folder.
func testFiles(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
