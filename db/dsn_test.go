package db

import (
	"net/url"
	"testing"
	"time"
)

func TestTLSToADatabaseElsewhereIsVerified(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ url, want string }{
		{"postgres://u:p@db.example/x", "verify-full"},
		{"postgres://u:p@10.0.0.5:5432/x", "verify-full"},
		{"postgres://u:p@[2001:db8::1]/x", "verify-full"},
		{"postgres://u:p@localhost.example/x", "verify-full"},
		{"postgres://u:p@localhost/x", "disable"}, // this machine itself
		{"postgres://u:p@127.0.0.1/x", "disable"},
		{"postgres://u:p@[::1]/x", "disable"},
		{"postgres://u:p@db.example/x?sslmode=require", "require"}, // as its owner says
	} {
		dsn, err := postgresDSN(Options{URL: tt.url, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		if got := u.Query().Get("sslmode"); got != tt.want {
			t.Errorf("%s: sslmode %s, want %s", tt.url, got, tt.want)
		}
	}
}
