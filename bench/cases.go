package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/jackc/pgx/v5"
)

// testCase is one request of a Mini Program's, in the documents as it sends them, of many users.
type testCase struct {
	name        string
	floorPath   string
	development bool // wxpass has to run in development, see README.md
	document    string
	calls       func(ctx context.Context, w *world, o *options, users int) ([]call, error)
	written     []string // queries of the rows it writes for user $1, without what is new each time
}

// call is what one user asks.
type call struct {
	token     string
	variables string
	userID    uuid
	want      string // what the answer begins with
}

const (
	meFields    = `fragment Me on User { id displayName nickname avatarUrl points steps maskedPhone createdAt }`
	orderFields = `fragment OrderFields on Order { id orderNo status totalFen remark createdAt updatedAt items { sku title quantity unitPriceFen } }`

	meDocument     = `query Me { me { ...Me } } ` + meFields
	ordersDocument = `query MyOrders($first: Int! = 20, $after: String, $status: OrderStatus) { myOrders(first: $first, after: $after, status: $status) { edges { cursor node { ...OrderFields } } pageInfo { hasNextPage endCursor } } } ` + orderFields
	loginDocument  = `mutation SilentLogin($input: SilentLoginInput!) { silentLogin(input: $input) { token expiresAt isNewUser user { ...Me } } } ` + meFields
	createDocument = `mutation CreateOrder($input: CreateOrderInput!) { createOrder(input: $input) { order { ...OrderFields } } } ` + orderFields

	// freshKey stands in a request for sixteen digits that no other request has.
	freshKey = "FRESH-FRESH-KEY!"
)

var testCases = []testCase{
	{name: "me", floorPath: "/me", document: meDocument, calls: meCalls},
	{name: "me-expired", floorPath: "/me", document: meDocument, calls: expiredCalls},
	{name: "myOrders", floorPath: "/myOrders", document: ordersDocument, calls: orderCalls},
	{name: "silentLogin", floorPath: "/silentLogin", development: true, document: loginDocument, calls: loginCalls, written: []string{
		`SELECT count(*) FROM sessions WHERE user_id = $1`,
		`SELECT to_jsonb(s) - '{id,created_at,expires_at}'::text[] FROM sessions s WHERE user_id = $1 ORDER BY created_at DESC LIMIT 1`,
		`SELECT to_jsonb(k) - '{sealed,previous_sealed,exchanged_at,replaced_at}'::text[] FROM wechat_session_keys k WHERE user_id = $1`,
		`SELECT to_jsonb(e) - '{id,request_id,created_at}'::text[] FROM auth_events e WHERE user_id = $1 ORDER BY created_at DESC LIMIT 1`,
		`SELECT count(*) FROM auth_events WHERE user_id = $1`,
		`SELECT last_login_at = updated_at AND (SELECT count(*) FROM sessions WHERE user_id = $1 AND created_at > last_login_at) <= 1 FROM users WHERE id = $1`,
	}},
	{name: "createOrder", floorPath: "/createOrder", document: createDocument, calls: createCalls, written: []string{
		`SELECT count(*) FROM orders WHERE user_id = $1`,
		`SELECT to_jsonb(o) - '{id,order_no,idempotency_key,created_at,updated_at}'::text[] FROM orders o WHERE user_id = $1 ORDER BY created_at DESC LIMIT 1`,
		`SELECT count(*) FROM order_items WHERE user_id = $1`,
		`SELECT jsonb_agg(to_jsonb(i) - 'order_id' ORDER BY line_no) FROM order_items i WHERE user_id = $1 AND order_id = (SELECT id FROM orders WHERE user_id = $1 ORDER BY created_at DESC LIMIT 1)`,
		`SELECT count(*) FROM orders JOIN order_numbers n USING (order_no) WHERE orders.user_id = $1 AND n.user_id = $1 AND n.order_id = orders.id`,
		`SELECT updated_at >= (SELECT max(created_at) FROM orders WHERE user_id = $1) FROM users WHERE id = $1`,
	}},
}

func caseNames() []string {
	var names []string
	for _, c := range testCases {
		names = append(names, c.name)
	}
	return names
}

func meCalls(_ context.Context, w *world, _ *options, _ int) (calls []call, err error) {
	for _, c := range w.callers {
		calls = append(calls, call{token: c.token, variables: "{}", want: `{"data":{"me":{"id":"` + formatUUID(c.userID) + `"`})
	}
	return calls, nil
}

func expiredCalls(_ context.Context, w *world, _ *options, _ int) (calls []call, err error) {
	for _, c := range w.callers {
		calls = append(calls, call{token: c.expired, variables: "{}", want: expiredBody})
	}
	return calls, nil
}

// orderCalls expects each buyer's own newest order first.
func orderCalls(ctx context.Context, w *world, _ *options, _ int) (calls []call, err error) {
	ids := make([]uuid, len(w.buyers))
	for i, c := range w.buyers {
		ids[i] = c.userID
	}
	rows, err := w.conn.Query(ctx, `SELECT (SELECT id FROM orders WHERE user_id = u ORDER BY id DESC LIMIT 1) FROM unnest($1::uuid[]) WITH ORDINALITY AS t (u, n) ORDER BY n`, ids)
	if err != nil {
		return nil, err
	}
	newest, err := pgx.CollectRows(rows, pgx.RowTo[uuid])
	for i, id := range newest {
		cursor := base64.RawURLEncoding.EncodeToString(append([]byte{1}, id[:]...))
		calls = append(calls, call{token: w.buyers[i].token, variables: `{"first":20}`, userID: w.buyers[i].userID,
			want: `{"data":{"myOrders":{"edges":[{"cursor":"` + cursor + `"`})
	}
	return calls, err
}

func loginCalls(ctx context.Context, w *world, o *options, users int) (calls []call, err error) {
	for range o.callers {
		name := loginName(rand.IntN(users))
		calls = append(calls, call{variables: `{"input":{"code":"sim-` + name + `"}}`, want: `{"data":{"silentLogin":{"token":"`})
	}
	for i := range calls[:min(len(calls), checked)] { // the checks look at what was written
		var in struct{ Input struct{ Code string } }
		if err := json.Unmarshal([]byte(calls[i].variables), &in); err != nil {
			return nil, err
		}
		err := w.conn.QueryRow(ctx, "SELECT user_id FROM user_identities WHERE subject = $1", openIDOf(in.Input.Code[len("sim-"):])).Scan(&calls[i].userID)
		if err != nil {
			return nil, err
		}
	}
	return calls, nil
}

func createCalls(_ context.Context, w *world, _ *options, _ int) (calls []call, err error) {
	for _, c := range w.buyers {
		pick := rand.Perm(len(w.product))[:3]
		calls = append(calls, call{token: c.token, userID: c.userID, want: `{"data":{"createOrder":{"order":{"id":"`,
			variables: fmt.Sprintf(`{"input":{"idempotencyKey":"%s","items":[{"productId":%q,"quantity":1},{"productId":%q,"quantity":2},{"productId":%q,"quantity":3}],"remark":"请放在门口"}}`,
				freshKey, w.product[pick[0]], w.product[pick[1]], w.product[pick[2]])})
	}
	return calls, nil
}

// request is a call as it goes over the wire.
type request struct {
	bytes []byte
	fresh int // where the fresh key stands, -1 when there is none
	want  []byte
}

// encode makes the request that asks path for c.
func (t *testCase) encode(c call, path string) (request, error) {
	body, err := json.Marshal(struct {
		Query     string          `json:"query"`
		Variables json.RawMessage `json:"variables"`
	}{t.document, json.RawMessage(c.variables)})
	if err != nil {
		return request{}, err
	}
	head := "POST " + path + " HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
	if c.token != "" {
		head += "Authorization: Bearer " + c.token + "\r\n"
	}
	text := fmt.Appendf(nil, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
	return request{text, bytes.Index(text, []byte(freshKey)), []byte(c.want)}, nil
}

func (t *testCase) encodeAll(calls []call, path string) ([]request, error) {
	var all []request
	for _, c := range calls {
		r, err := t.encode(c, path)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}
