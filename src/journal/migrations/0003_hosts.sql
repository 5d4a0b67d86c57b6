-- Hosts that may not run what is live, and releases that bring one host to it.

alter table releases drop constraint releases_goal_check;
alter table releases add constraint releases_goal_check check (goal in ('deploy', 'rollback', 'heal'));

-- The release that was live when this one was planned, which an undo makes live again; 0 when none was.
alter table releases add column live_before integer;

-- A row from when a host was left out of a release, or lost in the middle of one, until it runs what is live.
create table hosts_behind (
  fleet       text not null,
  environment text not null,
  host        text not null,
  -- The first release that it did not take part in to the end.
  since       integer not null,
  why         text not null,
  marked_at   timestamptz not null default now(),
  tries       integer not null default 0,
  tried_at    timestamptz,
  primary key (fleet, environment, host)
);
