-- CreateTable
CREATE TABLE "jobs" (
    "service" TEXT NOT NULL,
    "tick" INTEGER NOT NULL,
    "ran_by" TEXT NOT NULL,
    "also_ran_by" TEXT,
    "runs" INTEGER NOT NULL DEFAULT 1,
    "ran_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "jobs_pkey" PRIMARY KEY ("service","tick")
);

-- CreateTable
CREATE TABLE "job_runners" (
    "id" SERIAL NOT NULL,
    "service" TEXT NOT NULL,
    "runner" TEXT NOT NULL,
    "started_at" TIMESTAMPTZ(6) NOT NULL DEFAULT clock_timestamp(),
    "last_seen" TIMESTAMPTZ(6) NOT NULL DEFAULT clock_timestamp(),
    "stopped_at" TIMESTAMPTZ(6),

    CONSTRAINT "job_runners_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "job_runners_service_idx" ON "job_runners"("service");

-- Two processes of one singleton that were at work at the same time; empty as long as all is well.
-- A process that was killed has no stopped_at: then its last job counts.
CREATE VIEW "job_overlaps" AS
SELECT a.service, a.runner AS first, b.runner AS second,
       b.started_at AS since,
       least(coalesce(a.stopped_at, a.last_seen), coalesce(b.stopped_at, b.last_seen)) AS until
FROM job_runners a
JOIN job_runners b ON b.service = a.service AND b.id > a.id
WHERE b.started_at < coalesce(a.stopped_at, a.last_seen);
