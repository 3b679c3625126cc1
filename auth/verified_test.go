package auth

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"

	"wxpass/keyring"
)

func newIssuer(now *time.Time) *Issuer {
	return &Issuer{Keys: keyring.Ring{keyring.New("k1")}, Apps: []string{"wx0123456789abcdef"}, Now: func() time.Time { return *now }}
}

func (i *Issuer) mustIssue(t testing.TB, expires time.Time) string {
	t.Helper()
	token, err := i.Issue(Claims{UserID: uuid.New(), SessionID: uuid.New(), AppID: i.Apps[0], IssuedAt: i.Now(), ExpiresAt: expires})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func reasonOf(err error) Reason {
	var nobody *UnauthenticatedError
	errors.As(err, &nobody)
	if nobody == nil {
		return ""
	}
	return nobody.Reason
}

func TestARememberedTokenIsJudgedOnEveryUse(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_800_000_000, 0)
	tests := []struct {
		name   string
		change func(i *Issuer, now *time.Time)
		want   Reason
	}{
		{"nothing", func(*Issuer, *time.Time) {}, ""},
		{"a second before its end", func(_ *Issuer, now *time.Time) { *now = start.Add(time.Hour - time.Second) }, ""},
		{"its end", func(_ *Issuer, now *time.Time) { *now = start.Add(time.Hour) }, ReasonExpired},
		{"the clock is set back", func(_ *Issuer, now *time.Time) { *now = start.Add(-time.Hour) }, ReasonInvalid},
		{"another key signs", func(i *Issuer, _ *time.Time) { i.Keys = append(keyring.Ring{keyring.New("k2")}, i.Keys...) }, ""},
		{"its key is dropped", func(i *Issuer, _ *time.Time) { i.Keys = keyring.Ring{keyring.New("k2")} }, ReasonInvalid},
		{"its key's id is another's", func(i *Issuer, _ *time.Time) { i.Keys = keyring.Ring{keyring.New("k1")} }, ReasonInvalid},
		{"its app is not served", func(i *Issuer, _ *time.Time) { i.Apps = nil }, ReasonInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := start
			i := newIssuer(&now)
			token := i.mustIssue(t, start.Add(time.Hour))
			first, err := i.Verify(token)
			if err != nil {
				t.Fatal(err)
			}
			tt.change(i, &now)
			again, err := i.Verify(token)
			if reasonOf(err) != tt.want {
				t.Errorf("after %s: %v, want %q", tt.name, err, tt.want)
			}
			if err == nil && again != first {
				t.Error("the token was not remembered")
			}
		})
	}
}

func TestOnlyVerifiedTokensAreRemembered(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	i := newIssuer(&now)
	good := i.mustIssue(t, now.Add(time.Hour))
	for _, token := range []string{"", "garbage", good[:len(good)-2] + "AA", i.mustIssue(t, now)} {
		if _, err := i.Verify(token); err == nil {
			t.Errorf("%q was taken", token)
		}
	}
	if i.verified.tokens != nil {
		t.Errorf("%d refused tokens are remembered", i.verified.tokens.Len())
	}
}

func TestRememberedTokensAreBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	i := newIssuer(&now)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for range maxVerified + 1000 {
		if _, err := i.Verify(i.mustIssue(t, now.Add(time.Hour))); err != nil {
			t.Fatal(err)
		}
	}
	grown := heap() - before
	if got := i.verified.tokens.Len(); got != maxVerified || grown > 40<<20 {
		t.Errorf("%d tokens are remembered, in %d MiB", got, grown>>20)
	}
	t.Logf("%d tokens take %d MiB", maxVerified, grown>>20)
}

// BenchmarkVerify shows what a token costs the first time, and when it is remembered.
func BenchmarkVerify(b *testing.B) {
	now := time.Unix(1_800_000_000, 0)
	i := newIssuer(&now)
	token := i.mustIssue(b, now.Add(time.Hour))
	verify := func(b *testing.B, forget bool) {
		b.ReportAllocs()
		for b.Loop() {
			if forget {
				i.verified = verified{}
			}
			if _, err := i.Verify(token); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("first", func(b *testing.B) { verify(b, true) })
	b.Run("again", func(b *testing.B) { verify(b, false) })
}
