package graph

import (
	"context"
	"io"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"

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
		return uuid.Nil, &auth.InputError{Field: graphql.GetPath(ctx).String(), Message: "The id is malformed."}
	}
	return id, nil
}
