// Package migrations embeds the SQL that makes the database, for every engine the same.
//
// Rules: one statement per --bun:split section (several fail on tables Citus has distributed), the common subset of
// SQLite and PostgreSQL, no triggers, no defaults that read the clock. A shipped file is never edited.
package migrations

import "embed"

// Files holds NAME.tx.up.sql and NAME.tx.down.sql of every migration.
//
//go:embed *.sql
var Files embed.FS
