package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"wxpass/testlog"
)

// crowd is people who use the program: customers who are logged in, and others who log in.
type crowd struct {
	client  *http.Client
	server  func() *process // who is asked next
	tokens  []string
	product string
	known   int    // after so many requests of mixed the same people log in again
	run     string // makes the keys of orders unlike those of another run
}

// newCrowd registers customers, and the people who log in during so many requests of mixed.
func newCrowd(t *testing.T, p *process, customers, known int) *crowd {
	t.Helper()
	c := &crowd{
		known:  known,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}, Timeout: time.Minute},
		server: func() *process { return p },
	}
	t.Cleanup(c.client.CloseIdleConnections)
	for n := range customers {
		c.tokens = append(c.tokens, p.customer(t, n))
	}
	c.product = p.product(t)
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for n := worker; n < known; n += 8 {
				if !knows(n) {
					continue
				}
				if got, err := p.do(c.client, "", c.person(n)); err != nil || got.code() != "" {
					t.Errorf("login: %+v, %v", got, err)
				}
			}
		})
	}
	wait.Wait()
	return c
}

// knows reports whether request n of mixed is a login of somebody the server knows.
func knows(n int) bool { return n%20 == 3 || n%20 == 10 || n%20 == 17 }

func (c *crowd) person(n int) string { return loginAs(fmt.Sprint("person", n%c.known)) }

// mixed is the traffic of a shop: of twenty requests eight ask who they are, five look at their orders, two order, one
// renews its session, three people the server knows log in, and one it does not.
func (c *crowd) mixed(n int) (kind string, got *reply, err error) {
	p, token := c.server(), c.tokens[n%len(c.tokens)]
	query := "{ me { id displayName steps } }"
	switch n % 20 {
	case 1, 4, 8, 12, 16:
		kind, query = "myOrders", "{ myOrders(first: 5) { edges { node { orderNo items { sku quantity } } } } }"
	case 2, 13:
		kind, query = "createOrder", buy(fmt.Sprint("order-", c.run, n), c.product)
	case 5:
		kind, query = "renewSession", "mutation { renewSession { token expiresAt } }"
	case 3, 10, 17: // knows
		kind, token, query = "login", "", c.person(n)
	case 7:
		kind, token, query = "login", "", loginAs(fmt.Sprint("new-", c.run, n))
	default:
		kind = "me"
	}
	got, err = p.do(c.client, token, query)
	return kind, got, err
}

// calm is what logged-in users do who only look.
func (c *crowd) calm(n int) (kind string, got *reply, err error) {
	got, err = c.server().do(c.client, c.tokens[n%len(c.tokens)], "{ me { id displayName steps } }")
	return "me", got, err
}

// logins are people who log in.
func (c *crowd) logins(n int) (kind string, got *reply, err error) {
	got, err = c.server().do(c.client, "", loginAs(fmt.Sprint("slow", n)))
	return "login", got, err
}

// startSimulator starts a WeChat in a process of its own, at a free port or the address given, and returns it with the
// environment of a server that calls it.
func startSimulator(t *testing.T, address string) (fake *process, env []string) {
	t.Helper()
	fake = start(t, t.TempDir(), []string{"simulator", "--addr", cmp.Or(address, "127.0.0.1:0"), "--app", "wx1:outage-secret"})
	return fake, []string{"ADDR=127.0.0.1:0", "WECHAT_BASE_URL=" + fake.url, "WECHAT_APPS=wx1:outage-secret", "RATE_LIMIT_SCALE=0"}
}

// control tells a simulator what to do, and decodes its answer into what is given, if anything.
func (p *process) control(t *testing.T, route, body string, into any) {
	t.Helper()
	testlog.Sent(body)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Post(p.url+"/simulator/control/"+route, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("control %s: %s", route, res.Status)
	}
	if into != nil {
		if err := json.NewDecoder(res.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
}
