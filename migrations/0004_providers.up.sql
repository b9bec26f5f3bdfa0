-- What Clerk and Lemon Squeezy have told us, and accounts that are being deleted. New columns have no default, so that no
-- row is written anew; new tables start empty.

ALTER TABLE accounts ADD COLUMN IF NOT EXISTS deleted_at timestamptz; -- set: no access any more, its things are being removed

-- The users of Clerk that events or tokens have named. A row with deleted_at stays for good: whatever comes later, late events
-- and tokens that have not run out, the user has no account here again.
CREATE TABLE IF NOT EXISTS clerk_users (
    id         text PRIMARY KEY,
    updated_at timestamptz NOT NULL DEFAULT '-infinity', -- Clerk's time of the newest change applied
    deleted_at timestamptz
);

-- Every event once. Kept for a while: the order of events is kept below and above, for good.
CREATE TABLE IF NOT EXISTS provider_events (
    provider    text NOT NULL,
    id          text NOT NULL, -- the provider's, or the digest of the event where it gives none
    type        text NOT NULL,
    outcome     text NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (provider, id)
);

CREATE INDEX IF NOT EXISTS provider_events_received ON provider_events (received_at);

-- The newest known state of every subscription at Lemon Squeezy.
CREATE TABLE IF NOT EXISTS subscriptions (
    id          text PRIMARY KEY,             -- Lemon Squeezy's
    account_ref text NOT NULL,                -- whose: an account's id or Clerk user; '' when the checkout named none
    variant     bigint NOT NULL,              -- Lemon Squeezy's, of the product
    tier        text NOT NULL,                -- what the variant gives; '' when it is unknown here
    status      text NOT NULL,
    ends_at     timestamptz,                  -- when a cancelled one is over
    updated_at  timestamptz NOT NULL,         -- Lemon Squeezy's time of this state
    CONSTRAINT subscriptions_tier_known CHECK (tier IN ('', 'free', 'pro', 'business')),
    CONSTRAINT subscriptions_status_known CHECK (status IN ('on_trial', 'active', 'past_due', 'cancelled', 'paused', 'unpaid', 'expired'))
);

CREATE INDEX IF NOT EXISTS subscriptions_account ON subscriptions (account_ref);
