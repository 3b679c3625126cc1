package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
)

// orderInput is the variables of a createOrder; hashed, they are told apart under one key as wxpass does.
type orderInput struct {
	IdempotencyKey string
	Items          []struct {
		ProductID string `json:"productId"`
		Quantity  int    `json:"quantity"`
	}
	Remark *string
}

func (in *orderInput) hash() ([]byte, error) {
	type line struct {
		ProductID string
		Quantity  int
	}
	content := struct {
		Items  []line
		Remark *string
	}{Remark: in.Remark}
	for _, l := range in.Items {
		content.Items = append(content.Items, line(l))
	}
	text, err := json.Marshal(content)
	sum := sha256.Sum256(text)
	return sum[:], err
}

func (f *floor) createOrder(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Variables struct{ Input orderInput }
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return err
	}
	in := &body.Variables.Input
	u, err := f.caller(r)
	if err != nil {
		return err
	}
	if u.phoneSealed == nil || u.nickname == nil {
		return errStep
	}
	o := &order{id: newUUID(time.Now().UnixMilli()), status: "pending", remark: in.Remark, createdAt: time.Now().UTC().Truncate(time.Microsecond)}
	o.updatedAt = o.createdAt
	if err := f.price(r, o, in); err != nil {
		return err
	}
	if o.number, err = orderNumber(o.createdAt); err != nil {
		return err
	}
	hash, err := in.hash()
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(r.Context(), f.pool, func(tx pgx.Tx) error { return insertOrder(r, tx, u, o, in.IdempotencyKey, hash) })
	if errors.Is(err, errPlaced) {
		o, err = f.placed(r, u, in.IdempotencyKey, hash)
	}
	if err != nil {
		return err
	}
	b := appendOrder(append(make([]byte, 0, 1024), `{"data":{"createOrder":{"order":`...), o)
	return answer(w, append(b, "}}}"...))
}

func (f *floor) price(r *http.Request, o *order, in *orderInput) error {
	ids := make([]string, len(in.Items))
	for i, l := range in.Items {
		ids[i] = l.ProductID
	}
	rows, err := f.pool.Query(r.Context(), "SELECT id::text, sku, title, price_fen FROM products WHERE id = ANY($1)", ids)
	if err != nil {
		return err
	}
	defer rows.Close()
	products := map[string]item{}
	for rows.Next() {
		var id string
		var p item
		if err := rows.Scan(&id, &p.sku, &p.title, &p.priceFen); err != nil {
			return err
		}
		products[id] = p
	}
	for _, l := range in.Items {
		p, ok := products[l.ProductID]
		if !ok {
			return errors.New("there is no such product")
		}
		p.quantity = l.Quantity
		o.items = append(o.items, p)
		o.totalFen += int64(p.quantity) * p.priceFen
	}
	return rows.Err()
}

// orderNumber is the day in Shanghai and twelve digits: enough that no number comes twice, and none has to be looked for.
func orderNumber(at time.Time) (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(9e11))
	if err != nil {
		return "", err
	}
	return at.In(time.FixedZone("CST", 8*60*60)).Format("20060102_") + n.Add(n, big.NewInt(1e11)).String(), nil
}

var errPlaced = errors.New("there is an order under this key")

// insertOrder writes the rows that wxpass writes, its change of the user's among them.
func insertOrder(r *http.Request, tx pgx.Tx, u *account, o *order, key string, hash []byte) error {
	ctx := r.Context()
	tag, err := tx.Exec(ctx, "UPDATE users SET updated_at = $1 WHERE id = $2 AND deleted_at IS NULL", o.createdAt, u.id)
	if err != nil || tag.RowsAffected() == 0 {
		return errors.Join(errors.New("no such user"), err)
	}
	tag, err = tx.Exec(ctx, `INSERT INTO orders (user_id, id, app_id, order_no, status, total_fen, remark, idempotency_key, content_hash, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (user_id, idempotency_key) DO NOTHING`,
		u.id, o.id, u.sessionApp, o.number, o.status, o.totalFen, o.remark, key, hash, o.createdAt, o.updatedAt)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return errPlaced
	}
	if _, err := tx.Exec(ctx, "INSERT INTO order_numbers (order_no, user_id, order_id, created_at) VALUES ($1, $2, $3, $4)", o.number, u.id, o.id, o.createdAt); err != nil {
		return err
	}
	n := len(o.items)
	lines, skus, titles, quantities, prices := make([]int, n), make([]string, n), make([]string, n), make([]int, n), make([]int64, n)
	for i, it := range o.items {
		lines[i], skus[i], titles[i], quantities[i], prices[i] = i+1, it.sku, it.title, it.quantity, it.priceFen
	}
	_, err = tx.Exec(ctx, `INSERT INTO order_items (user_id, order_id, line_no, sku, title, quantity, unit_price_fen)
SELECT $1, $2, * FROM unnest($3::int[], $4::text[], $5::text[], $6::int[], $7::bigint[])`, u.id, o.id, lines, skus, titles, quantities, prices)
	return err
}

// placed reads the order there is under a key.
func (f *floor) placed(r *http.Request, u *account, key string, hash []byte) (*order, error) {
	o := &order{}
	var was []byte
	err := f.pool.QueryRow(r.Context(), `SELECT id, order_no, status, total_fen, remark, created_at, updated_at, content_hash FROM orders
WHERE user_id = $1 AND idempotency_key = $2`, u.id, key).Scan(&o.id, &o.number, &o.status, &o.totalFen, &o.remark, &o.createdAt, &o.updatedAt, &was)
	if err != nil || !bytes.Equal(was, hash) {
		return nil, errors.Join(errors.New("the key was used for another order"), err)
	}
	orders := []order{*o}
	err = f.readItems(r, u, orders)
	return &orders[0], err
}
