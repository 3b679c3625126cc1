// Package order places, numbers and cancels orders, each for one user alone.
package order

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"wxpass/db"
)

var (
	// ErrKeyReused says that an idempotency key came with other content than before.
	ErrKeyReused = errors.New("order: idempotency key reused with other content")
	// ErrOwnerGone says that the account was deleted while it ordered.
	ErrOwnerGone = errors.New("order: owner deleted meanwhile")
	// ErrNotCancellable says that an order is paid, and cannot be cancelled any more.
	ErrNotCancellable = errors.New("order: cannot be cancelled any more")
)

const (
	maxItems    = 100
	maxQuantity = 9999
	maxTotalFen = math.MaxInt32 // what the schema's Int carries
	maxRemark   = 200           // characters
)

var idempotencyKey = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

// InputError says that a value the client sent cannot be taken, and which.
type InputError struct {
	Field   string // path of the argument, such as input.items.0.quantity
	Message string // for a developer; never repeats the value
}

func (e *InputError) Error() string { return "order: bad input: " + e.Field + ": " + e.Message }

// Input returns what is wrong, and where.
func (e *InputError) Input() (field, message string) { return e.Field, e.Message }

// Service places orders.
type Service struct {
	Store *db.Store
	Now   func() time.Time // required
	Log   *slog.Logger     // required

	numbers numbers
}

// Owner is whose orders are meant, and the app the request came through.
type Owner struct {
	UserID uuid.UUID
	AppID  string
}

// Input is an order on its way in. Prices are not the client's to say.
type Input struct {
	IdempotencyKey string
	Items          []ItemInput
	Remark         *string
}

// ItemInput is a line of an order on its way in.
type ItemInput struct {
	ProductID uuid.UUID
	Quantity  int
}

// Create places an order at today's prices. The same input under the same idempotency key, however often and at the
// same moment, is one order, which every call returns. It fails with an InputError or ErrKeyReused.
func (s *Service) Create(ctx context.Context, owner Owner, in Input) (*db.Order, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	hash, err := in.hash()
	if err != nil {
		return nil, err
	}
	placed, err := s.Store.OrderByKey(ctx, owner.UserID, in.IdempotencyKey)
	if !errors.Is(err, db.ErrNotFound) {
		return sameContent(placed, hash, err)
	}
	order := &db.Order{UserID: owner.UserID, ID: db.NewID(), AppID: owner.AppID, Status: db.OrderPending,
		Remark: in.Remark, IdempotencyKey: in.IdempotencyKey, ContentHash: hash}
	items, err := s.price(ctx, order, in.Items)
	if err != nil {
		return nil, err
	}
	if order.OrderNo, err = s.number(ctx, order); err != nil {
		return nil, fmt.Errorf("order: number: %w", err)
	}
	created, err := s.Store.CreateOrder(ctx, order, items)
	if errors.Is(err, db.ErrNotFound) {
		return nil, ErrOwnerGone
	}
	if err != nil {
		return nil, fmt.Errorf("order: create: %w", err)
	}
	if !created { // the same call was faster; its number stands and ours is skipped
		placed, err = s.Store.OrderByKey(ctx, owner.UserID, in.IdempotencyKey)
		return sameContent(placed, hash, err)
	}
	return order, nil
}

// sameContent returns the order placed under a key before, if it is what is asked for now.
func sameContent(placed *db.Order, hash []byte, err error) (*db.Order, error) {
	switch {
	case err != nil:
		return nil, fmt.Errorf("order: find by key: %w", err)
	case !slices.Equal(placed.ContentHash, hash):
		return nil, ErrKeyReused
	}
	return placed, nil
}

// check refuses what cannot be an order before the database is asked.
func (in *Input) check() error {
	switch {
	case !idempotencyKey.MatchString(in.IdempotencyKey):
		return &InputError{"input.idempotencyKey", "An idempotency key has 1 to 64 letters, digits, '.', '_', ':' or '-'."}
	case len(in.Items) == 0 || len(in.Items) > maxItems:
		return &InputError{"input.items", fmt.Sprintf("An order has 1 to %d items.", maxItems)}
	case in.Remark != nil && !fitRemark(*in.Remark):
		return &InputError{"input.remark", fmt.Sprintf("A remark has at most %d characters, and no control characters but line breaks.", maxRemark)}
	}
	for i, item := range in.Items {
		if item.Quantity < 1 || item.Quantity > maxQuantity {
			return &InputError{fmt.Sprintf("input.items.%d.quantity", i), fmt.Sprintf("A quantity is 1 to %d.", maxQuantity)}
		}
	}
	return nil
}

func fitRemark(text string) bool {
	odd := func(r rune) bool { return unicode.IsControl(r) && r != '\n' || r == utf8.RuneError }
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= maxRemark && !strings.ContainsFunc(text, odd)
}

// hash tells whether two inputs under one key are the same.
func (in *Input) hash() ([]byte, error) {
	text, err := json.Marshal(struct {
		Items  []ItemInput
		Remark *string
	}{in.Items, in.Remark})
	sum := sha256.Sum256(text)
	return sum[:], err
}

// price makes the lines of order from the server's own products, and its total.
func (s *Service) price(ctx context.Context, order *db.Order, lines []ItemInput) ([]*db.OrderItem, error) {
	ids := make([]uuid.UUID, len(lines))
	for i, line := range lines {
		ids[i] = line.ProductID
	}
	products, err := s.Store.ProductsByID(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("order: price: %w", err)
	}
	items := make([]*db.OrderItem, len(lines))
	for i, line := range lines {
		p, ok := products[line.ProductID]
		if !ok {
			return nil, &InputError{fmt.Sprintf("input.items.%d.productId", i), "There is no such product."}
		}
		items[i] = &db.OrderItem{UserID: order.UserID, OrderID: order.ID, LineNo: i + 1,
			SKU: p.SKU, Title: p.Title, Quantity: line.Quantity, UnitPriceFen: p.PriceFen}
		if order.TotalFen += int64(line.Quantity) * p.PriceFen; order.TotalFen > maxTotalFen {
			return nil, &InputError{"input.items", "The total is more than an order can have."}
		}
	}
	return items, nil
}

// Find returns the owner's order with that number, or db.ErrNotFound when the owner has none: also when somebody else
// does.
func (s *Service) Find(ctx context.Context, owner Owner, number string) (*db.Order, error) {
	if !orderNo.MatchString(number) {
		return nil, db.ErrNotFound
	}
	return s.Store.OrderByNumber(ctx, owner.UserID, number)
}

// List returns up to limit orders of the owner older than before, newest first, of one status if there is one.
func (s *Service) List(ctx context.Context, owner Owner, before uuid.UUID, status *db.OrderStatus, limit int64) ([]*db.Order, error) {
	var only db.OrderStatus
	if status != nil {
		only = *status
	}
	return s.Store.Orders(ctx, owner.UserID, before, only, limit)
}

// LoadItems fills in the items of the owner's orders, by one query however many they are.
func (s *Service) LoadItems(ctx context.Context, owner Owner, orders ...*db.Order) error {
	if len(orders) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(orders))
	for i, o := range orders {
		ids[i] = o.ID
	}
	byOrder, err := s.Store.OrderItems(ctx, owner.UserID, ids)
	if err != nil {
		return err
	}
	for _, o := range orders {
		o.Items = byOrder[o.ID]
	}
	return nil
}

// Cancel cancels an order of the owner's that is not paid; one that is cancelled already stays so. It fails with an
// InputError when the owner has no such order, or ErrNotCancellable.
func (s *Service) Cancel(ctx context.Context, owner Owner, number string) (*db.Order, error) {
	if !orderNo.MatchString(number) { // no text but a number reaches the database
		number = ""
	}
	order, err := s.Store.CancelOrder(ctx, owner.UserID, number)
	if !errors.Is(err, db.ErrNotFound) {
		return order, err
	}
	order, err = s.Find(ctx, owner, number)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return nil, &InputError{"input.orderNo", "The caller has no such order."}
	case err != nil:
		return nil, fmt.Errorf("order: cancel: %w", err)
	case order.Status != db.OrderCancelled:
		return nil, ErrNotCancellable
	}
	return order, nil
}
