package graph_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wxpass/db/dbtest"
	"wxpass/graph"
	"wxpass/wechat/simulator"
)

// failOne has the database fail one statement, counted from when it was armed.
type failOne struct {
	mu   sync.Mutex
	left int // statements until the one that fails; 0 when none is to
}

func (f *failOne) BeforeQuery(ctx context.Context, e *dbtest.QueryEvent) context.Context {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left == 0 || e.Query == "COMMIT" || e.Query == "ROLLBACK" { // which Bun sends whatever the context
		return ctx
	}
	if f.left--; f.left > 0 {
		return ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

func (f *failOne) AfterQuery(context.Context, *dbtest.QueryEvent) {}

// during runs do with its nth statement failing and reports whether it had as many.
func (f *failOne) during(n int, do func() *answer) (got *answer, failed bool) {
	f.set(n)
	got = do()
	return got, f.set(0) == 0
}

func (f *failOne) set(n int) (before int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before, f.left = f.left, n
	return before
}

// state is the content of the database but for some tables.
func (a *api) state(t *testing.T, except string) string {
	t.Helper()
	lines := slices.DeleteFunc(strings.Split(a.dump(t), "\n"), func(line string) bool {
		return except != "" && strings.HasPrefix(line, except+".")
	})
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestAFailureLeavesNothingHalfDone runs each mutation again and again, each time with its next statement failing, until
// it goes through. Every time before, nothing must have changed.
func TestAFailureLeavesNothingHalfDone(t *testing.T) {
	sealed := func(t *testing.T, a *api) map[string]any {
		return map[string]any{"encrypted": a.sealed(t, profileOf("openid-1", "Band", ""))}
	}
	tests := []struct {
		name   string
		except string // a table whose claims stand by themselves
		do     func(t *testing.T, a *api, token, product string) *answer
	}{
		{"silentLogin, of a known user", "", func(t *testing.T, a *api, _, _ string) *answer {
			return a.login(t, a.wechat.Login("openid-1"))
		}},
		{"authorizeProfile", "", func(t *testing.T, a *api, token, _ string) *answer {
			return a.authorizeProfile(t, token, map[string]any{"nickname": "another"})
		}},
		{"authorizeProfile, encrypted", "", func(t *testing.T, a *api, token, _ string) *answer { return a.authorizeProfile(t, token, sealed(t, a)) }},
		{"bindPhone", "", func(t *testing.T, a *api, token, _ string) *answer {
			return a.bindPhone(t, token, "sim-+8613900000009")
		}},
		{"unbindPhone", "", func(t *testing.T, a *api, token, _ string) *answer {
			return a.do(t, token, samples["Mutation.unbindPhone"], nil)
		}},
		{"logout", "", func(t *testing.T, a *api, token, _ string) *answer {
			return a.do(t, token, samples["Mutation.logout"], nil)
		}},
		{"renewSession", "", func(t *testing.T, a *api, token, _ string) *answer {
			return a.do(t, token, samples["Mutation.renewSession"], nil)
		}},
		{"createOrder", "order_numbers", func(t *testing.T, a *api, token, product string) *answer {
			// without its items: reading those may fail after the order is placed, and the key finds it again
			return a.do(t, token, fmt.Sprintf(`mutation { createOrder(input: {idempotencyKey: "k", items: [{productId: %q, quantity: 1}]}) { order { id } } }`, product), nil)
		}},
		{"deleteAccount", "", func(t *testing.T, a *api, token, _ string) *answer {
			return a.do(t, token, samples["Mutation.deleteAccount"], nil)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, url string) {
				fail := &failOne{}
				a := newAPI(t, url, fail)
				g := a.customer(t, "openid-1")
				product := a.product(t, "tea", 100)
				before := a.state(t, tt.except)
				for n := 1; ; n++ {
					got, failed := fail.during(n, func() *answer { return tt.do(t, a, g.Token, product) })
					if !failed {
						if got.code() != "" || n < 2 {
							t.Errorf("with no fault left, after %d statements: %s", n-1, got.text)
						}
						t.Logf("%d statements, each failed once", n-1)
						return
					}
					if got.code() != graph.ErrorCodeInternal {
						t.Errorf("statement %d failed: %s", n, got.text)
					}
					if diff := cmp.Diff(before, a.state(t, tt.except)); diff != "" {
						t.Fatalf("statement %d failed and left something:\n%s", n, diff)
					}
				}
			})
		})
	}
}

// TestAFailureInALoginLeavesNoHalfAccount fails each statement of a first login in turn. What the login leaves is
// nothing, a claim of the openid that the next login takes up, or an account with all that belongs to one.
func TestAFailureInALoginLeavesNoHalfAccount(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		fail := &failOne{}
		a := newAPI(t, url, fail)
		halves := func() (n int) {
			t.Helper()
			const half = `SELECT count(*) FROM users u WHERE NOT EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.id)
				OR NOT EXISTS (SELECT 1 FROM wechat_session_keys k WHERE k.user_id = u.id)
				OR NOT EXISTS (SELECT 1 FROM auth_events e WHERE e.user_id = u.id)
				OR NOT EXISTS (SELECT 1 FROM user_identities i WHERE i.user_id = u.id)`
			if err := dbtest.Raw(t, url).QueryRow(half).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		for n := 1; ; n++ {
			person := simulator.User{OpenID: fmt.Sprint("openid-", n), UnionID: fmt.Sprint("unionid-", n)}
			login := func() *answer { return a.login(t, a.wechat.LoginAs(person)) }
			got, failed := fail.during(n, login)
			if !failed {
				t.Logf("%d statements, each failed once", n-1)
				break
			}
			if got.code() != graph.ErrorCodeInternal {
				t.Errorf("statement %d failed: %s", n, got.text)
			}
			if halves() != 0 {
				t.Fatalf("statement %d failed and left half an account:\n%s", n, a.dump(t))
			}
			g := a.granted(t, login())
			if user, err := a.store.LockUser(t.Context(), uuidOf(t, g.User.ID)); err != nil || user.UnionID != person.UnionID {
				t.Errorf("after statement %d failed the next login is %+v, %v", n, user, err)
			}
			var users int
			if err := dbtest.Raw(t, url).QueryRow("SELECT count(*) FROM users").Scan(&users); err != nil || users != n {
				t.Fatalf("%d users after %d people logged in, %v", users, n, err)
			}
		}
	})
}
