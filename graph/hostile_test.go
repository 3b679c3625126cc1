package graph_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"wxpass/db/dbtest"
	"wxpass/graph"
	"wxpass/testlog"
)

// hostile is a request somebody sends to hurt.
type hostile struct {
	name string
	body string
	// Sent as JSON by POST unless these say otherwise.
	method, contentType, encoding string

	want  graph.ErrorCode // of the first error; empty for an answer
	limit string          // extensions.limit
}

const (
	tooComplex = graph.ErrorCodeQueryTooComplex
	noParse    = graph.ErrorCodeGraphqlParseFailed
	noFit      = graph.ErrorCodeGraphqlValidationFailed
	badInput   = graph.ErrorCodeBadInput
	nobody     = graph.ErrorCodeUnauthenticated
	userFields = "id displayName nickname avatarUrl points steps maskedPhone phone createdAt "
)

// corpus is all of them, by the rows of what they are known for.
func corpus() []hostile {
	each30 := ""
	for _, f := range strings.Fields(userFields) {
		each30 += strings.Repeat(f+" ", 30)
	}
	return []hostile{
		// Fragments.
		{name: "fragments 2^27", body: query(bomb(27, "...F%d ...F%d")), want: tooComplex, limit: "fields"},
		{name: "fragments 2^27, aliased", body: query(strings.ReplaceAll(bomb(27, "a:order{...F%d} b:order{...F%d}"), "on User", "on Query")), want: tooComplex, limit: "fields"},
		{name: "fragments nobody uses", body: query("{__typename}" + bomb(27, "...F%d ...F%d")[len("{me{...F0}}"):]), want: tooComplex, limit: "fields"},
		{name: "fragments without a field 2^27", body: query(strings.Replace(bomb(27, "...F%d ...F%d"), "{id}", "{...F0}", 1)), want: tooComplex, limit: "fields"},
		{name: "repeats in a fragment nobody uses", body: query("{__typename}fragment A on User{" + strings.Repeat("id ", 480) + "}"), want: tooComplex, limit: "repeats"},
		{name: "repeats in a fragment behind its namesake", body: query("{...A}fragment A on Query{__typename}fragment A on User{" + strings.Repeat("id ", 480) + "}"), want: tooComplex, limit: "repeats"},
		{name: "fields in fragments of one name", body: query("{...A}fragment A on Query{me{id}}" + strings.Repeat("fragment A on Query{"+strings.Repeat("me ", 28)+"}", 20)), want: tooComplex, limit: "fields"},
		{name: "fragments nobody uses, that share one", body: query("{__typename}" + numbered(14, "fragment U%d on User{...S}") + "fragment S on User{" + userFields + userFields + "}"), want: noFit},
		{name: "110 fragments", body: query("{me{" + numbered(110, "...F%d ") + "}}" + numbered(110, "fragment F%d on User{x%d}")), want: tooComplex, limit: "fragments"},
		{name: "50 fragments, each its own fields", body: query("{me{" + numbered(50, "...F%d ") + "}}" + numbered(50, "fragment F%d on User{a%d b%d c%d d%d e%d f%d g%d}")), want: noFit},
		{name: "50 fragments, each with the later ones", body: query("{me{...F0 " + numbered(49, "...F%d ") + "}}" + numbered(49, "fragment F%d on User{a%d b%d ...L}") + "fragment L on User{id}"), want: tooComplex, limit: "repeats"},
		{name: "fragments in a circle", body: query("{me{...A}}fragment A on User{id ...B}fragment B on User{...A}"), want: noFit},
		{name: "fragments that are all in all", body: query("{me{...F0}}" + numbered(18, "fragment F%d on User{"+numbered(18, "...F%d ")+"}")), want: tooComplex, limit: "fields"},
		{name: "a fragment that is not there", body: query("{me{...Nowhere}}"), want: noFit},
		{name: "inline fragments 200 x 100", body: query("{me{" + strings.Repeat(nested(100, "...{", "id", "}"), 200) + "}}"), want: tooComplex, limit: "body"},
		{name: "inline fragments 8 x 20", body: query("{me{" + strings.Repeat(nested(20, "...{", "id", "}"), 8) + "}}"), want: tooComplex, limit: "depth"},
		{name: "inline fragments, repeats", body: query("{me{" + nested(8, "...{", each30, "}") + "}}"), want: tooComplex, limit: "repeats"},
		{name: "fragments, repeats", body: query("{me{" + numbered(29, "...F%d ") + "}}" + numbered(29, "fragment F%d on User{...{"+userFields+"}}")), want: tooComplex, limit: "repeats"},
		// Fields.
		{name: "one field 980 times", body: query("{me{" + strings.Repeat("id ", 980) + "}}"), want: tooComplex, limit: "fields"},
		{name: "one field 3000 times", body: query("{me{" + strings.Repeat("id ", 3000) + "}}"), want: tooComplex, limit: "tokens"},
		{name: "one field 490 times", body: query("{me{" + strings.Repeat("id ", 490) + "}}"), want: tooComplex, limit: "repeats"},
		{name: "__typename 500 times", body: query("{" + strings.Repeat("__typename ", 500) + "}"), want: tooComplex, limit: "rootFields"},
		{name: "the worst let through, flat", body: query("{me{" + each30 + "}}"), want: nobody},
		{name: "the worst let through, fragments", body: query("{me{" + numbered(29, "...F%d ") + "}}" + numbered(29, "fragment F%d on User{"+userFields+"}")), want: nobody},
		{name: "unknown fields", body: query("{me{" + numbered(450, "a%d ") + "}}"), want: noFit},
		{name: "root fields", body: query("{" + strings.Repeat("me{id} ", 11) + "}"), want: tooComplex, limit: "rootFields"},
		{name: "many operations", body: query(numbered(40, "query q%d{me{"+userFields+"}}")), want: noFit},
		// Aliases and directives.
		{name: "aliases of __typename", body: query("{" + numbered(101, "a%d:__typename ") + "}"), want: tooComplex, limit: "rootFields"},
		{name: "aliases", body: query("{me{" + numbered(101, "a%d:__typename ") + "}}"), want: tooComplex, limit: "aliases"},
		{name: "aliases of silentLogin", body: query("mutation{" + numbered(11, `a%d:silentLogin(input:{code:"x"}){token}`) + "}"), want: tooComplex, limit: "rootFields"},
		{name: "directives", body: query("{me{id " + strings.Repeat("@include(if:true)", 51) + "}}"), want: tooComplex, limit: "directives"},
		{name: "unknown directives", body: query("{__typename " + numbered(10, "@a%d ") + "}"), want: noFit},
		// Depth and lists.
		{name: "depth", body: query(nested(11, "{a", "", "}")), want: tooComplex, limit: "depth"},
		{name: "depth within the tokens", body: query(nested(330, "{a", "", "}")), want: tooComplex, limit: "depth"},
		{name: "depth of 20,000", body: query(nested(20000, "{a", "", "}")), want: tooComplex, limit: "tokens"},
		{name: "lists in a value", body: query("{myOrders(status:" + nested(450, "[", "A", "]") + "){pageInfo{hasNextPage}}}"), want: noFit},
		{name: "pages upon pages", body: query("{" + numbered(7, "a%d:myOrders(first:100){edges{node{items{sku}}}} ") + "}"), want: tooComplex, limit: "nodes"},
		{name: "pages by variable", body: `{"query":"query($n:Int!){a:myOrders(first:$n){edges{node{items{sku}}}} b:myOrders(first:$n){edges{node{items{sku}}}}}","variables":{"n":100}}`, want: tooComplex, limit: "nodes"},
		// Introspection.
		{name: "introspection in a circle", body: query("{__schema{types{fields{type{fields{type{fields{type{fields{name}}}}}}}}}}"), want: noFit},
		{name: "introspection, aliased", body: query("{" + numbered(9, "a%d:__schema{types{name description fields{name description args{name description}}}}") + "}"), want: tooComplex, limit: "introspectionFields"},
		{name: "introspection, deep", body: query("{__schema{types{" + nested(30, "ofType{", "name", "}") + "}}}"), want: tooComplex, limit: "introspectionDepth"},
		{name: "introspection, wide", body: query("{__schema{types{name description kind fields{name description args{name description defaultValue type{name kind ofType{name}}}type{name kind ofType{name kind}}}}}}")},
		// Inputs.
		{name: "10,000 entries", body: `{"query":"mutation($i:CreateOrderInput!){createOrder(input:$i){order{id}}}","variables":{"i":{"idempotencyKey":"k","items":[` + strings.Repeat("{},", 9999) + `{}]}}}`, want: noFit},
		{name: "1,000 good entries", body: `{"query":"mutation($i:CreateOrderInput!){createOrder(input:$i){order{id}}}","variables":{"i":{"idempotencyKey":"k","items":[` + strings.Repeat(`{"productId":"x","quantity":1},`, 999) + `{"productId":"x","quantity":1}]}}}`, want: badInput},
		{name: "10,000 variables", body: `{"query":"{__typename}","variables":{` + numbered(5000, `"a%d":1,`) + `"z":1}}`},
		{name: "190 declared variables", body: query("query(" + numbered(190, "$a%d:Int ") + "){me{id}}"), want: noFit},
		{name: "a text of 60 KB", body: query(`mutation{silentLogin(input:{code:"` + strings.Repeat("x", 60000) + `"}){token}}`), want: graph.ErrorCodeLoginCodeInvalid},
		{name: "a name of 60 KB", body: query("{" + strings.Repeat("x", 60000) + "}"), want: noFit},
		{name: "comments of 60 KB", body: query(strings.Repeat("#\n", 20000) + "{__typename}"), want: tooComplex, limit: "tokens"},
		{name: "unknown input fields", body: query("mutation{createOrder(input:{" + numbered(320, "a%d:1 ") + "}){order{id}}}"), want: noFit},
		{name: "inputs that lack everything", body: query("mutation{createOrder(input:{items:[" + strings.Repeat("{a:1}", 190) + "]}){order{id}}}"), want: noFit},
		// What is no GraphQL over HTTP.
		{name: "batch of 10", body: "[" + strings.Repeat(query("{__typename}")+",", 9) + query("{__typename}") + "]", want: noParse},
		{name: "form", body: "query={__typename}", contentType: "application/x-www-form-urlencoded", want: badInput},
		{name: "multipart", body: "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{}\r\n--x--", contentType: "multipart/form-data; boundary=x", want: badInput},
		{name: "compressed", body: "\x1f\x8b\x08", encoding: "gzip", want: badInput},
		{name: "unknown charset", body: query("{__typename}"), contentType: "application/json; charset=utf-7", want: badInput},
		{name: "UTF-16", body: "\xfe\xff\x00{\x00}", want: noParse},
		{name: "broken UTF-8", body: "{\"query\":\"{__typename #\xff\xfe}\"}", want: noParse},
		{name: "byte order mark", body: "\xef\xbb\xbf" + query("{__typename}"), want: noParse},
		{name: "one name twice", body: `{"query":"{__typename}","query":"{me{id}}"}`, want: noParse},
		{name: "one variable twice", body: `{"query":"{__typename}","variables":{"a":1,"a":2}}`, want: noParse},
		{name: "one name, escaped", body: `{"query":"{__typename}","\u0071uery":"{me{id}}"}`, want: noParse},
		{name: "names in capitals", body: `{"QUERY":"{__typename}"}`, want: noParse},
		{name: "JSON 30,000 deep", body: `{"query":"{__typename}","variables":` + nested(30000, "[", "", "]") + `}`, want: noParse},
		{name: "JSON 33 deep", body: `{"query":"{__typename}","variables":{"a":` + nested(31, "[", "", "]") + `}}`, want: noParse},
		{name: "1 MB", body: query("{" + strings.Repeat("a ", 500000) + "}"), want: tooComplex, limit: "body"},
		{name: "PUT", body: query("{__typename}"), method: http.MethodPut, want: badInput},
	}
}

// bomb is fragments F0 to Fn on User that each spread the next one twice, as format says.
func bomb(n int, format string) string {
	var b strings.Builder
	b.WriteString("{me{...F0}}")
	for i := range n {
		fmt.Fprintf(&b, "fragment F%d on User{"+format+"}", i, i+1, i+1)
	}
	fmt.Fprintf(&b, "fragment F%d on User{id}", n)
	return b.String()
}

// nested is n times open, then middle, then n times close.
func nested(n int, open, middle, close string) string {
	return strings.Repeat(open, n) + middle + strings.Repeat(close, n)
}

// numbered repeats format with 0 to n-1 in it.
func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(format, "%d", fmt.Sprint(i)))
	}
	return b.String()
}

// query is the body that asks for document.
func query(document string) string {
	text, err := json.Marshal(map[string]string{"query": document})
	if err != nil {
		panic(err) // a string always encodes
	}
	return string(text)
}

func (h hostile) request() *http.Request {
	method, contentType := h.method, h.contentType
	if method == "" {
		method = http.MethodPost
	}
	if contentType == "" {
		contentType = "application/json"
	}
	r := httptest.NewRequest(method, "/graphql", strings.NewReader(h.body))
	r.Header.Set("Content-Type", contentType)
	if h.encoding != "" {
		r.Header.Set("Content-Encoding", h.encoding)
	}
	return r
}

// measure sends h some times; the least is what it costs, the rest is the machine's other business.
func (h hostile) measure(handler http.Handler) (took time.Duration, allocated uint64) {
	took, allocated = time.Hour, 1<<62
	const noisy = 20 * time.Millisecond
	for i := 0; i < 5 || took > noisy && i < 25; i++ { // a machine that stalls is asked again; what is slow stays slow
		again := h // as a new document
		again.body = strings.Replace(h.body, `"query":"`, `"query":"`+strings.Repeat(" ", i+1), 1)
		r := again.request()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		handler.ServeHTTP(httptest.NewRecorder(), r)
		took = min(took, time.Since(began))
		runtime.ReadMemStats(&after)
		allocated = min(allocated, after.TotalAlloc-before.TotalAlloc)
	}
	return took, allocated
}

// TestHostileRequestsAreCheap must not run beside other tests, which would be counted in.
func TestHostileRequestsAreCheap(t *testing.T) {
	const (
		maxTime  = 20 * time.Millisecond // on a noisy machine; the aim is 5 ms
		maxBytes = 8 << 20
	)
	a := newAPI(t, dbtest.SQLite(t))
	a.serve(graph.Options{Development: true, Now: a.clock.Now, Log: testlog.Logger(nil)})
	for _, h := range corpus() {
		got := a.send(t, h.request())
		limit := ""
		if len(got.Errors) > 0 {
			limit, _ = got.Errors[0].Extensions["limit"].(string)
		}
		if got.code() != h.want || limit != h.limit {
			t.Errorf("%s: %q %q, want %q %q: %.300s", h.name, got.code(), limit, h.want, h.limit, got.text)
		}
		if got.status == http.StatusInternalServerError || got.code() == graph.ErrorCodeInternal {
			t.Errorf("%s: %s", h.name, got.text)
		}
		took, allocated := h.measure(a.handler)
		t.Logf("%-36s %7d B %8.3f ms %9d B allocated %8d B answered  %s", h.name, len(h.body), float64(took.Microseconds())/1000, allocated, len(got.text), strings.TrimSpace(string(h.want)+" "+h.limit))
		if raceDetector {
			continue
		}
		if took > maxTime || allocated > maxBytes {
			t.Errorf("%s: took %v and %d bytes, want at most %v and %d", h.name, took, allocated, maxTime, maxBytes)
		}
	}
}

func BenchmarkHostile(b *testing.B) {
	handler := graph.Handler(&graph.Resolver{}, graph.Options{Development: true, Now: time.Now, Log: testlog.Logger(nil)})
	for _, h := range corpus() {
		if h.want == nobody || h.want == graph.ErrorCodeLoginCodeInvalid {
			continue // reaches resolvers, which are not here
		}
		b.Run(h.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(httptest.NewRecorder(), h.request())
			}
		})
	}
}

// clientDocuments are what honest clients send.
var clientDocuments = []string{
	loginDocument,
	"{ me { " + userFields + "} mySessions { id appId current createdAt expiresAt } }",
	"{ products(first: 100) { edges { cursor node { id sku title priceFen } } pageInfo { hasNextPage endCursor } } }",
	"{ myOrders(first: 100) { edges { cursor node { id orderNo status totalFen remark createdAt updatedAt items { sku title quantity unitPriceFen } } } pageInfo { hasNextPage endCursor } } }",
	graphiqlIntrospection,
}

// graphiqlIntrospection is graphql-js 16's getIntrospectionQuery with all its options, as GraphiQL and code generators
// send it.
const graphiqlIntrospection = `query IntrospectionQuery { __schema { description queryType { name kind } mutationType { name kind } subscriptionType { name kind }
	types { ...FullType } directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
fragment FullType on __Type { kind name description specifiedByURL isOneOf
	fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
	inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef } enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
	possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }`

// BenchmarkHonest shows what the budget costs honest clients: a document is counted when it is new.
func BenchmarkHonest(b *testing.B) {
	handler := graph.Handler(&graph.Resolver{}, graph.Options{Development: true, Now: time.Now, Log: testlog.Logger(nil)})
	document := "query Q%d { __typename me @skip(if: true) { " + userFields + "} myOrders(first: 20) @skip(if: true) { edges { cursor node { id orderNo items { sku } } } } }"
	send := func(b *testing.B, i int) {
		handler.ServeHTTP(httptest.NewRecorder(), hostile{body: query(fmt.Sprintf(document, i))}.request())
	}
	b.Run("new", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			send(b, i)
		}
	})
	b.Run("known", func(b *testing.B) {
		for b.Loop() {
			send(b, 0)
		}
	})
	b.Run("parsing alone", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: fmt.Sprintf(document, i)}, 1000); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestHonestDocumentsPassTheBudget(t *testing.T) {
	t.Parallel()
	a := newAPI(t, dbtest.SQLite(t))
	for _, d := range clientDocuments {
		for range 2 { // the second time from the cache
			if got := a.do(t, "", d, map[string]any{"code": "x"}); got.code() == tooComplex || got.code() == noFit {
				t.Errorf("%.60s: %s", d, got.text)
			}
		}
	}
}

func TestALimitIsASetting(t *testing.T) {
	t.Parallel()
	a := newAPI(t, dbtest.SQLite(t))
	tests := []struct {
		limits graph.Limits
		within string
		beyond string
		limit  string
	}{
		{graph.Limits{MaxTokens: 5}, "{__typename}", "{me{id}}", "tokens"},
		{graph.Limits{MaxDepth: 2}, "{me{id}}", "{myOrders{pageInfo{hasNextPage}}}", "depth"},
		{graph.Limits{MaxRootFields: 1}, "{me{id}}", "{me{id} __typename}", "rootFields"},
		{graph.Limits{MaxAliases: 1}, "{a:__typename}", "{a:__typename b:__typename}", "aliases"},
		{graph.Limits{MaxDirectives: 1}, "{__typename @skip(if:false)}", "{...@skip(if:false){__typename @skip(if:false)}}", "directives"},
		{graph.Limits{MaxFields: 2}, "{me{id}}", "{me{...F}}fragment F on User{id}", "fields"},
		{graph.Limits{MaxFragments: 1}, "{...A}fragment A on Query{__typename}", "{...A}fragment A on Query{...B}fragment B on Query{__typename}", "fragments"},
		{graph.Limits{MaxRepeats: 2}, "{me{id id}}", "{me{id}me{id id}}", "repeats"},
		{graph.Limits{MaxNodes: 10}, "{products(first:10){edges{cursor}}}", "{products{edges{cursor}}}", "nodes"},
		{graph.Limits{MaxBody: 30}, "{__typename}", "{__typename                     }", "body"},
	}
	for _, tt := range tests {
		a.serve(graph.Options{Limits: tt.limits, Now: a.clock.Now, Log: testlog.Logger(nil)})
		if got := a.send(t, hostile{body: query(tt.within)}.request()); got.code() == tooComplex {
			t.Errorf("%s: %s is refused: %s", tt.limit, tt.within, got.text)
		}
		got := a.send(t, hostile{body: query(tt.beyond)}.request())
		if got.code() != tooComplex || got.Errors[0].Extensions["limit"] != tt.limit || got.Errors[0].Extensions["max"] == nil {
			t.Errorf("%s: %s is answered %s", tt.limit, tt.beyond, got.text)
		}
	}
}

// planted stands where a login code may end up by mistake.
const planted = "Planted0LoginCode"

func TestAValueIsNeverEchoed(t *testing.T) {
	t.Parallel()
	a := newAPI(t, dbtest.SQLite(t))
	documents := []string{
		`{ me(` + planted, `{ "` + planted + `" }`, `mutation { silentLogin(input: {code: "` + planted + `}) { token } }`,
		`mutation { silentLogin(input: {code: ` + planted + `}) { token } }`,
		`mutation { silentLogin(input: "` + planted + `") { token } }`,
		`mutation { silentLogin(input: {code: ["` + planted + `"]}) { token } }`,
		`mutation { bindPhone(input: {encrypted: "` + planted + `"}) { user { id } } }`,
		`{ myOrders(first: "` + planted + `") { pageInfo { hasNextPage } } }`,
		`{ myOrders(status: "` + planted + `") { pageInfo { hasNextPage } } }`,
		`{ myOrders(status: ` + planted + `) { pageInfo { hasNextPage } } }`,
		`{ me @include(if: "` + planted + `") { id } }`,
		`{ order(orderNo: {a: "` + planted + `"}) { id } }`,
		`{ me { id } } """` + planted + `"""`,
		`{ a: order(orderNo: "` + planted + `") { id } a: order(orderNo: "x") { id } }`,
		`query($a: Int = "` + planted + `") { products(first: $a) { pageInfo { hasNextPage } } }`,
		`{ me { id } } "\u` + planted + `"`,
	}
	variables := []string{
		`{"n": "` + planted + `"}`, `{"n": {"` + planted + `": 1}}`, `{"n": ["` + planted + `"]}`, `{"s": "` + planted + `"}`,
		`{"i": {"code": "x", "` + planted + `": 1}}`, `{"i": "` + planted + `"}`, `{"i": {"code": {"` + planted + `": "` + planted + `"}}}`,
	}
	for _, development := range []bool{true, false} {
		a.serve(graph.Options{Development: development, Now: a.clock.Now, Log: testlog.Logger(a.log)})
		check := func(body string) {
			got := a.send(t, hostile{body: body}.request())
			if got.code() == "" || strings.Contains(got.text+a.log.String(), planted) {
				t.Errorf("development %v: %s is answered %s", development, body, got.text)
			}
		}
		for _, d := range documents {
			check(query(d))
		}
		for _, v := range variables {
			check(`{"query":"query($n: Int! = 1, $s: OrderStatus, $i: SilentLoginInput) { myOrders(first: $n, status: $s) { pageInfo { hasNextPage } } me { id @include(if: $i) } }","variables":` + v + `}`)
			check(`{"query":"mutation($i: SilentLoginInput!) { silentLogin(input: $i) { token } }","variables":` + v + `}`)
			check(`{"query":"query($n: Int!, $s: OrderStatus) { myOrders(first: $n, status: $s) { pageInfo { hasNextPage } } }","variables":` + v + `}`)
		}
	}
}

func TestHintsAreForDevelopment(t *testing.T) {
	t.Parallel()
	a := newAPI(t, dbtest.SQLite(t))
	mistakes := []struct{ document, hint string }{
		{"{ me { nicknam } }", `Did you mean "nickname"?`},
		{"{ me }", `Did you mean "me { ... }"?`},
		{"{ myOrders(firs: 1) { pageInfo { hasNextPage } } }", `Did you mean "first"?`},
		{`mutation { silentLogin(input: {code: "x", appI: "y"}) { token } }`, `Did you mean`},
		{"{ myOrders(status: PENDIN) { pageInfo { hasNextPage } } }", `PENDING`},
		{`{ order { id } }`, `"orderNo"`},
		{`mutation { silentLogin(input: {}) { token } }`, `SilentLoginInput.code`},
		{"{ me { ...on Usr { id } } }", "Usr"},
	}
	for _, m := range mistakes {
		if got := a.do(t, "", m.document, nil); !strings.Contains(got.text, strings.ReplaceAll(m.hint, `"`, `\"`)) {
			t.Errorf("development: %s has no %s in %s", m.document, m.hint, got.text)
		}
	}
	a.serve(graph.Options{Now: a.clock.Now, Log: testlog.Logger(nil)})
	for _, m := range mistakes {
		got := a.do(t, "", m.document, nil)
		if got.code() != noFit || got.Errors[0].Message != "The document or its variables do not fit the schema." || got.Errors[0].Path != nil {
			t.Errorf("production: %s is answered %s", m.document, got.text)
		}
	}
	for _, d := range []string{"{ __schema { types { name } } }", `{ __type(name: "User") { name } }`, "{ ...F } fragment F on Query { a: __schema { types { name } } }"} {
		if got := a.do(t, "", d, nil); got.code() != noFit || got.Data != nil {
			t.Errorf("production: %s is answered %s", d, got.text)
		}
	}
}

func TestManyFaultsAreAFew(t *testing.T) {
	t.Parallel()
	a := newAPI(t, dbtest.SQLite(t))
	if got := a.do(t, "", "{__typename "+numbered(10, "@a%d ")+"}", nil); len(got.Errors) != 5 {
		t.Errorf("%d errors, want 5", len(got.Errors))
	}
}

func TestWhatTheServerGotWrongCarriesTheRequestID(t *testing.T) {
	t.Parallel()
	a := newAPI(t, dbtest.SQLite(t))
	if got := a.send(t, hostile{body: "["}.request()); got.Errors[0].Extensions["requestId"] != "request-1" {
		t.Errorf("no request id in %s", got.text)
	}
	a.auth.Store = nil // the next login panics
	got := a.login(t, a.wechat.Login("o"))
	if got.code() != graph.ErrorCodeInternal || got.Errors[0].Extensions["requestId"] != "request-1" || strings.Contains(got.text, "nil pointer") {
		t.Errorf("a panic is answered %s", got.text)
	}
	log := a.log.String()
	if n := strings.Count(log, "a resolver panicked"); n != 1 || !strings.Contains(log, "nil pointer") || !strings.Contains(log, "login.go") {
		t.Errorf("the panic is logged %d times: %s", n, log)
	}
}

// TestDocumentsAreKeptByMemory must not run beside other tests, which would be counted in.
func TestDocumentsAreKeptByMemory(t *testing.T) {
	a := newAPI(t, dbtest.SQLite(t))
	a.serve(graph.Options{Development: true, Limits: graph.Limits{MaxTokens: 5000, MaxFields: 5000}, Now: a.clock.Now, Log: testlog.Logger(nil)})
	fields := strings.Repeat(userFields, 29)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 3000 { // distinct and valid, 2 KB each
		a.do(t, "", fmt.Sprintf("{ __typename me { %s } } # %d", fields, i), nil)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	a.do(t, "", "{ __typename }", nil) // the cache is still there
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 64<<20 {
		t.Errorf("%d MB are kept", kept>>20)
	} else {
		t.Logf("%d MB are kept", kept>>20)
	}
}

// TestTracesAndDetailsAreAbsent holds what scanners look for.
func TestTracesAndDetailsAreAbsent(t *testing.T) {
	t.Parallel()
	a := newAPI(t, dbtest.SQLite(t))
	for _, d := range []string{"{ __typename }", "{ nobody }", "{ me { id } }", "{"} {
		r := hostile{body: query(d)}.request()
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, r)
		text, _ := io.ReadAll(w.Body)
		for _, never := range []string{"tracing", "exception", "stacktrace", "goroutine", ".go:"} {
			if strings.Contains(string(text), never) {
				t.Errorf("%s: %q in %s", d, never, text)
			}
		}
	}
	if names := slices.Sorted(func(yield func(string) bool) {
		for _, h := range corpus() {
			if !yield(h.name) {
				return
			}
		}
	}); len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Error("a name of the corpus is there twice")
	}
}

// TestScannersFindNothing is what graphql-cop 1.15 sends, to production.
func TestScannersFindNothing(t *testing.T) {
	t.Parallel()
	a := newAPI(t, dbtest.SQLite(t))
	a.serve(graph.Options{RateLimitScale: 1, Now: a.clock.Now, Log: testlog.Logger(nil)})
	const form = "application/x-www-form-urlencoded"
	get := func(query string) *http.Request { return httptest.NewRequest(http.MethodGet, "/graphql"+query, nil) }
	tests := []struct {
		name    string
		request *http.Request
		found   func(got *answer) bool
	}{
		{"alias_overloading", hostile{body: query("query cop {" + numbered(101, "alias%d:__typename \n") + "}")}.request(),
			func(got *answer) bool { return got.Data["alias100"] != nil }},
		{"batch_query", hostile{body: "[" + strings.Repeat(query("query cop { __typename }")+",", 9) + query("query cop { __typename }") + "]"}.request(),
			func(got *answer) bool { return got.status == http.StatusOK || got.Data != nil }},
		{"directive_overloading", hostile{body: query("query cop { __typename @aa@aa@aa@aa@aa@aa@aa@aa@aa@aa }")}.request(),
			func(got *answer) bool { return len(got.Errors) == 10 }},
		{"circular_query_introspection", hostile{body: query("query cop { __schema { types { fields { type { fields { type { fields { type { fields { type { name } } } } } } } } } } }")}.request(),
			func(got *answer) bool { return got.Data != nil || len(got.text) > 2000 }},
		{"field_duplication", hostile{body: query("query cop {" + strings.Repeat("__typename \n", 500) + "}")}.request(),
			func(got *answer) bool { return got.Data != nil }},
		{"introspection", hostile{body: query("query cop { __schema { types { name fields { name } } } }")}.request(),
			func(got *answer) bool { return got.Data != nil }},
		{"get_method_support", get("?query=query%20cop%20%7B__typename%7D"), func(got *answer) bool { return got.Data != nil }},
		{"get_based_mutation", get("?query=mutation%20cop%20%7B__typename%7D"), func(got *answer) bool { return got.Data != nil }},
		{"post_based_csrf", hostile{body: "query=query+cop+%7B__typename%7D", contentType: form}.request(), func(got *answer) bool { return got.Data != nil }},
		{"field_suggestions", hostile{body: query("query cop { __schema { directive } }")}.request(),
			func(got *answer) bool { return strings.Contains(got.text, "Did you mean") }},
		{"field_suggestions, no introspection", hostile{body: query("query cop { me { nicknam } }")}.request(),
			func(got *answer) bool { return strings.Contains(got.text, "Did you mean") }},
		{"detect_graphiql", get(""), func(got *answer) bool { return strings.Contains(strings.ToLower(got.text), "graphiql") }},
		{"trace_mode", hostile{body: query("query cop { __typename }")}.request(), func(got *answer) bool { return strings.Contains(got.text, "tracing") }},
		{"unhandled_error_detection", hostile{body: query("qwerty cop { abc }")}.request(), func(got *answer) bool { return strings.Contains(got.text, "exception") }},
	}
	for _, tt := range tests {
		if got := a.send(t, tt.request); tt.found(got) {
			t.Errorf("%s: found by %d %s", tt.name, got.status, got.text)
		}
	}
}

// TestAttacksInTextsAreTexts puts what injections are made of into every place that takes a text.
func TestAttacksInTextsAreTexts(t *testing.T) {
	t.Parallel()
	a := newAPI(t, dbtest.SQLite(t))
	g := a.mustLogin(t, "o-1")
	var registered struct{}
	a.do(t, g.Token, `mutation { authorizeProfile(input: {nickname: "Lin"}) { user { id } } }`, nil).field(t, "authorizeProfile", &registered)
	documents := []string{
		`mutation($x: String!) { silentLogin(input: {code: $x}) { token } }`,
		`mutation($x: String!) { silentLogin(input: {code: "sim-o", appId: $x}) { token } }`,
		`mutation($x: String!) { authorizeProfile(input: {nickname: $x}) { user { displayName } } }`,
		`mutation($x: String!) { authorizeProfile(input: {encrypted: {encryptedData: $x, iv: $x, rawData: $x, signature: $x}}) { user { id } } }`,
		`mutation($x: String!) { bindPhone(input: {code: $x}) { user { id } } }`,
		`mutation($x: ID!) { authorizeProfile(input: {avatarId: $x}) { user { id } } }`,
		`mutation($x: String!) { deleteAccount(input: {confirm: $x}) { deleted } }`,
		`mutation($x: String!) { createOrder(input: {idempotencyKey: $x, items: []}) { order { id } } }`,
		`mutation($x: String!) { cancelOrder(input: {orderNo: $x}) { order { id } } }`,
		`query($x: String!) { order(orderNo: $x) { id } }`,
		`query($x: String!) { products(after: $x) { edges { cursor } } }`,
		`query($x: String!) { myOrders(after: $x) { edges { cursor } } }`,
	}
	attacks := []string{"' OR 1=1 --", "'; DROP TABLE users; --", `\'; SELECT pg_sleep(5) --`, "?", "??0", "$1", "\x00", "a\r\nHost: evil.example", "x&js_code=y#", "../../etc/passwd",
		"http://127.0.0.1:1/", "{{7*7}}", "<script>", "\u202e", strings.Repeat("x", 50000)}
	for _, d := range documents {
		for _, x := range attacks {
			got := a.do(t, g.Token, d, map[string]any{"x": x})
			if got.code() == graph.ErrorCodeInternal {
				t.Errorf("%s with %.30q: %s", d, x, got.text)
			}
			if strings.Contains(strings.ToLower(got.text), "sql") {
				t.Errorf("%s with %.30q tells of the database: %s", d, x, got.text)
			}
		}
	}
	if strings.Contains(a.log.String(), "level=ERROR") {
		t.Errorf("the log has errors: %s", a.log)
	}
	a.me(t, g.Token).field(t, "me", &struct{ ID string }{})
}
