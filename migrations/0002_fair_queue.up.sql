-- Whose job is next, see internal/postgres/fair.go. Virtual time counts pages. The column of jobs has a constant default,
-- so that no row is written anew, however many there are.

ALTER TABLE accounts ADD COLUMN IF NOT EXISTS queue_finish double precision NOT NULL DEFAULT 0; -- where its last job ends
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS queue_start double precision NOT NULL DEFAULT 0;      -- the job's place

CREATE TABLE IF NOT EXISTS queue_clock (
    only_row     boolean PRIMARY KEY DEFAULT true,
    virtual_time double precision NOT NULL, -- the largest queue_start of the jobs begun so far
    CONSTRAINT queue_clock_one_row CHECK (only_row)
);

INSERT INTO queue_clock (virtual_time) VALUES (0) ON CONFLICT DO NOTHING;
