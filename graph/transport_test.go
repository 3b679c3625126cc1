package graph_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"wxpass/db/dbtest"
	"wxpass/graph"
	"wxpass/testlog"
)

func TestRequestsThatAreNoOperation(t *testing.T) {
	t.Parallel()
	a := newAPI(t, dbtest.SQLite(t))
	const planted = "planted-login-code"
	tests := []struct {
		name, method, contentType, body string
		status                          int
		code                            graph.ErrorCode
	}{
		{"good", "POST", "application/json", `{"query":"{ __typename }"}`, 200, ""},
		{"charset", "POST", "application/json; charset=UTF-8", `{"query":"{ __typename }"}`, 200, ""},
		{"nulls", "POST", "application/json", `{"query":"{ __typename }","variables":null,"operationName":null,"extensions":null}`, 200, ""},
		{"broken JSON", "POST", "application/json", `{"query":"` + planted, 400, graph.ErrorCodeGraphqlParseFailed},
		{"JSON and more", "POST", "application/json", `{"query":"{ __typename }"} ` + planted, 400, graph.ErrorCodeGraphqlParseFailed},
		{"batch", "POST", "application/json", `[{"query":"{ __typename }"}]`, 400, graph.ErrorCodeGraphqlParseFailed},
		{"no query", "POST", "application/json", `{}`, 400, graph.ErrorCodeGraphqlParseFailed},
		{"query is a number", "POST", "application/json", `{"query":1}`, 400, graph.ErrorCodeGraphqlParseFailed},
		{"variables are a list", "POST", "application/json", `{"query":"{ __typename }","variables":["` + planted + `"]}`, 400, graph.ErrorCodeGraphqlParseFailed},
		{"empty body", "POST", "application/json", ``, 400, graph.ErrorCodeGraphqlParseFailed},
		{"form", "POST", "application/x-www-form-urlencoded", `query={__typename}`, 415, graph.ErrorCodeBadInput},
		{"text", "POST", "text/plain", `{"query":"{ __typename }"}`, 415, graph.ErrorCodeBadInput},
		{"no content type", "POST", "", `{"query":"{ __typename }"}`, 415, graph.ErrorCodeBadInput},
		{"other charset", "POST", "application/json; charset=gbk", `{"query":"{ __typename }"}`, 415, graph.ErrorCodeBadInput},
		{"PUT", "PUT", "application/json", `{"query":"{ __typename }"}`, 405, graph.ErrorCodeBadInput},
		{"too large", "POST", "application/json", `{"query":"# ` + strings.Repeat(planted, 4000) + `"}`, 413, graph.ErrorCodeQueryTooComplex},
		{"not GraphQL", "POST", "application/json", `{"query":"{ me("}`, 200, graph.ErrorCodeGraphqlParseFailed},
		{"unknown field", "POST", "application/json", `{"query":"{ nobody }"}`, 200, graph.ErrorCodeGraphqlValidationFailed},
		{"variable missing", "POST", "application/json", `{"query":"mutation($c: String!) { silentLogin(input: {code: $c}) { token } }"}`, 200, graph.ErrorCodeGraphqlValidationFailed},
		{"too many tokens", "POST", "application/json", `{"query":"{ ` + strings.Repeat("__typename ", 1000) + `}"}`, 200, graph.ErrorCodeQueryTooComplex},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(tt.method, "/graphql", strings.NewReader(tt.body))
		if tt.contentType != "" {
			r.Header.Set("Content-Type", tt.contentType)
		}
		got := a.send(t, r)
		if got.status != tt.status || got.code() != tt.code {
			t.Errorf("%s: %d %s, want %d %s: %s", tt.name, got.status, got.code(), tt.status, tt.code, got.text)
		}
		if strings.Contains(got.text+a.log.String(), planted) {
			t.Errorf("%s: the request is echoed: %s", tt.name, got.text)
		}
		if len(got.Errors) > 0 && strings.Contains(got.text, `"data"`) {
			t.Errorf("%s: nothing was executed, yet there is a data entry: %s", tt.name, got.text)
		}
	}
}

func TestTheAnswersMediaTypeIsNegotiated(t *testing.T) {
	t.Parallel()
	a := newAPI(t, dbtest.SQLite(t))
	const js, gql = "application/json; charset=utf-8", "application/graphql-response+json; charset=utf-8"
	tests := []struct {
		accept, query, want string
		status              int
	}{
		{"", "{ __typename }", js, 200},
		{"*/*", "{ __typename }", js, 200},
		{"application/graphql-response+json", "{ __typename }", gql, 200},
		{"application/json;q=0.1, application/graphql-response+json", "{ __typename }", gql, 200},
		{"application/graphql-response+json", "{ nobody }", gql, 400},
		{"application/json", "{ nobody }", js, 200},
		{"text/html", "{ __typename }", js, 406},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(`{"query":"`+tt.query+`"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", tt.accept)
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, r)
		if got := w.Header().Get("Content-Type"); got != tt.want || w.Code != tt.status {
			t.Errorf("Accept %q, %s: %d %s, want %d %s", tt.accept, tt.query, w.Code, got, tt.status, tt.want)
		}
	}
}

func TestQueriesByGETAreForDevelopment(t *testing.T) {
	t.Parallel()
	a := newAPI(t, dbtest.SQLite(t))
	get := func(query string) *answer {
		return a.send(t, httptest.NewRequest(http.MethodGet, "/graphql?query="+query, nil))
	}
	if got := get("{__typename}"); got.status != 200 || got.code() != "" {
		t.Errorf("a query: %d %s", got.status, got.text)
	}
	if got := get("mutation{logout{endedSessions}}"); got.status != http.StatusMethodNotAllowed {
		t.Errorf("a mutation: %d %s", got.status, got.text)
	}
	a.serve(graph.Options{RateLimitScale: 1, Now: a.clock.Now, Log: testlog.Logger(nil)})
	if got := get("{__typename}"); got.status != http.StatusMethodNotAllowed {
		t.Errorf("a query in production: %d %s", got.status, got.text)
	}
}
