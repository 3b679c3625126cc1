package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"reflect"

	"github.com/rs/cors"

	"wxpass/auth"
	"wxpass/avatar"
	"wxpass/db"
	"wxpass/graph"
	"wxpass/graph/playground"
	"wxpass/order"
)

// routes lays out the URLs.
func routes(p *program, s *settings, store *db.Store, avatars *avatar.Store, world *outside, health *health, metrics *metrics, log *slog.Logger) http.Handler {
	var appIDs []string
	for _, a := range s.Apps {
		appIDs = append(appIDs, a.ID)
	}
	service := &auth.Service{
		Store:         store,
		WeChat:        world.clients,
		Tokens:        &auth.Issuer{Keys: s.TokenRing, Apps: appIDs, Now: p.now},
		DataKeys:      s.DataRing,
		TokenTTL:      s.TokenTTL,
		SessionMaxAge: s.SessionMaxAge,
		Now:           p.now,
		Log:           log,

		SendPhoneOpenID: s.WechatPhoneOpenID,
		DeleteAvatar:    avatars.Delete,
	}
	api := graph.Handler(&graph.Resolver{Auth: service, Orders: &order.Service{Store: store, Now: p.now, Log: log}, UploadURL: uploadURL}, graph.Options{
		Development:    !s.Production,
		RateLimitScale: s.RateLimitScale,
		Limits:         graph.Limits(s.limitConfig),
		Trusted:        s.Trusted,
		Now:            p.now,
		Log:            log,
		Failed:         metrics.failed,
	})
	mux := http.NewServeMux()
	mux.Handle("/graphql", shared(bounded(service.Middleware(api)), s.CORSOrigins))
	mux.Handle("POST /upload/avatar", shared(service.Middleware(uploads(store, avatars, p.now, log)), s.CORSOrigins))
	mux.Handle("OPTIONS /upload/avatar", shared(http.NotFoundHandler(), s.CORSOrigins))
	mux.Handle("GET /avatars/{name}", avatars)
	mux.HandleFunc("GET /healthz", health.alive)
	mux.HandleFunc("GET /readyz", health.ready)
	if !s.Production && s.MetricsAddr == "" {
		mux.Handle("GET /metrics", metrics.handler())
	}
	if !s.Production || s.PublishSchema {
		mux.HandleFunc("GET /schema.graphqls", serveSchema)
	}
	if !s.Production {
		page := playground.Handler("/graphql")
		mux.Handle("GET /{$}", page)
		mux.Handle("GET /playground/", page)
	}
	if world.fake != nil {
		mux.Handle("/simulator/", http.NewCrossOriginProtection().Handler(world.fake)) // no page elsewhere logs anybody in
	}
	return straight(mux)
}

// straight answers 404 where net/http would redirect to a path that it likes better: whoever follows a redirect sends
// the code or token in the request once more.
func straight(mux *http.ServeMux) http.Handler {
	redirect := reflect.TypeOf(http.RedirectHandler("", 0))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if handler, _ := mux.Handler(r); reflect.TypeOf(handler) == redirect {
			http.NotFound(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// bounded ends what a request started when its time is up, so that a database that hangs does not hang us.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// shared lets pages of the origins call next. Nobody is known by a cookie here, so a page gets no more than its token
// is good for.
func shared(next http.Handler, origins []string) http.Handler {
	if len(origins) == 0 {
		return next
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodPost},
		AllowedHeaders: []string{"Accept", "Authorization", "Content-Type"},
		ExposedHeaders: []string{"X-Request-Id"},
		MaxAge:         600, // seconds
	}).Handler(next)
}

func serveSchema(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, schemaText)
}
