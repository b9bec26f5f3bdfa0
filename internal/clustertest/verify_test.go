//go:build unix

package clustertest_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/job"
	"github.com/ragify/ragify/internal/postgres/pgtest"
	"github.com/ragify/ragify/internal/queue"
)

// verify wants everything to be in order.
func (c *chaos) verify() {
	c.t.Helper()
	pgtest.CheckBooks(c.t, c.Pool())
	c.checkLedger()
	c.checkAccepted()
	c.sweep()
	c.checkObjects()
	c.checkDownloads()
	var repeated int
	if err := c.Pool().QueryRow(c.t.Context(), `SELECT count(*) FROM river_job WHERE kind = 'convert' AND attempt > 1`).Scan(&repeated); err != nil {
		c.t.Error(err)
	}
	c.say("SUMMARY: %s; %d were tried more than once; the jobs of dead workers started again within %.1f s at most",
		c.counts(c.t.Context()), repeated, c.slowest.Seconds())
	if c.slowest > restartLimit && *chaosTime > 0 {
		c.t.Errorf("that is more than %v", restartLimit)
	}
}

// checkLedger wants each job, deleted ones too, to have one reservation and one end.
func (c *chaos) checkLedger() {
	c.t.Helper()
	var broken int
	err := c.Pool().QueryRow(c.t.Context(), `SELECT count(*) FROM (SELECT job_id FROM page_ledger GROUP BY job_id
		HAVING count(*) FILTER (WHERE kind = 'reserve') <> 1 OR count(*) FILTER (WHERE kind IN ('charge', 'refund')) <> 1) b`).Scan(&broken)
	if err != nil || broken != 0 {
		c.t.Errorf("%d jobs have not exactly one reservation and one charge or refund, %v", broken, err)
	}
	err = c.Pool().QueryRow(c.t.Context(), `SELECT count(*) FROM accounts WHERE active_jobs <> 0`).Scan(&broken)
	if err != nil || broken != 0 {
		c.t.Errorf("%d accounts have slots taken, %v", broken, err)
	}
}

// checkAccepted wants every job that a client knows of to have ended as its document must.
func (c *chaos) checkAccepted() {
	c.t.Helper()
	for id, a := range c.jobs {
		var status, code string
		err := c.Pool().QueryRow(c.t.Context(), `SELECT status, error_code FROM jobs WHERE id = $1`, id).Scan(&status, &code)
		want := "done"
		if a.kind.fails != "" {
			want = "failed"
		}
		switch {
		case a.deleted == gone && err == nil:
			c.t.Errorf("job %s (%s) is still there after its deletion", id, a.kind.name)
		case a.deleted != kept: // or unclear
		case err != nil:
			c.t.Errorf("job %s (%s) is lost: %v", id, a.kind.name, err)
		case status != want || code != a.kind.fails:
			c.t.Errorf("job %s (%s) is %s %q, want %s %q", id, a.kind.name, status, code, want, a.kind.fails)
		}
	}
}

// sweep is the sweep for orphans, as if it ran two hours later.
func (c *chaos) sweep() {
	c.t.Helper()
	q, err := queue.New(queue.Config{
		Pool: c.Pool(), Store: c.Store(), Blobs: c.Blobs(), Webhooks: noWebhooks{}, Engine: idle{}, Workers: 1,
		Now: func() time.Time { return time.Now().Add(2 * time.Hour) }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := q.SweepOrphans(c.t.Context()); err != nil {
		c.t.Error(err)
	}
}

// noWebhooks is for a queue that is not started.
type noWebhooks struct{ queue.Webhooks }

// idle is an engine for a queue that is not started.
type idle struct{}

func (idle) Convert(context.Context, engine.Request, func(int, int)) (engine.Result, error) {
	return engine.Result{}, io.EOF
}

// checkObjects wants no object without a job, and of each job that is done just the upload and its results.
func (c *chaos) checkObjects() {
	c.t.Helper()
	stored := make(map[string]map[string]bool)
	err := c.Blobs().List(c.t.Context(), "", func(key string, _ time.Time) error {
		parts := strings.SplitN(key, "/", 3)
		if len(parts) != 3 || parts[0] != "jobs" {
			c.t.Errorf("a strange object: %s", key)
			return nil
		}
		if stored[parts[1]] == nil {
			stored[parts[1]] = make(map[string]bool)
		}
		stored[parts[1]][parts[2]] = true
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	rows, err := c.Pool().Query(c.t.Context(), `SELECT id, status, coalesce((SELECT array_agg(f ->> 'name') FROM jsonb_array_elements(files) f), '{}') FROM jobs`)
	if err != nil {
		c.t.Fatal(err)
	}
	defer rows.Close()
	left := 0
	for rows.Next() {
		var id uuid.UUID
		var status job.Status
		var names []string
		if err := rows.Scan(&id, &status, &names); err != nil {
			c.t.Fatal(err)
		}
		have := stored[id.String()]
		delete(stored, id.String())
		for _, name := range append(names, "source.pdf") {
			if !have[name] {
				c.t.Errorf("job %s is %s, but its object %s is not there", id, status, name)
			}
			delete(have, name)
		}
		left += len(have)
	}
	if err := rows.Err(); err != nil {
		c.t.Error(err)
	}
	for id, objects := range stored {
		c.t.Errorf("objects without a job: %s %v", id, objects)
	}
	c.say("%d objects of cut-off attempts are left for the expiry of their jobs", left)
}

// checkDownloads downloads all results of the jobs that clients know of: the same PDF gives the same.
func (c *chaos) checkDownloads() {
	c.t.Helper()
	seen := make(results)
	for id, a := range c.jobs {
		if a.deleted != kept || a.kind.fails != "" {
			continue
		}
		client := c.Nodes[0].Client(a.account)
		j, err := client.Job(c.t.Context(), id)
		if err != nil {
			c.t.Errorf("job %s: %v", id, err)
			continue
		}
		if len(j.DownloadURLs) == 0 {
			c.t.Errorf("job %s has nothing to download", id)
		}
		for format, url := range j.DownloadURLs {
			content, err := client.Download(c.t.Context(), url)
			if err != nil {
				c.t.Errorf("job %s, %s: %v", id, format, err)
			}
			seen.check(c.t, a.kind, format, content)
		}
	}
}
