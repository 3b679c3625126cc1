package playground

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

var (
	bare  = fstest.MapFS{"assets/README.md": {Data: []byte("nothing here")}}
	built = func() fstest.MapFS {
		files := maps.Clone(bare)
		for _, l := range slices.Concat(scripts, styles) {
			files["assets/"+l.Path] = &fstest.MapFile{Data: []byte("content of " + l.Path)}
		}
		return files
	}()
)

func get(t *testing.T, files fs.FS, path string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	handler("/graphql", files).ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
	return answer
}

// policyOf reads the answer's policy as directive -> sources.
func policyOf(t *testing.T, answer *httptest.ResponseRecorder) map[string][]string {
	t.Helper()
	policy := map[string][]string{}
	for _, directive := range strings.Split(answer.Header().Get("Content-Security-Policy"), "; ") {
		words := strings.Fields(directive)
		if len(words) < 2 {
			t.Fatalf("directive %q has no source", directive)
		}
		policy[words[0]] = words[1:]
	}
	return policy
}

var (
	scriptElement = regexp.MustCompile(`(?s)<script([^>]*)>(.*?)</script>`)
	reference     = regexp.MustCompile(`<(?:script|link)[^>]* (?:src|href)="([^"]+)"`)
	inlineCode    = regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|javascript:`)
	nonce         = regexp.MustCompile(` nonce="([A-Z2-7]{26})"`)
)

// references are the URLs of the scripts and stylesheets of a page.
func references(t *testing.T, page string) (urls []string) {
	t.Helper()
	for _, m := range reference.FindAllStringSubmatch(page, -1) {
		if m[1] != "data:," {
			urls = append(urls, m[1])
		}
	}
	if len(urls) != len(scripts)+len(styles)+2 {
		t.Fatalf("page refers to %q, want our two files and every library", urls)
	}
	return urls
}

func TestThePageRunsNothingInline(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]fs.FS{"embedded": built, "from the CDN": bare} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := get(t, files, "/")
			if answer.Code != http.StatusOK {
				t.Fatalf("status = %d, want 200", answer.Code)
			}
			for header, want := range map[string]string{
				"Content-Type":           "text/html; charset=utf-8",
				"Cache-Control":          "no-store",
				"X-Content-Type-Options": "nosniff",
				"Referrer-Policy":        "no-referrer",
			} {
				if got := answer.Header().Get(header); got != want {
					t.Errorf("%s = %q, want %q", header, got, want)
				}
			}
			page := answer.Body.String()
			for _, m := range scriptElement.FindAllStringSubmatch(page, -1) {
				if !strings.Contains(m[1], " src=") || m[2] != "" {
					t.Errorf("inline script: %s", m[0])
				}
			}
			if found := inlineCode.FindString(page); found != "" {
				t.Errorf("page holds %q", found)
			}
			if !strings.Contains(page, ` data-endpoint="/graphql"`) {
				t.Error("page does not name the endpoint")
			}

			policy := policyOf(t, answer)
			for directive, want := range map[string]string{
				"default-src": "'none'", "connect-src": "'self'", "img-src": "data:", "font-src": "data:",
				"base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
			} {
				if got := strings.Join(policy[directive], " "); got != want {
					t.Errorf("%s = %q, want %q", directive, got, want)
				}
			}
			if whole := answer.Header().Get("Content-Security-Policy"); strings.Contains(whole, "unsafe") {
				t.Errorf("policy lets unsafe things in: %s", whole)
			}
		})
	}
}

func TestTheNonceIsFreshAndThePolicys(t *testing.T) {
	t.Parallel()
	h := handler("/graphql", built)
	seen := map[string]bool{}
	for range 2 {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
		m := nonce.FindStringSubmatch(answer.Body.String())
		if m == nil {
			t.Fatal("page has no nonce")
		}
		if got := policyOf(t, answer)["style-src"]; !slices.Contains(got, "'nonce-"+m[1]+"'") {
			t.Errorf("style-src = %q, without the page's nonce %q", got, m[1])
		}
		seen[m[1]] = true
	}
	if len(seen) != 2 {
		t.Error("two answers share a nonce")
	}
}

func TestEmbeddedLibrariesAreServed(t *testing.T) {
	t.Parallel()
	answer := get(t, built, "/")
	if whole := answer.Header().Get("Content-Security-Policy") + answer.Body.String(); strings.Contains(whole, "https:") {
		t.Error("the page needs another host")
	}
	if got := policyOf(t, answer)["script-src"]; !slices.Equal(got, []string{"'self'"}) {
		t.Errorf("script-src = %q, want 'self' alone", got)
	}
	for _, url := range references(t, answer.Body.String()) {
		file := get(t, built, url)
		if file.Code != http.StatusOK || file.Body.Len() == 0 {
			t.Errorf("%s: status %d, %d bytes", url, file.Code, file.Body.Len())
		}
		wantType, wantCache := "text/javascript; charset=utf-8", "no-cache"
		if strings.HasSuffix(url, ".css") {
			wantType = "text/css; charset=utf-8"
		}
		if strings.Contains(url, "@") {
			wantCache = "public, max-age=31536000, immutable"
			if got, want := file.Body.String(), "content of "+strings.TrimPrefix(url, "/playground/"); got != want {
				t.Errorf("%s is %q, want %q", url, got, want)
			}
		}
		h := file.Header()
		if got := h.Get("Content-Type"); got != wantType {
			t.Errorf("%s: type %q, want %q", url, got, wantType)
		}
		if got := h.Get("Cache-Control"); got != wantCache {
			t.Errorf("%s: cached %q, want %q", url, got, wantCache)
		}
		if got := h.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options = %q", url, got)
		}
	}
}

// A build with some of the files is one without: a page of mixed origin would be nobody's intention.
func TestMissingLibrariesComeFromTheCDN(t *testing.T) {
	t.Parallel()
	partial := maps.Clone(built)
	delete(partial, "assets/"+styles[0].Path)
	for name, files := range map[string]fs.FS{"none": bare, "not all": partial} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := get(t, files, "/")
			page, policy := answer.Body.String(), policyOf(t, answer)
			if !strings.Contains(page, "make playground") {
				t.Error("page does not say what to run")
			}
			if len(policy["script-src"]) != 1+len(scripts) {
				t.Errorf("script-src = %q, want 'self' and the scripts", policy["script-src"])
			}
			for _, url := range references(t, page) {
				if ours := strings.HasPrefix(url, "/"); ours {
					if got := get(t, files, url).Code; got != http.StatusOK {
						t.Errorf("%s: status %d, want 200", url, got)
					}
					continue
				}
				directive := "script-src"
				if strings.HasSuffix(url, ".css") {
					directive = "style-src"
				}
				if !slices.Contains(policy[directive], url) {
					t.Errorf("%s = %q, without %s", directive, policy[directive], url)
				}
				path, ok := strings.CutPrefix(url, "https://cdn.jsdelivr.net/npm/")
				if !ok {
					t.Errorf("page loads %s from a host it does not name", url)
				}
				if got := get(t, files, "/playground/"+path).Code; got != http.StatusNotFound {
					t.Errorf("/playground/%s: status %d, want 404", path, got)
				}
			}
			for _, l := range slices.Concat(scripts, styles) {
				want := regexp.MustCompile(regexp.QuoteMeta(l.Path) + `" integrity="` + regexp.QuoteMeta(strings.ReplaceAll(l.Integrity, "+", "&#43;")) + `" crossorigin="anonymous"`)
				if !want.MatchString(page) {
					t.Errorf("page does not hold %s to its hash", l.Path)
				}
			}
		})
	}
}

func TestNothingElseIsServed(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/nothing", "/playground", "/playground/", "/playground/nothing.js", "/playground/page.html", "/playground/playground.go",
		"/playground/README.md", "/playground/assets/README.md", "/playground/graphiql@4.1.2", "/playground/graphiql@4.1.2/",
		"/playground/graphiql@0.0.1/graphiql.min.js", "/playground/%2e%2e/README.md",
	} {
		if got := get(t, built, path).Code; got != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, got)
		}
	}
}

func TestThePinnedVersionsAreTheServedOnes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("package.json")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Dependencies map[string]string }
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	served := map[string]string{}
	for _, l := range slices.Concat(scripts, styles) {
		name, rest, _ := strings.Cut(l.Path, "@")
		served[name], _, _ = strings.Cut(rest, "/")
	}
	if !maps.Equal(served, manifest.Dependencies) {
		t.Errorf("package.json pins %v, the page loads %v", manifest.Dependencies, served)
	}
}

func TestTheEmbeddedLibrariesHaveTheirHashes(t *testing.T) {
	t.Parallel()
	libraries := slices.Concat(scripts, styles)
	if !hasAll(assets, libraries) {
		t.Skip("GraphiQL is not embedded: `make playground` does that")
	}
	for _, l := range libraries {
		content, err := assets.ReadFile("assets/" + l.Path)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		if got := "sha256-" + base64.StdEncoding.EncodeToString(sum[:]); got != l.Integrity {
			t.Errorf("%s has hash %s, want %s", l.Path, got, l.Integrity)
		}
	}
}
