package graph_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"wxpass/auth"
	"wxpass/db"
	"wxpass/graph"
)

// oddities are documents and objects that are written in other ways than a plain page.
var oddities = []struct {
	name, document string
	change         func(*rowsAtHand)
	want           string // a part of the answer
}{
	{name: "a page", document: ordersDocument},
	{name: "a user", document: meDocument},
	{name: "a user with both steps", document: `{ me { steps } }`, change: func(r *rowsAtHand) { r.user.PhoneSealed = []byte{1} }, want: `{"steps":["USER","PHONE"]}`},
	{name: "a user with no step", document: `{ me { steps } }`, change: func(r *rowsAtHand) { r.user.Nickname = nil }, want: `{"steps":[]}`},
	{name: "aliases", document: `{ a: myOrders { b: edges { c: node { d: id e: id id f: items { g: sku h: sku } i: items { sku } } } } }`, want: `"c":{"d":`},
	{name: "__typename", document: `{ __typename myOrders { __typename edges { t: __typename node { __typename items { __typename } } } } }`, want: `"__typename":"OrderItem"`},
	{name: "fragments", document: `{ myOrders { edges { ...E ... { cursor node { remark } } ... on OrderEdge { node { items { title } } } } } } fragment E on OrderEdge { node { id ...O } } fragment O on Order { items { sku } }`},
	{name: "a field twice", document: `{ myOrders { edges { node { id id items { sku } items { title sku } } } pageInfo { endCursor } pageInfo { hasNextPage } } }`},
	{name: "skip and include", document: `{ myOrders { edges @skip(if: false) { cursor @skip(if: true) node { id @include(if: false) items @include(if: true) { sku } } } } }`},
	{name: "variables", document: `query($yes: Boolean = true) { myOrders { edges { cursor @skip(if: $yes) node @include(if: $yes) { id } } } }`},
	{name: "nothing left of an object", document: `{ myOrders { edges { node { id @skip(if: true) } } } }`, want: `{"node":{}}`},
	{name: "no rows", document: ordersDocument, change: func(r *rowsAtHand) { r.orders.Edges = nil }, want: `"edges":[]`},
	{name: "no page", document: ordersDocument, change: func(r *rowsAtHand) { r.orders = nil }, want: `{"myOrders":null}`},
	{name: "no list", document: `{ mySessions { id } }`, want: `{"mySessions":null}`},
	{name: "texts to escape", document: ordersDocument, change: func(r *rowsAtHand) {
		remark := "\"\\\n\t\r\x00\x1f\x7f</script>&\u2028\u2029 😀 中"
		r.orders.Edges[1].Node.Remark = &remark
	}},
	{name: "times", document: ordersDocument, change: func(r *rowsAtHand) {
		r.orders.Edges[1].Node.CreatedAt = time.Date(2026, 1, 2, 3, 4, 5, 60_700_000, time.FixedZone("", 8*3600))
	}, want: "05.0607+08:00"},
	{name: "a null that may be", document: ordersDocument, change: func(r *rowsAtHand) { r.orders.Edges[1].Node.Remark = nil }, want: `"remark":null`},
	{name: "a time that may not be null", document: ordersDocument, change: func(r *rowsAtHand) { r.orders.Edges[1].Node.CreatedAt = time.Time{} },
		want: `"path":["myOrders","edges",1,"node","createdAt"]`},
	{name: "an object that may not be null", document: `{ myOrders { edges { cursor } p: pageInfo { endCursor } } }`, change: func(r *rowsAtHand) { r.orders.PageInfo = nil }, want: `"path":["myOrders","p"]`},
	{name: "an element that may not be null", document: ordersDocument, change: func(r *rowsAtHand) { r.orders.Edges[1] = nil }, want: `"path":["myOrders","edges",1]`},
	{name: "a status that is not in the schema", document: ordersDocument, change: func(r *rowsAtHand) { r.orders.Edges[1].Node.Status = "lost" }},
	{name: "a resolver that fails", document: ordersDocument, change: func(r *rowsAtHand) { r.items = func() error { return errors.New("database gone") } },
		want: `"path":["myOrders","edges",0,"node","items"]`},
	{name: "a resolver that panics", document: ordersDocument, change: func(r *rowsAtHand) { r.items = func() error { panic("fault") } },
		want: `"path":["myOrders","edges",0,"node","items"]`},
	{name: "a guarded member", document: `{ me { id phone points } }`, want: `{"me":{"id":`},
	{name: "a guarded member, refused", document: `{ me { id phone points } }`, change: func(r *rowsAtHand) { r.refuse = true }, want: `"phone":null`},
	{name: "a mutation", document: `mutation { a: logout { endedSessions } b: logout { __typename } }`, want: `{"a":{"endedSessions":3},"b":{"__typename":"LogoutPayload"}}`},
	{name: "introspection", document: `{ __type(name: "User") { name fields { name } } }`},
}

// TestWritersAnswerWhatGqlgenWould executes with gqlgen alone and with our writers, and compares to the letter.
func TestWritersAnswerWhatGqlgenWould(t *testing.T) {
	t.Parallel()
	for _, o := range oddities {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			rows := newRows(2)
			if o.change != nil {
				o.change(rows)
			}
			body := fmt.Sprintf(`{"query":%q,"variables":{"first":20}}`, o.document)
			got := answerTo(graph.Endpoint(rows.schema(), graph.Options{Development: true, Now: time.Now, Log: slog.New(slog.DiscardHandler)}), body)
			want := answerTo(graph.Stock(rows.schema()), body)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if !strings.Contains(got, o.want) {
				t.Errorf("no %s in %s", o.want, got)
			}
		})
	}
}

// TestDeferredMembersAreAnsweredAtOnce: nobody waits for a second answer.
func TestDeferredMembersAreAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	handler := graph.Endpoint(newRows(2).schema(), graph.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	got := answerTo(handler, `{"query":"{ myOrders { edges { node { orderNo ... @defer { items { quantity } } } } } }"}`)
	items := `"items":[{"quantity":2},{"quantity":2},{"quantity":2}]`
	want := `{"data":{"myOrders":{"edges":[{"node":{"orderNo":"20261120_100",` + items + `}},{"node":{"orderNo":"20261120_101",` + items + `}}]}}}`
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func answerTo(handler http.Handler, body string) string {
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Body.String()
}

// rowsAtHand answers queries without a database.
type rowsAtHand struct {
	*graph.Resolver
	user   *db.User
	orders *graph.OrderConnection
	items  func() error // what loading items does before it gives them
	refuse bool         // whether guarded members are
}

func newRows(n int) *rowsAtHand {
	name, end := "Li Lei", "the end"
	rows := &rowsAtHand{
		Resolver: &graph.Resolver{Auth: &auth.Service{}},
		user:     &db.User{ID: uuid.UUID{15: 1}, Nickname: &name, CreatedAt: someTime},
		orders:   &graph.OrderConnection{PageInfo: &graph.PageInfo{EndCursor: &end}},
		items:    func() error { return nil },
	}
	for _, o := range someOrders(n) {
		rows.orders.Edges = append(rows.orders.Edges, &graph.OrderEdge{Cursor: o.OrderNo, Node: o})
	}
	return rows
}

func (r *rowsAtHand) schema() graphql.ExecutableSchema {
	return graph.NewExecutableSchema(graph.Config{Resolvers: r, Directives: graph.DirectiveRoot{
		RequireAuth: func(ctx context.Context, _ any, next graphql.Resolver, steps []auth.Step) (any, error) {
			if r.refuse && len(steps) > 0 {
				return nil, &auth.StepRequiredError{Missing: steps}
			}
			return next(ctx)
		},
	}})
}

func (r *rowsAtHand) Query() graph.QueryResolver       { return rowsQuery{r.Resolver.Query(), r} }
func (r *rowsAtHand) Mutation() graph.MutationResolver { return rowsMutation{r.Resolver.Mutation()} }
func (r *rowsAtHand) Order() graph.OrderResolver       { return rowsOrder{r} }

type (
	rowsQuery struct {
		graph.QueryResolver
		rows *rowsAtHand
	}
	rowsMutation struct{ graph.MutationResolver }
	rowsOrder    struct{ rows *rowsAtHand }
)

func (q rowsQuery) Me(context.Context) (*db.User, error) { return q.rows.user, nil }

func (q rowsQuery) MySessions(context.Context) ([]*db.Session, error) { return nil, nil }

func (q rowsQuery) MyOrders(context.Context, int, *string, *db.OrderStatus) (*graph.OrderConnection, error) {
	return q.rows.orders, nil
}

func (rowsMutation) Logout(context.Context, *graph.LogoutInput) (*graph.LogoutPayload, error) {
	return &graph.LogoutPayload{EndedSessions: 3}, nil
}

// Items fails for the first order only: gqlgen tells of errors in the order its goroutines come.
func (o rowsOrder) Items(_ context.Context, obj *db.Order) ([]*db.OrderItem, error) {
	if obj == o.rows.orders.Edges[0].Node {
		if err := o.rows.items(); err != nil {
			return nil, err
		}
	}
	return obj.Items, nil
}

var someTime = time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)

// someOrders makes orders of three items each.
func someOrders(n int) (orders []*db.Order) {
	remark := "不要葱，谢谢"
	for i := range n {
		o := &db.Order{ID: uuid.UUID{14: 1, 15: byte(i)}, OrderNo: fmt.Sprintf("20261120_%d", 100+i), Status: db.OrderPending, TotalFen: 5994, Remark: &remark, CreatedAt: someTime, UpdatedAt: someTime}
		for line := range 3 {
			o.Items = append(o.Items, &db.OrderItem{LineNo: line + 1, SKU: fmt.Sprintf("sku-%d", line), Title: "茉莉花茶 500 ml", Quantity: 2, UnitPriceFen: 999})
		}
		orders = append(orders, o)
	}
	return orders
}
