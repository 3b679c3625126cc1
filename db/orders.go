package db

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// OrderStatus says how far an order is.
type OrderStatus string

// The statuses, as the database constrains them.
const (
	OrderPending   OrderStatus = "pending"
	OrderPaid      OrderStatus = "paid"
	OrderCancelled OrderStatus = "cancelled"
)

// Order is what a user ordered, at the prices of that moment. Every query on orders names the user.
type Order struct {
	bun.BaseModel `bun:"table:orders,alias:o"`

	UserID         uuid.UUID `bun:",pk"`
	ID             uuid.UUID `bun:",pk"`
	AppID          string
	OrderNo        string
	Status         OrderStatus
	TotalFen       int64
	Remark         *string
	IdempotencyKey string
	ContentHash    []byte // of what was asked for under the key
	CreatedAt      time.Time
	UpdatedAt      time.Time

	Items []*OrderItem `bun:"-"` // nil until they were asked for
}

// OrderItem is a line of an order.
type OrderItem struct {
	bun.BaseModel `bun:"table:order_items,alias:i"`

	UserID       uuid.UUID `bun:",pk"`
	OrderID      uuid.UUID `bun:",pk"`
	LineNo       int       `bun:",pk"`
	SKU          string
	Title        string
	Quantity     int
	UnitPriceFen int64
}

type orderNumberRow struct {
	bun.BaseModel `bun:"table:order_numbers,alias:n"`

	OrderNo   string
	UserID    uuid.UUID
	OrderID   uuid.UUID
	CreatedAt time.Time
}

// ClaimOrderNumber makes number lead to an order, unless it leads to one already, and reports whether it did. Like all
// claims it is a statement of its own: a crash behind it skips a number, which harms nobody.
func (s *Store) ClaimOrderNumber(ctx context.Context, number string, userID, orderID uuid.UUID) (bool, error) {
	row := &orderNumberRow{OrderNo: number, UserID: userID, OrderID: orderID, CreatedAt: s.now()}
	res, err := s.db.NewInsert().Model(row).On("CONFLICT DO NOTHING").Exec(ctx)
	n, err := affected("claim order number", res, err)
	return n == 1, err
}

// CreateOrder adds an order with its items, in one transaction, unless the user has one under its idempotency key, and
// reports whether it did; ErrNotFound when the account was deleted meanwhile.
func (s *Store) CreateOrder(ctx context.Context, order *Order, items []*OrderItem) (created bool, err error) {
	order.CreatedAt = s.now()
	order.UpdatedAt = order.CreatedAt
	err = s.InTx(ctx, func(tx *Store) error {
		created = false // an earlier run may have got further
		if _, err := tx.LockUser(ctx, order.UserID); err != nil {
			return err
		}
		res, err := tx.db.NewInsert().Model(order).On("CONFLICT (user_id, idempotency_key) DO NOTHING").Returning("NULL").Exec(ctx)
		n, err := affected("create order", res, err)
		if err != nil || n == 0 {
			return err
		}
		created = true
		_, err = tx.db.NewInsert().Model(&items).Exec(ctx)
		return wrap("create order items", err)
	})
	return created, err
}

// OrderByKey returns the user's order under an idempotency key, or ErrNotFound.
func (s *Store) OrderByKey(ctx context.Context, userID uuid.UUID, key string) (*Order, error) {
	return s.order(ctx, userID, "idempotency_key = ?", key)
}

// OrderByNumber returns the user's order with that number, or ErrNotFound, also when it is somebody else's.
func (s *Store) OrderByNumber(ctx context.Context, userID uuid.UUID, number string) (*Order, error) {
	return s.order(ctx, userID, "order_no = ?", number)
}

func (s *Store) order(ctx context.Context, userID uuid.UUID, which string, arg any) (*Order, error) {
	order := new(Order)
	if err := s.db.NewSelect().Model(order).Where("user_id = ?", userID).Where(which, arg).Scan(ctx); err != nil {
		return nil, wrap("find order", err)
	}
	return order, nil
}

// Orders lists up to limit orders of a user, newest first: those older than the one with the id before (uuid.Nil: from
// the newest), of one status (empty: of any).
func (s *Store) Orders(ctx context.Context, userID, before uuid.UUID, status OrderStatus, limit int64) ([]*Order, error) {
	var orders []*Order
	q := s.db.NewSelect().Model(&orders).Where("user_id = ?", userID)
	if before != uuid.Nil {
		q = q.Where("id < ?", before)
	}
	if status != "" {
		q = q.Where("status = ?", status)
	}
	err := q.Order("id DESC").Limit(limit).Scan(ctx)
	return orders, wrap("list orders", err)
}

// OrderItems returns the items of a user's orders, by order, each in the order of its lines. It is one query, however
// many orders.
func (s *Store) OrderItems(ctx context.Context, userID uuid.UUID, orderIDs []uuid.UUID) (map[uuid.UUID][]*OrderItem, error) {
	var items []*OrderItem
	err := s.db.NewSelect().Model(&items).
		Where("user_id = ?", userID).
		Where("order_id IN (?)", bun.List(orderIDs)).
		Order("order_id", "line_no").
		Scan(ctx)
	if err != nil {
		return nil, wrap("list order items", err)
	}
	byOrder := make(map[uuid.UUID][]*OrderItem, len(orderIDs))
	for _, item := range items {
		byOrder[item.OrderID] = append(byOrder[item.OrderID], item)
	}
	return byOrder, nil
}

// CancelOrder makes a user's pending order cancelled and returns it; ErrNotFound when the user has no pending order with
// that number.
func (s *Store) CancelOrder(ctx context.Context, userID uuid.UUID, number string) (*Order, error) {
	order := new(Order)
	err := s.db.NewUpdate().Model(order).
		Set("status = ?", OrderCancelled).
		Set("updated_at = ?", s.now()).
		Where("user_id = ?", userID).
		Where("order_no = ?", number).
		Where("status = ?", OrderPending).
		Returning("?Columns").
		Scan(ctx)
	if err != nil {
		return nil, wrap("cancel order", err)
	}
	return order, nil
}
