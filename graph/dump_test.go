package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"wxpass/db"
	"wxpass/db/dbtest"
)

func (a *api) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := dbtest.Raw(t, a.url).Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// dump returns every value of every table as text.
func (a *api) dump(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	conn := dbtest.Raw(t, a.url)
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
