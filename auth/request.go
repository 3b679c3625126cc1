package auth

import (
	"context"
	"net/netip"
)

// Request is what travels in the context of every request besides its principal.
type Request struct {
	ID      string     // in the log, in INTERNAL errors, in auth events
	Address netip.Addr // of the client, as far as trusted proxies tell
	Origin  string     // scheme and host of this server, as the client reaches it
}

type requestKey struct{}

// WithRequest puts r in the context.
func WithRequest(ctx context.Context, r Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestFrom returns what WithRequest put there, else the zero Request.
func RequestFrom(ctx context.Context) Request {
	r, _ := ctx.Value(requestKey{}).(Request)
	return r
}
