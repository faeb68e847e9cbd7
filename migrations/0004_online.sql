-- Calls of score(): where they are answered, and what is kept of them.

create table pgscore_data.gateway (
  service_id uuid primary key references pgscore_data.service on delete cascade,
  host text not null,
  port int not null,
  tls boolean not null,
  socket_folder text,
  socket_owner text,
  login text not null,
  password text not null,
  since timestamptz not null default clock_timestamp()
);
comment on table pgscore_data.gateway is
  'Where the services that are alive answer score(), and the password that each made for it when it started.';
comment on column pgscore_data.gateway.socket_folder is 'Where its socket .s.PGSQL.<port> is, on its own machine; NULL: it has none.';
comment on column pgscore_data.gateway.socket_owner is 'The user of its machine whose socket it must be.';

create table pgscore_data.signing_keys (
  singleton boolean primary key default true check (singleton),
  inner_key bytea not null default
    sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    || sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())),
  outer_key bytea not null default
    sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    || sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
);
comment on table pgscore_data.signing_keys is
  'What requests to the service are signed with where dblink stands in an open schema: two blocks of SHA-256.';
insert into pgscore_data.signing_keys default values;

create table pgscore_data.call_log (
  model_id int primary key references pgscore_data.model,
  sampling double precision not null default 1 check (sampling between 0 and 1),
  inputs boolean not null default true,
  key name[],
  event_time name
);
comment on table pgscore_data.call_log is
  'Which share of its online predictions a model keeps, and whether with their inputs; no row means all, with inputs.';
comment on column pgscore_data.call_log.key is
  'Columns of the rows of calls that identify an entity, where they are called otherwise than those of the labels; NULL: they are not.';
comment on column pgscore_data.call_log.event_time is
  'The column of the rows of calls that says what time a prediction is for; NULL: the moment of the call.';

-- Each number is drawn with those of the 999 that may follow it in a block, so that no two predictions have the same.
create sequence pgscore_data.online_prediction_id increment by 1000;

create table pgscore_data.online_block (
  prediction_id bigint primary key default nextval('pgscore_data.online_prediction_id'),
  n_predictions int not null check (n_predictions between 0 and 1000),
  version_id int not null,
  requested_by name not null,
  request_id text,
  asked_at timestamptz not null,
  duration_ms real not null,
  later_ms int[],
  durations real[],
  keys text[] collate "C",
  event_times timestamptz[],
  features double precision[],
  reals real[],
  inputs jsonb,
  scores double precision[],
  labels int[],
  probabilities double precision[],
  error text,
  is_shadow boolean not null default false,
  written_by xid8 not null default pg_current_xact_id(),
  check ((error is null) = (scores is not null) and (error is null) = (n_predictions > 0))
);
comment on table pgscore_data.online_block is
  'Predictions that a gateway gave, up to 1000 in a row, of one call or of several that have all else in common; and calls that failed. '
  'The share of them that the model keeps; also those whose transaction rolled back; and what shadows say of them.';
comment on column pgscore_data.online_block.prediction_id is
  'Number of the first of them; those of the others follow it.';
comment on column pgscore_data.online_block.asked_at is 'When the call was asked; of several, asked within 10 ms, the first.';
comment on column pgscore_data.online_block.duration_ms is 'Milliseconds until the call was answered; of several the longest.';
comment on column pgscore_data.online_block.later_ms is
  'Of several calls, milliseconds after asked_at at which the one of each prediction was asked; NULL of one call.';
comment on column pgscore_data.online_block.durations is
  'Of several calls, milliseconds until the one of each prediction was answered; NULL of one call.';
comment on column pgscore_data.online_block.keys is
  'An array for each prediction: what it is of, as labels spell it; of NULL where the row did not say. NULL: no row did.';
comment on column pgscore_data.online_block.event_times is
  'Of each prediction the time that its row says it is for; NULL where the row does not say. NULL: no row does.';
comment on column pgscore_data.online_block.features is
  'What was given, an array for each prediction, in the order of the features of the version, where all of it is numbers or NULL.';
comment on column pgscore_data.online_block.reals is 'The same as features, where all of them were given as real.';
comment on column pgscore_data.online_block.inputs is
  'What else was given: a list with an object for each prediction, or null where it is not kept.';
comment on column pgscore_data.online_block.scores is 'Of each prediction; NULL where the model gives labels only.';
comment on column pgscore_data.online_block.labels is 'Positions among the class labels of the version, from 1; NULL for a regression.';
comment on column pgscore_data.online_block.probabilities is
  'An array for each prediction, in the order of the class labels; NULL where the model gives none.';
comment on column pgscore_data.online_block.error is 'Why a call failed, which has no predictions.';
comment on column pgscore_data.online_block.is_shadow is
  'Whether an arm said it in the shadow of the champion, whose answer the caller got. requested_by is who started the experiment.';
comment on column pgscore_data.online_block.written_by is 'The transaction that wrote it, by which its online_batch is found.';
create index online_block_of_version on pgscore_data.online_block (version_id, asked_at);
-- To compress numbers takes more time than to write them.
alter table pgscore_data.online_block
  alter column later_ms set storage external,
  alter column durations set storage external,
  alter column keys set storage external,
  alter column features set storage external,
  alter column reals set storage external,
  alter column scores set storage external,
  alter column labels set storage external,
  alter column probabilities set storage external;

create table pgscore_data.online_batch (
  batch_id bigint primary key check (batch_id < 0),
  version_id int not null references pgscore_data.version,
  n_predictions int not null,
  n_failed int not null,
  snapshot_at timestamptz not null,
  kept_at timestamptz not null default clock_timestamp(),
  first_id bigint not null,
  last_id bigint,
  counted boolean not null default false,
  written_by xid8 not null default pg_current_xact_id()
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
comment on table pgscore_data.online_batch is
  'Calls of a version that were kept in one transaction, with their tallies beside them: to the monitor what a finished run is. Rows stay '
  'for a day after they were counted, so that a batch whose commit was not answered for is known when it is sent again.';
comment on column pgscore_data.online_batch.batch_id is
  'Drawn by the gateway before it writes. Negative, so that it is no run''s in the tallies.';
comment on column pgscore_data.online_batch.snapshot_at is 'When the last of them was asked.';
comment on column pgscore_data.online_batch.first_id is
  'Its predictions are some of those from first_id to last_id: other transactions may have written between them.';
comment on column pgscore_data.online_batch.written_by is 'The transaction that wrote it and its blocks.';
create index online_batch_waiting on pgscore_data.online_batch (batch_id) where not counted;

create table pgscore_data.online_hour (
  version_id int not null,
  hour timestamptz not null,
  n_predictions bigint not null,
  last_at timestamptz not null,
  primary key (version_id, hour)
) with (fillfactor = 70);
comment on table pgscore_data.online_hour is
  'How many calls of each version were kept and answered, by the hour: which versions are called at all, and how much now.';
