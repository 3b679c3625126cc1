package graph

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Endpoint lets tests execute with resolvers of their own.
var Endpoint = endpoint

// Stock answers requests to schema with nothing but gqlgen.
func Stock(schema graphql.ExecutableSchema) http.Handler {
	server := handler.New(schema)
	server.Use(extension.Introspection{})
	server.AddTransport(transport{maxBody: 64 << 10, failed: func(ErrorCode) {}})
	server.SetErrorPresenter(func(ctx context.Context, err error) *gqlerror.Error {
		return presenter{log: slog.New(slog.DiscardHandler)}.present(ctx, err)
	})
	server.SetRecoverFunc(func(_ context.Context, fault any) error { return &panicError{fault: fault} })
	return server
}
