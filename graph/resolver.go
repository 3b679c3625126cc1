// Package graph is the GraphQL endpoint: the schema's fields, its directives, its errors, and GraphQL over HTTP.
package graph

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"wxpass/auth"
	"wxpass/order"
)

// Resolver holds what the fields are resolved with.
type Resolver struct {
	Auth   *auth.Service
	Orders *order.Service
	// UploadURL is where an uploaded image is, as the caller reaches this server.
	UploadURL func(ctx context.Context, id uuid.UUID) string
}

// orNull makes an empty text null.
func orNull(text string, err error) (*string, error) {
	if text == "" || err != nil {
		return nil, err
	}
	return &text, nil
}

// Options say how the endpoint behaves.
type Options struct {
	Development    bool    // introspection, suggestions in validation errors, and queries by GET
	RateLimitScale float64 // multiplies every @rateLimit; 0 turns them off
	Limits         Limits
	Trusted        TrustedDocuments // outside development the only ones executed; nil for any
	Now            func() time.Time // required
	Log            *slog.Logger     // required
	Failed         func(ErrorCode)  // told of every error in an answer; defaults to nobody
}

// Handler serves the API.
func Handler(r *Resolver, o Options) http.Handler {
	schema := NewExecutableSchema(Config{
		Resolvers: r,
		Directives: DirectiveRoot{
			Public:      public,
			RateLimit:   newLimiter(o.Now).rateLimit(o.RateLimitScale),
			RequireAuth: requireAuth,
		},
	})
	return endpoint(schema, o)
}

// endpoint answers requests to schema.
func endpoint(schema graphql.ExecutableSchema, o Options) http.Handler {
	limits, documents := o.Limits.withDefaults(), newDocuments()
	server := handler.New(executable{schema.(*executableSchema)})
	if o.Failed == nil {
		o.Failed = func(ErrorCode) {}
	}
	server.AddTransport(transport{maxBody: int64(limits.MaxBody), get: o.Development, failed: o.Failed})
	server.SetQueryCache(documents)
	server.SetParserTokenLimit(limits.MaxTokens)
	server.Use(trusted{documents: o.Trusted, strict: o.Trusted != nil && !o.Development}) // before the budget: a hash becomes its document
	server.Use(budget{limits: limits, introspection: o.Development, seen: documents})
	server.Use(writers{spare: new(sync.Pool)})
	server.SetDisableSuggestion(!o.Development)
	if o.Development {
		server.Use(extension.Introspection{})
	}
	presenter := presenter{log: o.Log, development: o.Development}
	server.SetErrorPresenter(func(ctx context.Context, err error) *gqlerror.Error {
		shown := presenter.present(ctx, err)
		code, _ := shown.Extensions["code"].(ErrorCode)
		o.Failed(code)
		return shown
	})
	server.SetRecoverFunc(func(ctx context.Context, fault any) error {
		return &panicError{fault: fault, stack: debug.Stack()}
	})
	return server
}
