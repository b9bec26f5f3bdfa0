DROP TABLE IF EXISTS subscriptions;
DROP TABLE IF EXISTS provider_events;
DROP TABLE IF EXISTS clerk_users;
ALTER TABLE accounts DROP COLUMN IF EXISTS deleted_at;
