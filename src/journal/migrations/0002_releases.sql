-- Releases of every environment, what happened in them, and who may change an environment's hosts.

create table fleets (
  name        text primary key,
  repository  text not null,
  created_at  timestamptz not null default now()
);

create table releases (
  fleet         text not null references fleets (name),
  environment   text not null,
  number        integer not null check (number > 0),
  goal          text not null check (goal in ('deploy', 'rollback')),
  phase         text not null,
  outcome       text,
  live          boolean not null default false,
  actor         text not null,
  reason        text,
  -- The order as it was given; its repository is copied out for listing.
  demand        jsonb not null,
  repository    text not null,
  expected_plan text,
  branch        text,
  commit_id     text,
  subject       text,
  -- Of a rollback: the release whose versions are wanted.
  target        integer,
  requested_at  timestamptz not null default now(),
  started_at    timestamptz,
  switched_at   timestamptz,
  ended_at      timestamptz,
  -- The manifest at the commit as this environment has it, every default filled in.
  blueprint     jsonb,
  plan          jsonb,
  -- What the hosts reported when the plan was made: the way back.
  before        jsonb,
  members       jsonb,
  problems      jsonb not null default '[]',
  traffic       jsonb,
  deviations    jsonb not null default '[]',
  cancelled_by  text,
  -- The process that works on it, to tell a resumption from a continuation.
  worker        text,
  primary key (fleet, environment, number)
);

-- One live release per environment, whatever a crash leaves behind.
create unique index releases_live on releases (fleet, environment) where live;
create index releases_open on releases (fleet, environment) where outcome is null;

create table release_events (
  id          bigint generated always as identity primary key,
  fleet       text not null,
  environment text not null,
  number      integer not null,
  at          timestamptz not null default clock_timestamp(),
  body        jsonb not null,
  foreign key (fleet, environment, number) references releases on delete cascade
);

create index release_events_of on release_events (fleet, environment, number, id);

create function announce_release_event() returns trigger language plpgsql as $$
begin
  perform pg_notify('release_events', new.fleet || '/' || new.environment || '/' || new.number);
  return null;
end $$;

create trigger release_events_announced after insert on release_events
  for each row execute function announce_release_event();

-- The right to change an environment's hosts. `number` is what hosts compare: it only grows, and whoever takes the
-- permit, or takes the work over from a dead process (`epoch`), gets a higher one.
-- At least the clock's milliseconds, so that a database restored from a backup does not hand out a number twice.
create function next_permit(last bigint) returns bigint language sql as $$
  select greatest(last + 1, (extract(epoch from clock_timestamp()) * 1000)::bigint)
$$;

create table permits (
  fleet       text not null,
  environment text not null,
  holder      text not null,
  number      bigint not null,
  epoch       bigint not null,
  taken_at    timestamptz not null default now(),
  primary key (fleet, environment)
);

-- Values that Drover makes for itself once, such as the key that fingerprints secrets.
create table settings (
  name  text primary key,
  value text not null
);
