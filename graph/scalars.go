package graph

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"

	"wxpass/auth"
)

// MarshalID writes an id.
func MarshalID(id uuid.UUID) graphql.ContextMarshaler {
	return graphql.ContextWriterFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, strconv.Quote(id.String()))
		return err
	})
}

// UnmarshalID reads an id; a malformed one is BAD_INPUT, named by its path among the arguments.
func UnmarshalID(ctx context.Context, v any) (uuid.UUID, error) {
	text, _ := v.(string)
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		return uuid.Nil, &auth.InputError{Field: argument(graphql.GetPath(ctx)), Message: "The id is malformed."}
	}
	return id, nil
}

// argument spells a path the way all BAD_INPUT fields are: without the field of the schema it is an argument of, and with
// dots, as input.items.0.productId.
func argument(path ast.Path) string {
	var names []string
	for i, element := range path {
		if i > 0 {
			names = append(names, fmt.Sprint(element))
		}
	}
	return strings.Join(names, ".")
}
