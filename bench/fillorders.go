package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// What follows the users is made by the server itself, which is quicker. Orders lie in the table in the order they were
// placed, so those of one user are far apart, as in life.
var fillStatements = []string{
	`INSERT INTO sessions (user_id, id, app_id, created_at, expires_at)
SELECT id, pg_temp.v7(@now::timestamptz, 's' || id), @app, @now, @now::timestamptz + interval '5 years' FROM users`,

	`INSERT INTO products (id, sku, title, price_fen, created_at, updated_at)
SELECT pg_temp.v7(@now::timestamptz, 'p' || n), 'tea-' || n, '西湖龙井 ' || n || ' 克', 100 + 1000 * n, @now, @now
FROM generate_series(0, 11) n`,

	`INSERT INTO orders (user_id, id, app_id, order_no, status, total_fen, remark, idempotency_key, content_hash, created_at, updated_at)
SELECT b.id, pg_temp.v7(at, 'o' || j), @app, to_char(at AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD') || '_' || (100000 + j),
       CASE j % 3 WHEN 0 THEN 'pending' WHEN 1 THEN 'paid' ELSE 'cancelled' END,
       (100 + 1000 * ((j + 1) % 12)) * (1 + (j + 1) % 3) + (100 + 1000 * ((j + 2) % 12)) * (1 + (j + 2) % 3) + (100 + 1000 * ((j + 3) % 12)) * (1 + (j + 3) % 3),
       CASE WHEN j % 4 = 0 THEN '请放在门口' END, 'fill-' || j, sha256(j::text::bytea), at, at
FROM generate_series(0, (SELECT count(*) FROM buyers) * @orders::bigint - 1) j
CROSS JOIN LATERAL (SELECT @now::timestamptz - interval '1 year' + interval '1 year' * j / ((SELECT count(*) FROM buyers) * @orders::bigint) AS at) t
JOIN buyers b ON b.n = (j * 7919 + j / (SELECT count(*) FROM buyers)) % (SELECT count(*) FROM buyers)`,

	`INSERT INTO order_numbers (order_no, user_id, order_id, created_at)
SELECT order_no, user_id, id, created_at FROM orders`,

	`INSERT INTO order_items (user_id, order_id, line_no, sku, title, quantity, unit_price_fen)
SELECT o.user_id, o.id, n, 'tea-' || (j + n) % 12, '西湖龙井 ' || (j + n) % 12 || ' 克', 1 + (j + n) % 3, 100 + 1000 * ((j + n) % 12)
FROM (SELECT user_id, id, substr(idempotency_key, 6)::bigint AS j FROM orders) o
CROSS JOIN generate_series(1, 3) n`,
}

const makeUUID = `CREATE FUNCTION pg_temp.v7(at timestamptz, seed text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(seed), 1, 3) || '8' || substr(md5(seed), 4, 15))::uuid
$$`

func (f *filler) insertRest(ctx context.Context, conn *pgx.Conn, ids []uuid) error {
	for _, statement := range []string{makeUUID, "CREATE TEMPORARY TABLE buyers (n bigint, id uuid)"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	buyers := f.users / buyerEvery
	_, err := conn.CopyFrom(ctx, pgx.Identifier{"buyers"}, []string{"n", "id"}, pgx.CopyFromSlice(buyers, func(n int) ([]any, error) {
		return []any{int64(n), ids[n*buyerEvery]}, nil
	}))
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "ANALYZE buyers"); err != nil {
		return err
	}
	for _, statement := range fillStatements {
		began := time.Now()
		if _, err := conn.Exec(ctx, statement, pgx.NamedArgs{"now": f.now, "app": benchAppID, "orders": ordersPerBuyer}); err != nil {
			return fmt.Errorf("%.40s: %w", statement, err)
		}
		f.logSlow(began, statement)
	}
	return nil
}
