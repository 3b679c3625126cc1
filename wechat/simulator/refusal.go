package simulator

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// refusal is WeChat's reply when it does not do what was asked, and the only error that endpoints return.
type refusal struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
}

func (r refusal) Error() string { return r.ErrMsg }

// refuse makes a refusal whose text ends in the name of the request, as WeChat's do.
func refuse(code int) error {
	text, ok := errmsgs[code]
	if !ok {
		text = "simulated error"
	}
	return refusal{code, text + ", rid: " + newRID()}
}

// newRID returns a fresh name of a request: three times eight hex digits.
func newRID() string {
	b := make([]byte, 12)
	rand.Read(b)
	id := hex.EncodeToString(b)
	return fmt.Sprintf("%s-%s-%s", id[:8], id[8:16], id[16:])
}

// errmsgs are WeChat's texts, as its pages and its users show them. It is only read.
var errmsgs = map[int]string{
	-1:    "system error",
	40001: "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r",
	40002: "invalid grant_type",
	40003: "invalid openid",
	40013: "invalid appid",
	40014: "invalid access_token",
	40029: "invalid code",
	40125: "invalid appsecret",
	40163: "code been used",
	40164: "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist",
	40226: "code blocked",
	40243: "appsecret is frozen",
	41001: "access_token missing",
	41002: "appid missing",
	41004: "appsecret missing",
	41008: "missing code",
	42001: "access_token expired",
	42003: "oauth_code expired",
	43002: "require POST method",
	44002: "empty post data",
	45002: "content size out of limit",
	45009: "reach max api daily quota limit",
	45011: "api minute-quota reach limit, must slower, retry next minute",
	47001: "data format error",
	48001: "api unauthorized",
	50002: "user limited",
	61004: "access clientip is not registered",
	61010: "user has not used the app of late",
	87008: "invalid sig_method",
	87009: "invalid signature",
	89503: "this ip call needs the administrator's confirmation",
}
