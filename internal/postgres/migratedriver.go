package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/golang-migrate/migrate/v4/database"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// lockWait is the longest that a statement of a migration waits for a table. Whoever comes after it waits
	// behind it, even for a read: so this is how long a migration may hold up the service, at most.
	// Transactions of the service are over in milliseconds.
	lockWait = 500 * time.Millisecond
	// lockPause is how long a migration steps back when lockWait was not enough. Four times lockWait: until the
	// long transaction that is in its way ends, the service has the tables for itself four fifths of the time.
	lockPause = 4 * lockWait
)

// driver runs migrations for golang-migrate, more politely than its own driver does: no statement queues
// for a table longer than lockWait, a file of indexes to be built CONCURRENTLY runs statement by
// statement, ctx ends it all, and to note a version needs no exclusive lock, which a pg_dump would deny.
type driver struct {
	ctx  context.Context // golang-migrate's interface passes none
	conn *pgx.Conn       // not ours to close
	log  *slog.Logger
}

var _ database.Driver = driver{}

// prepare makes the table of the version, as golang-migrate has it.
func (d driver) prepare() error {
	return insist(d.ctx, d.log, func() error {
		_, err := d.conn.Exec(d.ctx, "CREATE TABLE IF NOT EXISTS schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)")
		return err
	})
}

// Open is for drivers that golang-migrate finds by URL.
func (d driver) Open(string) (database.Driver, error) { return nil, errors.ErrUnsupported }

// Close leaves the connection open.
func (d driver) Close() error { return nil }

// Lock does nothing: whoever migrates holds migrationLock.
func (d driver) Lock() error { return nil }

// Unlock does nothing.
func (d driver) Unlock() error { return nil }

// Drop is not for a database with data in it.
func (d driver) Drop() error { return errors.ErrUnsupported }

// Version is the newest applied migration, NilVersion for none, and whether it was interrupted.
func (d driver) Version() (version int, dirty bool, err error) {
	err = d.conn.QueryRow(d.ctx, "SELECT version, dirty FROM schema_migrations").Scan(&version, &dirty)
	if errors.Is(err, pgx.ErrNoRows) {
		return database.NilVersion, false, nil
	}
	return version, dirty, err
}

// SetVersion notes the version. A dirty NilVersion is kept too: golang-migrate takes the first migration
// back under this mark.
func (d driver) SetVersion(version int, dirty bool) error {
	note := "DELETE FROM schema_migrations;"
	if version >= 0 || dirty {
		note += fmt.Sprintf(" INSERT INTO schema_migrations (version, dirty) VALUES (%d, %t)", version, dirty)
	}
	return insist(d.ctx, d.log, func() error { return d.batch(note) })
}

// Run runs one file: as one transaction, or, when it is about indexes CONCURRENTLY, one by one.
func (d driver) Run(file io.Reader) error {
	b, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	sql := string(b)
	if !concurrently.MatchString(sql) {
		return insist(d.ctx, d.log, func() error { return d.batch(sql) })
	}
	// These wait without being in anybody's way, for transactions of any length.
	if err := d.batch("SET lock_timeout = 0"); err != nil {
		return err
	}
	for statement := range strings.SplitSeq(comment.ReplaceAllString(sql, ""), ";") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if index := concurrently.FindStringSubmatch(statement); index != nil && index[1] != "" {
			if err := d.dropInvalid(index[1]); err != nil {
				return err
			}
		}
		if err := d.batch(statement); err != nil {
			return err
		}
	}
	return d.batch("RESET lock_timeout") // to what the connection began with
}

var (
	// concurrently finds the statements that cannot be part of a transaction. Its group is the index to be built.
	concurrently = regexp.MustCompile(`(?im)^\s*(?:CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS\s+(\w+)|DROP\s+INDEX\s+CONCURRENTLY)\s`)
	comment      = regexp.MustCompile(`--[^\n]*`)
)

// dropInvalid drops the index of that name if a process was killed while building it: such an index is
// written to but never used, and IF NOT EXISTS takes it for done.
func (d driver) dropInvalid(index string) error {
	var invalid bool
	err := d.conn.QueryRow(d.ctx, "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid)", index).Scan(&invalid)
	if err != nil || !invalid {
		return err
	}
	d.log.InfoContext(d.ctx, "an index was left half-built: building it again", "index", index)
	return d.batch("DROP INDEX CONCURRENTLY IF EXISTS " + index)
}

// batch sends statements as one message, which makes them one transaction unless they say otherwise.
func (d driver) batch(sql string) error {
	_, err := d.conn.PgConn().Exec(d.ctx, sql).ReadAll()
	return err
}

// insist repeats do, which must be a transaction, for as long as others hold the locks that it needs.
func insist(ctx context.Context, log *slog.Logger, do func() error) error {
	const lockNotAvailable, deadlockDetected = "55P03", "40P01"
	for {
		err := do()
		pg, ok := errors.AsType[*pgconn.PgError](err)
		if !ok || (pg.Code != lockNotAvailable && pg.Code != deadlockDetected) {
			return err
		}
		log.WarnContext(ctx, "a migration gives way to a long transaction, such as a dump's, and tries again", "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPause):
		}
	}
}
