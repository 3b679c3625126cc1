package graph_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"wxpass/auth"
	"wxpass/db/dbtest"
	"wxpass/graph"
)

const (
	meDocument     = `query Me { me { id displayName nickname avatarUrl points steps createdAt } }`
	ordersDocument = `query MyOrders($first: Int!) { myOrders(first: $first) { edges { node { id orderNo status totalFen remark createdAt items { sku title quantity unitPriceFen } } } pageInfo { hasNextPage endCursor } } }`
)

// discard is an answer that nobody reads. Unlike httptest's recorder it costs nothing of its own.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// benchmark measures one request, from its body to its answer.
func benchmark(b *testing.B, handler http.Handler, token, document, variables string) {
	b.Helper()
	body := fmt.Appendf(nil, `{"query":%q,"variables":%s}`, document, variables)
	request := httptest.NewRequest(http.MethodPost, "/graphql", nil)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	first := httptest.NewRecorder()
	request.Body = &rewound{*bytes.NewReader(body)}
	handler.ServeHTTP(first, request)
	if first.Code != http.StatusOK || strings.Contains(first.Body.String(), `"errors"`) {
		b.Fatalf("%d %s", first.Code, first.Body)
	}
	b.SetBytes(int64(first.Body.Len()))
	b.ReportAllocs()
	w := &discard{http.Header{}}
	for b.Loop() {
		request.Body.(*rewound).Reset(body)
		handler.ServeHTTP(w, request)
	}
}

type rewound struct{ bytes.Reader }

func (*rewound) Close() error { return nil }

// BenchmarkRequest is a request as the endpoint sees it, database included.
func BenchmarkRequest(b *testing.B) {
	for engine, fresh := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		b.Run(engine, func(b *testing.B) {
			a := newAPI(b, fresh(b))
			a.serve(graph.Options{RateLimitScale: 1, Now: a.clock.Now, Log: slog.New(slog.DiscardHandler)})
			token := a.withSteps(b, auth.StepUser, auth.StepPhone)
			claims, err := a.issuer.Verify(token)
			if err != nil {
				b.Fatal(err)
			}
			for _, o := range someOrders(20) {
				o.UserID, o.AppID, o.IdempotencyKey, o.ContentHash = claims.UserID, claims.AppID, o.OrderNo, []byte{1}
				for _, item := range o.Items {
					item.UserID, item.OrderID = o.UserID, o.ID
				}
				if _, err := a.store.CreateOrder(b.Context(), o, o.Items); err != nil {
					b.Fatal(err)
				}
			}
			b.Run("me", func(b *testing.B) { benchmark(b, a.handler, token, meDocument, `{}`) })
			b.Run("myOrders", func(b *testing.B) { benchmark(b, a.handler, token, ordersDocument, `{"first":20}`) })
		})
	}
}

// BenchmarkExecution is a request to resolvers that have their rows at hand, with directives that let everybody
// through: what is left is reading the request, finding the document, executing and writing.
func BenchmarkExecution(b *testing.B) {
	handler := graph.Endpoint(newRows(20).schema(), graph.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	b.Run("typename", func(b *testing.B) { benchmark(b, handler, "", `query T { __typename }`, `{}`) })
	b.Run("me", func(b *testing.B) { benchmark(b, handler, "", meDocument, `{}`) })
	b.Run("myOrders", func(b *testing.B) { benchmark(b, handler, "", ordersDocument, `{"first":20}`) })
}
