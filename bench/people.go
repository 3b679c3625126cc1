package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"
)

// people makes the rows that hold something sealed or hashed.
type people struct {
	ids                  []uuid
	key                  key
	sealer               *sealer
	phones, fingerprints mac
	now                  time.Time
}

// A fifth of the users gave no nickname, and a fifth no phone number; who orders gave both.
func hasNickname(i int) bool { return i%buyerEvery != 4 }
func hasPhone(i int) bool    { return i%buyerEvery != 3 }

// loginName is the NAME of the simulator's login code sim-NAME that logs in as the user.
func loginName(i int) string { return fmt.Sprintf("bench%d", i) }

// openIDOf is the openid the simulator makes up for a NAME.
func openIDOf(name string) string {
	sum := sha256.Sum256([]byte(benchAppID + "/" + name))
	return "o" + base64.RawURLEncoding.EncodeToString(sum[:])[:27]
}

func phoneOf(i int) string { return fmt.Sprintf("+86138%08d", i) }

func (p *people) createdAt(i int) time.Time {
	var milliseconds int64
	for _, b := range p.ids[i][:6] {
		milliseconds = milliseconds<<8 | int64(b)
	}
	return time.UnixMilli(milliseconds).UTC()
}

func (p *people) user(i int) ([]any, error) {
	created := p.createdAt(i)
	row := []any{p.ids[i], benchAppID, openIDOf(loginName(i)), int64(i % 1000), created, created, created, nil, nil, nil, nil}
	if hasNickname(i) {
		row[7] = fmt.Sprintf("用户%d", i)
	}
	if i%2 == 0 {
		row[8] = fmt.Sprintf("https://thirdwx.qlogo.cn/mmopen/vi_32/%x/132", sha256.Sum256(p.ids[i][:]))
	}
	if hasPhone(i) {
		row[9] = p.sealer.seal([]byte(phoneOf(i)), "phone/"+formatUUID(p.ids[i]))
		row[10] = p.key.phoneSubject(p.phones, phoneOf(i))
	}
	return row, nil
}

func (p *people) openID(i int) ([]any, error) {
	return []any{openIDOf(loginName(i)), benchAppID, "wx_open_id", p.ids[i], p.createdAt(i)}, nil
}

// phone is the claim of a number; who has none has none.
func (p *people) phone(i int) ([]any, error) {
	if !hasPhone(i) {
		return nil, nil
	}
	return []any{p.key.phoneSubject(p.phones, phoneOf(i)), benchAppID, "phone", p.ids[i], p.createdAt(i)}, nil
}

func (p *people) sessionKey(i int) ([]any, error) {
	var secret [16]byte
	rand.Read(secret[:])
	encoded := []byte(base64.StdEncoding.EncodeToString(secret[:]))
	sealed := p.sealer.seal(encoded, "session-key/"+formatUUID(p.ids[i])+"/"+benchAppID)
	return []any{p.ids[i], benchAppID, openIDOf(loginName(i)), sealed, p.fingerprints.sum(encoded), p.createdAt(i)}, nil
}
