package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// floor answers what the cases ask with nothing between net/http and pgx: one handler a request, statements that pgx
// prepares, JSON put together by hand. It has no GraphQL, no log, no limits, and no future.
type floor struct {
	pool   *pgxpool.Pool
	tokens *signer
	sealer *sealer

	fingerprints mac
	wechat       string // URL
	exchange     *http.Client
}

// serveFloor is the floor's process.
func serveFloor(ctx context.Context, getenv func(string) string) error {
	config, err := pgxpool.ParseConfig(getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	config.MaxConns = 16 // wxpass's default
	f := &floor{wechat: getenv("WECHAT_BASE_URL")}
	if f.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	defer f.pool.Close()
	tokens, tokenErr := parseKey(getenv("TOKEN_KEYS"))
	data, dataErr := parseKey(getenv("DATA_KEYS"))
	if err := errors.Join(tokenErr, dataErr); err != nil {
		return err
	}
	f.tokens = newSigner(tokens, benchAppID)
	if f.sealer, err = data.sealer(); err != nil {
		return err
	}
	if f.fingerprints, err = data.mac("session-key"); err != nil {
		return err
	}
	// As wxpass does and must: a reused connection that is dead would have net/http send a login code twice.
	f.exchange = &http.Client{Timeout: 4 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, MaxConnsPerHost: 128}}
	server := &http.Server{Addr: getenv("ADDR"), Handler: f.routes()}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}

func (f *floor) routes() http.Handler {
	mux := http.NewServeMux()
	for path, handle := range map[string]func(http.ResponseWriter, *http.Request) error{
		"/me":          f.me,
		"/myOrders":    f.myOrders,
		"/silentLogin": f.silentLogin,
		"/createOrder": f.createOrder,
	} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			if err := handle(w, r); err != nil {
				log.Print(path, ": ", err)
				http.Error(w, "failed", http.StatusInternalServerError)
			}
		})
	}
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		if err := f.pool.Ping(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Fprintln(w, mallocsMetric, m.Mallocs)
	})
	return mux
}

// account is who a request acts for.
type account struct {
	id                    uuid
	nickname, avatarURL   *string
	points                int64
	phoneSealed           []byte
	createdAt             time.Time
	disabledAt, deletedAt *time.Time
	sessionApp            string
	sessionEnds           time.Time
	sessionRevokedAt      *time.Time
}

const callerSQL = `SELECT s.app_id, s.expires_at, s.revoked_at, u.nickname, u.avatar_url, u.points, u.phone_sealed, u.created_at, u.disabled_at, u.deleted_at
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.user_id = $1 AND s.id = $2`

// caller verifies the token and reads session and user in one query.
func (f *floor) caller(r *http.Request) (*account, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil, errToken
	}
	now := time.Now()
	userID, sessionID, err := f.tokens.verify(token, now)
	if err != nil {
		return nil, err
	}
	u := &account{id: userID}
	err = f.pool.QueryRow(r.Context(), callerSQL, userID, sessionID).Scan(&u.sessionApp, &u.sessionEnds, &u.sessionRevokedAt,
		&u.nickname, &u.avatarURL, &u.points, &u.phoneSealed, &u.createdAt, &u.disabledAt, &u.deletedAt)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, errToken
	case err != nil:
		return nil, err
	case u.sessionApp != f.tokens.appID, u.sessionRevokedAt != nil, !u.sessionEnds.After(now), u.disabledAt != nil, u.deletedAt != nil:
		return nil, errToken
	}
	return u, nil
}

const expiredBody = `{"errors":[{"message":"The token has expired: log in again.","path":["me"],"locations":[{"line":1,"column":12}],"extensions":{"code":"UNAUTHENTICATED","reason":"EXPIRED"}}],"data":{"me":null}}`

func (f *floor) me(w http.ResponseWriter, r *http.Request) error {
	u, err := f.caller(r)
	if errors.Is(err, errExpired) {
		return answer(w, []byte(expiredBody))
	}
	if err != nil {
		return err
	}
	b := append(make([]byte, 0, 512), `{"data":{"me":`...)
	if b, err = f.appendUser(b, u); err != nil {
		return err
	}
	return answer(w, append(b, "}}"...))
}

func answer(w http.ResponseWriter, body []byte) error {
	h := w.Header()
	h["Content-Type"] = []string{"application/json; charset=utf-8"}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	_, err := w.Write(body)
	return err
}
