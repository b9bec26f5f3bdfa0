// Package migrations embeds the SQL that builds our schema, in golang-migrate's naming
// (NNNN_name.up.sql, NNNN_name.down.sql). River's tables have migrations of their own.
//
// Rules for a new file, most of them checked by internal/postgres/migrateonline_test.go:
//
//   - It can be repeated (IF NOT EXISTS, OR REPLACE): a process may be killed after the file ran and before
//     the note of its success. It is sent as one message, hence one transaction.
//   - It only adds. While it runs and until the last node is replaced, the version before works on the same
//     tables: no column, table or value that it uses goes, is renamed or changes its type, and no new column
//     demands a value. What has fallen out of use is dropped by a file of the next version but one.
//   - It locks no table for long. A new column is nullable or has a constant default; a new constraint on an
//     existing table is NOT VALID, and validated by a file of its own; rows are changed by the program in small
//     portions, not by a file. Waiting for a lock is taken care of: no statement does so for more than half a
//     second, then the file is rolled back and tried again.
//   - An index on an existing table stands in a file that holds only such statements, each
//     CREATE [UNIQUE] INDEX CONCURRENTLY IF NOT EXISTS name ON … or DROP INDEX CONCURRENTLY IF EXISTS name.
//     These cannot be in a transaction and run one by one; what a killed process left half-built is dropped first.
//   - Its .down.sql takes it back, with the data that it holds.
package migrations

import "embed"

// FS holds the files at its root.
//
//go:embed *.sql
var FS embed.FS
