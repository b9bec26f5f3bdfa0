-- Webhooks: an account's default URL, and the log of what was sent. The new column has a constant default, so that no row of
-- accounts is written anew.

ALTER TABLE accounts ADD COLUMN IF NOT EXISTS webhook_url text NOT NULL DEFAULT ''; -- '' for none

-- One row an event. Its body is not here: an ended job gives the same body at any time. Whether an attempt is to come is what
-- the queue knows of its work.
CREATE TABLE IF NOT EXISTS webhook_events (
    id           text PRIMARY KEY,   -- what receivers drop repetitions by
    job_id       uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    type         text NOT NULL,
    url          text NOT NULL,
    river_job_id bigint NOT NULL,    -- the present series of attempts; no foreign key: River prunes its finished jobs
    created_at   timestamptz NOT NULL,
    delivered_at timestamptz,        -- by the present series
    CONSTRAINT webhook_events_id_not_empty CHECK (id <> ''),
    CONSTRAINT webhook_events_url_not_empty CHECK (url <> '')
);

CREATE INDEX IF NOT EXISTS webhook_events_job ON webhook_events (job_id);
CREATE INDEX IF NOT EXISTS webhook_events_oldest ON webhook_events (created_at);

-- One row an attempt. Nothing of the receiver's answer but its status.
CREATE TABLE IF NOT EXISTS webhook_attempts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id    text NOT NULL REFERENCES webhook_events (id) ON DELETE CASCADE,
    started_at  timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    outcome     text NOT NULL,
    http_status integer NOT NULL DEFAULT 0, -- 0 without answer
    CONSTRAINT webhook_attempts_duration_not_negative CHECK (duration_ms >= 0),
    CONSTRAINT webhook_attempts_outcome_not_empty CHECK (outcome <> ''),
    CONSTRAINT webhook_attempts_http_status_in_range CHECK (http_status BETWEEN 0 AND 999)
);

CREATE INDEX IF NOT EXISTS webhook_attempts_event_newest ON webhook_attempts (event_id, id DESC);
