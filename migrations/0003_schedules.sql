-- Schedules and the record of every time one was due.

create table pgscore_data.schedule (
  schedule_id int generated always as identity primary key,
  owner name not null,
  name text not null check (name <> '' and octet_length(name) <= 200),
  cron text not null,
  time_zone text not null,
  model text not null,
  source text not null,
  arguments jsonb not null,
  overlap text not null check (overlap in ('skip', 'queue')),
  catch_up text not null check (catch_up in ('skip', 'latest', 'all')),
  paused boolean not null default false,
  handle name not null,
  guard_key text not null,
  decided_until timestamptz not null default clock_timestamp(),
  next_fire_at timestamptz,
  error text,
  created_at timestamptz not null default clock_timestamp(),
  unique (owner, name)
);
comment on table pgscore_data.schedule is
  'A run to be submitted again and again, as its owner, by the function `handle` in pgscore_sources.';
comment on column pgscore_data.schedule.decided_until is
  'Every fire time up to here is decided: it has a row in schedule_fire, but for the older ones of a gap of more than a thousand.';
comment on column pgscore_data.schedule.error is
  'Why the schedule can never fire, such as a cron expression that no service understands. Of a fire, the error is in schedule_fire.';

create table pgscore_data.schedule_fire (
  schedule_id int not null references pgscore_data.schedule on delete cascade,
  fire_at timestamptz not null,
  outcome text not null check (outcome in ('submitted', 'skipped', 'missed', 'failed')),
  run_id bigint references pgscore_data.run on delete set null,
  error text,
  decided_at timestamptz not null default clock_timestamp(),
  primary key (schedule_id, fire_at)
);
create index schedule_fire_of_run on pgscore_data.schedule_fire (run_id);
comment on table pgscore_data.schedule_fire is 'What became of each fire time. The primary key is what makes ten services fire once.';
