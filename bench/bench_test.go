package main

import (
	"bufio"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestPercentilesAndMedians(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i)
	}
	for _, tt := range []struct {
		name      string
		got, want float64
	}{
		{"p50 of 100", float64(percentile(hundred, 0.5)), 50},
		{"p99 of 100", float64(percentile(hundred, 0.99)), 99},
		{"p99 of 1", float64(percentile(hundred[7:8], 0.99)), 7},
		{"median of 3", median([]float64{9, 1, 2}), 2},
		{"median of 4", median([]float64{9, 1, 2, 4}), 3},
	} {
		if tt.got != tt.want {
			t.Errorf("%s = %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

// TestRatioIsOfTheSameRound: a slow moment slows both servers, so rounds are compared with themselves.
func TestRatioIsOfTheSameRound(t *testing.T) {
	t.Parallel()
	r := row{
		wxpass: []measurement{{throughput: 50}, {throughput: 5}, {throughput: 500}},
		floor:  []measurement{{throughput: 100}, {throughput: 10}, {throughput: 1000}},
	}
	if got := r.ratio(throughput); got != 0.5 {
		t.Errorf("ratio = %v, want 0.5", got)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_790_000_000, 0)
	ours := newSigner(key{"k1", []byte("0123456789abcdef0123456789abcdef")}, "wx1")
	user, session := newUUID(1), newUUID(2)
	token, err := ours.sign(user, session, now, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	gotUser, gotSession, err := ours.verify(token, now)
	if err != nil || gotUser != user || gotSession != session {
		t.Errorf("verify = %x, %x, %v, want %x, %x", gotUser, gotSession, err, user, session)
	}
	if _, _, err := ours.verify(token, now.Add(time.Hour)); !errors.Is(err, errExpired) {
		t.Errorf("an hour later: %v, want %v", err, errExpired)
	}
	head, rest, _ := strings.Cut(token, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	for name, s := range map[string]*signer{
		"another key": newSigner(key{"k1", []byte("another-one-89abcdef0123456789ab")}, "wx1"),
		"another app": newSigner(key{"k1", ours.secret}, "wx2"),
		"another kid": newSigner(key{"k2", ours.secret}, "wx1"),
	} {
		if _, _, err := s.verify(token, now); !errors.Is(err, errToken) {
			t.Errorf("%s: %v, want %v", name, err, errToken)
		}
	}
	for _, broken := range []string{"", ".", "..", head, head + ".", head + "." + payload, head + ".." + signature, token + "x", head + "." + payload[1:] + "." + signature} {
		if _, _, err := ours.verify(broken, now); !errors.Is(err, errToken) {
			t.Errorf("verify(%q): %v, want %v", broken, err, errToken)
		}
	}
}

func TestUUIDs(t *testing.T) {
	t.Parallel()
	id := newUUID(0x0192f0c1d2e3)
	text := formatUUID(id)
	back, err := parseUUID(text)
	if err != nil || back != id || !strings.HasPrefix(text, "0192f0c1-d2e3-7") {
		t.Errorf("%x is %s and back %x, %v", id, text, back, err)
	}
	if _, err := parseUUID("0192f0c1-d2e3-7000-8000-00000000000g"); err == nil {
		t.Error("g is no digit")
	}
}

func TestSealing(t *testing.T) {
	t.Parallel()
	s, err := key{"k1", []byte("0123456789abcdef0123456789abcdef")}.sealer()
	if err != nil {
		t.Fatal(err)
	}
	sealed := s.seal([]byte("+8613800138000"), "phone/1")
	if got, err := s.open(sealed, "phone/1"); err != nil || string(got) != "+8613800138000" {
		t.Errorf("open = %q, %v", got, err)
	}
	if _, err := s.open(sealed, "phone/2"); err == nil {
		t.Error("it opens for somebody else")
	}
}

// TestAnswersAreReadWhole: wxpass sends long answers in chunks.
func TestAnswersAreReadWhole(t *testing.T) {
	t.Parallel()
	const answers = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello" +
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\na\r\nlo, reader\r\n0\r\n\r\n" +
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" +
		"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy"
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	c := &client{conn: quiet{near}, in: bufio.NewReaderSize(strings.NewReader(answers), 64), fresh: &atomic.Uint64{}}
	for _, want := range []string{"hello", "hello, reader", ""} {
		if got, err := c.do(request{fresh: -1}); err != nil || string(got) != want {
			t.Errorf("answer = %q, %v, want %q", got, err, want)
		}
	}
	if _, err := c.do(request{fresh: -1}); err == nil || !strings.Contains(err.Error(), "busy") {
		t.Errorf("a 503 is %v", err)
	}
}

// quiet takes what is written and sends it nowhere.
type quiet struct{ net.Conn }

func (quiet) Write(b []byte) (int, error) { return len(b), nil }

func TestWrongAnswersAreNoticed(t *testing.T) {
	t.Parallel()
	r := request{want: []byte(`{"data":{"me":{"id":"1"`)}
	for body, right := range map[string]bool{
		`{"data":{"me":{"id":"1","points":2}}}`:                      true,
		`{"data":{"me":{"id":"2","points":2}}}`:                      false,
		`{"data":{"me":{"id":"1","steps":null}},"errors":[{"a":1}]}`: false,
		`{"errors":[{"message":"no"}],"data":{"me":null}}`:           false,
	} {
		if err := check(r, []byte(body)); (err == nil) != right {
			t.Errorf("check(%s) = %v", body, err)
		}
	}
}
