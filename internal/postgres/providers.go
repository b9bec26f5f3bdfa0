package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/plan"
)

// eventRetention is how long an event is remembered by its id. Providers repeat for a day or two; what
// is repeated later is told by its age, which is compared with what is known for good.
const eventRetention = 30 * 24 * time.Hour

// effectiveTier is the plan of an account a: the best one of what the operator gave and what its
// subscriptions give now. It is judged at every look and by the database's clock, so that a plan ends
// on time on all nodes, also when the event that says so is lost.
const effectiveTier = `(
	SELECT t.tier FROM (
		SELECT a.tier UNION ALL
		SELECT s.tier FROM subscriptions s WHERE s.account_ref IN (a.id, a.clerk_user) AND s.tier <> ''
			AND (s.status IN ('on_trial', 'active', 'past_due') OR s.status = 'cancelled' AND s.ends_at > now())
	) t ORDER BY array_position(ARRAY['free', 'pro', 'business'], t.tier) DESC LIMIT 1)`

// ApplyClerkChange makes, changes or deletes the account of a Clerk user, once for each event, and
// returns its id; "" when the change concerns no account. A change that is older than one known before,
// or that follows the user's deletion, is Stale.
func (s *Store) ApplyClerkChange(ctx context.Context, e account.Event, c account.ClerkChange) (o account.Outcome, id account.ID, err error) {
	defer s.op(&ctx, &err, "postgres.ApplyClerkChange(%s)", e.ID)()
	return s.applyOnce(ctx, e, func(tx pgx.Tx) (account.Outcome, account.ID, error) {
		if c.Deleted {
			id, err := s.forgetClerkUser(ctx, tx, c.User)
			return account.Applied, id, err
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO clerk_users AS u (id, updated_at) VALUES ($1, $2)
			ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at
			WHERE u.deleted_at IS NULL AND u.updated_at < excluded.updated_at`, c.User, c.At)
		if err != nil {
			return "", "", err
		}
		if tag.RowsAffected() == 0 {
			return account.Stale, "", nil
		}
		var id account.ID
		err = tx.QueryRow(ctx, `
			INSERT INTO accounts (id, email, clerk_user, tier, created_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (clerk_user) DO UPDATE SET email = excluded.email RETURNING id`,
			account.NewID(), c.Email, c.User, plan.Free, s.now()).Scan(&id)
		return account.Applied, id, err
	})
}

// forgetClerkUser deletes the account of a Clerk user, if there is one, and sees to it that there never
// will be.
func (s *Store) forgetClerkUser(ctx context.Context, tx pgx.Tx, user string) (account.ID, error) {
	if err := buryClerkUser(ctx, tx, user, s.now()); err != nil {
		return "", err
	}
	var id account.ID
	err := tx.QueryRow(ctx, `SELECT id FROM accounts WHERE clerk_user = $1`, user).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return id, s.closeAccount(ctx, tx, id)
}

// buryClerkUser notes that a Clerk user is deleted. The row is locked then: whoever makes an account for
// the user comes before or sees it.
func buryClerkUser(ctx context.Context, tx pgx.Tx, user string, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO clerk_users AS u (id, deleted_at) VALUES ($1, $2)
		ON CONFLICT (id) DO UPDATE SET deleted_at = coalesce(u.deleted_at, excluded.deleted_at)`, user, now)
	return err
}

// ApplySubscription notes a subscription's new state, once for each event, and returns the account that
// it belongs to. What is not newer than the known state is Stale.
func (s *Store) ApplySubscription(ctx context.Context, e account.Event, sub account.Subscription) (o account.Outcome, id account.ID, err error) {
	defer s.op(&ctx, &err, "postgres.ApplySubscription(%s)", e.ID)()
	return s.applyOnce(ctx, e, func(tx pgx.Tx) (account.Outcome, account.ID, error) {
		// The owner of an earlier state stays: an operator may have set it.
		var owner string
		err := tx.QueryRow(ctx, `
			INSERT INTO subscriptions AS s (id, account_ref, variant, tier, status, ends_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (id) DO UPDATE SET account_ref = coalesce(nullif(s.account_ref, ''), excluded.account_ref),
				variant = excluded.variant, tier = excluded.tier, status = excluded.status, ends_at = excluded.ends_at, updated_at = excluded.updated_at
			WHERE (s.updated_at, array_position($8::text[], s.status)) < (excluded.updated_at, array_position($8::text[], excluded.status))
			RETURNING account_ref`,
			sub.ID, sub.Owner, sub.Variant, sub.Tier, sub.Status, sub.EndsAt, sub.UpdatedAt, account.SubscriptionStatuses()).Scan(&owner)
		if errors.Is(err, pgx.ErrNoRows) {
			return account.Stale, "", nil
		}
		if err != nil {
			return "", "", err
		}
		var id account.ID
		err = tx.QueryRow(ctx, `SELECT id FROM accounts WHERE $1 IN (id, clerk_user) AND deleted_at IS NULL`, owner).Scan(&id)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return account.NoAccount, "", nil
		case err != nil:
			return "", "", err
		case sub.Tier == "":
			return account.UnknownVariant, id, nil
		}
		return account.Applied, id, nil
	})
}

// applyOnce runs apply and notes the event in one transaction, unless it is noted already. Two
// deliveries at once wait for each other.
func (s *Store) applyOnce(ctx context.Context, e account.Event, apply func(tx pgx.Tx) (account.Outcome, account.ID, error)) (o account.Outcome, id account.ID, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		o, id = account.Duplicate, ""
		tag, err := tx.Exec(ctx, `
			INSERT INTO provider_events (provider, id, type, outcome, received_at) VALUES ($1, $2, $3, '', $4)
			ON CONFLICT DO NOTHING`, e.Provider, e.ID, e.Type, s.now())
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if o, id, err = apply(tx); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE provider_events SET outcome = $3 WHERE provider = $1 AND id = $2`, e.Provider, e.ID, o)
		return err
	})
	if err != nil {
		return "", "", err
	}
	return o, id, nil
}

// PurgeProviderEvents forgets events that are not repeated any more, and returns their number.
func (s *Store) PurgeProviderEvents(ctx context.Context) (purged int64, err error) {
	defer s.op(&ctx, &err, "postgres.PurgeProviderEvents")()
	tag, err := s.pool.Exec(ctx, `DELETE FROM provider_events WHERE received_at <= $1`, s.now().Add(-eventRetention))
	return tag.RowsAffected(), err
}

// SetVariants makes known subscriptions give the tier that their variant stands for now. Those of other
// variants stay as they are: their customers bought them under an earlier mapping.
func (s *Store) SetVariants(ctx context.Context, variants map[int64]plan.Tier) (changed int64, err error) {
	defer s.op(&ctx, &err, "postgres.SetVariants(%d)", len(variants))()
	ids, tiers := make([]int64, 0, len(variants)), make([]plan.Tier, 0, len(variants))
	for id, tier := range variants {
		ids, tiers = append(ids, id), append(tiers, tier)
	}
	tag, err := s.pool.Exec(ctx, `
		UPDATE subscriptions s SET tier = v.tier FROM unnest($1::bigint[], $2::text[]) AS v (id, tier)
		WHERE s.variant = v.id AND s.tier <> v.tier`, ids, tiers)
	return tag.RowsAffected(), err
}

// Subscriptions lists the known subscriptions, the newest change first, each with the account that it
// belongs to, "" for none.
func (s *Store) Subscriptions(ctx context.Context) (_ []account.Owned, err error) {
	defer s.op(&ctx, &err, "postgres.Subscriptions")()
	rows, err := s.pool.Query(ctx, `
		SELECT s.id, s.account_ref, s.variant, s.tier, s.status, s.ends_at, s.updated_at, coalesce(a.id, '')
		FROM subscriptions s LEFT JOIN accounts a ON s.account_ref IN (a.id, a.clerk_user) AND a.deleted_at IS NULL
		ORDER BY s.updated_at DESC, s.id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (o account.Owned, err error) {
		err = row.Scan(&o.ID, &o.Owner, &o.Variant, &o.Tier, &o.Status, &o.EndsAt, &o.UpdatedAt, &o.Account)
		o.EndsAt, o.UpdatedAt = utc(o.EndsAt), o.UpdatedAt.UTC()
		return o, err
	})
}

// AssignSubscription gives a known subscription to an account, for good: later events do not change the
// owner. Fault: NotFound "subscription_not_found".
func (s *Store) AssignSubscription(ctx context.Context, subscription string, id account.ID) (err error) {
	defer s.op(&ctx, &err, "postgres.AssignSubscription(%s)", id)()
	tag, err := s.pool.Exec(ctx, `UPDATE subscriptions SET account_ref = $2 WHERE id = $1`, subscription, id)
	if err == nil && tag.RowsAffected() == 0 {
		err = fault.New(fault.NotFound, "subscription_not_found", "No event has told of such a subscription.")
	}
	return err
}
