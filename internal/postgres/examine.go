package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Server is what an operator should know about the Postgres behind a pool.
type Server struct {
	Version        string        // as the server says it, "17.2"
	VersionNumber  int           // 170002
	Standby        bool          // it takes no writes
	CreatesTables  bool          // we may, which migrations need
	MaxConnections int           // of the whole server
	Connections    int           // open at the moment, by anybody
	Ahead          time.Duration // its clock less ours, give or take half of Distance
	Distance       time.Duration // one statement there and back
}

// Examine reads what pool's server is. It changes nothing.
func Examine(ctx context.Context, pool *pgxpool.Pool) (s Server, err error) {
	defer op(&err, "postgres.Examine")
	err = pool.QueryRow(ctx, `
		SELECT current_setting('server_version'), current_setting('server_version_num')::int, pg_is_in_recovery(),
			coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), current_setting('max_connections')::int,
			(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')`).
		Scan(&s.Version, &s.VersionNumber, &s.Standby, &s.CreatesTables, &s.MaxConnections, &s.Connections)
	if err != nil {
		return s, err
	}
	var theirs time.Time
	before := time.Now()
	if err := pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&theirs); err != nil {
		return s, err
	}
	s.Distance = time.Since(before)
	s.Ahead = theirs.Sub(before.Add(s.Distance / 2))
	return s, nil
}

// TrySessions checks what needs a session of one's own: advisory locks, by which nodes know each other
// dead, and LISTEN, by which they hear of each other's work. A pooler between us and Postgres that
// shares sessions between transactions breaks both.
func TrySessions(ctx context.Context, pool *pgxpool.Pool) (err error) {
	defer op(&err, "postgres.TrySessions")
	const channel = "ragify_doctor"
	one, err := dedicated(ctx, pool)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, one.Close(context.WithoutCancel(ctx))) }()
	two, err := dedicated(ctx, pool)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, two.Close(context.WithoutCancel(ctx))) }()

	key := time.Now().UnixNano() // nobody else's
	var held, again bool
	if err := one.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", key).Scan(&held); err != nil {
		return err
	}
	if err := two.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", key).Scan(&again); err != nil {
		return err
	}
	if !held || again {
		return errors.New("a lock that one session holds was given to another")
	}
	if _, err := one.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	if _, err := two.Exec(ctx, "SELECT pg_notify($1, $2)", channel, fmt.Sprint(key)); err != nil {
		return err
	}
	for {
		n, err := one.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("a notification did not arrive: %w", err)
		}
		if n.Payload == fmt.Sprint(key) {
			return nil
		}
	}
}

// Backlog is how the work stands.
type Backlog struct {
	Waiting    int           // jobs
	Running    int           // jobs
	Oldest     time.Duration // how long the job that has waited longest has, 0 for none
	LongestRun time.Duration // how long ago the oldest running job changed last, 0 for none
}

// BacklogOf counts the jobs that have not ended, over all accounts. It needs a migrated schema.
func BacklogOf(ctx context.Context, pool *pgxpool.Pool) (b Backlog, err error) {
	defer op(&err, "postgres.BacklogOf")
	var oldest, longest float64 // seconds
	err = pool.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'processing'),
			coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE status = 'pending')), 0)::float8,
			coalesce(extract(epoch FROM now() - min(updated_at) FILTER (WHERE status = 'processing')), 0)::float8
		FROM jobs WHERE status IN ('pending', 'processing')`).Scan(&b.Waiting, &b.Running, &oldest, &longest)
	b.Oldest, b.LongestRun = max(0, seconds(oldest)), max(0, seconds(longest))
	return b, err
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
