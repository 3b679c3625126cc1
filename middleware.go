package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"wxpass/auth"
)

// requestID is the form of an id that a proxy may choose.
var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)

// edge is what every request passes on its way in: it gets an id and a client address, and one line in the log.
type edge struct {
	proxies  []netip.Prefix // whose X-Forwarded-For and -Proto are believed
	origin   string         // of this server as clients reach it; what each request says when empty
	secure   bool           // whether that is https when nothing says otherwise
	now      func() time.Time
	log      *slog.Logger
	metrics  *metrics
	draining atomic.Bool // connections are closed after their next answer
}

func (e *edge) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := e.now()
		request := auth.Request{ID: rand.Text(), Address: e.clientAddress(r), Origin: e.originOf(r)}
		if id := r.Header.Get("X-Request-Id"); e.trusts(peer(r)) && requestID.MatchString(id) {
			request.ID = id
		}
		ctx := auth.WithRequest(r.Context(), request)
		w.Header().Set("X-Request-Id", request.ID)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if e.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		answer := &recorder{ResponseWriter: w, status: http.StatusOK}
		r = r.WithContext(ctx) // the one whose Pattern the mux fills in
		defer func() {
			if fault := recover(); fault != nil {
				if fault == http.ErrAbortHandler {
					panic(fault)
				}
				e.log.ErrorContext(ctx, "a handler panicked", "fault", fault, "stack", string(debug.Stack()))
				if answer.bytes == 0 {
					http.Error(answer, `{"error":"internal"}`, http.StatusInternalServerError)
				}
			}
			took := e.now().Sub(began)
			e.metrics.answered(r.Pattern, answer.status, took)
			e.logAnswer(ctx, r, answer, took)
		}()
		next.ServeHTTP(answer, r)
	})
}

// logAnswer writes the access line: the path without its query, which may hold a login code, and no header.
func (e *edge) logAnswer(ctx context.Context, r *http.Request, answer *recorder, took time.Duration) {
	level := slog.LevelInfo
	if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
		level = slog.LevelDebug
	}
	e.log.LogAttrs(ctx, level, "answered", slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", answer.status),
		slog.Int("bytes", answer.bytes), slog.Duration("took", took), slog.String("address", auth.RequestFrom(ctx).Address.String()))
}

// clientAddress is the peer's, or behind trusted proxies the last address they were told by one they do not know.
func (e *edge) clientAddress(r *http.Request) netip.Addr {
	address := peer(r)
	if !e.trusts(address) { // nearly all, where there is no proxy
		return address
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !e.trusts(address) {
			return address
		}
		hop = strings.TrimSpace(hop)
		next, err := netip.ParseAddr(hop)
		if withPort, portErr := netip.ParseAddrPort(hop); portErr == nil { // as some proxies write it
			next, err = withPort.Addr(), nil
		}
		if err != nil {
			return address
		}
		address = next.Unmap()
	}
	return address
}

// originOf is the server's address as r was sent to it.
func (e *edge) originOf(r *http.Request) string {
	if e.origin != "" {
		return e.origin
	}
	scheme := "http"
	if e.secure || r.TLS != nil || e.trusts(peer(r)) && r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

func (e *edge) trusts(address netip.Addr) bool {
	return slices.ContainsFunc(e.proxies, func(p netip.Prefix) bool { return p.Contains(address) })
}

// peer is the other end of the connection.
func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address, _ := netip.ParseAddr(host)
	return address.Unmap().WithZone("")
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int
}

func (w *recorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// requestLog adds the request's id to every line logged with its context.
type requestLog struct{ slog.Handler }

func (h requestLog) Handle(ctx context.Context, r slog.Record) error {
	if id := auth.RequestFrom(ctx).ID; id != "" {
		r.AddAttrs(slog.String("request", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h requestLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestLog{h.Handler.WithAttrs(attrs)}
}

func (h requestLog) WithGroup(name string) slog.Handler {
	return requestLog{h.Handler.WithGroup(name)}
}
