package db

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Product is something that can be ordered.
type Product struct {
	bun.BaseModel `bun:"table:products,alias:p"`

	ID        uuid.UUID `bun:",pk"`
	SKU       string
	Title     string
	PriceFen  int64 // a hundredth of a yuan
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Products lists up to limit products behind the one with the id after (uuid.Nil: from the first), the oldest first.
func (s *Store) Products(ctx context.Context, after uuid.UUID, limit int64) ([]*Product, error) {
	var products []*Product
	err := s.db.NewSelect().Model(&products).Where("id > ?", after).Order("id").Limit(limit).Scan(ctx)
	return products, wrap("list products", err)
}

// ProductsByID returns those of ids that exist.
func (s *Store) ProductsByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Product, error) {
	var products []*Product
	if err := s.db.NewSelect().Model(&products).Where("id IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return nil, wrap("find products", err)
	}
	found := make(map[uuid.UUID]*Product, len(products))
	for _, p := range products {
		found[p.ID] = p
	}
	return found, nil
}

// SaveProducts adds products, and gives those whose SKU is there already the new title and price.
func (s *Store) SaveProducts(ctx context.Context, products []*Product) error {
	now := s.now()
	for _, p := range products {
		p.ID, p.CreatedAt, p.UpdatedAt = NewID(), now, now
	}
	_, err := s.db.NewInsert().Model(&products).
		On("CONFLICT (sku) DO UPDATE").
		Set("title = EXCLUDED.title").
		Set("price_fen = EXCLUDED.price_fen").
		Set("updated_at = EXCLUDED.updated_at").
		Returning("NULL").
		Exec(ctx)
	return wrap("save products", err)
}
