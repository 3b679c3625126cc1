package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

// world is everything that runs while we measure.
type world struct {
	pg                      *cluster
	conn                    *pgx.Conn
	simulator               *target
	production, development *target // wxpass; development where production refuses the simulator
	floor                   *target

	callers []caller // of all users
	buyers  []caller // of those who order
	product []string // ids
}

// caller is a user with a token.
type caller struct {
	userID, sessionID uuid
	openID            string
	token, expired    string
}

func (b *runner) openWorld(ctx context.Context, pg *cluster, url string) (w *world, err error) {
	w = &world{pg: pg}
	if w.conn, err = pgx.Connect(ctx, url); err != nil {
		return w, err
	}
	if _, err := w.conn.Exec(ctx, "VACUUM ANALYZE"); err != nil { // after what the last run wrote
		return w, err
	}
	if w.simulator, err = b.startTarget(ctx, "simulator", "/", b.binary, []string{"simulator", "--addr", "ADDR", "--app", benchAppID + ":" + benchSecret}); err != nil {
		return w, err
	}
	wechat := "WECHAT_BASE_URL=http://" + w.simulator.addr
	common := []string{"DATABASE_URL=" + url, "TOKEN_KEYS=" + b.tokens, "DATA_KEYS=" + b.dataKey, "WECHAT_APPS=" + benchAppID + ":" + benchSecret,
		"RATE_LIMIT_SCALE=0", "LOG_FORMAT=json"}
	// In production it asks WeChat once, at start, whether the app is right: nobody is to be asked here.
	if w.production, err = b.startTarget(ctx, "wxpass", "/readyz", b.binary, nil, append(common[:len(common):len(common)], "APP_ENV=production", "WECHAT_BASE_URL=https://wechat.invalid")...); err != nil {
		return w, err
	}
	if w.development, err = b.startTarget(ctx, "wxpass-development", "/readyz", b.binary, nil, append(common[:len(common):len(common)], "APP_ENV=development", wechat)...); err != nil {
		return w, err
	}
	self, err := os.Executable()
	if err != nil {
		return w, err
	}
	if w.floor, err = b.startTarget(ctx, "floor", "/ready", self, []string{"floor"}, append(common, wechat)...); err != nil {
		return w, err
	}
	return w, w.choose(ctx, b)
}

func (w *world) close() (err error) {
	for _, t := range []*target{w.floor, w.production, w.development, w.simulator} {
		if t != nil {
			err = errors.Join(err, t.process.stop())
		}
	}
	if w.conn != nil {
		err = errors.Join(err, w.conn.Close(context.Background()))
	}
	return err
}

// choose picks the callers at random, and the same again for the same data.
func (w *world) choose(ctx context.Context, b *runner) (err error) {
	k, err := parseKey(b.tokens)
	if err != nil {
		return err
	}
	sign := newSigner(k, benchAppID)
	read := func(where string) ([]caller, error) {
		rows, err := w.conn.Query(ctx, `SELECT u.id, u.open_id, s.id FROM (SELECT id, open_id FROM users u `+where+` ORDER BY md5(id::text) LIMIT $1) u
JOIN LATERAL (SELECT id FROM sessions WHERE user_id = u.id AND expires_at > now() + interval '1 year' LIMIT 1) s ON TRUE`, b.callers)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c caller, err error) {
			if err := row.Scan(&c.userID, &c.openID, &c.sessionID); err != nil {
				return c, err
			}
			now := time.Now()
			c.token, err = sign.sign(c.userID, c.sessionID, now, now.Add(24*time.Hour))
			if err == nil {
				c.expired, err = sign.sign(c.userID, c.sessionID, now.Add(-2*time.Hour), now.Add(-time.Hour))
			}
			return c, err
		})
	}
	if w.callers, err = read(""); err != nil {
		return err
	}
	if w.buyers, err = read("WHERE EXISTS (SELECT FROM orders WHERE user_id = u.id)"); err != nil {
		return err
	}
	rows, err := w.conn.Query(ctx, "SELECT id::text FROM products ORDER BY id")
	if err != nil {
		return err
	}
	if w.product, err = pgx.CollectRows(rows, pgx.RowTo[string]); err == nil && (len(w.callers) == 0 || len(w.buyers) == 0 || len(w.product) == 0) {
		err = errors.New("the database holds no users, orders or products")
	}
	return err
}

func get(url string) ([]byte, error) {
	client := http.Client{Timeout: 5 * time.Second}
	res, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 500 {
		err = fmt.Errorf("%s: %s", url, res.Status)
	}
	return text, err
}
