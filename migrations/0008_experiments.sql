-- Experiments: which versions answer for which entities beside the champion.

create table pgscore_data.experiment (
  experiment_id int generated always as identity primary key,
  model_id int not null references pgscore_data.model,
  kind text not null check (kind in ('canary', 'ab', 'shadow')),
  salt text not null unique,
  split_by text[] not null,
  sampling double precision not null check (sampling > 0 and sampling <= 1),
  champion_version_id int not null references pgscore_data.version,
  started_at timestamptz not null default clock_timestamp(),
  until timestamptz,
  stopped_at timestamptz,
  started_by name not null,
  promoted_version_id int references pgscore_data.version,
  check (kind = 'shadow' or split_by <> '{}')
);
comment on table pgscore_data.experiment is 'Experiments with the versions of a model; one that is open for each model at most.';
comment on column pgscore_data.experiment.salt is
  'What the buckets of entities go by: pgscore.bucket(salt, key). The name of the model when it started, and the number of the experiment.';
comment on column pgscore_data.experiment.split_by is 'The columns of a row that say which entity it is of; none of a shadow.';
comment on column pgscore_data.experiment.sampling is 'Which share of rows a shadow scores; 1 of the other kinds.';
comment on column pgscore_data.experiment.champion_version_id is 'The version that answers for all entities of no arm.';
comment on column pgscore_data.experiment.until is 'When the service stops it; NULL: when somebody does.';
create unique index experiment_open on pgscore_data.experiment (model_id) where stopped_at is null;

create table pgscore_data.experiment_arm (
  experiment_id int not null references pgscore_data.experiment on delete cascade,
  version_id int not null references pgscore_data.version,
  weight numeric not null check (weight > 0 and weight <= 100),
  buckets int4multirange not null,
  calls_scored bigint not null default 0,
  calls_failed bigint not null default 0,
  calls_skipped bigint not null default 0,
  calls_error text,
  calls_error_at timestamptz,
  calls_failures int not null default 0,
  calls_due_at timestamptz not null default '-infinity',
  primary key (experiment_id, version_id)
);
comment on table pgscore_data.experiment_arm is
  'Versions that answer beside the champion, or in its shadow, and the buckets of their entities, which only grow.';
comment on column pgscore_data.experiment_arm.weight is 'Percent of entities.';
comment on column pgscore_data.experiment_arm.buckets is 'Of the 10,000 buckets of pgscore.bucket(); those of no arm are the champion''s.';
comment on column pgscore_data.experiment_arm.calls_scored is 'Predictions of calls that a shadow has scored, too.';
comment on column pgscore_data.experiment_arm.calls_failed is 'Those that it could not score.';
comment on column pgscore_data.experiment_arm.calls_skipped is
  'Those that it was not given: kept without their inputs, past the backlog, or given up after it hung or crashed.';
comment on column pgscore_data.experiment_arm.calls_error is 'Why it last failed or skipped some, and calls_error_at when.';
comment on column pgscore_data.experiment_arm.calls_failures is 'How often in a row it hung, crashed or could not be loaded.';
comment on column pgscore_data.experiment_arm.calls_due_at is
  'From when on a service may score calls that wait: the end of the lease of the one that does, or of a pause after a failure.';
create index experiment_arm_of_version on pgscore_data.experiment_arm (version_id);

create table pgscore_data.shadow_batch (
  experiment_id int not null,
  version_id int not null,
  first_id bigint not null,
  batch_id bigint not null,
  last_id bigint not null,
  written_by xid8 not null,
  n_predictions int not null,
  primary key (experiment_id, version_id, first_id, batch_id)
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
comment on table pgscore_data.shadow_batch is
  'Calls that the champion answered and that wait for its shadow. They leave in the transaction that writes what the shadow says.';
comment on column pgscore_data.shadow_batch.version_id is 'The arm.';
comment on column pgscore_data.shadow_batch.batch_id is 'The online_batch of the champion that they were kept in.';
comment on column pgscore_data.shadow_batch.written_by is
  'The transaction that wrote them. Other transactions may have written others between first_id and last_id.';

create table pgscore_data.experiment_calls_without_key (
  experiment_id int not null references pgscore_data.experiment on delete cascade,
  hour timestamptz not null,
  written_by int not null,
  without_key bigint not null,
  primary key (experiment_id, hour, written_by)
) with (fillfactor = 70);
comment on table pgscore_data.experiment_calls_without_key is 'How many kept calls of a champion did not say which entity they are of.';
comment on column pgscore_data.experiment_calls_without_key.written_by is 'The process of the session that counted them.';

create table pgscore_data.experiment_stage (
  experiment_id int not null references pgscore_data.experiment on delete cascade,
  since timestamptz not null,
  version_id int not null,
  buckets int4multirange not null,
  primary key (experiment_id, version_id, since)
);
comment on table pgscore_data.experiment_stage is 'Which buckets each arm had since when.';

create table pgscore_data.experiment_judgement (
  experiment_id int primary key references pgscore_data.experiment on delete cascade,
  judged_at timestamptz not null,
  judge_seconds double precision not null,
  srm_p_value double precision,
  error text
);
comment on table pgscore_data.experiment_judgement is 'When an experiment was last judged, and whether its arms have their entities.';
comment on column pgscore_data.experiment_judgement.error is 'Why it could not be judged. It is tried again an hour later.';
comment on column pgscore_data.experiment_judgement.srm_p_value is
  'Of the chi-squared test of the sample ratio; NULL: no labels, or a shadow.';

create table pgscore_data.experiment_result (
  experiment_id int not null references pgscore_data.experiment on delete cascade,
  version_id int not null,
  metric text not null,
  day timestamptz not null,
  n bigint not null,
  entities bigint,
  value double precision,
  value_low double precision,
  value_high double precision,
  difference double precision,
  difference_low double precision,
  difference_high double precision,
  p_value double precision,
  always_valid_low double precision,
  always_valid_high double precision,
  always_valid_p_value double precision,
  agreement double precision,
  verdict text,
  reason text,
  primary key (experiment_id, version_id, metric, day)
);
comment on table pgscore_data.experiment_result is 'What the versions of an experiment came to, up to each day whose labels are there.';
comment on column pgscore_data.experiment_result.day is 'The last day that counts. Of the newest day it is what was last found.';
comment on column pgscore_data.experiment_result.entities is 'How many entities these predictions are of.';
comment on column pgscore_data.experiment_result.difference is 'To the champion, stage by stage; NULL of the champion.';
comment on column pgscore_data.experiment_result.agreement is 'Of a shadow: share of labels of which both versions said the same class.';
