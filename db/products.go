package db

import (
	"context"
	"slices"
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
	err := s.products(ctx, productsQuery+`> $1 ORDER BY id LIMIT $2`, []any{after, limit}, func(p *Product) { products = append(products, p) })
	return products, wrap("list products", err)
}

const productsQuery = `SELECT id, sku, title, price_fen, created_at, updated_at FROM products WHERE id `

// products gives take each product that query has.
func (s *Store) products(ctx context.Context, query string, args []any, take func(*Product)) error {
	return s.each(ctx, query, args, func(row scanner) error {
		var (
			p                = new(Product)
			created, updated bun.NullTime
		)
		err := row.Scan((*scanID)(&p.ID), &p.SKU, &p.Title, &p.PriceFen, &created, &updated)
		p.CreatedAt, p.UpdatedAt = created.Time, updated.Time
		take(p)
		return err
	})
}

// ProductsByID returns those of ids that exist.
func (s *Store) ProductsByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Product, error) {
	found := make(map[uuid.UUID]*Product, len(ids))
	for ids := range slices.Chunk(ids, maxListed) {
		list, args := listed(nil, ids)
		if err := s.products(ctx, productsQuery+`IN `+list, args, func(p *Product) { found[p.ID] = p }); err != nil {
			return nil, wrap("find products", err)
		}
	}
	return found, nil
}

// SaveProducts adds products, and gives those whose SKU is there already the new title and price.
func (s *Store) SaveProducts(ctx context.Context, products []*Product) error {
	now := s.now()
	for _, p := range products {
		p.ID, p.CreatedAt, p.UpdatedAt = NewID(), now, now
	}
	_, err := s.write(ctx, s.db.NewInsert().Model(&products).
		On("CONFLICT (sku) DO UPDATE").
		Set("title = EXCLUDED.title").
		Set("price_fen = EXCLUDED.price_fen").
		Set("updated_at = EXCLUDED.updated_at").
		Returning("NULL"))
	return wrap("save products", err)
}
