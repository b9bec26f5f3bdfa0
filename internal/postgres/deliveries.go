package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/job"
)

// minDeliveryLog is the shortest time that deliveries are remembered, however short the retention is: longer than a first
// series of attempts takes.
const minDeliveryLog = 72 * time.Hour

// announce enqueues the webhook of an ended job, if it has one, and opens its entry in the delivery log.
func (s *Store) announce(ctx context.Context, tx pgx.Tx, j job.Job) error {
	a, err := s.ended(ctx, tx, j)
	if err != nil || a.Event == "" {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO webhook_events (id, job_id, type, url, river_job_id, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		a.Event, j.ID, a.Type, j.WebhookURL, a.Work, s.now())
	return err
}

// Deliveries lists the events of a job's webhook, newest first. Fault: NotFound "job_not_found", also for another account's
// job.
func (s *Store) Deliveries(ctx context.Context, acct account.ID, id uuid.UUID) (_ []job.Delivery, err error) {
	defer s.op(&ctx, &err, "postgres.Deliveries(%s)", id)()
	return s.deliveries(ctx, s.pool, acct, id)
}

func (s *Store) deliveries(ctx context.Context, q queryer, acct account.ID, id uuid.UUID) ([]job.Delivery, error) {
	// One statement, so that the states agree with the attempts. Work that River has forgotten is long over.
	rows, err := q.Query(ctx, `
		SELECT e.id, coalesce(e.type, ''), coalesce(e.url, ''), e.created_at,
			CASE WHEN e.delivered_at IS NOT NULL OR q.state = 'completed' THEN 'delivered'
				WHEN q.id IS NOT NULL AND q.finalized_at IS NULL THEN 'pending' ELSE 'failed' END,
			CASE WHEN e.delivered_at IS NULL AND q.finalized_at IS NULL AND q.state <> 'running' THEN q.scheduled_at END,
			(SELECT coalesce(json_agg(json_build_object('at', started_at, 'ms', duration_ms, 'outcome', outcome, 'status', http_status)
				ORDER BY a.id DESC), '[]') FROM webhook_attempts a WHERE a.event_id = e.id)
		FROM jobs j LEFT JOIN webhook_events e ON e.job_id = j.id LEFT JOIN river_job q ON q.id = e.river_job_id
		WHERE j.id = $1 AND j.account_id = $2
		ORDER BY e.created_at DESC, e.id`, id, acct)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found, list := false, []job.Delivery{}
	for rows.Next() {
		found = true
		d, ok, err := scanDelivery(rows)
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, d)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if !found {
		return nil, errJobNotFound()
	}
	return list, nil
}

// scanDelivery reads a row of deliveries; not ok: a job without events.
func scanDelivery(row pgx.Row) (d job.Delivery, ok bool, err error) {
	var event *string
	var created *time.Time
	var attempts []byte
	if err := row.Scan(&event, &d.Type, &d.URL, &created, &d.Status, &d.NextAttemptAt, &attempts); err != nil || event == nil {
		return job.Delivery{}, false, err
	}
	d.Event, d.CreatedAt, d.NextAttemptAt = *event, created.UTC(), utc(d.NextAttemptAt)
	var logged []struct {
		At      time.Time          `json:"at"`
		MS      int64              `json:"ms"`
		Outcome job.AttemptOutcome `json:"outcome"`
		Status  int                `json:"status"`
	}
	if err := json.Unmarshal(attempts, &logged); err != nil {
		return job.Delivery{}, false, err
	}
	d.Attempts = make([]job.Attempt, len(logged))
	for i, a := range logged {
		d.Attempts[i] = job.Attempt{At: a.At.UTC(), Took: time.Duration(a.MS) * time.Millisecond, Outcome: a.Outcome, HTTPStatus: a.Status}
	}
	return d, true, nil
}

func errDeliveryNotFound() error {
	return fault.New(fault.NotFound, "delivery_not_found", "There is no such delivery.")
}

// Redeliver begins a new series of attempts to deliver an event of the account's job: the same event, at once. Attempts that
// were still to come are withdrawn; while one is under way nothing changes. Faults: NotFound "job_not_found" or
// "delivery_not_found".
func (s *Store) Redeliver(ctx context.Context, acct account.ID, id uuid.UUID, event string) (d job.Delivery, err error) {
	defer s.op(&ctx, &err, "postgres.Redeliver(%s)", id)()
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		// The lock makes redeliveries of a job queue up; a deletion takes it, too.
		r, err := s.scanRecord(tx.QueryRow(ctx, `SELECT `+jobColumns+` FROM jobs j WHERE id = $1 AND account_id = $2 FOR NO KEY UPDATE`, id, acct))
		if err != nil {
			return err
		}
		var work int64
		var state *string // nil: River has forgotten it
		err = tx.QueryRow(ctx, `
			SELECT e.river_job_id, q.state::text FROM webhook_events e LEFT JOIN river_job q ON q.id = e.river_job_id
			WHERE e.id = $1 AND e.job_id = $2`, cleanText(event), id).Scan(&work, &state)
		if errors.Is(err, pgx.ErrNoRows) {
			return errDeliveryNotFound()
		}
		if err != nil {
			return err
		}
		if state == nil || *state != "running" {
			if err := s.announceAgain(ctx, tx, r.Job, event, work, state != nil); err != nil {
				return err
			}
		}
		list, err := s.deliveries(ctx, tx, acct, id)
		if err != nil {
			return err
		}
		for _, d = range list {
			if d.Event == event {
				return nil
			}
		}
		return errDeliveryNotFound()
	})
	return d, err
}

// announceAgain replaces the work of an event, which the queue knows or has forgotten. Work that a worker has just taken stays.
func (s *Store) announceAgain(ctx context.Context, tx pgx.Tx, j job.Job, event string, work int64, known bool) error {
	if known {
		// Removed, not only cancelled: redeliveries that are asked for in a loop must not fill the queue's table.
		tag, err := tx.Exec(ctx, `DELETE FROM river_job WHERE id = $1 AND state <> 'running'`, work)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
	}
	a, err := s.ended(ctx, tx, j)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE webhook_events SET river_job_id = $2, delivered_at = NULL WHERE id = $1`, event, a.Work)
	return err
}

// withdrawDeliveries removes up to eraseBatch pieces of the queue's work whose event has what match says, the finished ones
// too, and tells whether there may be more. Work that is running stays without its event, and so is not tried again.
func withdrawDeliveries(ctx context.Context, tx pgx.Tx, match map[string]any) (more bool, err error) {
	// The containment is what River's index of the arguments answers.
	err = tx.QueryRow(ctx, `
		WITH batch AS (
			SELECT id, state FROM river_job WHERE kind = 'webhook' AND args @> jsonb_build_object('event', $1::jsonb) LIMIT $2 FOR UPDATE
		), removed AS (
			DELETE FROM river_job r USING batch b WHERE r.id = b.id AND b.state <> 'running'
		), emptied AS (
			UPDATE river_job r SET args = '{"event": {}}' FROM batch b WHERE r.id = b.id AND b.state = 'running'
		)
		SELECT EXISTS (SELECT FROM batch)`, match, eraseBatch).Scan(&more)
	return more, err
}

// DeliveryWanted tells whether the work may still deliver the event of a job: not when the job was deleted, or a redelivery
// has taken its place.
func (s *Store) DeliveryWanted(ctx context.Context, id uuid.UUID, event string, work int64) (wanted bool, err error) {
	defer s.op(&ctx, &err, "postgres.DeliveryWanted(%s)", id)()
	// Without its entry in the log (one that was purged, or a version that kept none) an event counts as wanted.
	err = s.pool.QueryRow(ctx, `
		SELECT coalesce(e.river_job_id = $3, true)
		FROM jobs j LEFT JOIN webhook_events e ON e.job_id = j.id AND e.id = $2 WHERE j.id = $1`, id, event, work).Scan(&wanted)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return wanted, err
}

// LogAttempt notes how an attempt to deliver an event went. The log keeps the newest job.MaxAttemptsLogged; an event that is
// gone from it is ignored.
func (s *Store) LogAttempt(ctx context.Context, event string, a job.Attempt) (err error) {
	defer s.op(&ctx, &err, "postgres.LogAttempt(%s)", event)()
	_, err = s.pool.Exec(ctx, `
		WITH event AS (
			UPDATE webhook_events SET delivered_at = CASE WHEN $4 = 'delivered' THEN $7 ELSE delivered_at END WHERE id = $1 RETURNING id
		), oldest AS (
			DELETE FROM webhook_attempts WHERE event_id = $1 AND id <= (
				SELECT id FROM webhook_attempts WHERE event_id = $1 ORDER BY id DESC OFFSET $6::int - 1 LIMIT 1)
		)
		INSERT INTO webhook_attempts (event_id, started_at, duration_ms, outcome, http_status) SELECT id, $2, $3, $4, $5 FROM event`,
		event, a.At, max(a.Took.Milliseconds(), 0), a.Outcome, a.HTTPStatus, job.MaxAttemptsLogged, a.At.Add(a.Took))
	return err
}

// PurgeDeliveries forgets deliveries that are older than files are kept, but at least three days, and returns their number.
func (s *Store) PurgeDeliveries(ctx context.Context) (purged int64, err error) {
	defer s.op(&ctx, &err, "postgres.PurgeDeliveries")()
	tag, err := s.pool.Exec(ctx, `DELETE FROM webhook_events WHERE created_at <= $1`, s.now().Add(-max(s.retention, minDeliveryLog)))
	return tag.RowsAffected(), err
}

// SetWebhookURL sets where webhooks of the account's later jobs go that name no URL themselves; "" for nowhere. Fault:
// NotFound "account_not_found".
func (s *Store) SetWebhookURL(ctx context.Context, id account.ID, url string) (err error) {
	defer s.op(&ctx, &err, "postgres.SetWebhookURL(%s)", id)()
	tag, err := s.pool.Exec(ctx, `UPDATE accounts SET webhook_url = $2 WHERE id = $1 AND deleted_at IS NULL`, id, url)
	if err == nil && tag.RowsAffected() == 0 {
		err = errAccountNotFound()
	}
	return err
}
