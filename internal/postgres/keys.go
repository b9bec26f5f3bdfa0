package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/plan"
)

const keyColumns = `k.id, k.account_id, k.name, k.prefix, k.is_active, k.created_at, k.last_used_at`

// keyFields are the destinations of keyColumns.
func keyFields(k *account.Key) []any {
	return []any{&k.ID, &k.Account, &k.Name, &k.Prefix, &k.Active, &k.CreatedAt, &k.LastUsedAt}
}

func errKeyNotFound() error {
	return fault.New(fault.NotFound, "api_key_not_found", "There is no such API key.")
}

// CreateKey stores the hash of s as a new active key named name (1 to 100 characters, checked by the
// caller). limit is how many keys may be active at once, nil for any number; parallel creations do not
// exceed it. Faults: Forbidden "key_limit_reached" (facts active_keys, max_api_keys, tier), NotFound
// "account_not_found".
func (s *Store) CreateKey(ctx context.Context, id account.ID, name string, secret account.Secret, limit *int) (k account.Key, err error) {
	defer s.op(&ctx, &err, "postgres.CreateKey(%s)", id)()
	keyID, err := uuid.NewRandom()
	if err != nil {
		return account.Key{}, err
	}
	k = account.Key{ID: keyID, Account: id, Name: name, Prefix: secret.Prefix(), Active: true, CreatedAt: s.now()}
	hash := secret.Hash()
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		// The lock on the account makes creations of one account queue up behind each other.
		var tier plan.Tier
		var deleted bool
		err := tx.QueryRow(ctx, `SELECT `+effectiveTier+`, a.deleted_at IS NOT NULL FROM accounts a WHERE id = $1 FOR NO KEY UPDATE`, id).Scan(&tier, &deleted)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return errAccountNotFound()
		case err != nil:
			return err
		case deleted:
			return errAccountDeleted()
		}
		var active int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM api_keys WHERE account_id = $1 AND is_active`, id).Scan(&active); err != nil {
			return err
		}
		if limit != nil && active >= *limit {
			return errKeyLimit(active, *limit, tier)
		}
		_, err = tx.Exec(ctx, `INSERT INTO api_keys (id, account_id, name, prefix, hash, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			k.ID, k.Account, k.Name, k.Prefix, hash[:], k.CreatedAt)
		return err
	})
	if err != nil {
		return account.Key{}, err
	}
	return k, nil
}

func errKeyLimit(active, limit int, tier plan.Tier) error {
	if limit == 0 {
		return fault.Newf(fault.Forbidden, "key_limit_reached", "The %s plan does not include API keys.", tier).
			With("active_keys", active).With("max_api_keys", limit).With("tier", tier)
	}
	return fault.Newf(fault.Forbidden, "key_limit_reached",
		"The %s plan allows %d active API keys and you have %d. Revoke one first.", tier, limit, active).
		With("active_keys", active).With("max_api_keys", limit).With("tier", tier)
}

// Keys lists an account's keys, newest first, the revoked ones included.
func (s *Store) Keys(ctx context.Context, id account.ID) (_ []account.Key, err error) {
	defer s.op(&ctx, &err, "postgres.Keys(%s)", id)()
	rows, err := s.pool.Query(ctx, `SELECT `+keyColumns+` FROM api_keys k WHERE account_id = $1 ORDER BY created_at DESC, id DESC`, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (k account.Key, err error) {
		err = row.Scan(keyFields(&k)...)
		utcKey(&k)
		return k, err
	})
}

func utcKey(k *account.Key) {
	k.CreatedAt = k.CreatedAt.UTC()
	k.LastUsedAt = utc(k.LastUsedAt)
}

// RevokeKey makes a key useless at once. Fault: NotFound "api_key_not_found" when it is unknown,
// another account's or already revoked.
func (s *Store) RevokeKey(ctx context.Context, id account.ID, keyID uuid.UUID) (err error) {
	defer s.op(&ctx, &err, "postgres.RevokeKey(%s, %s)", id, keyID)()
	tag, err := s.pool.Exec(ctx, `UPDATE api_keys SET is_active = false, revoked_at = $3 WHERE id = $1 AND account_id = $2 AND is_active`, keyID, id, s.now())
	if err == nil && tag.RowsAffected() == 0 {
		err = errKeyNotFound()
	}
	return err
}

// AccountByKeyHash finds the active key with this hash and its account. Fault: NotFound
// "api_key_not_found" when the key is unknown or revoked, or its account deleted.
func (s *Store) AccountByKeyHash(ctx context.Context, hash [32]byte) (a account.Account, k account.Key, err error) {
	defer s.op(&ctx, &err, "postgres.AccountByKeyHash")()
	err = s.pool.QueryRow(ctx, `
		SELECT `+accountColumns+`, `+keyColumns+`
		FROM api_keys k JOIN accounts a ON a.id = k.account_id
		WHERE k.hash = $1 AND k.is_active AND a.deleted_at IS NULL`, hash[:]).Scan(append(accountFields(&a), keyFields(&k)...)...)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errKeyNotFound()
	}
	if err != nil {
		return account.Account{}, account.Key{}, err
	}
	a.CreatedAt = a.CreatedAt.UTC()
	utcKey(&k)
	return a, k, nil
}

// TouchKeys notes when keys were last used. Times never move backwards; unknown keys are ignored.
func (s *Store) TouchKeys(ctx context.Context, used map[uuid.UUID]time.Time) (err error) {
	defer s.op(&ctx, &err, "postgres.TouchKeys(%d)", len(used))()
	ids, times := make([]uuid.UUID, 0, len(used)), make([]time.Time, 0, len(used))
	for id, at := range used {
		ids, times = append(ids, id), append(times, at)
	}
	// Locked in the order of their ids: two nodes that touch the same keys do not block each other for good.
	_, err = s.pool.Exec(ctx, `
		WITH locked AS (SELECT id FROM api_keys WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE)
		UPDATE api_keys k SET last_used_at = greatest(k.last_used_at, u.at)
		FROM locked, unnest($1::uuid[], $2::timestamptz[]) AS u (id, at)
		WHERE k.id = locked.id AND u.id = k.id`, ids, times)
	return err
}

// utc moves t, which may be nil, to UTC.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}
