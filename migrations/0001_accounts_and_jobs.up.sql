-- The rules for files in this folder are in embed.go.

CREATE TABLE IF NOT EXISTS accounts (
    id          text PRIMARY KEY,
    email       text NOT NULL DEFAULT '',   -- '' when unknown
    clerk_user  text UNIQUE,                -- NULL for accounts made by the operator
    tier        text NOT NULL,
    active_jobs integer NOT NULL DEFAULT 0, -- jobs pending or processing: the concurrency counter
    created_at  timestamptz NOT NULL,
    CONSTRAINT accounts_id_form CHECK (id ~ '^usr_[0-9a-f]{24}$'),
    CONSTRAINT accounts_tier_known CHECK (tier IN ('free', 'pro', 'business')),
    CONSTRAINT accounts_active_jobs_not_negative CHECK (active_jobs >= 0),
    CONSTRAINT accounts_reachable CHECK (clerk_user IS NOT NULL OR email <> ''),
    CONSTRAINT accounts_clerk_user_not_empty CHECK (clerk_user <> '')
);

-- One operator-made account an address. Clerk accounts stay out of it: their address is a claim in a
-- token and must neither take over nor block an account.
CREATE UNIQUE INDEX IF NOT EXISTS accounts_operator_email ON accounts (lower(email)) WHERE clerk_user IS NULL;
CREATE INDEX IF NOT EXISTS accounts_email ON accounts (lower(email));
CREATE INDEX IF NOT EXISTS accounts_created ON accounts (created_at, id);

CREATE TABLE IF NOT EXISTS api_keys (
    id           uuid PRIMARY KEY,
    account_id   text NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name         text NOT NULL,
    prefix       text NOT NULL,          -- "rg_" and the first 8 hex characters
    hash         bytea NOT NULL UNIQUE,  -- SHA-256 of the key; the key itself is nowhere
    is_active    boolean NOT NULL DEFAULT true,
    created_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    CONSTRAINT api_keys_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT api_keys_prefix_form CHECK (prefix ~ '^rg_[0-9a-f]{8}$'),
    CONSTRAINT api_keys_hash_length CHECK (octet_length(hash) = 32),
    CONSTRAINT api_keys_revoked_is_inactive CHECK (is_active = (revoked_at IS NULL))
);

CREATE INDEX IF NOT EXISTS api_keys_account_newest ON api_keys (account_id, created_at DESC, id DESC);

CREATE TABLE IF NOT EXISTS jobs (
    id               uuid PRIMARY KEY,
    account_id       text NOT NULL REFERENCES accounts (id),
    status           text NOT NULL,
    options          json NOT NULL,       -- effective values, never the password; json keeps \u0000, jsonb refuses it
    file_name        text NOT NULL,
    file_size        bigint NOT NULL,     -- bytes
    page_count       integer NOT NULL,    -- pages in the file
    pages_charged    integer NOT NULL,    -- pages selected
    pages_done       integer NOT NULL DEFAULT 0,
    period           date NOT NULL,       -- first day of the month (UTC) whose pages are reserved
    error_code       text NOT NULL DEFAULT '',
    error_message    text NOT NULL DEFAULT '',
    warnings         json NOT NULL DEFAULT '[]',
    files            jsonb NOT NULL DEFAULT '[]',
    webhook_url      text NOT NULL DEFAULT '',
    river_job_id     bigint NOT NULL,     -- no foreign key: River prunes its finished jobs
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    started_at       timestamptz,
    finished_at      timestamptz,
    expires_at       timestamptz NOT NULL,
    files_deleted_at timestamptz,
    CONSTRAINT jobs_status_known CHECK (status IN ('pending', 'processing', 'done', 'failed')),
    CONSTRAINT jobs_file_size_not_negative CHECK (file_size >= 0),
    CONSTRAINT jobs_pages_selected CHECK (pages_charged BETWEEN 1 AND page_count),
    CONSTRAINT jobs_pages_done_in_range CHECK (pages_done BETWEEN 0 AND pages_charged),
    CONSTRAINT jobs_period_is_a_month CHECK (extract(day FROM period) = 1),
    CONSTRAINT jobs_processing_has_started CHECK (status <> 'processing' OR started_at IS NOT NULL),
    CONSTRAINT jobs_ended_has_finished CHECK ((status IN ('done', 'failed')) = (finished_at IS NOT NULL)),
    CONSTRAINT jobs_only_failed_has_error CHECK ((status = 'failed') = (error_code <> '') AND (status = 'failed') = (error_message <> '')),
    CONSTRAINT jobs_only_done_has_files CHECK (status = 'done' OR files = '[]'),
    CONSTRAINT jobs_deleted_files_are_gone CHECK (files_deleted_at IS NULL OR (status IN ('done', 'failed') AND files = '[]'))
);

CREATE INDEX IF NOT EXISTS jobs_account_newest ON jobs (account_id, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS jobs_account_status_newest ON jobs (account_id, status, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS jobs_active ON jobs (river_job_id) WHERE status IN ('pending', 'processing');
CREATE INDEX IF NOT EXISTS jobs_expiring ON jobs (expires_at) WHERE files_deleted_at IS NULL AND status IN ('done', 'failed');

-- The pages of one account in one calendar month: reserved or charged, refunds taken off. A new month
-- has no row yet, so nothing has to be reset.
CREATE TABLE IF NOT EXISTS page_usage (
    account_id text NOT NULL REFERENCES accounts (id),
    period     date NOT NULL,
    pages      integer NOT NULL,
    PRIMARY KEY (account_id, period),
    CONSTRAINT page_usage_not_negative CHECK (pages >= 0),
    CONSTRAINT page_usage_period_is_a_month CHECK (extract(day FROM period) = 1)
);

-- What happened to the pages, job by job. The job's record may be deleted, its entries stay.
CREATE TABLE IF NOT EXISTS page_ledger (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id text NOT NULL REFERENCES accounts (id),
    job_id     uuid NOT NULL,
    kind       text NOT NULL,
    pages      integer NOT NULL,
    period     date NOT NULL, -- the month of the reservation, also for a later charge or refund
    created_at timestamptz NOT NULL,
    CONSTRAINT page_ledger_kind_known CHECK (kind IN ('reserve', 'charge', 'refund')),
    CONSTRAINT page_ledger_pages_positive CHECK (pages > 0),
    CONSTRAINT page_ledger_period_is_a_month CHECK (extract(day FROM period) = 1)
);

-- A job's pages are reserved once and settled once: charged or refunded, never both, never twice.
CREATE UNIQUE INDEX IF NOT EXISTS page_ledger_reserved_once ON page_ledger (job_id) WHERE kind = 'reserve';
CREATE UNIQUE INDEX IF NOT EXISTS page_ledger_settled_once ON page_ledger (job_id) WHERE kind IN ('charge', 'refund');
CREATE INDEX IF NOT EXISTS page_ledger_account_newest ON page_ledger (account_id, id DESC);

CREATE TABLE IF NOT EXISTS idempotency_keys (
    account_id   text NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    key          text NOT NULL,
    -- Deferred: the key is taken first, so that a repetition waits here and takes no slot meanwhile.
    job_id       uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    file_sha256  bytea NOT NULL, -- of the upload as sent
    options_hash bytea NOT NULL,
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (account_id, key),
    CONSTRAINT idempotency_keys_key_length CHECK (char_length(key) BETWEEN 1 AND 255),
    CONSTRAINT idempotency_keys_hash_lengths CHECK (octet_length(file_sha256) = 32 AND octet_length(options_hash) = 32)
);

CREATE INDEX IF NOT EXISTS idempotency_keys_job ON idempotency_keys (job_id);
CREATE INDEX IF NOT EXISTS idempotency_keys_expiring ON idempotency_keys (expires_at);

-- Whoever watches a job hears of every change that a client can see.
CREATE OR REPLACE FUNCTION notify_job_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('ragify_job', OLD.id::text);
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER jobs_notify_update AFTER UPDATE ON jobs FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status OR OLD.pages_done IS DISTINCT FROM NEW.pages_done)
    EXECUTE FUNCTION notify_job_change();

CREATE OR REPLACE TRIGGER jobs_notify_delete AFTER DELETE ON jobs FOR EACH ROW
    EXECUTE FUNCTION notify_job_change();
