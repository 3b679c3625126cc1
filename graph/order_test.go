package graph_test

import (
	"encoding/base64"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"wxpass/db"
	"wxpass/db/dbtest"
	"wxpass/graph"
)

const orderFields = `{ id orderNo status items { sku title quantity unitPriceFen } totalFen remark createdAt updatedAt }`

type placed struct {
	Order struct {
		ID, OrderNo, Status string
		TotalFen            int
		Remark              *string
		Items               []struct {
			SKU, Title             string
			Quantity, UnitPriceFen int
		}
	}
}

type orderPage struct {
	Edges []struct {
		Cursor string
		Node   struct{ ID, OrderNo, Status string }
	}
	PageInfo struct {
		HasNextPage bool
		EndCursor   *string
	}
}

// customer logs somebody in who may order.
func (a *api) customer(t *testing.T, openid string) grant {
	t.Helper()
	g := a.mustLogin(t, openid)
	if got := a.authorizeProfile(t, g.Token, map[string]any{"nickname": "x"}); got.code() != "" {
		t.Fatal(got.text)
	}
	phone := fmt.Sprintf("+86139%08d", len(openid)*1000+int(openid[len(openid)-1]))
	if got := a.bindPhone(t, g.Token, a.phoneCode(openid, phone)); got.code() != "" {
		t.Fatal(got.text)
	}
	return g
}

func line(product string, quantity int) map[string]any {
	return map[string]any{"productId": product, "quantity": quantity}
}

func (a *api) createOrder(t testing.TB, token, key string, lines ...map[string]any) *answer {
	t.Helper()
	return a.do(t, token, `mutation($in: CreateOrderInput!) { createOrder(input: $in) { order `+orderFields+` } }`,
		map[string]any{"in": map[string]any{"idempotencyKey": key, "items": lines}})
}

func (a *api) mustOrder(t testing.TB, token, key string, lines ...map[string]any) placed {
	t.Helper()
	got := a.createOrder(t, token, key, lines...)
	if got.code() != "" {
		t.Fatalf("order: %s", got.text)
	}
	var p placed
	if tt, ok := t.(*testing.T); ok {
		got.field(tt, "createOrder", &p)
	}
	return p
}

func (a *api) orders(t *testing.T, token, arguments string) (page orderPage) {
	t.Helper()
	got := a.do(t, token, `{ myOrders`+arguments+` { edges { cursor node { id orderNo status } } pageInfo { hasNextPage endCursor } } }`, nil)
	if got.code() != "" {
		t.Fatalf("myOrders%s: %s", arguments, got.text)
	}
	got.field(t, "myOrders", &page)
	return page
}

func TestAnOrderKeepsThePricesOfItsMoment(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		g := a.customer(t, "openid-1")
		tea, cup := a.product(t, "tea", 1250), a.product(t, "cup", 300)
		first := a.mustOrder(t, g.Token, "k1", line(tea, 2), line(cup, 1)).Order
		if first.TotalFen != 2800 || first.Status != "PENDING" || len(first.Items) != 2 || first.Items[0].SKU != "tea" || first.Items[0].UnitPriceFen != 1250 {
			t.Errorf("order = %+v", first)
		}
		day := a.clock.Now().In(time.FixedZone("", 8*60*60)).Format("20060102")
		if !strings.HasPrefix(first.OrderNo, day+"_") {
			t.Errorf("number %s is not of the day %s in Shanghai", first.OrderNo, day)
		}
		a.product(t, "tea", 9900)
		second := a.mustOrder(t, g.Token, "k2", line(tea, 1)).Order
		var kept struct {
			TotalFen int
			Items    []struct{ UnitPriceFen int }
		}
		a.do(t, g.Token, `query($no: String!) { order(orderNo: $no) { totalFen items { unitPriceFen } } }`, map[string]any{"no": first.OrderNo}).field(t, "order", &kept)
		if second.TotalFen != 9900 || kept.TotalFen != 2800 || kept.Items[0].UnitPriceFen != 1250 {
			t.Errorf("after the price changed: new %d, old %+v", second.TotalFen, kept)
		}
	})
}

func TestOrdersRefused(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		g := a.customer(t, "openid-1")
		tea, gold := a.product(t, "tea", 100), a.product(t, "gold", math.MaxInt32-1)
		many := slices.Repeat([]map[string]any{line(tea, 1)}, 200)
		tests := []struct {
			name, key string
			lines     []map[string]any
			field     string
		}{
			{"quantity 0", "k", []map[string]any{line(tea, 0)}, "input.items.0.quantity"},
			{"negative quantity", "k", []map[string]any{line(tea, 1), line(tea, -1)}, "input.items.1.quantity"},
			{"quantity 10^9", "k", []map[string]any{line(tea, 1_000_000_000)}, "input.items.0.quantity"},
			{"unknown product", "k", []map[string]any{line(db.NewID().String(), 1)}, "input.items.0.productId"},
			{"malformed product", "k", []map[string]any{line("' OR 1=1", 1)}, "productId"},
			{"no items", "k", nil, "input.items"},
			{"200 items", "k", many, "input.items"},
			{"more than 2^31-1 fen", "k", []map[string]any{line(gold, 2)}, "input.items"},
			{"more than 2^31-1 fen in two lines", "k", []map[string]any{line(gold, 1), line(tea, 1)}, "input.items"},
			{"no key", "", []map[string]any{line(tea, 1)}, "input.idempotencyKey"},
			{"odd key", "k\u0000", []map[string]any{line(tea, 1)}, "input.idempotencyKey"},
			{"long key", strings.Repeat("k", 65), []map[string]any{line(tea, 1)}, "input.idempotencyKey"},
		}
		for _, tt := range tests {
			lines := tt.lines
			if lines == nil {
				lines = []map[string]any{}
			}
			got := a.createOrder(t, g.Token, tt.key, lines...)
			field := ""
			if len(got.Errors) > 0 {
				field = fmt.Sprint(got.Errors[0].Extensions["field"])
			}
			if got.code() != graph.ErrorCodeBadInput || !strings.HasSuffix(field, tt.field) {
				t.Errorf("%s: field %q, want %q: %s", tt.name, field, tt.field, got.text)
			}
		}
		if n := len(a.orders(t, g.Token, "").Edges); n != 0 {
			t.Errorf("%d orders were placed", n)
		}
	})
}

func TestOneKeyIsOneOrder(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		g := a.customer(t, "openid-1")
		tea := a.product(t, "tea", 100)
		var wait sync.WaitGroup
		texts := make([]string, 5)
		for i := range texts {
			wait.Go(func() { texts[i] = a.createOrder(t, g.Token, "k1", line(tea, 3)).text })
		}
		wait.Wait()
		a.product(t, "tea", 999) // a retry after the price changed is still the same order
		texts = append(texts, a.createOrder(t, g.Token, "k1", line(tea, 3)).text)
		for _, text := range texts {
			if text != texts[0] || strings.Contains(text, "errors") {
				t.Errorf("answers differ:\n%s\n%s", texts[0], text)
			}
		}
		if got := a.createOrder(t, g.Token, "k1", line(tea, 4)); got.code() != graph.ErrorCodeConflict {
			t.Errorf("other content under the same key: %s", got.text)
		}
		if n := len(a.orders(t, g.Token, "").Edges); n != 1 {
			t.Errorf("%d orders, want 1", n)
		}
		other := a.customer(t, "openid-2")
		if got := a.mustOrder(t, other.Token, "k1", line(tea, 4)); strings.Contains(texts[0], got.Order.OrderNo) {
			t.Error("somebody else's key led to the first one's order")
		}
	})
}

func TestCancelling(t *testing.T) {
	const document = `mutation($no: String!) { cancelOrder(input: {orderNo: $no}) { order { status } } }`
	each(t, func(t *testing.T, a *api) {
		g := a.customer(t, "openid-1")
		no := a.mustOrder(t, g.Token, "k1", line(a.product(t, "tea", 100), 1)).Order.OrderNo
		for range 2 { // the second time it stays so
			var p placed
			a.do(t, g.Token, document, map[string]any{"no": no}).field(t, "cancelOrder", &p)
			if p.Order.Status != "CANCELLED" {
				t.Errorf("status %s", p.Order.Status)
			}
		}
		if n := len(a.orders(t, g.Token, "(status: CANCELLED)").Edges); n != 1 {
			t.Errorf("%d cancelled orders, want 1", n)
		}
		if n := len(a.orders(t, g.Token, "(status: PENDING)").Edges); n != 0 {
			t.Errorf("%d pending orders, want 0", n)
		}
		a.exec(t, "UPDATE orders SET status = 'paid'")
		if got := a.do(t, g.Token, document, map[string]any{"no": no}); got.code() != graph.ErrorCodeConflict {
			t.Errorf("a paid order: %s", got.text)
		}
	})
}

// TestSomebodyElsesOrderIsAsIfAbsent is the attacker's suite: B reaches for A's orders by everything an order is known by.
func TestSomebodyElsesOrderIsAsIfAbsent(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		var count countQueries
		a := newAPI(t, url, &count)
		alice, bob := a.customer(t, "openid-a"), a.customer(t, "openid-b")
		tea := a.product(t, "tea", 100)
		var theirs placed
		for i := range 3 {
			theirs = a.mustOrder(t, alice.Token, fmt.Sprint("key-of-alice-", i), line(tea, 1))
		}
		own := a.mustOrder(t, bob.Token, "key-of-bob", line(tea, 1))
		day := strings.Split(theirs.Order.OrderNo, "_")[0]
		absent := day + "_999999999"
		ask := func(query string, variables map[string]any) (text string, queries int) {
			t.Helper()
			count.take()
			text = a.do(t, bob.Token, query, variables).text
			return text, count.take()
		}
		same := func(name, query string, not, never map[string]any) {
			t.Helper()
			gotNot, n := ask(query, not)
			gotNever, m := ask(query, never)
			if gotNot != gotNever || n != m {
				t.Errorf("%s: not yours %q in %d queries, not there %q in %d", name, gotNot, n, gotNever, m)
			}
			if strings.Contains(gotNot, theirs.Order.ID) {
				t.Errorf("%s shows the order: %s", name, gotNot)
			}
		}
		no := func(n string) map[string]any { return map[string]any{"no": n} }
		same("order", `query($no: String!) { order(orderNo: $no) { id } }`, no(theirs.Order.OrderNo), no(absent))
		same("cancelOrder", `mutation($no: String!) { cancelOrder(input: {orderNo: $no}) { order { id } } }`, no(theirs.Order.OrderNo), no(absent))
		same("order by id", `query($no: String!) { order(orderNo: $no) { id } }`, no(theirs.Order.ID), no(db.NewID().String()))

		// Keys are each user's own: A's key means nothing to B.
		got := a.createOrder(t, bob.Token, "key-of-alice-0", line(tea, 2))
		if got.code() != "" || strings.Contains(got.text, theirs.Order.OrderNo) {
			t.Errorf("A's idempotency key: %s", got.text)
		}

		// Cursors are places, not keys: whatever B makes of them, B sees B's orders or BAD_INPUT.
		cursorOf := func(id string) string {
			u := uuid.MustParse(id)
			return base64.RawURLEncoding.EncodeToString(append([]byte{1}, u[:]...))
		}
		cursor := a.orders(t, alice.Token, "").Edges[0].Cursor
		if cursor != cursorOf(theirs.Order.ID) {
			t.Fatalf("cursor %s is not what this test forges", cursor)
		}
		mine := map[string]bool{own.Order.OrderNo: true}
		for _, e := range a.orders(t, bob.Token, "").Edges {
			mine[e.Node.OrderNo] = true
		}
		for name, after := range map[string]string{"A's": cursor, "the end of time": cursorOf(uuid.Max.String()), "a stale one": cursorOf("00000000-0000-7000-8000-000000000001"), "random": cursorOf(uuid.NewString())} {
			for _, e := range a.orders(t, bob.Token, fmt.Sprintf("(after: %q, first: 100)", after)).Edges {
				if !mine[e.Node.OrderNo] {
					t.Errorf("with the cursor %s B sees %s", name, e.Node.OrderNo)
				}
			}
		}
		for name, arguments := range map[string]string{
			"truncated": fmt.Sprintf("(after: %q)", cursor[:10]), "longer": fmt.Sprintf("(after: %q)", cursor+"AA"), "empty": `(after: "")`,
			"not base64": `(after: "!!!")`, "SQL": `(after: "' OR 1=1 --")`, "an order number": fmt.Sprintf("(after: %q)", theirs.Order.OrderNo),
			"another version": fmt.Sprintf("(after: %q)", "Ag"+cursor[2:]), "first 0": "(first: 0)", "negative first": "(first: -1)", "huge first": "(first: 99999999)",
		} {
			got := a.do(t, bob.Token, `{ myOrders`+arguments+` { edges { node { id } } } }`, nil)
			if got.code() != graph.ErrorCodeBadInput {
				t.Errorf("%s: %s", name, got.text)
			}
		}
		if n := len(a.orders(t, alice.Token, "(status: CANCELLED)").Edges); n != 0 {
			t.Errorf("B cancelled %d of A's orders", n)
		}
	})
}

func TestAPageIsThreeQueriesWhateverItsSize(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		var count countQueries
		a := newAPI(t, url, &count)
		g := a.customer(t, "openid-1")
		a.manyOrders(t, uuidOf(t, g.User.ID), 60)
		for _, first := range []int{1, 20, 50} {
			count.take()
			got := a.do(t, g.Token, fmt.Sprintf(`{ myOrders(first: %d) { edges { node { orderNo items { sku quantity } } } } }`, first), nil)
			if n := count.take(); n != 3 || got.code() != "" || strings.Count(got.text, "orderNo") != first || strings.Count(got.text, "sku") != 3*first {
				t.Errorf("first %d: %d queries: %.200s", first, n, got.text)
			}
		}
		count.take()
		a.do(t, g.Token, `{ myOrders { edges { node { orderNo } } } }`, nil)
		if n := count.take(); n != 2 {
			t.Errorf("a page without items: %d queries, want 2", n)
		}
	})
}

// manyOrders gives a user n orders of three items, each a second after the one before.
func (a *api) manyOrders(t testing.TB, userID uuid.UUID, n int) {
	t.Helper()
	for i := range n {
		o := &db.Order{UserID: userID, ID: db.NewID(), AppID: "app", OrderNo: fmt.Sprintf("20200101_%d", 1000+i), Status: db.OrderPending, TotalFen: 3,
			IdempotencyKey: fmt.Sprint("many-", i), ContentHash: []byte{1}}
		var items []*db.OrderItem
		for line := range 3 {
			items = append(items, &db.OrderItem{UserID: userID, OrderID: o.ID, LineNo: line + 1, SKU: "s", Title: "t", Quantity: 1, UnitPriceFen: 1})
		}
		if _, err := a.store.CreateOrder(t.Context(), o, items); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPagingMeetsEveryOldOrderOnceWhileNewOnesArrive pages through ORDERS orders, 1,000 when it is not set, in pages of a
// hundred, while one is placed behind each.
func TestPagingMeetsEveryOldOrderOnceWhileNewOnesArrive(t *testing.T) {
	old, err := strconv.Atoi(os.Getenv("ORDERS"))
	if err != nil {
		old = 1000
	}
	each(t, func(t *testing.T, a *api) {
		var times []time.Duration
		g := a.customer(t, "openid-1")
		a.manyOrders(t, uuidOf(t, g.User.ID), old)
		tea := a.product(t, "tea", 100)
		seen, arguments, pages := map[string]int{}, "(first: 100)", 0
		for {
			began := time.Now()
			page := a.orders(t, g.Token, arguments)
			times = append(times, time.Since(began).Round(10*time.Microsecond))
			for _, e := range page.Edges {
				seen[e.Node.OrderNo]++
			}
			a.mustOrder(t, g.Token, fmt.Sprint("new-", pages), line(tea, 1))
			if pages++; !page.PageInfo.HasNextPage {
				break
			}
			arguments = fmt.Sprintf("(first: 100, after: %q)", *page.PageInfo.EndCursor)
		}
		t.Logf("%d pages; the first five took %v, the last five %v", pages, times[:5], times[len(times)-5:])
		if len(seen) != old {
			t.Errorf("%d orders met, want the %d old ones", len(seen), old)
		}
		for no, times := range seen {
			if times != 1 {
				t.Errorf("%s met %d times", no, times)
			}
		}
	})
}

func TestProductsArePublicAndPaged(t *testing.T) {
	each(t, func(t *testing.T, a *api) {
		for i := range 25 {
			a.product(t, fmt.Sprintf("sku-%02d", i), int64(i))
		}
		type page struct {
			Edges    []struct{ Node struct{ SKU string } }
			PageInfo struct {
				HasNextPage bool
				EndCursor   string
			}
		}
		var skus []string
		after := "null"
		for {
			var p page
			a.do(t, "", fmt.Sprintf(`{ products(first: 10, after: %s) { edges { node { sku } } pageInfo { hasNextPage endCursor } } }`, after), nil).field(t, "products", &p)
			for _, e := range p.Edges {
				skus = append(skus, e.Node.SKU)
			}
			if after = fmt.Sprintf("%q", p.PageInfo.EndCursor); !p.PageInfo.HasNextPage {
				break
			}
		}
		if len(skus) != 25 || !slices.IsSorted(skus) {
			t.Errorf("products: %v", skus)
		}
	})
}

func TestOrderStatementsUseAnIndex(t *testing.T) {
	t.Parallel()
	var hook recordQueries
	a := newAPI(t, dbtest.Postgres(t), &hook)
	g := a.customer(t, "openid-1")
	a.manyOrders(t, uuidOf(t, g.User.ID), 300)
	for i := range 20 { // others, so that an index is worth it
		a.manyOrders(t, uuidOf(t, a.mustLogin(t, fmt.Sprint("other-", i)).User.ID), 1)
	}
	tea := a.product(t, "tea", 1)
	a.exec(t, "ANALYZE")
	hook.take()
	no := a.mustOrder(t, g.Token, "k", line(tea, 1)).Order.OrderNo
	page := a.orders(t, g.Token, "(first: 5)")
	a.orders(t, g.Token, fmt.Sprintf("(first: 5, after: %q, status: PENDING)", *page.PageInfo.EndCursor))
	a.do(t, g.Token, fmt.Sprintf(`{ order(orderNo: %q) { items { sku } } }`, no), nil)
	a.do(t, g.Token, fmt.Sprintf(`mutation { cancelOrder(input: {orderNo: %q}) { order { id } } }`, no), nil)
	conn := dbtest.Raw(t, a.url)
	explained := 0
	for _, query := range hook.take() {
		if !strings.Contains(query, "order") || strings.HasPrefix(query, "INSERT") {
			continue
		}
		if !strings.Contains(query, "user_id") {
			t.Errorf("a statement on orders does not name the user: %s", query)
		}
		tx, err := conn.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("SET LOCAL enable_seqscan = off"); err != nil { // the tables are small here
			t.Fatal(err)
		}
		rows, err := tx.Query("EXPLAIN " + query)
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for rows.Next() {
			var step string
			if err := rows.Scan(&step); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, step)
		}
		rows.Close()
		tx.Rollback()
		text := strings.Join(plan, "\n")
		if !strings.Contains(text, "Index") || strings.Contains(text, "Seq Scan on order") {
			t.Errorf("no index:\n%s\n%s", query, text)
		}
		explained++
		t.Logf("%.110s…\n%s", query, text)
	}
	if explained < 6 {
		t.Errorf("only %d statements explained", explained)
	}
}
