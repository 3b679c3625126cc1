// Package playground serves GraphiQL, the page where a developer tries the API.
package playground

import (
	"crypto/rand"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
)

// assets holds the libraries if `make playground` put them there before the build.
//
//go:embed assets
var assets embed.FS

//go:embed page.html page.js page.css
var page embed.FS

var pageHTML = template.Must(template.ParseFS(page, "page.html"))

// library is a file that GraphiQL is made of: its path, the same in assets and on the CDN, and the hash a browser
// holds it to.
type library struct{ Path, Integrity string }

// The versions are those of package.json. GraphiQL 4 is the last that comes as a plain script.
var (
	scripts = []library{
		{"react@18.2.0/umd/react.production.min.js", "sha256-S0lp+k7zWUMk2ixteM6HZvu8L9Eh//OVrt+ZfbCpmgY="},
		{"react-dom@18.2.0/umd/react-dom.production.min.js", "sha256-IXWO0ITNDjfnNXIu5POVfqlgYoop36bDzhodR6LW5Pc="},
		{"graphiql@4.1.2/graphiql.min.js", "sha256-hnImuor1znlJkD/FOTL3jayfS/xsyNoP04abi8bFJWs="},
	}
	styles = []library{{"graphiql@4.1.2/graphiql.min.css", "sha256-MEh+B2NdMSpj9kexQNN3QKc8UzMrCXW/Sx/phcpuyIU="}}
)

// view is what page.html is filled in with.
type view struct {
	Endpoint        string
	Base            string // what the libraries' paths are added to
	Embedded        bool
	Scripts, Styles []library
	Nonce           string // of the <style> that GraphiQL makes, fresh for each answer
}

// Handler serves the page at / and its files under /playground/. The page sends operations to endpoint, a path on the
// same host. Where the libraries were not embedded, the page has the browser fetch them from cdn.jsdelivr.net.
func Handler(endpoint string) http.Handler { return handler(endpoint, assets) }

func handler(endpoint string, assets fs.FS) http.Handler {
	v := view{Endpoint: endpoint, Base: "https://cdn.jsdelivr.net/npm/", Scripts: scripts, Styles: styles}
	mux := http.NewServeMux()
	mux.Handle("GET /playground/page.js", file(page, "page.js", "no-cache"))
	mux.Handle("GET /playground/page.css", file(page, "page.css", "no-cache"))
	if libraries := slices.Concat(scripts, styles); hasAll(assets, libraries) {
		v.Base, v.Embedded = "/playground/", true
		for _, l := range libraries { // a path names a version, so what it leads to never changes
			mux.Handle("GET /playground/"+l.Path, file(assets, "assets/"+l.Path, "public, max-age=31536000, immutable"))
		}
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		v := v
		v.Nonce = rand.Text()
		h := w.Header()
		h.Set("Content-Security-Policy", v.policy())
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		pageHTML.Execute(w, v) // an error here means the client has gone
	})
	return mux
}

// policy lets the page run its own files and the libraries, talk to its own host, and nothing else.
func (v view) policy() string {
	script, style := "'self'", "'self' 'nonce-"+v.Nonce+"'"
	if !v.Embedded {
		script += sources(v.Base, v.Scripts)
		style += sources(v.Base, v.Styles)
	}
	return strings.Join([]string{
		"default-src 'none'",
		"script-src " + script,
		"style-src " + style,
		"connect-src 'self'",
		"img-src data:", // marks in the margin of the editor, and fonts, are part of GraphiQL's stylesheet
		"font-src data:",
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
	}, "; ")
}

func sources(base string, libraries []library) string {
	var b strings.Builder
	for _, l := range libraries {
		b.WriteString(" " + base + l.Path)
	}
	return b.String()
}

func hasAll(assets fs.FS, libraries []library) bool {
	return !slices.ContainsFunc(libraries, func(l library) bool {
		_, err := fs.Stat(assets, "assets/"+l.Path)
		return err != nil
	})
}

// file serves one file. Its type is ours to say: what a machine believes of .js differs, and a browser refuses to run
// what is called text.
func file(files fs.FS, name, cache string) http.HandlerFunc {
	mediaType := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}[path.Ext(name)]
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Cache-Control", cache)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		http.ServeFileFS(w, r, files, name)
	}
}
