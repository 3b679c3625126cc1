package graph

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"

	"wxpass/auth"
	"wxpass/db"
	"wxpass/order"
)

const (
	maxPage       = 100
	cursorVersion = 1
)

// page is what a connection was asked for.
type page struct {
	size  int
	after uuid.UUID // uuid.Nil for the first page
}

func newPage(first int, after *string) (page, error) {
	if first < 1 || first > maxPage {
		return page{}, &auth.InputError{Field: "first", Message: fmt.Sprintf("A page has 1 to %d entries.", maxPage)}
	}
	if after == nil {
		return page{size: first}, nil
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(*after)
	if err != nil || len(text) != 17 || text[0] != cursorVersion || uuid.UUID(text[1:]) == uuid.Nil {
		return page{}, &auth.InputError{Field: "after", Message: "The cursor is malformed: pass the endCursor of the page before."}
	}
	return page{size: first, after: uuid.UUID(text[1:])}, nil
}

// limit is how many rows to ask for: one more than wanted tells whether there is a next page.
func (p page) limit() int64 { return int64(p.size) + 1 }

// cursor says where a row is. It is a place in the order of ids and no key to anything: every query names its user.
func cursor(id uuid.UUID) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte{cursorVersion}, id[:]...))
}

// cut takes the row that was asked for in excess off, and says where the page ends.
func cut[T any](p page, rows []T, id func(T) uuid.UUID) ([]T, *PageInfo) {
	info := &PageInfo{HasNextPage: len(rows) > p.size}
	if info.HasNextPage {
		rows = rows[:p.size]
	}
	if len(rows) > 0 {
		end := cursor(id(rows[len(rows)-1]))
		info.EndCursor = &end
	}
	return rows, info
}

func orderConnection(p page, orders []*db.Order) *OrderConnection {
	orders, info := cut(p, orders, func(o *db.Order) uuid.UUID { return o.ID })
	edges := make([]*OrderEdge, len(orders))
	for i, o := range orders {
		edges[i] = &OrderEdge{Cursor: cursor(o.ID), Node: o}
	}
	return &OrderConnection{Edges: edges, PageInfo: info}
}

func productConnection(p page, products []*db.Product) *ProductConnection {
	products, info := cut(p, products, func(p *db.Product) uuid.UUID { return p.ID })
	edges := make([]*ProductEdge, len(products))
	for i, p := range products {
		edges[i] = &ProductEdge{Cursor: cursor(p.ID), Node: p}
	}
	return &ProductConnection{Edges: edges, PageInfo: info}
}

// selection is a field of a type.
type selection struct{ of, field string }

// selects reports whether the document asks for a field below the one being resolved, by way of path. gqlgen's batch
// resolvers do not reach through the edges of a connection: they group siblings of one list, and each edge has one node.
func selects(ctx context.Context, path ...selection) bool {
	operation := graphql.GetOperationContext(ctx)
	sets := []ast.SelectionSet{graphql.GetFieldContext(ctx).Field.Selections}
	for _, step := range path {
		var below []ast.SelectionSet
		for _, set := range sets {
			for _, f := range graphql.CollectFields(operation, set, []string{step.of}) {
				if f.Name == step.field {
					below = append(below, f.Selections)
				}
			}
		}
		sets = below
	}
	return len(sets) > 0
}

// owner is whose orders the caller may see: the caller's own.
func owner(ctx context.Context) (order.Owner, error) {
	p, err := auth.PrincipalFrom(ctx)
	if err != nil {
		return order.Owner{}, err
	}
	return order.Owner{UserID: p.User.ID, AppID: p.Session.AppID}, nil
}
