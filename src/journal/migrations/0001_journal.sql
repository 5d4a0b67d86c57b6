-- What the durable engine itself does not keep: who works, who was lost, and which number hosts obey.

-- One row for each process that may run workflows. A row whose beat is older than its lease belongs to a dead or a
-- paused process; whoever finds it sets `gone`, and from then on that process may begin nothing more.
CREATE TABLE workers (
    id text PRIMARY KEY,
    -- Drawn anew at every start, so that a process never beats for its successor.
    token uuid NOT NULL,
    version text NOT NULL,
    lease interval NOT NULL,
    joined timestamptz NOT NULL DEFAULT clock_timestamp(),
    beat timestamptz NOT NULL DEFAULT clock_timestamp(),
    gone boolean NOT NULL DEFAULT false
);

-- The number that every change of a host carries. It rises when a process joins and when one is declared gone.
CREATE TABLE fence (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    number bigint NOT NULL
);
INSERT INTO fence (number) VALUES (0);

-- At least the clock's milliseconds, so that a database restored from a backup does not hand out a number twice.
CREATE FUNCTION raise_fence() RETURNS bigint LANGUAGE sql BEGIN ATOMIC
    UPDATE fence SET number = greatest(number + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) RETURNING number;
END;

-- The step that each running workflow is in: how often it was begun (a step that keeps killing its worker is given
-- up), and whether work of a cancelled workflow is still under way.
CREATE TABLE attempts (
    workflow text PRIMARY KEY,
    step text NOT NULL,
    tries integer NOT NULL,
    lane text,
    worker text NOT NULL,
    token uuid NOT NULL
);
CREATE INDEX attempts_by_lane ON attempts (lane);
