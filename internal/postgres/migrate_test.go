package postgres_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres"
	"github.com/ragify/ragify/internal/postgres/pgtest"
)

// quiet is the log of tests that do not read it.
var quiet = slog.New(slog.DiscardHandler)

// newest is the number of our newest migration.
func newest(t *testing.T, pool *pgxpool.Pool) uint {
	t.Helper()
	s, err := postgres.SchemaOf(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	return s.Newest
}

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

func execute(t *testing.T, pool *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func wantVersion(t *testing.T, pool *pgxpool.Pool, want uint) {
	t.Helper()
	s, err := postgres.SchemaOf(t.Context(), pool)
	if err != nil || s.Version != want || s.Current() != (want == s.Newest) {
		t.Errorf("%+v, current %t, %v; want version %d", s, s.Current(), err, want)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()

	t.Run("8 processes at once all succeed", func(t *testing.T) {
		t.Parallel()
		pool := emptyDatabase(t)
		wantVersion(t, pool, 0)
		errs := parallel(8, func(int) error { return postgres.Migrate(t.Context(), pool, quiet) })
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		wantVersion(t, pool, newest(t, pool))
		s := postgres.New(postgres.Config{Pool: pool})
		if _, err := s.CreateAccount(t.Context(), "owner@example.com", plan.Free); err != nil {
			t.Error(err)
		}
	})

	t.Run("what a process left that was killed in the middle is repeated", func(t *testing.T) {
		t.Parallel()
		for name, version := range map[string]int{"the first file": 1, "the last file": int(newest(t, emptyDatabase(t)))} {
			t.Run(name, func(t *testing.T) {
				pool := emptyDatabase(t)
				if err := postgres.Migrate(t.Context(), pool, quiet); err != nil {
					t.Fatal(err)
				}
				execute(t, pool, fmt.Sprintf(`UPDATE schema_migrations SET dirty = true, version = %d`, version))
				if s, err := postgres.SchemaOf(t.Context(), pool); err != nil || s.Current() || !s.Interrupted {
					t.Errorf("%+v, %v", s, err)
				}
				if err := postgres.Migrate(t.Context(), pool, quiet); err != nil {
					t.Fatal(err)
				}
				wantVersion(t, pool, newest(t, pool))
				if _, err := postgres.New(postgres.Config{Pool: pool}).Accounts(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	})

	t.Run("a second time changes nothing", func(t *testing.T) {
		t.Parallel()
		pool := emptyDatabase(t)
		for range 2 {
			if err := postgres.Migrate(t.Context(), pool, quiet); err != nil {
				t.Fatal(err)
			}
			wantVersion(t, pool, newest(t, pool))
		}
	})

	t.Run("down to nothing and up again", func(t *testing.T) {
		t.Parallel()
		pool := emptyDatabase(t)
		if err := postgres.Migrate(t.Context(), pool, quiet); err != nil {
			t.Fatal(err)
		}
		full := relations(t, pool)
		for v := newest(t, pool); v > 0; {
			wantVersion(t, pool, v)
			if err := postgres.MigrateDown(t.Context(), pool, quiet); err != nil {
				t.Fatal(err)
			}
			s, err := postgres.SchemaOf(t.Context(), pool)
			if err != nil || s.Version >= v {
				t.Fatalf("%+v, %v after %d was taken back", s, err, v)
			}
			v = s.Version
		}
		wantVersion(t, pool, 0)
		if n := relations(t, pool); n != 0 {
			t.Errorf("%d tables, indexes, sequences or functions are left", n)
		}
		if err := postgres.MigrateDown(t.Context(), pool, quiet); err != nil {
			t.Errorf("down on nothing: %v", err)
		}
		if err := postgres.Migrate(t.Context(), pool, quiet); err != nil {
			t.Fatal(err)
		}
		if n := relations(t, pool); n != full {
			t.Errorf("up again: %d relations, at first %d", n, full)
		}
	})
}
