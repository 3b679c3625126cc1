package graph

import (
	"context"
	"errors"
	"wxpass/auth"
	"wxpass/db"
	"wxpass/order"

	"github.com/google/uuid"
)

func (r *mutationResolver) SilentLogin(ctx context.Context, input auth.LoginInput) (*auth.Grant, error) {
	return r.Auth.SilentLogin(ctx, input)
}

func (r *mutationResolver) RenewSession(ctx context.Context) (*auth.Grant, error) {
	return r.Auth.RenewSession(ctx)
}

func (r *mutationResolver) AuthorizeProfile(ctx context.Context, input auth.ProfileInput) (*AuthorizeProfilePayload, error) {
	user, err := r.Auth.AuthorizeProfile(ctx, input)
	if err != nil {
		return nil, err
	}
	return &AuthorizeProfilePayload{User: user}, nil
}

func (r *mutationResolver) BindPhone(ctx context.Context, input auth.PhoneInput) (*BindPhonePayload, error) {
	user, err := r.Auth.BindPhone(ctx, input)
	if err != nil {
		return nil, err
	}
	return &BindPhonePayload{User: user}, nil
}

func (r *mutationResolver) UnbindPhone(ctx context.Context) (*UnbindPhonePayload, error) {
	user, err := r.Auth.UnbindPhone(ctx)
	if err != nil {
		return nil, err
	}
	return &UnbindPhonePayload{User: user}, nil
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

func (r *mutationResolver) DeleteAccount(ctx context.Context, input DeleteAccountInput) (*DeleteAccountPayload, error) {
	if err := r.Auth.DeleteAccount(ctx, input.Confirm); err != nil {
		return nil, err
	}
	return &DeleteAccountPayload{Deleted: true}, nil
}

func (r *mutationResolver) CreateOrder(ctx context.Context, input order.Input) (*CreateOrderPayload, error) {
	who, err := owner(ctx)
	if err != nil {
		return nil, err
	}
	placed, err := r.Orders.Create(ctx, who, input)
	if err != nil {
		return nil, err
	}
	return &CreateOrderPayload{Order: placed}, nil
}

func (r *mutationResolver) CancelOrder(ctx context.Context, input CancelOrderInput) (*CancelOrderPayload, error) {
	who, err := owner(ctx)
	if err != nil {
		return nil, err
	}
	cancelled, err := r.Orders.Cancel(ctx, who, input.OrderNo)
	if err != nil {
		return nil, err
	}
	return &CancelOrderPayload{Order: cancelled}, nil
}

func (r *orderResolver) Items(ctx context.Context, obj *db.Order) ([]*db.OrderItem, error) {
	if obj.Items != nil { // a page brings them for all its orders
		return obj.Items, nil
	}
	who, err := owner(ctx)
	if err != nil {
		return nil, err
	}
	err = r.Orders.LoadItems(ctx, who, obj)
	return obj.Items, err
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

func (r *queryResolver) Products(ctx context.Context, first int, after *string) (*ProductConnection, error) {
	p, err := newPage(first, after)
	if err != nil {
		return nil, err
	}
	products, err := r.Orders.Store.Products(ctx, p.after, p.limit())
	if err != nil {
		return nil, err
	}
	return productConnection(p, products), nil
}

func (r *queryResolver) MyOrders(ctx context.Context, first int, after *string, status *db.OrderStatus) (*OrderConnection, error) {
	who, err := owner(ctx)
	if err != nil {
		return nil, err
	}
	p, err := newPage(first, after)
	if err != nil {
		return nil, err
	}
	orders, err := r.Orders.List(ctx, who, p.after, status, p.limit())
	if err != nil {
		return nil, err
	}
	page := orderConnection(p, orders)
	if selects(ctx, selection{"OrderConnection", "edges"}, selection{"OrderEdge", "node"}, selection{"Order", "items"}) {
		err = r.Orders.LoadItems(ctx, who, orders[:len(page.Edges)]...)
	}
	return page, err
}

func (r *queryResolver) Order(ctx context.Context, orderNo string) (*db.Order, error) {
	who, err := owner(ctx)
	if err != nil {
		return nil, err
	}
	found, err := r.Orders.Find(ctx, who, orderNo)
	if errors.Is(err, db.ErrNotFound) {
		return nil, nil // null, and nothing told of whether somebody else has it
	}
	return found, err
}

func (r *sessionResolver) Current(ctx context.Context, obj *db.Session) (bool, error) {
	p, err := auth.PrincipalFrom(ctx)
	if err != nil {
		return false, err
	}
	return p.Session.ID == obj.ID, nil
}

func (r *userResolver) AvatarURL(ctx context.Context, obj *db.User) (*string, error) {
	switch {
	case obj.AvatarID != uuid.Nil:
		address := r.UploadURL(ctx, obj.AvatarID)
		return &address, nil
	case obj.AvatarURL != "":
		return &obj.AvatarURL, nil
	}
	return nil, nil
}

func (r *userResolver) Steps(ctx context.Context, obj *db.User) ([]auth.Step, error) {
	return auth.Steps(obj), nil
}

func (r *userResolver) MaskedPhone(ctx context.Context, obj *db.User) (*string, error) {
	return orNull(r.Auth.MaskedPhone(obj))
}

func (r *userResolver) Phone(ctx context.Context, obj *db.User) (*string, error) {
	return orNull(r.Auth.Phone(obj))
}

func (r *Resolver) Mutation() MutationResolver { return &mutationResolver{r} }

func (r *Resolver) Order() OrderResolver { return &orderResolver{r} }

func (r *Resolver) Query() QueryResolver { return &queryResolver{r} }

func (r *Resolver) Session() SessionResolver { return &sessionResolver{r} }

func (r *Resolver) User() UserResolver { return &userResolver{r} }

type (
	mutationResolver struct{ *Resolver }
	orderResolver    struct{ *Resolver }
	queryResolver    struct{ *Resolver }
	sessionResolver  struct{ *Resolver }
	userResolver     struct{ *Resolver }
)
