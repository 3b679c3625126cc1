package graph_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"

	"wxpass/auth"
	"wxpass/db"
	"wxpass/db/dbtest"
	"wxpass/graph"
)

// samples asks for every root field and every guarded field of an object once, with arguments that a caller with both
// steps gets an answer for. A field that is not here fails the test.
var samples = map[string]string{
	"Query.me":                  `{ me { id } }`,
	"Query.mySessions":          `{ mySessions { id } }`,
	"Mutation.silentLogin":      `mutation { silentLogin(input: {code: "sim-somebody"}) { token } }`,
	"Mutation.renewSession":     `mutation { renewSession { token } }`,
	"Mutation.authorizeProfile": `mutation { authorizeProfile(input: {nickname: "x"}) { user { id } } }`,
	"Mutation.bindPhone":        `mutation { bindPhone(input: {code: "sim-+8613800138000"}) { user { id } } }`,
	"Mutation.unbindPhone":      `mutation { unbindPhone { user { id } } }`,
	"Mutation.logout":           `mutation { logout { endedSessions } }`,
	"Mutation.deleteAccount":    `mutation { deleteAccount(input: {confirm: "DELETE"}) { deleted } }`,
	"Mutation.createOrder":      `mutation { createOrder(input: {idempotencyKey: "k", items: [{productId: "PRODUCT", quantity: 1}]}) { order { id } } }`,
	"Mutation.cancelOrder":      `mutation { cancelOrder(input: {orderNo: "ORDER"}) { order { id } } }`,
	"Query.products":            `{ products { edges { node { id } } } }`,
	"Query.myOrders":            `{ myOrders { edges { node { id items { sku } } } } }`,
	"Query.order":               `{ order(orderNo: "ORDER") { id } }`,
	"User.phone":                `{ me { phone } }`,
}

// callers are everybody who may ask, each with a token made on an api of its own.
var callers = []struct {
	name  string
	steps []auth.Step
	want  string // what a guarded field answers before it looks at steps
	token func(*testing.T, *api) string
}{
	{"nobody", nil, "UNAUTHENTICATED MISSING", func(*testing.T, *api) string { return "" }},
	{"garbage token", nil, "UNAUTHENTICATED INVALID", func(*testing.T, *api) string { return "garbage" }},
	{"expired", nil, "UNAUTHENTICATED EXPIRED", func(t *testing.T, a *api) string {
		token := a.mustLogin(t, "o").Token
		a.clock.Advance(169 * time.Hour)
		return token
	}},
	{"revoked", nil, "UNAUTHENTICATED REVOKED", func(t *testing.T, a *api) string {
		token := a.mustLogin(t, "o").Token
		a.do(t, token, `mutation { logout { endedSessions } }`, nil)
		return token
	}},
	{"account deleted", nil, "UNAUTHENTICATED REVOKED", func(t *testing.T, a *api) string {
		token := a.withSteps(t, auth.StepUser, auth.StepPhone)
		a.do(t, token, samples["Mutation.deleteAccount"], nil)
		return token
	}},
	{"logged in", nil, "", func(t *testing.T, a *api) string { return a.withSteps(t) }},
	{"with profile", []auth.Step{auth.StepUser}, "", func(t *testing.T, a *api) string { return a.withSteps(t, auth.StepUser) }},
	{"with phone", []auth.Step{auth.StepPhone}, "", func(t *testing.T, a *api) string { return a.withSteps(t, auth.StepPhone) }},
	{"with both", []auth.Step{auth.StepUser, auth.StepPhone}, "", func(t *testing.T, a *api) string {
		return a.withSteps(t, auth.StepUser, auth.StepPhone)
	}},
}

// fill puts a product that exists, and an order of the token's user, into a sample.
func (a *api) fill(t *testing.T, token, sample string) string {
	t.Helper()
	number := "20261120_100"
	if claims, err := a.issuer.Verify(token); err == nil && strings.Contains(sample, "ORDER") {
		o := &db.Order{UserID: claims.UserID, ID: db.NewID(), AppID: claims.AppID, OrderNo: number, Status: db.OrderPending, IdempotencyKey: "k", ContentHash: []byte{1}}
		item := &db.OrderItem{UserID: o.UserID, OrderID: o.ID, LineNo: 1, SKU: "s", Title: "t", Quantity: 1}
		if _, err := a.store.CreateOrder(t.Context(), o, []*db.OrderItem{item}); err != nil && !errors.Is(err, db.ErrNotFound) { // of a deleted account
			t.Fatal(err)
		}
	}
	return strings.NewReplacer("PRODUCT", a.product(t, "sku-1", 100), "ORDER", number).Replace(sample)
}

// product makes a product, or changes its price, and returns its id.
func (a *api) product(t testing.TB, sku string, priceFen int64) string {
	t.Helper()
	if err := a.store.SaveProducts(t.Context(), []*db.Product{{SKU: sku, Title: "title of " + sku, PriceFen: priceFen}}); err != nil {
		t.Fatal(err)
	}
	products, err := a.store.Products(t.Context(), uuid.Nil, 1000)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(products, func(p *db.Product) bool { return p.SKU == sku })
	return products[i].ID.String()
}

// withSteps logs somebody in who has passed the steps.
func (a *api) withSteps(t testing.TB, steps ...auth.Step) (token string) {
	t.Helper()
	token = a.mustLogin(t, "o").Token
	for _, step := range steps {
		document := samples["Mutation.bindPhone"]
		if step == auth.StepUser {
			document = samples["Mutation.authorizeProfile"]
		}
		if got := a.do(t, token, document, nil); got.code() != "" {
			t.Fatalf("step %s: %s", step, got.text)
		}
	}
	return token
}

// TestAccess holds every field of the schema against every caller, and docs/access.md against what came out. Write the
// page anew with UPDATE=1.
func TestAccess(t *testing.T) {
	t.Parallel()
	s := schema(t)
	var fields []*ast.FieldDefinition
	var names []string
	for _, d := range append([]*ast.Definition{s.Query, s.Mutation}, own(s)...) {
		root := d == s.Query || d == s.Mutation
		for _, f := range d.Fields {
			name := d.Name + "." + f.Name
			if strings.Contains(name, "__") || !root && f.Directives.ForName("requireAuth") == nil || slices.Contains(names, name) {
				continue
			}
			if samples[name] == "" {
				t.Errorf("%s is not in the matrix: add a sample", name)
			}
			fields, names = append(fields, f), append(names, name)
		}
	}
	var page strings.Builder
	page.WriteString(accessIntroduction)
	for _, c := range callers {
		fmt.Fprintf(&page, " %s |", c.name)
	}
	page.WriteString("\n|---" + strings.Repeat("|---", len(callers)) + "|\n")
	for i, f := range fields {
		fmt.Fprintf(&page, "| `%s` |", names[i])
		for _, c := range callers {
			a := newAPI(t, dbtest.SQLite(t))
			token := c.token(t, a)
			got := a.do(t, token, a.fill(t, token, samples[names[i]]), nil).reason()
			if want := wanted(f, c.want, c.steps); got != want {
				t.Errorf("%s, %s: %q, want %q by its directives", names[i], c.name, got, want)
			}
			fmt.Fprintf(&page, " %s |", shown(got))
		}
		page.WriteString("\n")
	}
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile("../docs/access.md", []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile("../docs/access.md")
	if err != nil || string(committed) != page.String() {
		t.Errorf("docs/access.md is not what came out: run UPDATE=1 go test -run TestAccess ./graph (%v)\n%s", err, page.String())
	}
}

// wanted is what the schema's directives say a caller gets.
func wanted(f *ast.FieldDefinition, identity string, passed []auth.Step) string {
	guard := f.Directives.ForName("requireAuth")
	if guard == nil {
		return ""
	}
	if identity != "" {
		return identity
	}
	if steps := guard.Arguments.ForName("steps"); steps != nil {
		for _, child := range steps.Value.Children {
			if !slices.Contains(passed, auth.Step(child.Value.Raw)) {
				return string(graph.ErrorCodeAuthStepRequired)
			}
		}
	}
	return ""
}

func shown(code string) string {
	if code == "" {
		return "answer"
	}
	return "`" + code + "`"
}

const accessIntroduction = `# Who may ask for what

Made by a test (` + "`TestAccess`" + ` in graph/) from the schema and from what the running endpoint answered: every root field, and
every guarded field of an object, against every caller. A field that is not here fails the test.

| field |`
