package graph

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"wxpass/auth"
)

// requireAuth implements @requireAuth: the field is resolved only for a principal that has passed every step.
func requireAuth(ctx context.Context, _ any, next graphql.Resolver, steps []auth.Step) (any, error) {
	p, err := auth.PrincipalFrom(ctx) // loads session and user once per request
	if err != nil {
		return nil, err
	}
	if err := p.Require(steps); err != nil {
		return nil, err
	}
	return next(ctx)
}

// public implements @public, which says in the schema that a field is open on purpose.
func public(ctx context.Context, _ any, next graphql.Resolver) (any, error) { return next(ctx) }

// RateLimitedError says that a caller did something too often.
type RateLimitedError struct {
	RetryAfter time.Duration
}

func (e *RateLimitedError) Error() string {
	return fmt.Sprintf("graph: rate limited for %s", e.RetryAfter)
}

// rateLimit implements @rateLimit. The limits are multiplied by scale; 0 turns them off.
func (l *limiter) rateLimit(scale float64) func(ctx context.Context, _ any, next graphql.Resolver, limit int, refused *int, perSeconds int) (any, error) {
	scaled := func(n int) int { return int(math.Ceil(float64(n) * scale)) }
	return func(ctx context.Context, _ any, next graphql.Resolver, limit int, refused *int, perSeconds int) (any, error) {
		if scale == 0 {
			return next(ctx)
		}
		maxRefused := 0
		if refused != nil {
			maxRefused = scaled(*refused)
		}
		field := graphql.GetFieldContext(ctx).Field.Definition
		caller, err := callerKey(ctx, field)
		if err != nil {
			return nil, err
		}
		settle, wait := l.take(limitKey{field.Name, caller}, scaled(limit), maxRefused, time.Duration(perSeconds)*time.Second)
		if settle == nil {
			return nil, &RateLimitedError{RetryAfter: wait}
		}
		result, err := next(ctx)
		settle(wrong(err))
		return result, err
	}
}

// wrong reports whether the caller is to blame for err. Hanging up counts too, or it would be the way around the limit.
func wrong(err error) bool {
	return errors.Is(err, auth.ErrLoginCodeInvalid) || errors.Is(err, auth.ErrPhoneCodeInvalid) || errors.Is(err, context.Canceled)
}

// callerKey names who is counted: on a guarded field the user, since carriers put thousands behind one address; on an
// open one the address. A whole /64 is one caller in IPv6, where anybody has that many addresses.
func callerKey(ctx context.Context, field *ast.FieldDefinition) (string, error) {
	if field.Directives.ForName("requireAuth") != nil {
		p, err := auth.PrincipalFrom(ctx)
		if err != nil {
			return "", err
		}
		return p.User.ID.String(), nil
	}
	address := auth.RequestFrom(ctx).Address.Unmap()
	if address.Is6() {
		return netip.PrefixFrom(address, 64).Masked().String(), nil
	}
	return address.String(), nil
}
