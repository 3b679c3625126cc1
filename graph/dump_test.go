package graph_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/uptrace/bun/driver/pgdriver"

	"wxpass/db"
)

// raw opens the api's database beside the store, for what no program should do.
func (a *api) raw(t *testing.T) *sql.DB {
	t.Helper()
	path, sqlite := strings.CutPrefix(a.url, "sqlite:")
	var conn *sql.DB
	if sqlite {
		var err error
		if conn, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)"); err != nil {
			t.Fatal(err)
		}
	} else {
		conn = sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(a.url)))
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (a *api) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := a.raw(t).Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// dump returns every value of every table as text.
func (a *api) dump(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	conn := a.raw(t)
	for _, table := range db.Distribution() {
		rows, err := conn.Query("SELECT * FROM " + table.Table)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			if err := rows.Scan(values...); err != nil {
				t.Fatal(err)
			}
			for i, v := range values {
				if text, ok := (*v.(*any)).([]byte); ok {
					fmt.Fprintf(&b, "%s.%s=%s %x\n", table.Table, columns[i], text, text)
					continue
				}
				fmt.Fprintf(&b, "%s.%s=%v\n", table.Table, columns[i], *v.(*any))
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	return b.String()
}

// events counts a user's history by kind.
func (a *api) events(t *testing.T, userID string) map[db.EventKind]int {
	t.Helper()
	list, err := a.store.Events(t.Context(), uuidOf(t, userID), 1000)
	if err != nil {
		t.Fatal(err)
	}
	count := map[db.EventKind]int{}
	for _, e := range list {
		count[e.Kind]++
	}
	return count
}

func uuidOf(t *testing.T, text string) uuid.UUID {
	t.Helper()
	id, err := uuid.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
