-- Read handles, prediction targets, runs and their shards.

create table pgscore_data.service (
  service_id uuid primary key,
  host text not null,
  pid int not null,
  version text not null,
  scorers int not null,
  has_webhook boolean not null default false,
  state text not null check (state in ('running', 'draining', 'paused', 'stopped')),
  started_at timestamptz not null default clock_timestamp(),
  heartbeat_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);
comment on table pgscore_data.service is 'The running services. Identity is a UUID a process, never a host name.';
comment on column pgscore_data.service.has_webhook is 'Whether it sends alerts to a webhook.';

create table pgscore_data.handle (
  handle_id bigint generated always as identity primary key,
  owner name not null,
  name name not null unique,
  kind text not null check (kind in ('view', 'function')),
  digest text not null,
  guard_key text not null,
  created_at timestamptz not null default clock_timestamp()
);
comment on table pgscore_data.handle is
  'A view or function in pgscore_sources, owned by a requester, through which the service reads her source. It answers only a session that '
  'knows the guard key.';
create index handle_of_owner on pgscore_data.handle (owner, digest);

create table pgscore_data.target (
  target_id int generated always as identity primary key,
  owner name not null,
  view_schema name not null,
  view_name name not null,
  task text not null check (task in ('binary', 'multiclass', 'regression', 'multi_target', 'multilabel', 'quantiles', 'embedding')),
  class_labels text[] not null,
  key_columns jsonb not null,
  value_columns text[],
  score_unit text,
  current_generation int not null default 1,
  current_snapshot_at timestamptz,
  current_rows bigint not null default 0,
  hashed_as text,
  next_generation int not null default 2,
  keep_history interval check (keep_history >= interval '0'),
  is_replay boolean not null default false,
  created_at timestamptz not null default clock_timestamp(),
  unique (view_schema, view_name)
);
comment on table pgscore_data.target is
  'A managed place for predictions: its storage is pgscore_predictions.target_<id>, partitioned by generation.';
comment on column pgscore_data.target.class_labels is 'The labels of a classifier, or the names of the values of a row.';
comment on column pgscore_data.target.value_columns is
  'One column a class up to 20 classes, or the columns of several values; NULL where the probabilities are one jsonb column, or where '
  'there are none.';
comment on column pgscore_data.target.score_unit is
  'As in execution: predictions whose scores mean other things have targets of their own.';
comment on column pgscore_data.target.current_generation is
  'The generation that the latest view shows. Publishing a run is an update of this row.';
comment on column pgscore_data.target.hashed_as is
  'Digest of the version and columns that pgscore_hash of the latest predictions was made for by a run; NULL: by none.';
comment on column pgscore_data.target.keep_history is
  'How long the history shows predictions of runs; NULL: 400 days, and of large runs the newest 40.';
comment on column pgscore_data.target.is_replay is 'Whether it holds the predictions of replays, and no others.';

create table pgscore_data.generation (
  target_id int not null references pgscore_data.target on delete cascade,
  generation int not null,
  run_id bigint,
  attempt int,
  state text not null check (state in ('loading', 'published', 'retired', 'discarded')),
  retired_xid xid8,
  created_at timestamptz not null default clock_timestamp(),
  primary key (target_id, generation)
);
comment on table pgscore_data.generation is 
  'A partition of a target: 0 holds superseded rows, 1 is made with the target, later ones for large runs and watches. '
  'A small run replaces the rows of the current generation.';
comment on column pgscore_data.generation.retired_xid is
  'The transaction that took it out of the history; snapshots from before that still see it.';

create table pgscore_data.known_plan (
  plan_id bigint generated always as identity primary key,
  owner name not null,
  plan_digest text,
  version_id int not null references pgscore_data.version on delete cascade,
  target_id int not null references pgscore_data.target on delete cascade,
  handle_id bigint not null references pgscore_data.handle on delete cascade,
  plan jsonb not null
);
comment on table pgscore_data.known_plan is
  'What a request for a small table came to: it is planned and checked once, and again where the request, or the table as the catalogue '
  'has it, is another. A plan never changes, since runs wait that read by it; it goes with its read handle.';
comment on column pgscore_data.known_plan.plan_digest is
  'Digest of the request and of what the catalogue says of the source; NULL once a run failed by it: then the request is planned anew.';
-- Not unique: who asks first would wait for another who asked in a transaction that is still open. The newest counts.
create index known_plan_of_digest on pgscore_data.known_plan (owner, plan_digest, plan_id);
create index known_plan_of_version on pgscore_data.known_plan (version_id);
create index known_plan_of_target on pgscore_data.known_plan (target_id);
create index known_plan_of_handle on pgscore_data.known_plan (handle_id);

create table pgscore_data.run (
  run_id bigint generated always as identity primary key,
  requested_by name not null,
  requested_at timestamptz not null default clock_timestamp(),
  submitted_xid xid8 not null default pg_current_xact_id(),
  schedule_id int,
  fire_at timestamptz,
  version_id int not null references pgscore_data.version,
  target_id int references pgscore_data.target on delete set null,
  source_schema name not null,
  source_name name not null,
  source_kind text not null check (source_kind in ('ctid', 'distributed', 'stream')),
  pages bigint,
  handle_id bigint references pgscore_data.handle on delete set null,
  plan jsonb,
  plan_id bigint,
  rls text not null check (rls in ('error', 'filter')),
  segments text[],
  publish boolean,
  error_limit bigint,
  only_changed boolean not null default false,
  state text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
  phase text check (phase in ('reading', 'scoring', 'publishing')),
  attempt int not null default 0,
  handed_back int not null default 0,
  claimed_by uuid,
  lease_until timestamptz,
  snapshot_at timestamptz,
  snapshot_id text,
  shards_read_by text check (shards_read_by in ('nodes', 'coordinator')),
  generation int,
  rows_expected bigint,
  rows_done bigint not null default 0,
  rows_failed bigint not null default 0,
  rows_unchanged bigint,
  cpu_seconds float8 not null default 0,
  started_at timestamptz,
  finished_at timestamptz,
  published boolean,
  error_code text,
  error text,
  remedy text,
  counted boolean not null default false,
  kept boolean not null default false,
  watch_id int,
  keys text[],
  oldest_change_at timestamptz,
  experiment_id int,
  arms jsonb,
  arm_of bigint,
  arm_error text,
  rows_without_key bigint,
  is_replay boolean not null default false,
  check (state <> 'failed' or error is not null),
  check (not is_replay or publish is false and counted and kept and num_nonnulls(segments, experiment_id) = 0)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500);
comment on table pgscore_data.run is 'One request to score a source, from submission to its end.';
comment on column pgscore_data.run.pages is 'Pages of the source when the run was submitted.';
comment on column pgscore_data.run.plan is 'How the source is read, where that is not kept for other runs too.';
comment on column pgscore_data.run.plan_id is
  'How the source is read, where that is known from an earlier run. An open run keeps the plan; afterwards it may be gone: a reference '
  'would have every past run written anew then.';
comment on column pgscore_data.run.segments is
  'What the monitor''s segments were when the run was submitted: its predictions hold a value for each. NULL: none.';
comment on column pgscore_data.run.only_changed is
  'Whether rows that are as they were keep their predictions, where the target has hashes to tell.';
comment on column pgscore_data.run.rows_unchanged is 'Rows that were as they were, and were not scored; NULL: all were to be scored.';
comment on column pgscore_data.run.attempt is
  'Fence: it goes up with every claim and never down, so that nothing an earlier holder does can count.';
comment on column pgscore_data.run.handed_back is
  'Claims that came to nothing because the service was stopped or could not connect; they do not count as tries.';
comment on column pgscore_data.run.lease_until is
  'Of a running run: how long its service may be silent. Of a queued one: not to be claimed before.';
comment on column pgscore_data.run.snapshot_id is 'The exported snapshot under which its shards are read.';
comment on column pgscore_data.run.shards_read_by is 'Who reads the shards of a distributed source.';
comment on column pgscore_data.run.counted is 'Whether a refresh counted its predictions.';
comment on column pgscore_data.run.kept is 
  'Whether its predictions are kept for labels, and those whose labels were known before the run are paired.';
comment on column pgscore_data.run.watch_id is 'The watch that it scores changed rows for; NULL: it scores a whole source.';
comment on column pgscore_data.run.keys is
  'The keys of the rows that it is to score, as texts, while it is open. A key of several columns is the text of an array.';
comment on column pgscore_data.run.oldest_change_at is 'When the oldest change among them was captured.';
comment on column pgscore_data.run.experiment_id is 'The experiment of its model that splits its rows.';
comment on column pgscore_data.run.arms is
  'Which versions score which buckets, and the runs that their rows belong to, as it was when the run was claimed; of the run of a shadow '
  'the buckets that it scores. NULL: its version scores all rows.';
comment on column pgscore_data.run.arm_of is
  'The run that it is a part of: the rows of an arm of an experiment, or those that a shadow scored beside it.';
comment on column pgscore_data.run.arm_error is 'Why its version scores all rows, though there is an experiment.';
comment on column pgscore_data.run.rows_without_key is
  'Rows that its version scored because a column that the experiment splits by was NULL.';
comment on column pgscore_data.run.is_replay is
  'Whether it replays the past. It counts as counted and kept from the start, so that no refresh takes it.';
create index run_of_watch on pgscore_data.run (watch_id, run_id) where watch_id is not null;
create index run_asked_for on pgscore_data.run (run_id) where watch_id is null;
create index run_with_keys on pgscore_data.run (watch_id) where keys is not null;
create index run_queued on pgscore_data.run (run_id) where state = 'queued';
create index run_running on pgscore_data.run (lease_until) where state = 'running';
create unique index run_of_schedule on pgscore_data.run (schedule_id, fire_at) where schedule_id is not null;
create index run_of_requester on pgscore_data.run (requested_by, run_id);
create index run_of_version on pgscore_data.run (version_id, finished_at) where state = 'done' and not is_replay;
create index run_of_target on pgscore_data.run (target_id, version_id) where state = 'done';
create index run_uncounted on pgscore_data.run (run_id) where state = 'done' and not counted;
create index run_of_run on pgscore_data.run (arm_of) where arm_of is not null;
create index run_unkept on pgscore_data.run (snapshot_at) where state = 'done' and not kept;

create table pgscore_data.cancellation (
  run_id bigint not null,
  requested_by name not null,
  requested_at timestamptz not null default clock_timestamp()
);
comment on table pgscore_data.cancellation is
  'Who asked for which run to be stopped; rows are only ever added. Neither key nor reference, which would lock what others need for as '
  'long as the transaction that asks stays open.';
create index cancellation_of_run on pgscore_data.cancellation (run_id);

create table pgscore_data.shard (
  run_id bigint not null references pgscore_data.run on delete cascade,
  attempt int not null,
  shard int not null,
  block_from bigint,
  block_to bigint,
  state text not null default 'queued' check (state in ('queued', 'running', 'done')),
  fence int not null default 0,
  handed_back int not null default 0,
  claimed_by uuid,
  lease_until timestamptz,
  rows_done bigint not null default 0,
  rows_failed bigint not null default 0,
  cpu_seconds float8 not null default 0,
  error text,
  primary key (run_id, attempt, shard)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500);
comment on table pgscore_data.shard is
  'A part of a run: the blocks [block_from, block_to) of the source, read under the run''s snapshot. The fence goes up with every claim; '
  'only the holder of the newest may commit.';
create index shard_open on pgscore_data.shard (run_id, attempt, shard) where state <> 'done';

create table pgscore_data.run_error (
  run_id bigint not null references pgscore_data.run on delete cascade,
  attempt int not null,
  shard int not null,
  key jsonb not null,
  code text not null,
  reason text not null,
  feature text,
  input jsonb
);
comment on table pgscore_data.run_error is 'The rows of a run that could not be scored, and why.';
create index run_error_of_run on pgscore_data.run_error (run_id, attempt, shard);

create table pgscore_data.arm_tally (
  run_id bigint not null,
  attempt int not null,
  shard int not null,
  arm_run_id bigint,
  rows_done bigint not null,
  rows_failed bigint not null
);
comment on table pgscore_data.arm_tally is
  'Rows of a job that each arm of an experiment scored, until the run is done; arm_run_id is the run of the arm, NULL of rows without a '
  'key.';
create index arm_tally_of_run on pgscore_data.arm_tally (run_id, attempt);
alter table pgscore_data.arm_tally replica identity full;
