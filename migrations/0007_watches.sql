-- Watches: sources whose rows are scored as they change.

create table pgscore_data.watch (
  watch_id int generated always as identity primary key,
  owner name not null,
  model_id int not null references pgscore_data.model on delete cascade,
  alias text,
  version_number int,
  target_id int not null references pgscore_data.target on delete cascade,
  generation int,
  source text not null,
  arguments jsonb not null,
  tables jsonb not null default '[]',
  capture text not null check (capture in ('triggers', 'poll')),
  poll_every interval not null,
  rescore_every interval,
  on_promote text not null check (on_promote in ('rescore', 'keep')),
  keep_history interval,
  notify name,
  paused boolean not null default false,
  handle name not null,
  guard_key text not null,
  version_id int,
  plan_id bigint references pgscore_data.known_plan on delete set null,
  scan_handle_id bigint references pgscore_data.handle on delete set null,
  shape text,
  rows_scored bigint not null default 0,
  rows_unchanged bigint not null default 0,
  compare_after timestamptz default clock_timestamp(),
  compare_until xid8,
  compared_at timestamptz,
  rows_compared bigint,
  is_complete boolean not null default false,
  busy_until timestamptz,
  busy_pid int,
  tried_at timestamptz,
  claimed_at timestamptz,
  prune_after timestamptz,
  pruned_run bigint,
  failures int not null default 0,
  retry_at timestamptz,
  error_code text,
  error text,
  remedy text,
  created_at timestamptz not null default clock_timestamp(),
  check ((alias is null) <> (version_number is null)),
  unique nulls not distinct (target_id, model_id, alias, version_number)
) with (fillfactor = 50);
comment on table pgscore_data.watch is 'A source that is followed: rows that change are scored into a target of its own.';
create unique index watch_of_latest on pgscore_data.watch (target_id) where generation is null;
comment on column pgscore_data.watch.generation is
  'Of a challenger''s watch the generation of the target that has its newest predictions, which the history alone shows. NULL: it keeps '
  'the current one, which the latest view shows.';
comment on column pgscore_data.watch.alias is
  'The alias whose version scores; champion for a bare model name. NULL where a version is named.';
comment on column pgscore_data.watch.arguments is 'What a plan is made of: key, event_time, column_map, rls, time_zone.';
comment on column pgscore_data.watch.tables is 'The tables whose triggers queue changes, with the columns that hold the key.';
comment on column pgscore_data.watch.handle is 'Function of the owner in pgscore_sources by which the service plans the watch again.';
comment on column pgscore_data.watch.version_id is 'The version that the plan was made for.';
comment on column pgscore_data.watch.plan_id is 'How rows are read by their keys; NULL until it is planned.';
comment on column pgscore_data.watch.scan_handle_id is 'How the keys of the whole source are read, with a hash of each row.';
comment on column pgscore_data.watch.shape is 'Digest of what the catalogue said of source and tables when the plan was made.';
comment on column pgscore_data.watch.compare_after is 'When the whole source is to be compared next.';
comment on column pgscore_data.watch.compare_until is
  'The source is compared again until every transaction before this one has ended: it may have left out a change, as the watch was to be '
  'compared anyway.';
comment on column pgscore_data.watch.is_complete is
  'Whether the source was once compared whole, so that no row of before the watch is left.';
comment on column pgscore_data.watch.busy_until is 'How long a service has its planning or comparison in hand, if its session lives.';
comment on column pgscore_data.watch.busy_pid is 'That session, which looked what is due.';
comment on column pgscore_data.watch.tried_at is
  'When a service last took it in hand to plan or compare it: who waits longest comes first.';
comment on column pgscore_data.watch.claimed_at is 'When its keys were last claimed, for the same reason.';
comment on column pgscore_data.watch.prune_after is 'When its runs are looked through next for what is kept no longer.';
comment on column pgscore_data.watch.pruned_run is 'Up to which run that was done; NULL: it begins with the first.';
comment on column pgscore_data.watch.failures is 'How often it failed, each time within an hour of the last: its pauses get longer.';
comment on column pgscore_data.watch.retry_at is 'After a failure: not to be tried before.';

create table pgscore_data.watch_change (
  watch_id int not null,
  keys text[] not null,
  is_backlog boolean not null default false,
  captured_at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_insert_scale_factor = 0.0);
alter table pgscore_data.watch_change replica identity full;
-- In the table itself, whose size bounds the queue.
alter table pgscore_data.watch_change alter keys set storage main;
comment on table pgscore_data.watch_change is
  'Keys of rows that changed and are to be scored, up to a hundred a row. Writers add to it in their own transactions: it has neither '
  'key nor index.';
comment on column pgscore_data.watch_change.is_backlog is 'Whether a comparison found them: rows that change just now go first.';

create table pgscore_data.watch_to_compare (watch_id int not null);
alter table pgscore_data.watch_to_compare replica identity full;
comment on table pgscore_data.watch_to_compare is
  'Watches whose whole source is to be compared: after a TRUNCATE, or since the queue is full.';

create unlogged table pgscore_data.seen_row (
  watch_id int not null,
  key text collate "C" not null,
  hash bigint,
  split_key text
);
alter table pgscore_data.seen_row replica identity full;
comment on table pgscore_data.seen_row is
  'The keys of a source as they were just read, with a hash of each row, to be compared with its target.';
comment on column pgscore_data.seen_row.split_key is 'What the experiment of the model splits by.';
