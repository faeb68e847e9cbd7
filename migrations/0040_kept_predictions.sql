-- What a label can still judge is kept by time, whatever becomes of runs and targets.

alter table pgscore_data.monitor
  add column label_delay interval not null default '1 day' check (label_delay >= interval '0'),
  add column horizon interval check (horizon > interval '0'),
  add column keep interval not null default '400 days' check (keep > interval '0'),
  add column late interval check (late > interval '0'),
  add column sealed_before timestamptz not null default '-infinity',
  drop constraint monitor_pairing_check,
  add constraint monitor_pairing_check check (pairing in ('latest_before_label', 'within', 'first', 'latest', 'all')),
  add check (pairing <> 'within' or horizon is not null);
comment on column pgscore_data.monitor.label_delay is 'How long after known_at a label may take to reach pgscore.';
comment on column pgscore_data.monitor.horizon is 'With pairing within: for how long after its time a prediction can be judged.';
comment on column pgscore_data.monitor.keep is 'How long predictions are kept for labels to judge. Older days are sealed.';
comment on column pgscore_data.monitor.late is
  'How long predictions are kept that another one has superseded; NULL: as long as the others, or only the newest where labels have no known_at.';
comment on column pgscore_data.monitor.sealed_before is 'Days before this one are sealed: their cells stay as they are.';

create table pgscore_data.kept_run (
  run_id bigint primary key references pgscore_data.run,
  version_id int not null,
  event_time timestamptz not null,
  n_predictions bigint not null,
  n_buckets int not null,
  n_columns int not null,
  is_counted boolean not null default false,
  is_head boolean not null default false,
  retired_by bigint
);
comment on table pgscore_data.kept_run is 'Runs whose predictions are all for the time of their snapshot, kept in blocks.';
comment on column pgscore_data.kept_run.n_buckets is 'A power of two; a prediction is in the block with the last bits of the hash of its key.';
comment on column pgscore_data.kept_run.n_columns is 'Of how many columns its key is.';
comment on column pgscore_data.kept_run.is_counted is 'False while it is being counted against the runs before it.';
comment on column pgscore_data.kept_run.is_head is
  'Whether entities may have their newest prediction here. That of any entity is in a head, or in kept_prediction.';
comment on column pgscore_data.kept_run.retired_by is 'The run since which it is no head any more.';
create index kept_run_of_version on pgscore_data.kept_run (version_id, event_time) where is_counted;
create index kept_run_head on pgscore_data.kept_run (version_id, event_time) where is_head;

create table pgscore_data.kept_block (
  run_id bigint not null references pgscore_data.kept_run on delete cascade deferrable initially deferred,
  bucket int not null,
  keys text[] collate "C" not null,
  scores real[],
  exact_scores double precision[],
  classes smallint[],
  probabilities double precision[],
  segments int[],
  primary key (run_id, bucket)
);
comment on table pgscore_data.kept_block is 'Some hundreds of predictions of a run.';
comment on column pgscore_data.kept_block.keys is 'The key of each; of several columns in the notation of an array.';
comment on column pgscore_data.kept_block.exact_scores is 'In place of scores, where real cannot hold them all.';
comment on column pgscore_data.kept_block.classes is 'Place of the predicted class, from 0; NULL for a regression.';
comment on column pgscore_data.kept_block.probabilities is 'An array for each, of three classes or more.';
comment on column pgscore_data.kept_block.segments is 'An array for each: its segments.';

create table pgscore_data.kept_prediction (
  version_id int not null,
  key text[] collate "C" not null,
  event_time timestamptz not null,
  made_at timestamptz not null,
  run_id bigint not null,
  score double precision,
  predicted_class smallint,
  probabilities double precision[],
  segments int[]
);
comment on table pgscore_data.kept_prediction is
  'Predictions that are kept one by one: of runs with an event time, of small runs, of calls, and those that their run left behind.';
comment on column pgscore_data.kept_prediction.event_time is 'The time that it is for.';
comment on column pgscore_data.kept_prediction.made_at is 'The snapshot of its run, or the moment of the call.';
comment on column pgscore_data.kept_prediction.run_id is 'Its run; of a call its prediction_id, negative.';
alter table pgscore_data.kept_prediction replica identity full;
create index kept_prediction_of_entity on pgscore_data.kept_prediction (version_id, hash_array(key), event_time);
create index kept_prediction_of_time on pgscore_data.kept_prediction using brin (event_time);

create table pgscore_data.cell_open (
  version_id int not null,
  segment_id int not null,
  day timestamptz not null,
  closes_at timestamptz not null,
  n bigint not null,
  primary key (version_id, segment_id, day, closes_at)
) with (fillfactor = 70);
comment on table pgscore_data.cell_open is 'Places of a day that wait for a label. From closes_at on they count as superseded.';

alter table pgscore_data.run add column kept boolean not null default false;
comment on column pgscore_data.run.kept is 'Whether its predictions are kept for labels.';
create index run_unkept on pgscore_data.run (snapshot_at) where state = 'done' and not kept;

create unlogged table pgscore_data.refresh_arrival (like pgscore_data.kept_prediction);
comment on table pgscore_data.refresh_arrival is 'Work of the refresh that is running: predictions that are new, one by one.';
create unlogged table pgscore_data.refresh_place (
  entity bigint not null, version_id int not null, known_at timestamptz not null, event_time timestamptz not null
);
comment on table pgscore_data.refresh_place is 'Work of the refresh that is running: which place each label of these entities judges.';
create unlogged table pgscore_data.refresh_open (
  version_id int not null, segments int[], day timestamptz not null, closes_at timestamptz not null, n bigint not null
);
comment on table pgscore_data.refresh_open is 'Work of the refresh that is running: changes of the places that wait for a label.';
create unlogged table pgscore_data.refresh_left (run_id bigint not null, code text collate "C" not null);
comment on table pgscore_data.refresh_left is 'Work of the refresh that is running: entities of heads that a new run has not.';
create unlogged table pgscore_data.refresh_special (code text collate "C" primary key);
comment on table pgscore_data.refresh_special is 'Work of the refresh that is running: entities of a run in blocks that have other places since the run before it.';
drop table pgscore_data.refresh_prediction;
create unlogged table pgscore_data.refresh_prediction (
  entity bigint not null, version_id int not null, event_time timestamptz not null, made_at timestamptz not null, run_id bigint not null,
  score double precision, predicted_class smallint, probabilities double precision[], segments int[]
);
comment on table pgscore_data.refresh_prediction is 'Work of the refresh that is running: the predictions in these places.';

create index evaluation_of_label on pgscore_data.evaluation (model_id, known_at);

-- Calls are kept like other predictions, when they are counted.
insert into pgscore_data.kept_prediction (version_id, key, event_time, made_at, run_id, score, predicted_class, probabilities)
select k.version_id, k.key, k.asked_at, k.asked_at, -k.prediction_id, k.score, k.predicted_class, k.probabilities from pgscore_data.online_key k;
drop table pgscore_data.online_key cascade;
drop index pgscore_data.online_block_unlisted;
alter table pgscore_data.online_block drop column keys_listed;

alter table pgscore_data.label_source
  add column n_unmatched bigint, add column n_before bigint, add column n_too_old bigint, add column late_share double precision,
  add column counted_at timestamptz;
comment on column pgscore_data.label_source.counted_at is 'When the labels that judge nothing were last counted.';

create table pgscore_data.cell_repeat (
  version_id int not null,
  segment_id int not null,
  grain text not null,
  window_start timestamptz not null,
  pairs2 numeric not null,
  hits_pairs numeric not null,
  hits2 numeric not null,
  primary key (version_id, segment_id, grain, window_start)
) with (fillfactor = 70);
comment on table pgscore_data.cell_repeat is
  'Windows in which an entity is judged more than once. Of m pairs and c hits of an entity: the sums of m^2 - m, cm - c and c^2 - c.';
