package postgres

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/ragify/ragify/migrations"
)

// migrationLock is the key of the advisory lock around all migrations: "ragify" in ASCII. River's
// migrations take no lock of their own and fail when run twice at once.
const migrationLock int64 = 0x726167696679

// Migrate brings the schema, River's and ours, to the newest version. Any number of processes may call
// it at once: one works, the others wait and find nothing to do.
func Migrate(ctx context.Context, pool *pgxpool.Pool) (err error) {
	defer op(&err, "postgres.Migrate")
	return migrating(ctx, pool, func(m *migrate.Migrate, river *rivermigrate.Migrator[pgx.Tx]) error {
		if _, err := river.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
			return err
		}
		if err := m.Up(); err != nil && !errors.Is(err, migrate.ErrNoChange) {
			return err
		}
		return nil
	})
}

// MigrateDown takes our newest migration back. With the first one River's tables go too, so that the
// database is as it was before. On an empty schema it does nothing.
func MigrateDown(ctx context.Context, pool *pgxpool.Pool) (err error) {
	defer op(&err, "postgres.MigrateDown")
	return migrating(ctx, pool, func(m *migrate.Migrate, river *rivermigrate.Migrator[pgx.Tx]) error {
		_, _, err := m.Version()
		if err == nil {
			if err := m.Steps(-1); err != nil {
				return err
			}
			_, _, err = m.Version()
		}
		if !errors.Is(err, migrate.ErrNilVersion) {
			return err
		}
		_, err = river.Migrate(ctx, rivermigrate.DirectionDown, &rivermigrate.MigrateOpts{TargetVersion: -1})
		return err
	})
}

// Version is the number of our newest applied migration, 0 when there is none.
func Version(ctx context.Context, pool *pgxpool.Pool) (version uint, err error) {
	defer op(&err, "postgres.Version")
	err = migrating(ctx, pool, func(m *migrate.Migrate, _ *rivermigrate.Migrator[pgx.Tx]) error {
		v, _, err := m.Version()
		if errors.Is(err, migrate.ErrNilVersion) {
			return nil
		}
		version = v
		return err
	})
	return version, err
}

// migrating runs fn with both migrators while holding the lock. Its connections are its own, without
// the pool's statement timeout: waiting for the lock or rewriting a large table may take long.
func migrating(ctx context.Context, pool *pgxpool.Pool, fn func(*migrate.Migrate, *rivermigrate.Migrator[pgx.Tx]) error) (err error) {
	config := pool.Config()
	config.MinConns, config.MinIdleConns, config.MaxConns = 0, 0, 4
	config.ConnConfig.RuntimeParams["statement_timeout"] = "0"
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	own, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer own.Close()

	lock, err := own.Acquire(ctx)
	if err != nil {
		return err
	}
	defer lock.Release()
	if _, err := lock.Exec(ctx, "SELECT pg_advisory_lock($1)", migrationLock); err != nil {
		return err
	}
	// Closing the connection releases the lock, whatever became of ctx.
	defer func() { err = errors.Join(err, lock.Conn().Close(context.WithoutCancel(ctx))) }()

	river, err := rivermigrate.New(riverpgxv5.New(own), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	m, err := newMigrate(stdlib.OpenDB(*config.ConnConfig))
	if err != nil {
		return err
	}
	defer func() {
		files, db := m.Close()
		err = errors.Join(err, files, db)
	}()
	return fn(m, river)
}

// newMigrate makes a migrator that owns db.
func newMigrate(db *sql.DB) (_ *migrate.Migrate, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	driver, err := migratepgx.WithInstance(db, &migratepgx.Config{})
	if err != nil {
		return nil, err
	}
	files, err := iofs.New(migrations.FS, ".")
	if err != nil {
		return nil, err
	}
	if err := forgiveInterruption(driver, files); err != nil {
		return nil, err
	}
	return migrate.NewWithInstance("iofs", files, "pgx5", driver)
}

// forgiveInterruption undoes golang-migrate's "dirty" mark. The mark means that a process was killed in
// the middle of a migration, or that it failed; each of our files is one transaction and repeatable,
// so to run it again is right in both cases.
func forgiveInterruption(driver database.Driver, files source.Driver) error {
	version, dirty, err := driver.Version()
	if err != nil || !dirty {
		return err
	}
	before := database.NilVersion
	if version > 0 {
		if previous, err := files.Prev(uint(version)); err == nil {
			before = int(previous)
		}
	}
	return driver.SetVersion(before, false)
}
