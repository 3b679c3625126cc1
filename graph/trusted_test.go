package graph_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"wxpass/db/dbtest"
	"wxpass/graph"
	"wxpass/testlog"
)

func TestOnlyTrustedDocumentsAreExecuted(t *testing.T) {
	t.Parallel()
	const document = `query Me { me { id } }`
	sum := sha256.Sum256([]byte(document))
	hash := hex.EncodeToString(sum[:])
	list, err := graph.ParseTrustedDocuments([]byte(fmt.Sprintf(`{%q: %q}`, hash, document)))
	if err != nil {
		t.Fatal(err)
	}
	a := newAPI(t, dbtest.SQLite(t))
	token := a.mustLogin(t, "openid-1").Token
	other := strings.Repeat("0", 64)
	tests := []struct {
		name                string
		query, hash         string
		strict, development graph.ErrorCode // what each mode answers; empty for success
	}{
		{"by its text", document, "", "", ""},
		{"by its hash", "", hash, "", ""},
		{"by both", document, hash, "", ""},
		{"by another text", "{ me { id } }", "", graph.ErrorCodeOperationNotTrusted, ""},
		{"by another text under a good hash", "{ me { id } }", hash, graph.ErrorCodeOperationNotTrusted, ""},
		{"by another hash", "", other, graph.ErrorCodeOperationNotTrusted, graph.ErrorCodeOperationNotTrusted},
		{"by a space more", document + " ", "", graph.ErrorCodeOperationNotTrusted, ""},
		{"by nothing", "", "", graph.ErrorCodeGraphqlParseFailed, graph.ErrorCodeGraphqlParseFailed},
	}
	for _, development := range []bool{false, true} {
		a.serve(graph.Options{Development: development, RateLimitScale: 1, Trusted: list, Now: a.clock.Now, Log: testlog.Logger(nil)})
		for _, tt := range tests {
			body, err := json.Marshal(map[string]any{"query": tt.query, "extensions": map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": tt.hash}}})
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(string(body)))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+token)
			want := tt.strict
			if development {
				want = tt.development
			}
			if got := a.send(t, r); got.code() != want {
				t.Errorf("%s, development %v: %s, want %q", tt.name, development, got.text, want)
			}
		}
	}
	for name, text := range map[string]string{"no JSON": "x", "a list": "[]", "empty": "{}", "a wrong hash": fmt.Sprintf(`{%q: %q}`, other, document)} {
		if _, err := graph.ParseTrustedDocuments([]byte(text)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
