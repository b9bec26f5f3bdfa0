package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ragify/ragify/internal/postgres"
	"github.com/ragify/ragify/migrations"
)

// upFiles are our migrations upwards, oldest first.
func upFiles(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(migrations.FS, "*.up.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	return names // sorted
}

// filesUntil are our migrations up to and with last, and more besides.
func filesUntil(t *testing.T, last string, more map[string]string) fstest.MapFS {
	t.Helper()
	files := make(fstest.MapFS)
	for _, up := range upFiles(t) {
		for _, name := range []string{up, strings.TrimSuffix(up, ".up.sql") + ".down.sql"} {
			b, err := migrations.FS.ReadFile(name)
			if err != nil {
				t.Fatalf("a migration that cannot be taken back: %v", err)
			}
			files[name] = &fstest.MapFile{Data: b}
		}
		if up == last {
			break
		}
	}
	for name, sql := range more {
		files[name] = &fstest.MapFile{Data: []byte(sql)}
	}
	return files
}

// table is what the service relies on in a table that exists.
type table struct {
	file        uint32            // changes when every row is written anew
	columns     map[string]string // name to type and whether a value is required
	indexes     []string
	constraints map[string]bool // name to whether existing rows have been checked
}

// tables reads the catalog, River's tables left out.
func tables(t *testing.T, pool *pgxpool.Pool) map[string]table {
	t.Helper()
	rows, err := pool.Query(t.Context(), `
		SELECT c.relname, pg_relation_filenode(c.oid),
			(SELECT jsonb_object_agg(attname, format_type(atttypid, atttypmod) || CASE WHEN attnotnull AND NOT atthasdef AND attidentity = '' THEN ' required' ELSE '' END)
				FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
			(SELECT coalesce(array_agg(indexrelid::regclass::text ORDER BY indexrelid::regclass::text), '{}') FROM pg_index WHERE indrelid = c.oid),
			(SELECT coalesce(jsonb_object_agg(conname, convalidated), '{}') FROM pg_constraint WHERE conrelid = c.oid)
		FROM pg_class c
		WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname !~ '^(river_|schema_migrations)'`)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]table)
	var (
		name string
		one  table
	)
	_, err = pgx.ForEachRow(rows, []any{&name, &one.file, &one.columns, &one.indexes, &one.constraints}, func() error {
		all[name] = one
		one = table{}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestMigrationsAreAdditiveAndLight checks the rules of migrations/migrations.go by what each file does to a database.
func TestMigrationsAreAdditiveAndLight(t *testing.T) {
	t.Parallel()
	pool := emptyDatabase(t)
	before := map[string]table{}
	for _, up := range upFiles(t) {
		files := filesUntil(t, up, nil)
		if err := postgres.MigrateFiles(t.Context(), pool, files, quiet); err != nil {
			t.Fatalf("%s: %v", up, err)
		}
		after := tables(t, pool)
		for _, complaint := range unkind(before, after, string(files[up].Data)) {
			t.Errorf("%s: %s", up, complaint)
		}
		before = after
	}
}

// unkind tells what a migration has done to existing tables that the version before, or a large table,
// does not survive unharmed.
func unkind(before, after map[string]table, sql string) (complaints []string) {
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	for _, name := range slices.Sorted(maps.Keys(before)) {
		was, is := before[name], after[name]
		if is.columns == nil {
			complain("table %s is gone: the version before still uses it", name)
			continue
		}
		if was.file != is.file {
			complain("table %s is written anew, locked for as long", name)
		}
		for column, kind := range was.columns {
			if is.columns[column] != kind {
				complain("column %s.%s was %s, is %q: the version before relies on it", name, column, kind, is.columns[column])
			}
		}
		for column, kind := range is.columns {
			if was.columns[column] == "" && strings.HasSuffix(kind, " required") {
				complain("column %s.%s needs a value that the version before does not give", name, column)
			}
		}
		for _, index := range is.indexes {
			if !slices.Contains(was.indexes, index) && !strings.Contains(sql, "INDEX CONCURRENTLY IF NOT EXISTS "+index) {
				complain("index %s locks %s while it is built: CREATE INDEX CONCURRENTLY IF NOT EXISTS, in a file of its own", index, name)
			}
		}
		for constraint, checked := range is.constraints {
			if _, old := was.constraints[constraint]; !old && checked {
				complain("constraint %s reads all of %s under a lock: NOT VALID, and VALIDATE in a later file", constraint, name)
			}
		}
	}
	return complaints
}

// Whoever writes such a migration is told by TestMigrationsAreAdditiveAndLight.
func TestUnkindMigrationsAreFound(t *testing.T) {
	t.Parallel()
	first := upFiles(t)[0]
	for sql, want := range map[string]string{
		"DROP TABLE idempotency_keys":                                                         "table idempotency_keys is gone",
		"ALTER TABLE jobs DROP COLUMN warnings":                                               "column jobs.warnings was json",
		"ALTER TABLE jobs ALTER COLUMN page_count TYPE bigint":                                "written anew",
		"ALTER TABLE jobs ADD COLUMN IF NOT EXISTS x uuid NOT NULL DEFAULT gen_random_uuid()": "written anew",
		"ALTER TABLE jobs ADD COLUMN IF NOT EXISTS x text NOT NULL":                           "column jobs.x needs a value",
		"CREATE INDEX IF NOT EXISTS jobs_by_name ON jobs (file_name)":                         "index jobs_by_name locks jobs",
		"ALTER TABLE jobs ADD CONSTRAINT small CHECK (file_size < 5)":                         "constraint small reads all of jobs",
	} {
		pool := emptyDatabase(t)
		if err := postgres.MigrateFiles(t.Context(), pool, filesUntil(t, first, nil), quiet); err != nil {
			t.Fatal(err)
		}
		before := tables(t, pool)
		if err := postgres.MigrateFiles(t.Context(), pool, filesUntil(t, first, map[string]string{"9000_x.up.sql": sql}), quiet); err != nil {
			t.Fatal(err)
		}
		if complaints := strings.Join(unkind(before, tables(t, pool), sql), "\n"); !strings.Contains(complaints, want) {
			t.Errorf("%s: %q, want %q", sql, complaints, want)
		}
	}
}

// A rolling upgrade: the new version has migrated, and a node of the version before starts once more.
func TestProgramOlderThanSchemaStarts(t *testing.T) {
	t.Parallel()
	pool := emptyDatabase(t)
	last := slices.Max(upFiles(t))
	newer := filesUntil(t, last, map[string]string{
		"9000_more.up.sql":   "CREATE TABLE IF NOT EXISTS more ()",
		"9000_more.down.sql": "DROP TABLE IF EXISTS more",
	})
	if err := postgres.MigrateFiles(t.Context(), pool, newer, quiet); err != nil {
		t.Fatal(err)
	}
	for _, interrupted := range []bool{false, true} { // true: the new version is still at it, or was killed
		execute(t, pool, fmt.Sprintf("UPDATE schema_migrations SET dirty = %t", interrupted))
		var log bytes.Buffer
		if err := postgres.Migrate(t.Context(), pool, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
			t.Errorf("interrupted %t: %v", interrupted, err)
		}
		if !strings.Contains(log.String(), "schema=9000") {
			t.Errorf("the log does not tell: %s", &log)
		}
		if s, err := postgres.SchemaOf(t.Context(), pool); err != nil || s.Version != 9000 || s.Interrupted != interrupted || !s.Newer() {
			t.Errorf("%+v, %v: the newer program's note is not left alone", s, err)
		}
		if err := postgres.MigrateDown(t.Context(), pool, quiet); err == nil || !strings.Contains(err.Error(), "9000") {
			t.Errorf("down: %v, want a refusal", err)
		}
	}
	if err := postgres.MigrateFiles(t.Context(), pool, newer, quiet); err != nil {
		t.Errorf("the newer program afterwards: %v", err)
	}
}

// heard is a log that calls back at a message.
type heard struct {
	slog.Handler
	message string
	once    *sync.Once
	then    func()
}

func (h heard) Enabled(context.Context, slog.Level) bool { return true }

func (h heard) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, h.message) {
		h.once.Do(h.then)
	}
	return nil
}

// hear gives a logger, and a channel that is closed when a record with message comes.
func hear(message string) (*slog.Logger, <-chan struct{}) {
	c := make(chan struct{})
	return slog.New(heard{slog.DiscardHandler, message, new(sync.Once), func() { close(c) }}), c
}

// A dump reads all tables in one transaction, for hours perhaps. Migrations that need a table for
// themselves wait for its end without making anybody else wait behind them.
func TestMigrationsGiveWay(t *testing.T) {
	t.Parallel()
	pool := emptyDatabase(t)
	if err := postgres.MigrateFiles(t.Context(), pool, filesUntil(t, upFiles(t)[0], nil), quiet); err != nil {
		t.Fatal(err)
	}
	execute(t, pool, `INSERT INTO accounts (id, email, tier, created_at) VALUES ('usr_0123456789abcdef01234567', 'a@example.com', 'pro', now())`)
	dump, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dump.Rollback(t.Context()) }()
	if _, err := dump.Exec(t.Context(), "LOCK TABLE accounts, jobs, api_keys, page_usage, page_ledger, idempotency_keys, schema_migrations IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	log, gaveWay := hear("gives way")
	migrated := make(chan error, 1)
	go func() { migrated <- postgres.Migrate(t.Context(), pool, log) }()
	select {
	case <-gaveWay:
	case err := <-migrated:
		t.Fatalf("it did not have to wait: %v", err)
	}
	for range 20 { // lasts longer than a pause: it tries again meanwhile
		for _, sql := range []string{
			"SET LOCAL statement_timeout = '10s'; SELECT count(*) FROM accounts, jobs",
			"SET LOCAL statement_timeout = '10s'; UPDATE accounts SET active_jobs = active_jobs + 1; UPDATE jobs SET pages_done = 0",
		} {
			execute(t, pool, sql)
		}
	}
	if err := dump.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-migrated; err != nil {
		t.Error(err)
	}
	wantVersion(t, pool, newest(t, pool))
}

func TestMigrationsStopWithTheirContext(t *testing.T) {
	t.Parallel()
	pool := emptyDatabase(t)
	holder, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Release()
	if _, err := holder.Exec(t.Context(), "SELECT pg_advisory_lock($1)", int64(0x726167696679)); err != nil {
		t.Fatal(err)
	}
	log, waits := hear("waiting for it")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- postgres.Migrate(ctx, pool, log) }()
	<-waits
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// An index on a table with rows is built beside the service, and again where a process was killed at it.
func TestConcurrentIndex(t *testing.T) {
	t.Parallel()
	const up = `-- Why; and how.
		CREATE INDEX CONCURRENTLY IF NOT EXISTS accounts_by_tier ON accounts (tier); -- one
		CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS jobs_by_river_job
			ON jobs (river_job_id) WHERE river_job_id > 0;`
	last := slices.Max(upFiles(t))
	files := filesUntil(t, last, map[string]string{"9000_index.up.sql": up})
	build := func(pool *pgxpool.Pool) {
		t.Helper()
		if err := postgres.MigrateFiles(t.Context(), pool, files, quiet); err != nil {
			t.Fatal(err)
		}
		var valid []string
		err := pool.QueryRow(t.Context(), `SELECT array_agg(indexrelid::regclass::text ORDER BY indexrelid::regclass::text) FROM pg_index
			WHERE indexrelid::regclass::text IN ('accounts_by_tier', 'jobs_by_river_job') AND indisvalid`).Scan(&valid)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"accounts_by_tier", "jobs_by_river_job"}, valid); diff != "" {
			t.Error(diff)
		}
	}

	t.Run("while transactions write, and 8 processes start at once", func(t *testing.T) {
		pool := emptyDatabase(t)
		if err := postgres.Migrate(t.Context(), pool, quiet); err != nil {
			t.Fatal(err)
		}
		writer, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = writer.Rollback(t.Context()) }()
		if _, err := writer.Exec(t.Context(), "LOCK TABLE accounts, jobs IN ROW EXCLUSIVE MODE"); err != nil {
			t.Fatal(err)
		}
		log, waits := hear("waiting for it")
		built := make(chan []error, 1)
		go func() {
			built <- parallel(8, func(int) error { return postgres.MigrateFiles(t.Context(), pool, files, log) })
		}()
		<-waits // seven of them; the eighth waits for the writer
		execute(t, pool, "SET LOCAL statement_timeout = '10s'; UPDATE accounts SET active_jobs = 0; UPDATE jobs SET pages_done = 0")
		if err := writer.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(<-built...); err != nil {
			t.Fatal(err)
		}
		build(pool)
	})

	t.Run("a half-built one is built again", func(t *testing.T) {
		pool := emptyDatabase(t)
		build(pool)
		execute(t, pool, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'jobs_by_river_job'::regclass`)
		execute(t, pool, `UPDATE schema_migrations SET dirty = true`)
		build(pool)
	})
}
