package graph

import (
	"context"
	"wxpass/auth"
	"wxpass/db"
)

func (r *mutationResolver) SilentLogin(ctx context.Context, input auth.LoginInput) (*auth.Grant, error) {
	return r.Auth.SilentLogin(ctx, input)
}

func (r *mutationResolver) RenewSession(ctx context.Context) (*auth.Grant, error) {
	return r.Auth.RenewSession(ctx)
}

func (r *mutationResolver) Logout(ctx context.Context, input *LogoutInput) (*LogoutPayload, error) {
	scope := auth.LogoutThis
	if input != nil {
		scope = input.Scope
	}
	ended, err := r.Auth.Logout(ctx, scope)
	if err != nil {
		return nil, err
	}
	return &LogoutPayload{EndedSessions: ended}, nil
}

func (r *queryResolver) Me(ctx context.Context) (*db.User, error) {
	p, err := auth.PrincipalFrom(ctx)
	if err != nil {
		return nil, err
	}
	return p.User, nil
}

func (r *queryResolver) MySessions(ctx context.Context) ([]*db.Session, error) {
	return r.Auth.Sessions(ctx)
}

func (r *sessionResolver) Current(ctx context.Context, obj *db.Session) (bool, error) {
	p, err := auth.PrincipalFrom(ctx)
	if err != nil {
		return false, err
	}
	return p.Session.ID == obj.ID, nil
}

func (r *Resolver) Mutation() MutationResolver { return &mutationResolver{r} }

func (r *Resolver) Query() QueryResolver { return &queryResolver{r} }

func (r *Resolver) Session() SessionResolver { return &sessionResolver{r} }

type (
	mutationResolver struct{ *Resolver }
	queryResolver    struct{ *Resolver }
	sessionResolver  struct{ *Resolver }
)
