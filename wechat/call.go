package wechat

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// call sends one request, once, and decodes a successful reply into reply. body, if any, is sent as JSON. Nothing is
// sent while the endpoint rests or has too much to do.
//
// The reply is JSON whatever its Content-Type says: WeChat labels /sns/* text/plain. No errcode is as good as errcode
// 0: code2Session has none when it succeeds. (community 000e0401868440e9cbc72e95456000)
func (c *Client) call(ctx context.Context, method, path string, query url.Values, body, reply any) error {
	req, err := c.request(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	return c.endpoint(path).do(func() error {
		data, err := c.send(path, req)
		if err != nil {
			return err
		}
		return decode(path, data, reply)
	})
}

// decode reads a reply into v, or makes the error it tells of.
func decode(path string, data []byte, v any) error {
	var status struct {
		ErrCode int    `json:"errcode"`
		ErrMsg  string `json:"errmsg"`
	}
	if err := json.Unmarshal(data, &status); err != nil {
		return unavailable(path, "the reply is not a JSON object, or is cut off")
	}
	if status.ErrCode != 0 {
		return newError(path, status.ErrCode, status.ErrMsg)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return unavailable(path, "the reply has fields of another type")
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body any) (*http.Request, error) {
	u, err := url.Parse(cmp.Or(c.BaseURL, defaultBaseURL))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, &Error{Path: path, Message: "BaseURL is not an http or https address", class: ErrMisconfigured}
	}
	u = u.JoinPath(path)
	u.RawQuery = query.Encode()
	var content bytes.Buffer
	if body != nil {
		enc := json.NewEncoder(&content)
		enc.SetEscapeHTML(false) // WeChat wants plain text, not \u escapes, where it checks content
		if err := enc.Encode(body); err != nil {
			return nil, fmt.Errorf("wechat: %s: encode request: %w", path, err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), &content)
	if err != nil {
		return nil, &Error{Path: path, Message: "BaseURL does not make a request", class: ErrMisconfigured}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// send returns the body of a 200 reply.
func (c *Client) send(path string, req *http.Request) ([]byte, error) {
	res, err := c.client().Do(req)
	if err != nil {
		return nil, noAnswer(req.Context(), path, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, unavailable(path, fmt.Sprintf("HTTP status %d", res.StatusCode))
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxReply+1))
	if err != nil {
		return nil, noAnswer(req.Context(), path, err)
	}
	if len(data) > maxReply {
		return nil, unavailable(path, "the reply is too large")
	}
	return data, nil
}
