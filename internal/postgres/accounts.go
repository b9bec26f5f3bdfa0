package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/plan"
)

const accountColumns = `a.id, a.email, coalesce(a.clerk_user, ''), ` + effectiveTier + `, a.active_jobs, a.created_at, a.webhook_url`

// accountFields are the destinations of accountColumns.
func accountFields(a *account.Account) []any {
	return []any{&a.ID, &a.Email, &a.ClerkUser, &a.Tier, &a.ActiveJobs, &a.CreatedAt, &a.WebhookURL}
}

func scanAccount(row pgx.Row) (a account.Account, err error) {
	err = row.Scan(accountFields(&a)...)
	a.CreatedAt = a.CreatedAt.UTC()
	if errors.Is(err, pgx.ErrNoRows) {
		return account.Account{}, errAccountNotFound()
	}
	return a, err
}

func errAccountNotFound() error {
	return fault.New(fault.NotFound, "account_not_found", "There is no such account.")
}

func errEmailTaken() error {
	return fault.New(fault.Invalid, "email_taken", "There is already an account with this email address.")
}

func checkTier(tier plan.Tier) error {
	if !slices.Contains(plan.Tiers(), tier) {
		return fault.Newf(fault.Invalid, "unknown_tier", "There is no plan %q.", string(tier))
	}
	return nil
}

// CreateAccount makes an operator's account. Faults: Invalid "invalid_email", "email_taken" (letter
// case does not distinguish addresses) or "unknown_tier".
func (s *Store) CreateAccount(ctx context.Context, email string, tier plan.Tier) (_ account.Account, err error) {
	defer s.op(&ctx, &err, "postgres.CreateAccount(%s)", tier)()
	email = strings.TrimSpace(email)
	if at := strings.LastIndexByte(email, '@'); at < 1 || at == len(email)-1 || strings.ContainsAny(email, " \t\r\n\x00") {
		return account.Account{}, fault.New(fault.Invalid, "invalid_email", "This is not an email address.")
	}
	if err := checkTier(tier); err != nil {
		return account.Account{}, err
	}
	a := account.Account{ID: account.NewID(), Email: email, Tier: tier, CreatedAt: s.now()}
	// The condition covers Clerk accounts, which the unique index leaves out.
	tag, err := s.pool.Exec(ctx, `
		INSERT INTO accounts (id, email, tier, created_at)
		SELECT $1::text, $2::text, $3::text, $4::timestamptz WHERE NOT EXISTS (SELECT FROM accounts WHERE lower(email) = lower($2))`,
		a.ID, a.Email, a.Tier, a.CreatedAt)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.ConstraintName == "accounts_operator_email" {
		return account.Account{}, errEmailTaken()
	}
	if err != nil {
		return account.Account{}, err
	}
	if tag.RowsAffected() == 0 {
		return account.Account{}, errEmailTaken()
	}
	return a, nil
}

// Account finds an account. Fault: NotFound "account_not_found".
func (s *Store) Account(ctx context.Context, id account.ID) (_ account.Account, err error) {
	defer s.op(&ctx, &err, "postgres.Account(%s)", id)()
	return scanAccount(s.pool.QueryRow(ctx, `SELECT `+accountColumns+` FROM accounts a WHERE id = $1 AND deleted_at IS NULL`, id))
}

// AccountByEmail finds an account by its address, whatever the letter case; the operator's own account
// comes before a Clerk user's, an older one before a newer. Fault: NotFound "account_not_found".
func (s *Store) AccountByEmail(ctx context.Context, email string) (_ account.Account, err error) {
	defer s.op(&ctx, &err, "postgres.AccountByEmail")()
	return scanAccount(s.pool.QueryRow(ctx, `
		SELECT `+accountColumns+` FROM accounts a WHERE lower(email) = lower($1) AND email <> '' AND deleted_at IS NULL
		ORDER BY clerk_user IS NOT NULL, created_at, id LIMIT 1`, strings.TrimSpace(email)))
}

// Accounts lists all accounts, oldest first.
func (s *Store) Accounts(ctx context.Context) (_ []account.Account, err error) {
	defer s.op(&ctx, &err, "postgres.Accounts")()
	rows, err := s.pool.Query(ctx, `SELECT `+accountColumns+` FROM accounts a WHERE deleted_at IS NULL ORDER BY created_at, id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (account.Account, error) { return scanAccount(row) })
}

// SetTier moves an account to another plan, from its next request on. A subscription may give it a better one, and a
// subscription's end does not take this one away. Faults: NotFound "account_not_found", Invalid "unknown_tier".
func (s *Store) SetTier(ctx context.Context, id account.ID, tier plan.Tier) (err error) {
	defer s.op(&ctx, &err, "postgres.SetTier(%s, %s)", id, tier)()
	if err := checkTier(tier); err != nil {
		return err
	}
	tag, err := s.pool.Exec(ctx, `UPDATE accounts SET tier = $2 WHERE id = $1 AND deleted_at IS NULL`, id, tier)
	if err == nil && tag.RowsAffected() == 0 {
		err = errAccountNotFound()
	}
	return err
}

// AccountByClerkUser finds the account of a Clerk user; the first call for a user makes it, on the free
// plan. However many first calls come at once, one account is made and one call reports created. A
// non-empty email that differs from the stored one replaces it. Fault: Unauthenticated "account_deleted" when the user or
// his account was deleted: tokens live on for a while.
func (s *Store) AccountByClerkUser(ctx context.Context, clerkUserID, email string) (a account.Account, created bool, err error) {
	defer s.op(&ctx, &err, "postgres.AccountByClerkUser(%s)", clerkUserID)()
	a, err = findClerkUser(ctx, s.pool, clerkUserID)
	if fault.KindOf(err) == fault.NotFound {
		return s.welcome(ctx, clerkUserID, email)
	}
	if err != nil || email == "" || email == a.Email {
		return a, false, err
	}
	a.Email = email
	_, err = s.pool.Exec(ctx, `UPDATE accounts SET email = $2 WHERE id = $1 AND deleted_at IS NULL`, a.ID, email)
	return a, false, err
}

func findClerkUser(ctx context.Context, q queryer, clerkUserID string) (account.Account, error) {
	return scanAccount(q.QueryRow(ctx, `SELECT `+accountColumns+` FROM accounts a WHERE clerk_user = $1`, clerkUserID))
}

// welcome makes the account of a Clerk user, unless somebody has just done so.
func (s *Store) welcome(ctx context.Context, clerkUserID, email string) (a account.Account, created bool, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		// The user's row is locked then: his deletion comes before, and is seen, or deletes the new account.
		var deleted bool
		err := tx.QueryRow(ctx, `
			INSERT INTO clerk_users (id) VALUES ($1)
			ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING deleted_at IS NOT NULL`, clerkUserID).Scan(&deleted)
		if err != nil {
			return err
		}
		if deleted {
			return errAccountDeleted()
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO accounts (id, email, clerk_user, tier, created_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (clerk_user) DO NOTHING`, account.NewID(), email, clerkUserID, plan.Free, s.now())
		if err != nil {
			return err
		}
		created = tag.RowsAffected() == 1
		a, err = findClerkUser(ctx, tx, clerkUserID)
		return err
	})
	return a, created, err
}
