package graph_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wxpass/db/dbtest"
	"wxpass/graph"
	"wxpass/keyring"
	"wxpass/wechat/simulator"
)

func (a *api) loginTo(t testing.TB, app, openid, unionid string) *answer {
	t.Helper()
	code := a.wechat.LoginAs(simulator.User{OpenID: openid, UnionID: unionid, AppID: app})
	return a.do(t, "", loginDocument, map[string]any{"code": code, "appId": app})
}

// knownLogins are stories of people who log in again.
var knownLogins = []struct {
	name string
	// statements of the last login on plain PostgreSQL; 0 for more than the two of one that finds all in order
	statements int
	play       func(t *testing.T, a *api, again func() grant)
}{
	{"nothing bound", 2, func(_ *testing.T, _ *api, again func() grant) { again(); again() }},
	{"a session has ended", 2, func(_ *testing.T, a *api, again func() grant) {
		again()
		a.clock.Advance(8 * 24 * time.Hour)
		again()
	}},
	{"the key is the same", 2, func(_ *testing.T, a *api, again func() grant) {
		again()
		a.wechat.Rotation = simulator.RotateNever
		again()
	}},
	{"an older exchange arrives later", 2, func(_ *testing.T, a *api, again func() grant) {
		again()
		a.clock.Advance(-time.Minute)
		again()
	}},
	{"a number", 2, func(t *testing.T, a *api, again func() grant) {
		a.bindPhone(t, again().Token, a.phoneCode("openid-1", number))
		again()
	}},
	{"a number unbound", 2, func(t *testing.T, a *api, again func() grant) {
		token := again().Token
		a.bindPhone(t, token, a.phoneCode("openid-1", number))
		a.do(t, token, samples["Mutation.unbindPhone"], nil)
		again()
	}},
	{"a number of another app", 0, func(t *testing.T, a *api, again func() grant) {
		a.bindPhone(t, a.granted(t, a.loginTo(t, a.otherApp.ID, "there", "union-1")).Token, "sim-"+number)
		again() // the first login in this app
	}},
	{"a number of another app, claimed by the first login", 2, func(t *testing.T, a *api, again func() grant) {
		a.bindPhone(t, a.granted(t, a.loginTo(t, a.otherApp.ID, "there", "union-1")).Token, "sim-"+number)
		again()
		again()
	}},
	{"a number that is another account's here", 0, func(t *testing.T, a *api, again func() grant) {
		a.bindPhone(t, a.granted(t, a.loginTo(t, a.otherApp.ID, "there", "union-1")).Token, "sim-"+number)
		a.bindPhone(t, a.mustLogin(t, "openid-2").Token, "sim-"+number)
		again()
		again()
	}},
	{"a data key is added", 0, func(t *testing.T, a *api, again func() grant) {
		a.bindPhone(t, again().Token, a.phoneCode("openid-1", number))
		a.auth.DataKeys = append(a.auth.DataKeys, dataKey2)
		again()
	}},
	{"a data key was added", 2, func(t *testing.T, a *api, again func() grant) {
		a.bindPhone(t, again().Token, a.phoneCode("openid-1", number))
		a.auth.DataKeys = append(a.auth.DataKeys, dataKey2)
		again()
		again()
	}},
	{"another data key is the first", 0, func(t *testing.T, a *api, again func() grant) {
		a.auth.DataKeys = append(a.auth.DataKeys, dataKey2)
		a.bindPhone(t, again().Token, a.phoneCode("openid-1", number))
		a.auth.DataKeys = keyring.Ring{dataKey2, a.auth.DataKeys[0]}
		again()
	}},
	{"a data key was dropped too early", 0, func(t *testing.T, a *api, again func() grant) {
		a.bindPhone(t, again().Token, a.phoneCode("openid-1", number))
		a.auth.DataKeys = keyring.Ring{dataKey2}
		again()
	}},
	{"disabled", 0, func(t *testing.T, a *api, again func() grant) {
		again()
		a.clock.Advance(8 * 24 * time.Hour) // the session has ended, and stays
		a.exec(t, "UPDATE users SET disabled_at = created_at")
		again()
	}},
	{"deleted, with identities left", 0, func(t *testing.T, a *api, again func() grant) {
		again()
		a.exec(t, "UPDATE users SET deleted_at = created_at")
		again()
	}},
	{"deleted", 0, func(t *testing.T, a *api, again func() grant) {
		a.do(t, again().Token, samples["Mutation.deleteAccount"], nil)
		again()
	}},
	{"a unionid is new", 0, func(t *testing.T, a *api, again func() grant) {
		a.mustLogin(t, "openid-1")
		again()
	}},
}

var dataKey1, dataKey2 = keyring.New("d1"), keyring.New("d2")

// TestOneStatementLeavesWhatTheTransactionLeaves plays each story on PostgreSQL and on what looks like Citus, where a login
// is a transaction.
func TestOneStatementLeavesWhatTheTransactionLeaves(t *testing.T) {
	t.Parallel()
	start := dbtest.NewClock().Now()
	for _, tt := range knownLogins {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			play := func(citus bool) (left string, last []string) {
				var hook recordQueries
				url := dbtest.Postgres(t)
				if citus {
					dbtest.PlayCitus(t, url)
				}
				a := newAPI(t, url, &hook)
				a.clock.Advance(start.Sub(a.clock.Now()))
				a.auth.DataKeys = keyring.Ring{dataKey1}
				var told []string
				tt.play(t, a, func() (g grant) {
					a.clock.Advance(time.Second)
					hook.take()
					got := a.loginTo(t, simulator.DefaultApp().ID, "openid-1", "union-1")
					if code := got.code(); code != "" && code != graph.ErrorCodeAccountBlocked {
						t.Error(got.text)
					}
					if got.code() == "" {
						g = a.granted(t, got)
					}
					told = append(told, fmt.Sprint(got.code(), g.IsNewUser, g.ExpiresAt, "\n"))
					last = hook.take()
					return g
				})
				return strings.Join(told, "") + a.shape(t, start), last
			}
			got, fast := play(false)
			want, slow := play(true)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("one statement leaves other rows (-transaction +statement):\n%s", diff)
			}
			if n := len(fast); n != tt.statements && (tt.statements > 0 || n < 3) {
				t.Errorf("the last login is %d statements, want %d:\n%s", n, tt.statements, strings.Join(fast, "\n"))
			}
			if strings.Contains(strings.Join(slow, "\n"), "WITH ") {
				t.Errorf("a statement for PostgreSQL alone was sent to Citus:\n%s", strings.Join(slow, "\n"))
			}
		})
	}
}

var (
	aliased = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\\\\x(026431|026432)?[0-9a-f]*`)
	timed   = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+\+00:00`)
)

// shape is the rows of the tables a login writes, in the order they were made, with what is made at random replaced by a
// number that is the same for equal ones, except for the key's name in front of what is sealed, and with times from start.
func (a *api) shape(t *testing.T, start time.Time) string {
	t.Helper()
	var (
		b     strings.Builder
		known = map[string]int{}
		conn  = dbtest.Raw(t, a.url)
	)
	for _, table := range []struct{ name, order string }{
		{"users", "id"}, {"user_identities", "kind, app_id, subject"}, {"wechat_session_keys", "app_id, open_id"}, {"sessions", "id"}, {"auth_events", "id"},
	} {
		var text string
		query := "SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY " + table.order + "), '[]') FROM " + table.name + " AS t"
		if err := conn.QueryRow(query).Scan(&text); err != nil {
			t.Fatal(err)
		}
		text = aliased.ReplaceAllStringFunc(text, func(value string) string {
			if _, ok := known[value]; !ok {
				known[value] = len(known)
			}
			return fmt.Sprint("#", known[value], aliased.FindStringSubmatch(value)[2])
		})
		text = timed.ReplaceAllStringFunc(text, func(value string) string {
			at, err := time.Parse(time.RFC3339Nano, value)
			if err != nil {
				t.Fatal(err)
			}
			return at.Sub(start).String()
		})
		var rows []json.RawMessage
		if err := json.Unmarshal([]byte(text), &rows); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			fmt.Fprintf(&b, "%s %s\n", table.name, row)
		}
	}
	return b.String()
}

func TestALoginOfAKnownUserUsesAnIndex(t *testing.T) {
	t.Parallel()
	var hook recordQueries
	a := newAPI(t, dbtest.Postgres(t), &hook)
	a.customer(t, "openid-1")
	for i := range 20 {
		a.mustLogin(t, fmt.Sprint("other-", i))
	}
	a.exec(t, "ANALYZE")
	hook.take()
	a.mustLogin(t, "openid-1")
	for _, query := range hook.take() {
		tx, err := dbtest.Raw(t, a.url).Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if _, err := tx.Exec("SET LOCAL enable_seqscan = off"); err != nil { // the tables are small here
			t.Fatal(err)
		}
		rows, err := tx.Query("EXPLAIN " + query)
		if err != nil {
			t.Fatal(err)
		}
		var plan strings.Builder
		for rows.Next() {
			var step string
			if err := rows.Scan(&step); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&plan, step)
		}
		rows.Close()
		if !strings.Contains(plan.String(), "Index") || strings.Contains(plan.String(), "Seq Scan") || strings.Contains(plan.String(), "hashed") {
			t.Errorf("no index:\n%s\n%s", query, &plan)
		}
		t.Logf("%.110s…\n%s", query, &plan)
	}
}
