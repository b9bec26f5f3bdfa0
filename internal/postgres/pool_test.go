package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/pgserver"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres"
)

func TestUnavailable(t *testing.T) {
	t.Parallel()
	server, err := pgserver.Start(t.Context(), pgserver.Options{Test: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	pool, err := postgres.Open(t.Context(), server.URL(), postgres.PoolOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := postgres.Migrate(t.Context(), pool, quiet); err != nil {
		t.Fatal(err)
	}
	s := postgres.New(postgres.Config{Pool: pool})
	a, err := s.CreateAccount(t.Context(), "owner@example.com", plan.Pro)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("a statement that fails is not an outage", func(t *testing.T) {
		sub := submission(a, 1)
		sub.PagesCharged = -1 // breaks a CHECK
		_, _, err := s.Submit(t.Context(), sub, proPlan())
		if f := fault.From(err); f == nil || f.Kind != fault.Internal {
			t.Errorf("got %v", err)
		}
	})

	t.Run("a cancelled request is not an outage", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Ping(ctx); !errors.Is(err, context.Canceled) || fault.KindOf(err) == fault.Unavailable {
			t.Errorf("got %v", err)
		}
	})

	t.Run("a transaction that the server ended because it heard nothing of us is", func(t *testing.T) {
		_, err := s.FinishJob(t.Context(), uuid.New(), job.Outcome{Status: job.Done}, func(ctx context.Context, tx pgx.Tx) error {
			var pid int
			if err := tx.QueryRow(ctx, `SELECT pg_backend_pid() FROM set_config('idle_in_transaction_session_timeout', '1', false)`).Scan(&pid); err != nil {
				return err
			}
			for there := true; there; {
				if err := pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)`, pid).Scan(&there); err != nil {
					t.Error(err)
				}
			}
			_, err := tx.Exec(ctx, `SELECT 1`)
			return err
		})
		wantFault(t, err, fault.Unavailable, "database_unavailable")
	})

	t.Run("an answer that does not come in time is", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		tx, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(t.Context()) }()
		if _, err := tx.Exec(t.Context(), `LOCK TABLE accounts`); err != nil {
			t.Fatal(err)
		}
		_, err = s.Account(ctx, a.ID)
		wantFault(t, err, fault.Unavailable, "database_unavailable")
	})

	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Run("every call says so while the server is away, and when to retry", func(t *testing.T) {
		for name, call := range map[string]func() error{
			"Ping":             func() error { return s.Ping(t.Context()) },
			"Account":          func() error { _, err := s.Account(t.Context(), a.ID); return err },
			"AccountByKeyHash": func() error { _, _, err := s.AccountByKeyHash(t.Context(), account.NewSecret().Hash()); return err },
			"Submit":           func() error { _, _, err := s.Submit(t.Context(), submission(a, 1), proPlan()); return err },
			"Jobs":             func() error { _, _, err := s.Jobs(t.Context(), a.ID, "", 1, 20); return err },
			"DeleteJob":        func() error { return s.DeleteJob(t.Context(), a.ID, uuid.New()) },
			"Open": func() error {
				_, err := postgres.Open(t.Context(), server.URL(), postgres.PoolOptions{})
				return err
			},
			"Migrate": func() error { return postgres.Migrate(t.Context(), pool, quiet) },
		} {
			f := wantFault(t, call(), fault.Unavailable, "database_unavailable")
			if f.Retry <= 0 {
				t.Errorf("%s: no Retry-After", name)
			}
		}
	})
}

func TestOpen(t *testing.T) {
	t.Parallel()
	_, err := postgres.Open(t.Context(), "postgres://user:hunter2@[bad", postgres.PoolOptions{})
	if err == nil || fault.KindOf(err) == fault.Unavailable {
		t.Errorf("a malformed URL: %v", err)
	}
}
