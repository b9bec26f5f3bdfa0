// Package migrations embeds the SQL that builds our schema, in golang-migrate's naming
// (NNNN_name.up.sql, NNNN_name.down.sql). River's tables have migrations of their own.
//
// Each file is sent as one statement batch, hence one transaction, and must be repeatable (IF NOT
// EXISTS, OR REPLACE): a process may be killed after the batch and before the note of its success.
package migrations

import "embed"

// FS holds the files at its root.
//
//go:embed *.sql
var FS embed.FS
