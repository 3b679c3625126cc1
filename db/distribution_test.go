package db_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"wxpass/db"
	"wxpass/db/dbtest"
)

// lint returns a row for everything in the schema that Citus would refuse or that would not hold there.
const lint = `
WITH dist (tbl, col, g) AS (VALUES %s), d AS (
    SELECT c.oid, c.relname, a.attnum, NULLIF(dist.g, '') AS g
    FROM dist JOIN pg_class c ON c.oid = to_regclass(dist.tbl)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = dist.col
), reference AS (
    SELECT to_regclass(tbl)::oid AS oid FROM dist WHERE col = ''
)
SELECT 'unique index lacks the distribution column', i.indexrelid::regclass::text
FROM pg_index i JOIN d ON d.oid = i.indrelid
WHERE (i.indisunique OR i.indisexclusion) AND NOT (d.attnum = ANY (i.indkey::int2[]))
UNION ALL
SELECT 'foreign key between tables that are not stored together', c.conname
FROM pg_constraint c LEFT JOIN d s ON s.oid = c.conrelid LEFT JOIN d t ON t.oid = c.confrelid
WHERE c.contype = 'f' AND (s.oid IS NOT NULL OR t.oid IS NOT NULL) AND c.confrelid NOT IN (SELECT oid FROM reference)
  AND NOT COALESCE(s.g = t.g AND EXISTS (
        SELECT 1 FROM generate_subscripts(c.conkey, 1) k
        WHERE c.conkey[k] = s.attnum AND c.confkey[k] = t.attnum), false)
UNION ALL
SELECT 'trigger', t.tgname FROM pg_trigger t JOIN d ON d.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL
SELECT 'serial or identity column', d.relname || '.' || a.attname
FROM d JOIN pg_attribute a ON a.attrelid = d.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef f ON f.adrelid = d.oid AND f.adnum = a.attnum
WHERE a.attidentity <> '' OR pg_get_expr(f.adbin, f.adrelid) LIKE 'nextval(%%'
UNION ALL
SELECT 'table without a distribution rule', c.relname
FROM pg_class c
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'bun\_migration%%'
  AND c.oid NOT IN (SELECT oid FROM d UNION ALL SELECT oid FROM reference)
UNION ALL
SELECT 'distribution rule without its table or column', tbl || '.' || col
FROM dist WHERE to_regclass(tbl) IS NULL OR col <> '' AND NOT EXISTS (SELECT 1 FROM d WHERE d.oid = to_regclass(dist.tbl))`

func TestSchemaHoldsOnCitus(t *testing.T) {
	t.Parallel()
	conn := dbtest.Raw(t, dbtest.Postgres(t))
	if faults := lintSchema(t, conn); len(faults) > 0 {
		t.Errorf("the schema would not hold on Citus:\n%s", strings.Join(faults, "\n"))
	}

	// The lint must be able to fail: each of these is a fault it has to name.
	planted := []struct{ statement, want string }{
		{"CREATE UNIQUE INDEX planted_idx ON users (open_id)", "unique index lacks the distribution column: planted_idx"},
		{"ALTER TABLE user_identities ADD CONSTRAINT planted_fk FOREIGN KEY (user_id) REFERENCES users (id)", "foreign key between tables that are not stored together: planted_fk"},
		{"CREATE TABLE planted (user_id uuid)", "table without a distribution rule: planted"},
		{"ALTER TABLE users ADD COLUMN n bigserial", "serial or identity column: users.n"},
	}
	for _, p := range planted {
		if _, err := conn.Exec(p.statement); err != nil {
			t.Fatal(err)
		}
	}
	found := strings.Join(lintSchema(t, conn), "\n")
	for _, p := range planted {
		if !strings.Contains(found, p.want) {
			t.Errorf("the lint does not see %q; it found:\n%s", p.want, found)
		}
	}
}

func lintSchema(t *testing.T, conn *sql.DB) (faults []string) {
	t.Helper()
	var rules []string
	for _, d := range db.Distribution() {
		rules = append(rules, fmt.Sprintf("('%s', '%s', '%s')", d.Table, d.Column, d.Group))
	}
	rows, err := conn.Query(fmt.Sprintf(lint, strings.Join(rules, ", ")))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var problem, what string
		if err := rows.Scan(&problem, &what); err != nil {
			t.Fatal(err)
		}
		faults = append(faults, problem+": "+what)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return faults
}
