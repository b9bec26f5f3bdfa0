package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Upkeep is what the database knows of the workers of all nodes.
type Upkeep struct {
	// Elected is how long ago the workers elected the one among them that has periodic work done. 0: there are no workers,
	// or the elected one died and they have not noticed yet, which takes them 6 seconds once its election has run out.
	Elected time.Duration
	Rounds  []Round
}

// Round is the last round of a kind of periodic work.
type Round struct {
	Name   string        // "expire" or "orphans", as in the metrics
	Done   time.Duration // how long ago one succeeded; 0: none in the last day
	Failed bool          // the last one did not succeed
	Limit  time.Duration // Done above this means that something is wrong
}

// Late reports whether the round is overdue, workers having been there for elected.
func (r Round) Late(elected time.Duration) bool {
	return r.Done > r.Limit || r.Done == 0 && elected > r.Limit
}

const (
	// lateExpiry is when expiry is late: five rounds were left out.
	lateExpiry = 5 * expiryInterval
	// lateOrphans is when the search for orphans is late: one round was left out, the next is at it for as long as it may.
	lateOrphans = 2*orphanInterval + time.Hour
)

// Examine reads how the workers of all nodes are. It changes nothing, and needs a migrated schema.
func Examine(ctx context.Context, pool *pgxpool.Pool) (u Upkeep, err error) {
	var elected float64 // seconds, as all here, by Postgres's clock
	err = pool.QueryRow(ctx, `
		SELECT coalesce(max(greatest(extract(epoch FROM now() - elected_at), 0.001)), 0)::float8
		FROM river_leader WHERE expires_at > now()`).
		Scan(&elected)
	if err != nil {
		return u, fmt.Errorf("queue.Examine: %w", err)
	}
	u.Elected = time.Duration(elected * float64(time.Second))
	expire, orphans := expireArgs{}.Kind(), orphanArgs{}.Kind()
	rounds := map[string]Round{
		expire:  {Name: "expire", Limit: lateExpiry},
		orphans: {Name: "orphans", Limit: lateOrphans},
	}
	rows, err := pool.Query(ctx, `
		SELECT kind, coalesce(extract(epoch FROM now() - max(finalized_at) FILTER (WHERE state = 'completed')), 0)::float8,
			(array_agg(state ORDER BY finalized_at DESC))[1] <> 'completed'
		FROM river_job WHERE kind IN ($1, $2) AND finalized_at IS NOT NULL GROUP BY kind`, expire, orphans)
	if err != nil {
		return u, fmt.Errorf("queue.Examine: %w", err)
	}
	var kind string
	var done float64
	var failed bool
	_, err = pgx.ForEachRow(rows, []any{&kind, &done, &failed}, func() error {
		r := rounds[kind]
		r.Done, r.Failed = time.Duration(done*float64(time.Second)), failed
		rounds[kind] = r
		return nil
	})
	if err != nil {
		return u, fmt.Errorf("queue.Examine: %w", err)
	}
	u.Rounds = []Round{rounds[expire], rounds[orphans]}
	return u, nil
}
