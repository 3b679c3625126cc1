package main

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"wxpass/db/dbtest"
	"wxpass/testlog"
	"wxpass/wechat/simulator"
)

// customer registers somebody who may order, in one document, and returns the token.
func (p *process) customer(t *testing.T, n int) string {
	t.Helper()
	got, err := p.do(http.DefaultClient, "", fmt.Sprintf(`mutation {
		silentLogin(input: {code: "sim-customer%d"}) { token user { id } }
		bindPhone(input: {code: "sim-+86139%08d"}) { user { id } }
		authorizeProfile(input: {nickname: "x"}) { user { id } }
	}`, n, n))
	if err != nil || got.code() != "" {
		t.Fatalf("register: %+v, %v", got, err)
	}
	return got.Data.SilentLogin.Token
}

var productID = regexp.MustCompile(`"id":"([^"]+)"`)

// product returns the id of a product there is.
func (p *process) product(t *testing.T) string {
	t.Helper()
	text, _, err := p.ask(http.DefaultClient, "", `{ products(first: 1) { edges { node { id } } } }`)
	m := productID.FindStringSubmatch(text)
	if err != nil || m == nil {
		t.Fatalf("no product: %s, %v", text, err)
	}
	return m[1]
}

func buy(key, product string) string {
	return fmt.Sprintf(`mutation { createOrder(input: {idempotencyKey: %q, items: [{productId: %q, quantity: 1}, {productId: %q, quantity: 2}]}) { order { orderNo } } }`, key, product, product)
}

func count(t *testing.T, conn *sql.DB, query string) (n int) {
	t.Helper()
	if err := conn.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// wantWholeOrders checks that no order lacks its items or its number.
func wantWholeOrders(t *testing.T, conn *sql.DB) {
	t.Helper()
	for what, query := range map[string]string{
		"orders without items": `SELECT count(*) FROM orders o WHERE (SELECT count(*) FROM order_items i WHERE i.user_id = o.user_id AND i.order_id = o.id) <> 2`,
		"items without order":  `SELECT count(*) FROM order_items i WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.user_id = i.user_id AND o.id = i.order_id)`,
		"numbers used twice":   `SELECT count(*) - count(DISTINCT order_no) FROM orders`,
		"orders whose number leads elsewhere": `SELECT count(*) FROM orders o WHERE NOT EXISTS
			(SELECT 1 FROM order_numbers n WHERE n.order_no = o.order_no AND n.user_id = o.user_id AND n.order_id = o.id)`,
	} {
		if n := count(t, conn, query); n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
}

// TestOrdersOfManyClientsOverSeveralServers places ORDERS orders, 2,000 when it is not set, from 32 clients over three
// servers on one PostgreSQL.
func TestOrdersOfManyClientsOverSeveralServers(t *testing.T) {
	t.Parallel()
	total, err := strconv.Atoi(os.Getenv("ORDERS"))
	if err != nil {
		total = 2000
	}
	url, dir := dbtest.Postgres(t), t.TempDir()
	var servers []*process
	for range 3 {
		servers = append(servers, start(t, dir, nil, "ADDR=127.0.0.1:0", "DATABASE_URL="+url, "RATE_LIMIT_SCALE=0", "LOG_LEVEL=debug"))
	}
	const clients = 32
	var tokens [clients]string
	for i := range tokens {
		tokens[i] = servers[i%3].customer(t, i)
	}
	product := servers[0].product(t)
	var (
		wait    sync.WaitGroup
		next    atomic.Int32
		numbers sync.Map
	)
	began := time.Now()
	for c := range clients {
		wait.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			for n := next.Add(1); int(n) <= total; n = next.Add(1) {
				text, _, err := servers[int(n)%3].ask(client, tokens[c], buy(fmt.Sprint("order-", n), product))
				if err != nil || strings.Contains(text, "errors") {
					t.Errorf("order %d: %s, %v", n, text, err)
					return
				}
				if _, twice := numbers.LoadOrStore(text, n); twice {
					t.Errorf("handed out twice: %s", text)
				}
			}
		})
	}
	wait.Wait()
	took := time.Since(began)
	conn := dbtest.Raw(t, url)
	wantWholeOrders(t, conn)
	if n := count(t, conn, "SELECT count(*) FROM orders"); n != total {
		t.Errorf("%d orders, want %d", n, total)
	}
	sum, most, orders := 0, 0, 0
	for _, s := range servers {
		for _, m := range regexp.MustCompile(`order numbered" tries=(\d+)`).FindAllStringSubmatch(s.log.String(), -1) {
			tries, _ := strconv.Atoi(m[1])
			sum, most, orders = sum+tries, max(most, tries), orders+1
		}
	}
	t.Logf("%d orders in %s, all numbers distinct; longest number %d characters; tries: mean %.3f, most %d",
		total, took.Round(time.Millisecond), count(t, conn, "SELECT max(length(order_no)) FROM orders"), float64(sum)/float64(max(orders, 1)), most)
}

func TestKilledInTheMiddleOfOrders(t *testing.T) {
	onEachEngine(t, func(t *testing.T, env []string) {
		dir := t.TempDir()
		env = append(env, "RATE_LIMIT_SCALE=0")
		p := start(t, dir, nil, env...)
		product := p.product(t)
		var (
			wait sync.WaitGroup
			done sync.Map // token and key of each order that was answered
			n    atomic.Int32
		)
		var tokens [16]string
		for c := range tokens {
			tokens[c] = p.customer(t, c)
		}
		for _, token := range tokens {
			wait.Go(func() {
				for i := 0; ; i++ {
					key := fmt.Sprint("order-", i)
					text, _, err := p.ask(http.DefaultClient, token, buy(key, product))
					if err != nil {
						return
					}
					done.Store(token+" "+key, text)
					if n.Add(1) == 100 {
						p.cmd.Process.Signal(syscall.SIGKILL)
					}
				}
			})
		}
		wait.Wait()
		p.cmd.Wait()
		conn := dbtest.Raw(t, strings.TrimPrefix(env[1], "DATABASE_URL="))
		wantWholeOrders(t, conn)
		p = start(t, dir, nil, env...)
		answered := 0
		done.Range(func(k, text any) bool { // sent again, each is the order it was
			token, key, _ := strings.Cut(k.(string), " ")
			again, _, err := p.ask(http.DefaultClient, token, buy(key, product))
			if err != nil || again != text {
				t.Errorf("order %s was %s, and is %s, %v", key, text, again, err)
			}
			answered++
			return true
		})
		wantWholeOrders(t, conn)
		t.Logf("killed after %d orders were answered: all are there, whole, and once; %d orders in all", answered, count(t, conn, "SELECT count(*) FROM orders"))
	})
}

// TestServersShareOneCredential has three servers on one PostgreSQL bind a hundred phones at once, beginning without a
// credential, and then has WeChat forget it in the middle.
func TestServersShareOneCredential(t *testing.T) {
	t.Parallel()
	world := &simulator.Server{Now: time.Now}
	fake := httptest.NewServer(testlog.Watch(world))
	defer fake.Close()
	url, dir := dbtest.Postgres(t), t.TempDir()
	var servers []*process
	for range 3 {
		servers = append(servers, start(t, dir, nil, "ADDR=127.0.0.1:0", "DATABASE_URL="+url, "WECHAT_BASE_URL="+fake.URL, "RATE_LIMIT_SCALE=0"))
	}
	bind := func(from int, half func()) {
		t.Helper()
		var tokens [100]string
		for i := range tokens {
			tokens[i] = servers[i%3].mustLogin(t, fmt.Sprint("p", from+i)).Data.SilentLogin.Token
		}
		var wait sync.WaitGroup
		for i, token := range tokens {
			if i == len(tokens)/2 {
				half()
			}
			wait.Go(func() {
				text, _, err := servers[i%3].ask(http.DefaultClient, token, fmt.Sprintf(`mutation { bindPhone(input: {code: "sim-+86138%08d"}) { user { steps } } }`, from+i))
				if err != nil || strings.Contains(text, "errors") {
					t.Errorf("bind: %s, %v", text, err)
				}
			})
		}
		wait.Wait()
	}
	bind(0, func() {})
	first := world.Calls("stable_token")
	if first != 1 {
		t.Errorf("100 calls from three servers asked for %d credentials, want 1", first)
	}
	bind(100, func() { world.KillCredential(simulator.DefaultApp().ID) })
	t.Logf("credentials asked for: %d by the first 100, %d after WeChat forgot it in the middle of 100 more; every call succeeded", first, world.Calls("stable_token")-first)
	if n := world.Calls("stable_token") - first; n > 1 {
		t.Errorf("after WeChat forgot the credential %d were asked for, want 1 at most", n)
	}
}
