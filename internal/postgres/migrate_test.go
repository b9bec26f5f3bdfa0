package postgres_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres"
	"github.com/ragify/ragify/internal/postgres/pgtest"
)

// newest is the number of the newest migration.
const newest = 2

func emptyDatabase(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), pgtest.Empty(t), postgres.PoolOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// relations counts what the migrations make, golang-migrate's own table left out.
func relations(t *testing.T, pool *pgxpool.Pool) (n int) {
	t.Helper()
	err := pool.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname !~ '^schema_migrations')
		+ (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func wantVersion(t *testing.T, pool *pgxpool.Pool, want uint) {
	t.Helper()
	if v, err := postgres.Version(t.Context(), pool); err != nil || v != want {
		t.Errorf("version %d, %v; want %d", v, err, want)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()

	t.Run("8 processes at once all succeed", func(t *testing.T) {
		t.Parallel()
		pool := emptyDatabase(t)
		wantVersion(t, pool, 0)
		errs := parallel(8, func(int) error { return postgres.Migrate(t.Context(), pool) })
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		wantVersion(t, pool, newest)
		s := postgres.New(postgres.Config{Pool: pool})
		if _, err := s.CreateAccount(t.Context(), "owner@example.com", plan.Free); err != nil {
			t.Error(err)
		}
	})

	t.Run("what a process left that was killed in the middle is repeated", func(t *testing.T) {
		t.Parallel()
		for name, setUp := range map[string]string{
			"before the file ran":       `DROP TABLE queue_clock; ALTER TABLE jobs DROP COLUMN queue_start; ALTER TABLE accounts DROP COLUMN queue_finish`,
			"in the middle of the file": `DROP TABLE queue_clock`,
			"after the file ran":        `SELECT`,
		} {
			t.Run(name, func(t *testing.T) {
				pool := emptyDatabase(t)
				if err := postgres.Migrate(t.Context(), pool); err != nil {
					t.Fatal(err)
				}
				for _, sql := range []string{setUp, fmt.Sprintf(`UPDATE schema_migrations SET dirty = true, version = %d`, newest)} {
					if _, err := pool.Exec(t.Context(), sql); err != nil {
						t.Fatal(err)
					}
				}
				if err := postgres.Migrate(t.Context(), pool); err != nil {
					t.Fatal(err)
				}
				wantVersion(t, pool, newest)
				if _, err := postgres.New(postgres.Config{Pool: pool}).Accounts(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	})

	t.Run("down to nothing and up again", func(t *testing.T) {
		t.Parallel()
		pool := emptyDatabase(t)
		if err := postgres.Migrate(t.Context(), pool); err != nil {
			t.Fatal(err)
		}
		full := relations(t, pool)
		for v := uint(newest); v > 0; v-- {
			wantVersion(t, pool, v)
			if err := postgres.MigrateDown(t.Context(), pool); err != nil {
				t.Fatal(err)
			}
		}
		wantVersion(t, pool, 0)
		if n := relations(t, pool); n != 0 {
			t.Errorf("%d tables, indexes, sequences or functions are left", n)
		}
		if err := postgres.MigrateDown(t.Context(), pool); err != nil {
			t.Errorf("down on nothing: %v", err)
		}
		if err := postgres.Migrate(t.Context(), pool); err != nil {
			t.Fatal(err)
		}
		if n := relations(t, pool); n != full {
			t.Errorf("up again: %d relations, at first %d", n, full)
		}
	})
}
