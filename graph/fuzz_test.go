package graph_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"wxpass/graph"
	"wxpass/testlog"
)

// patience is how long an answer may take under a fuzzer, which keeps every core busy.
const patience = time.Second

// unmanned is the endpoint without anything behind it: what reaches a resolver ends as INTERNAL.
func unmanned(development bool) http.Handler {
	return graph.Handler(&graph.Resolver{}, graph.Options{Development: development, Now: time.Now, Log: testlog.Logger(nil)})
}

// checkAnswer wants one JSON object in UTF-8, soon, whose errors all have a code.
func checkAnswer(t *testing.T, handler http.Handler, r *http.Request) {
	t.Helper()
	w := httptest.NewRecorder()
	began := time.Now()
	handler.ServeHTTP(w, r)
	if took := time.Since(began); took > patience {
		t.Errorf("took %v", took)
	}
	text, _ := io.ReadAll(w.Body)
	var got answer
	if err := json.Unmarshal(text, &got); err != nil || !utf8.Valid(text) {
		t.Fatalf("answered %q: %v", text, err)
	}
	if w.Code == http.StatusInternalServerError {
		t.Errorf("answered %d %s", w.Code, text)
	}
	for _, e := range got.Errors {
		if code, _ := e.Extensions["code"].(string); !graph.ErrorCode(code).IsValid() {
			t.Errorf("an error without a code: %s", text)
		}
	}
	if got.Errors == nil && got.Data == nil {
		t.Errorf("neither data nor errors: %s", text)
	}
}

func FuzzTransport(f *testing.F) {
	for _, h := range corpus() {
		if len(h.body) < 4096 {
			r := h.request()
			f.Add(r.Method, r.Header.Get("Content-Type"), "application/json", h.body, "query={__typename}")
		}
	}
	f.Add("GET", "", "*/*;q=0.1, application/graphql-response+json", "", "query={me{id}}&variables={%22a%22:1}")
	handler := unmanned(true)
	f.Fuzz(func(t *testing.T, method, contentType, accept, body, query string) {
		r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
		r.Method, r.URL.RawQuery = method, query
		r.Header["Content-Type"], r.Header["Accept"] = []string{contentType}, []string{accept}
		checkAnswer(t, handler, r)
	})
}

func FuzzDocument(f *testing.F) {
	for _, h := range corpus() {
		var sent struct {
			Query     string
			Variables json.RawMessage
		}
		if json.Unmarshal([]byte(h.body), &sent) == nil && len(h.body) < 4096 {
			f.Add(sent.Query, string(sent.Variables))
		}
	}
	for _, d := range clientDocuments {
		f.Add(d, `{"code":"x"}`)
	}
	development, production := unmanned(true), unmanned(false)
	f.Fuzz(func(t *testing.T, document, variables string) {
		if !json.Valid([]byte(variables)) {
			variables = "null"
		}
		body := strings.TrimSuffix(query(document), "}") + `,"variables":` + variables + `}`
		for _, handler := range []http.Handler{development, production} {
			checkAnswer(t, handler, hostile{body: body}.request())
		}
	})
}
