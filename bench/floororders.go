package main

import (
	"errors"
	"fmt"
	"net/http"
)

const (
	pageSize = 20

	ordersSQL = `SELECT id, order_no, status, total_fen, remark, created_at, updated_at FROM orders WHERE user_id = $1 ORDER BY id DESC LIMIT $2`
	itemsSQL  = `SELECT order_id, sku, title, quantity, unit_price_fen FROM order_items WHERE user_id = $1 AND order_id = ANY($2) ORDER BY order_id, line_no`
)

var errStep = errors.New("a step is missing")

func (f *floor) myOrders(w http.ResponseWriter, r *http.Request) error {
	u, err := f.caller(r)
	if err != nil {
		return err
	}
	if u.phoneSealed == nil {
		return errStep
	}
	rows, err := f.pool.Query(r.Context(), ordersSQL, u.id, pageSize+1)
	if err != nil {
		return err
	}
	orders := make([]order, 0, pageSize+1)
	for rows.Next() {
		var o order
		if err := rows.Scan(&o.id, &o.number, &o.status, &o.totalFen, &o.remark, &o.createdAt, &o.updatedAt); err != nil {
			return err
		}
		orders = append(orders, o)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	more := len(orders) > pageSize
	orders = orders[:min(len(orders), pageSize)]
	if err := f.readItems(r, u, orders); err != nil {
		return err
	}
	return answer(w, appendPage(make([]byte, 0, 16<<10), orders, more))
}

// readItems reads the items of all orders in one query.
func (f *floor) readItems(r *http.Request, u *account, orders []order) error {
	ids := make([]uuid, len(orders))
	for i := range orders {
		ids[i] = orders[i].id
	}
	rows, err := f.pool.Query(r.Context(), itemsSQL, u.id, ids)
	if err != nil {
		return err
	}
	defer rows.Close()
	at := len(orders) - 1 // the items come oldest order first, the orders newest first
	for rows.Next() {
		var of uuid
		var i item
		if err := rows.Scan(&of, &i.sku, &i.title, &i.quantity, &i.priceFen); err != nil {
			return err
		}
		for orders[at].id != of {
			at--
		}
		orders[at].items = append(orders[at].items, i)
	}
	return rows.Err()
}

func appendPage(b []byte, orders []order, more bool) []byte {
	b = append(b, `{"data":{"myOrders":{"edges":[`...)
	for i := range orders {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCursor(append(b, `{"cursor":`...), orders[i].id)
		b = appendOrder(append(b, `,"node":`...), &orders[i])
		b = append(b, '}')
	}
	b = fmt.Appendf(b, `],"pageInfo":{"hasNextPage":%t,"endCursor":`, more)
	if len(orders) == 0 {
		return append(b, `null}}}}`...)
	}
	return append(appendCursor(b, orders[len(orders)-1].id), `}}}}`...)
}
