DROP TABLE IF EXISTS webhook_attempts;
DROP TABLE IF EXISTS webhook_events;
ALTER TABLE accounts DROP COLUMN IF EXISTS webhook_url;
