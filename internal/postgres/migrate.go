package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	"github.com/golang-migrate/migrate/v4/source"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/ragify/ragify/migrations"
)

// migrationLock is the key of the advisory lock around all migrations: "ragify" in ASCII. River's
// migrations take no lock of their own and fail when run twice at once.
const migrationLock int64 = 0x726167696679

// migrationPoll is how often a process that waits for the lock tries to take it. It must not wait inside
// of Postgres: a statement that waits holds a snapshot, and CREATE INDEX CONCURRENTLY, which another
// process may be at, waits for the end of every snapshot older than itself.
const migrationPoll = 250 * time.Millisecond

// Schema tells how far a database's schema is.
type Schema struct {
	Version     uint // the newest applied migration, 0 for none
	Newest      uint // the newest one that this program knows
	Interrupted bool // Version is being applied, or its process was killed: the next start repeats it
	QueueBehind bool // River's own migrations are missing, some or all
}

// Newer reports whether a newer program has migrated the database. This one works on: migrations only add.
func (s Schema) Newer() bool { return s.Version > s.Newest }

// Current reports whether nothing is left to be migrated.
func (s Schema) Current() bool {
	return s.Newer() || s.Version == s.Newest && !s.Interrupted && !s.QueueBehind
}

// SchemaOf reads how far the database's schema is. It takes no lock and changes nothing.
func SchemaOf(ctx context.Context, pool *pgxpool.Pool) (_ Schema, err error) {
	defer op(&err, "postgres.SchemaOf")
	return schemaOf(ctx, pool, migrations.FS)
}

func schemaOf(ctx context.Context, pool *pgxpool.Pool, files fs.FS) (s Schema, err error) {
	if s.Newest, err = newest(files); err != nil {
		return s, err
	}
	// Less than 0 is golang-migrate's mark of a first migration on its way back.
	err = pool.QueryRow(ctx, "SELECT greatest(version, 0), dirty FROM schema_migrations").Scan(&s.Version, &s.Interrupted)
	const undefinedTable = "42P01"
	if pg, ok := errors.AsType[*pgconn.PgError](err); err != nil && !errors.Is(err, pgx.ErrNoRows) && (!ok || pg.Code != undefinedTable) {
		return s, err
	}
	river, err := newRiverMigrator(pool)
	if err != nil {
		return s, err
	}
	valid, err := river.Validate(ctx, nil)
	if err != nil {
		return s, err
	}
	s.QueueBehind = !valid.OK
	return s, nil
}

// newest is the number of the newest migration in files.
func newest(files fs.FS) (version uint, err error) {
	all, err := iofs.New(files, ".")
	if err != nil {
		return 0, err
	}
	version, err = all.First()
	for err == nil {
		var next uint
		if next, err = all.Next(version); err == nil {
			version = next
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return version, errors.Join(err, all.Close())
}

// Migrate brings the schema, River's and ours, to the newest version. Any number of processes may call
// it at once: one works, the others wait and find nothing to do. A schema that a newer program has
// migrated is left as it is. It gives way to those who use the tables, see [driver], and therefore may
// take as long as their longest transaction does; it ends early with ctx.
func Migrate(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) (err error) {
	defer op(&err, "postgres.Migrate")
	return migrateFiles(ctx, pool, migrations.FS, log)
}

// migrateFiles is Migrate with the migrations in files for ours.
func migrateFiles(ctx context.Context, pool *pgxpool.Pool, files fs.FS, log *slog.Logger) error {
	s, err := schemaOf(ctx, pool, files)
	if err != nil {
		return err
	}
	if s.Newer() {
		log.InfoContext(ctx, "the database's schema is newer than this program, which works on it all the same", "schema", s.Version, "program", s.Newest)
	}
	if s.Current() { // without the lock: a node starts while another is at a migration that it does not need
		return nil
	}
	return migrating(ctx, pool, files, log, func(m *migrate.Migrate, river *rivermigrate.Migrator[pgx.Tx]) error {
		if s, err := schemaOf(ctx, pool, files); err != nil || s.Newer() {
			return err
		}
		err := insist(ctx, log, func() error {
			_, err := river.Migrate(ctx, rivermigrate.DirectionUp, nil)
			return err
		})
		if err != nil {
			return err
		}
		if err := m.Up(); err != nil && !errors.Is(err, migrate.ErrNoChange) {
			return err
		}
		return nil
	})
}

// MigrateDown takes our newest migration back. With the first one River's tables go too, so that the
// database is as it was before. On an empty schema it does nothing; of a schema that a newer program
// has migrated it knows no way back, and fails.
func MigrateDown(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) (err error) {
	defer op(&err, "postgres.MigrateDown")
	return migrating(ctx, pool, migrations.FS, log, func(m *migrate.Migrate, river *rivermigrate.Migrator[pgx.Tx]) error {
		s, err := schemaOf(ctx, pool, migrations.FS)
		if err != nil {
			return err
		}
		if s.Newer() {
			return fmt.Errorf("a newer version of this program has brought the schema to %d, this one knows %d: only that version can take it back", s.Version, s.Newest)
		}
		_, _, err = m.Version()
		if err == nil {
			if err := m.Steps(-1); err != nil {
				return err
			}
			_, _, err = m.Version()
		}
		if !errors.Is(err, migrate.ErrNilVersion) {
			return err
		}
		return insist(ctx, log, func() error {
			_, err := river.Migrate(ctx, rivermigrate.DirectionDown, &rivermigrate.MigrateOpts{TargetVersion: -1})
			return err
		})
	})
}

// migrating runs fn with both migrators while holding the lock. Its connections are its own, without
// the pool's statement timeout: building an index of a large table may take long.
func migrating(ctx context.Context, pool *pgxpool.Pool, files fs.FS, log *slog.Logger, fn func(*migrate.Migrate, *rivermigrate.Migrator[pgx.Tx]) error) (err error) {
	config := pool.Config()
	config.MinConns, config.MinIdleConns, config.MaxConns = 0, 0, 2
	config.ConnConfig.RuntimeParams["statement_timeout"] = "0"
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	config.ConnConfig.RuntimeParams["lock_timeout"] = milliseconds(lockWait)
	own, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer own.Close()

	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return err
	}
	// Closing the connection releases the lock, whatever became of ctx. It also does our migrations: should it
	// break, the lock and the work end together.
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if err := takeLock(ctx, conn, log); err != nil {
		return err
	}
	river, err := newRiverMigrator(own)
	if err != nil {
		return err
	}
	m, err := newMigrate(ctx, conn, files, log)
	if err != nil {
		return err
	}
	defer func() {
		files, db := m.Close()
		err = errors.Join(err, files, db)
	}()
	return fn(m, river)
}

// takeLock waits for the lock around all migrations and takes it for conn's session.
func takeLock(ctx context.Context, conn *pgx.Conn, log *slog.Logger) error {
	for told := false; ; {
		var taken bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", migrationLock).Scan(&taken); err != nil || taken {
			return err
		}
		if !told {
			log.InfoContext(ctx, "another process migrates the database: waiting for it")
			told = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(migrationPoll):
		}
	}
}

func newRiverMigrator(pool *pgxpool.Pool) (*rivermigrate.Migrator[pgx.Tx], error) {
	return rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
}

// newMigrate makes a migrator of files that works through conn, which stays the caller's.
func newMigrate(ctx context.Context, conn *pgx.Conn, files fs.FS, log *slog.Logger) (*migrate.Migrate, error) {
	d := driver{ctx: ctx, conn: conn, log: log}
	if err := d.prepare(); err != nil {
		return nil, err
	}
	all, err := iofs.New(files, ".")
	if err != nil {
		return nil, err
	}
	if err := forgiveInterruption(d, all); err != nil {
		return nil, errors.Join(err, all.Close())
	}
	return migrate.NewWithInstance("iofs", all, "postgres", d)
}

// forgiveInterruption undoes golang-migrate's "dirty" mark. The mark means that a process was killed in
// the middle of a migration, or that it failed; each of our files is repeatable, so to run it again is
// right in both cases. The mark of a version that files does not have is a newer program's to undo.
func forgiveInterruption(d database.Driver, files source.Driver) error {
	version, dirty, err := d.Version()
	if err != nil || !dirty {
		return err
	}
	before := database.NilVersion
	if version > 0 {
		previous, err := files.Prev(uint(version))
		switch {
		case err == nil:
			before = int(previous)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		default:
			if first, err := files.First(); err != nil || int(first) != version {
				return err
			}
		}
	}
	return d.SetVersion(before, false)
}
