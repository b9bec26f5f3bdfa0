package postgres

// MigrateFiles is Migrate with other migrations than ours.
var MigrateFiles = migrateFiles
