-- Accuracy and drift over time: labels, predictions that wait for them, and the cells that metrics are made of.

-- Settings.

create table pgscore_data.monitor (
  model_id int primary key references pgscore_data.model on delete cascade,
  time_zone text not null default 'UTC',
  key_columns name[],
  key_types text[],
  segments text[] not null default '{}' check (cardinality(segments) <= 8),
  pairing text not null default 'latest_before_label' check (pairing in ('latest_before_label', 'within', 'first', 'latest', 'all')),
  horizon interval check (horizon > interval '0'),
  label_delay interval not null default '1 day' check (label_delay >= interval '0'),
  label_maturity interval not null default '30 days',
  min_label_coverage double precision not null default 0.95 check (min_label_coverage between 0 and 1),
  keep interval not null default '400 days' check (keep > interval '0'),
  late interval check (late > interval '0'),
  sealed_before timestamptz not null default '-infinity',
  superseded_before timestamptz not null default '-infinity',
  features_watched boolean not null default true,
  baseline_rows int not null default 1000 check (baseline_rows between 100 and 1000000),
  psi_floor double precision not null default 0.0001 check (psi_floor > 0 and psi_floor <= 0.01),
  psi_warning double precision not null default 0.1 check (psi_warning > 0 and psi_warning < 100),
  psi_alert double precision not null default 0.25 check (psi_alert >= psi_warning and psi_alert < 100),
  quantile double precision check (quantile > 0 and quantile < 1),
  labels_unset_at timestamptz,
  check (pairing <> 'within' or horizon is not null)
);
comment on table pgscore_data.monitor is 'How a model is watched. Every model has a row from its first version on.';
comment on column pgscore_data.monitor.time_zone is 'Where a day begins and ends.';
comment on column pgscore_data.monitor.key_columns is
  'Columns that identify an entity: those of the labels, else those of the first target that predictions went to. By them the gateway '
  'knows what a call is about; NULL: not known yet.';
comment on column pgscore_data.monitor.key_types is
  'Families of the key columns of the labels, by which they are looked up among predictions; NULL until the first label.';
comment on column pgscore_data.monitor.labels_unset_at is 'When unset_labels() last withdrew its labels; NULL: never.';
comment on column pgscore_data.monitor.segments is 'Columns that predictions are split by, from the next run on.';
comment on column pgscore_data.monitor.pairing is 'Which prediction of an entity a label judges.';
comment on column pgscore_data.monitor.horizon is 'With pairing within: for how long after its time a prediction can be judged.';
comment on column pgscore_data.monitor.label_delay is 'How long after known_at a label may take to reach pgscore.';
comment on column pgscore_data.monitor.label_maturity is 'Age at which a window is expected to have its labels.';
comment on column pgscore_data.monitor.keep is 'How long predictions are kept for labels to judge. Older days are sealed.';
comment on column pgscore_data.monitor.late is
  'How long predictions are kept that another one has superseded; NULL: as long as the others, or only the newest where labels have no '
  'known_at.';
comment on column pgscore_data.monitor.sealed_before is 'Days before this one are sealed: their cells stay as they are.';
comment on column pgscore_data.monitor.superseded_before is
  'Before this, superseded predictions are not kept any more: a label known before it judges nothing new, but the newest prediction.';
comment on column pgscore_data.monitor.features_watched is 'Whether runs count their features.';
comment on column pgscore_data.monitor.baseline_rows is 'Rows from which the first runs of a version are its baseline.';
comment on column pgscore_data.monitor.psi_floor is 'What stands for a share of nothing in the population stability index.';
comment on column pgscore_data.monitor.quantile is 'Which quantile a regression predicts; NULL: none that is known, and no pinball loss.';

create table pgscore_data.turn (work text primary key);
comment on table pgscore_data.turn is
  'Work that is for one session at a time: it locks the row until the end of its transaction. cells: whatever is computed from labels and '
  'predictions; alerts: what rules say of it; calls: the functions that know the versions there are.';
insert into pgscore_data.turn (work) values ('cells'), ('alerts'), ('calls');

create table pgscore_data.segment (
  segment_id int generated always as identity primary key,
  model_id int not null references pgscore_data.model on delete cascade,
  column_name text collate "C" not null,
  value text collate "C" not null,
  unique (model_id, column_name, value)
);
comment on table pgscore_data.segment is
  'The values of each segment column that are distinguished, two hundred at most; besides, :missing is a row without one, and :other any '
  'further one. Who is no segment is 0: all predictions. Rows stay, so that a value is the same segment for ever.';

create table pgscore_data.score_bin (
  bin smallint primary key,
  low double precision not null,
  high double precision not null
);
comment on table pgscore_data.score_bin is
  'The bins that score_bins makes, a row each: p > low, p <= high; of a hundredth p >= low, p < high. To be joined: an element of a long '
  'array costs 40 µs.';
insert into pgscore_data.score_bin (bin, low, high)
with edge (e) as (
  select round(power(10::numeric, -7 + k / 50.0), 12) from generate_series(0, 249) k
  union select k / 1000.0 from generate_series(10, 990) k
  union select 1 - round(power(10::numeric, -7 + k / 50.0), 12) from generate_series(0, 249) k
  union select 1
)
select row_number() over (order by e) - 1, lag(e::float8, 1, 0::float8) over (order by e), e::float8 from edge;

create table pgscore_data.score_bins (
  singleton boolean primary key default true check (singleton),
  edges double precision[] not null,
  mirrored double precision[] not null
);
comment on table pgscore_data.score_bins is
  'Inner edges of the bins that probabilities are counted in: 50 a decade from 1e-7 to 0.01, thousandths to 0.99, and the mirror of the '
  'first near 1, so that AUC is right for rare classes too. Bin n holds edge n < p <= edge n+1. In the place of each hundredth stands the '
  'number before it, so that it is in the bin above. mirrored: the same edges negated and sorted, for width_bucket(), which closes bins on '
  'the left.';
insert into pgscore_data.score_bins (edges, mirrored)
select array_agg(o.edge order by o.edge), array_agg(-o.edge order by o.edge desc)
  from (select case when h.high is null then b.high else b.high - b.high * 2 ^ -53::float8 end as edge
          from pgscore_data.score_bin b
          left join (select n / 100.0::float8 as high from generate_series(1, 99) n) h using (high)
         where b.high < 1) o;

-- Labels.

create table pgscore_data.label_source (
  source_id int generated always as identity primary key,
  model_id int not null unique references pgscore_data.model on delete cascade,
  set_by name not null,
  set_at timestamptz not null default clock_timestamp(),
  source_schema name not null,
  source_name name not null,
  key_columns name[] not null,
  label_columns name[] not null,
  label_names text[],
  known_at_column name,
  time_zone text,
  handle_id bigint references pgscore_data.handle on delete set null,
  compare_after timestamptz not null default clock_timestamp(),
  comparing_pid int,
  comparing_since timestamptz,
  digest text,
  compared_at timestamptz,
  compare_seconds double precision,
  rows_compared bigint,
  error text,
  counted_at timestamptz,
  n_unmatched bigint,
  n_before bigint,
  n_too_old bigint,
  late_share double precision,
  n_invalid bigint,
  invalid_label text
);
comment on table pgscore_data.label_source is
  'The table or view that holds the labels of a model, and when it was last compared with what is known.';
comment on column pgscore_data.label_source.label_names is
  'Which value of a row each of the columns is the truth of; NULL: one column is the truth of a model that gives one value.';
comment on column pgscore_data.label_source.comparing_pid is 'The session that compares it now, or did when it died.';
comment on column pgscore_data.label_source.comparing_since is 'When that session began: another one may have its number.';
comment on column pgscore_data.label_source.digest is 'What _table_digest() said of the table when the last comparison began.';
comment on column pgscore_data.label_source.invalid_label is 'One of the labels that n_invalid counts.';
comment on column pgscore_data.label_source.counted_at is 'When the labels that judge nothing were last counted.';

create table pgscore_data.label_change (
  change_id bigint generated always as identity primary key,
  model_id int not null,
  source_id int,
  key text[] collate "C" not null,
  known_at timestamptz,
  label text,
  retracted boolean not null default false,
  captured_at timestamptz not null default clock_timestamp(),
  captured_in xid8 not null default pg_current_xact_id(),
  read_in pg_snapshot
);
comment on table pgscore_data.label_change is
  'Labels that were written, corrected or withdrawn since the last refresh: written in the transaction of whoever changed them, taken out '
  'by the refresh. Of one label the highest change_id counts.';
comment on column pgscore_data.label_change.source_id is 'NULL for a label of record_label().';
comment on column pgscore_data.label_change.known_at is 'NULL where the source says nothing of it: then an entity has one label.';
comment on column pgscore_data.label_change.captured_in is 'The transaction that wrote it.';
comment on column pgscore_data.label_change.read_in is
  'The snapshot in which a comparison read the source; NULL where the change was captured. What this snapshot does not see is newer.';
create index label_change_of_model on pgscore_data.label_change (model_id);
create index label_change_recorded on pgscore_data.label_change (hash_array(key)) where source_id is null;
create index label_change_read on pgscore_data.label_change (model_id, change_id) where read_in is not null;

create table pgscore_data.recorded_label (
  model_id int not null references pgscore_data.model on delete cascade,
  key text[] collate "C" not null,
  label text not null,
  known_at timestamptz,
  recorded_by name not null,
  recorded_at timestamptz not null default clock_timestamp(),
  primary key (model_id, key)
);
comment on table pgscore_data.recorded_label is 'The last label of each entity that record_label() gave, and who gave it.';
comment on column pgscore_data.recorded_label.known_at is 'NULL if record_label() did not say.';

create table pgscore_data.comparison_request (
  source_id int not null,
  requested_in xid8 not null default pg_current_xact_id()
);
comment on table pgscore_data.comparison_request is
  'Sources of labels that are to be read whole: after a TRUNCATE, which says nothing of rows, or when it is time. The end of a comparison '
  'deletes them.';
comment on column pgscore_data.comparison_request.requested_in is
  'The transaction that asked. A comparison answers the requests that its snapshot saw.';

create unlogged table pgscore_data.compared_label (
  source_id int not null,
  key text[] collate "C" not null,
  known_at timestamptz,
  label text not null
);
comment on table pgscore_data.compared_label is 'A source of labels as it was just read, to be compared with what is known.';

create unlogged table pgscore_data.taken_change (
  change_id bigint not null,
  model_id int not null,
  key text[] collate "C" not null,
  known_at timestamptz,
  captured_in xid8 not null
);
comment on table pgscore_data.taken_change is
  'Captured changes that refreshes took while a comparison was owed, or its differences were queued: those may be older.';

-- Predictions that labels can judge.

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
comment on column pgscore_data.kept_run.n_buckets is
  'A power of two; a prediction is in the block with the last bits of the hash of its key.';
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
comment on column pgscore_data.kept_block.classes is 'Position of the predicted class, from 0; NULL for a regression.';
comment on column pgscore_data.kept_block.probabilities is 'An array for each, of three classes or more, or of several values.';
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
create index kept_prediction_of_entity on pgscore_data.kept_prediction (version_id, hash_array(key), event_time);
create index kept_prediction_of_time on pgscore_data.kept_prediction using brin (event_time);
alter table pgscore_data.kept_prediction replica identity full;

-- Pairs of labels and predictions.

create table pgscore_data.evaluation (
  model_id int not null,
  key text[] collate "C" not null,
  known_at timestamptz not null,
  label text not null,
  source_id int,
  received_at timestamptz not null default clock_timestamp(),
  version_id int,
  run_id bigint,
  day timestamptz,
  event_time timestamptz,
  age_band smallint,
  actual_class smallint,
  predicted_class smallint,
  actual double precision,
  score double precision,
  p_actual double precision,
  bin smallint,
  rank smallint,
  class_bins smallint[],
  segments int[],
  is_recent boolean not null default true,
  predicted_values double precision[],
  actual_values double precision[]
) partition by list (is_recent);
comment on table pgscore_data.evaluation is
  'The labels that are known now, each beside the prediction that it judges: in as many rows as it judges predictions, and in one without '
  'a run where it judges none. Also what each pair contributed to the cells, so that it can be taken out again exactly.';
comment on column pgscore_data.evaluation.known_at is 'When the truth became known.';
comment on column pgscore_data.evaluation.received_at is 'When the label was first captured.';
comment on column pgscore_data.evaluation.run_id is
  'The run that made the prediction; of one that was asked for online its prediction_id, negative. NULL: the label judges no prediction, '
  'for the time being.';
comment on column pgscore_data.evaluation.age_band is
  'Age of the label when it became known: 0 up to a day, 1 a week, 2 thirty days, 3 ninety days, 4 more.';
comment on column pgscore_data.evaluation.actual_class is
  'Position of the true class in the version''s class labels, from 0; NULL for a regression.';
comment on column pgscore_data.evaluation.p_actual is 'Probability that the model gave to the true class.';
comment on column pgscore_data.evaluation.rank is
  'Position of the true class among the classes by probability, from 1; of equal ones the later class comes first, as in scikit-learn.';
comment on column pgscore_data.evaluation.class_bins is
  'The bin of each class''s probability, of a classifier of 3 to 50 classes: a fourth as many as score_bins has. Kept so that a pair can '
  'be taken out of the cells after its prediction is gone.';
comment on column pgscore_data.evaluation.segments is
  'The segments that the prediction is in, one a column; NULL where it was made without.';
comment on column pgscore_data.evaluation.is_recent is 'Whether the row is one of those that arrived lately.';
comment on column pgscore_data.evaluation.predicted_values is
  'The values of the row, of a version that gives several; of several labels the probability of each, then each as 0 or 1.';
comment on column pgscore_data.evaluation.actual_values is 'The truth of each value, of several targets or labels; of a label 0 or 1.';
create index evaluation_of_time on pgscore_data.evaluation (version_id, event_time);
create index evaluation_of_entity on pgscore_data.evaluation (model_id, hash_array(key));
-- A block range index costs a label nothing when it arrives.
create index evaluation_of_label on pgscore_data.evaluation using brin (known_at);

create table pgscore_data.evaluation_earlier partition of pgscore_data.evaluation (is_recent default false)
  for values in (false) with (fillfactor = 90);
comment on table pgscore_data.evaluation_earlier is 'All but the rows that arrived lately.';

create table pgscore_data.evaluation_recent partition of pgscore_data.evaluation for values in (true) with (fillfactor = 90);
comment on table pgscore_data.evaluation_recent is
  'The rows that arrived lately: to find a place in its small indexes changes pages that are in memory, and few of them. When they are '
  'many they are moved to the others.';
alter table pgscore_data.evaluation_earlier replica identity full;
alter table pgscore_data.evaluation_recent replica identity full;
-- As if there were many versions: if it knows how few there are, the planner reads the pairs of all for a thousand of one.
alter table pgscore_data.evaluation_earlier alter column version_id set (n_distinct = 500);
alter table pgscore_data.evaluation_recent alter column version_id set (n_distinct = 500);

-- What jobs count, until a refresh adds it to the cells.

create table pgscore_data.day_tally (
  run_id bigint not null,
  attempt int not null,
  shard int not null,
  day timestamptz,
  bins smallint[] not null,
  counts bigint[] not null,
  positives bigint[] not null
);
comment on table pgscore_data.day_tally is
  'Predictions of a run that is not published, by day: counts[i] of them fell into the bin of scores bins[i]; bin -1 counts those without '
  'a score, -2 those that failed. They join the cells in the transaction that publishes the run.';
comment on column pgscore_data.day_tally.run_id is 'A run, or a batch of calls, which is negative.';
comment on column pgscore_data.day_tally.day is 'NULL where the source has no event time: the day of the run''s snapshot.';
comment on column pgscore_data.day_tally.positives is 'How many of the counts were called positive.';
create index day_tally_of_run on pgscore_data.day_tally (run_id, attempt);

create table pgscore_data.class_tally (
  run_id bigint not null,
  attempt int not null,
  shard int not null,
  day timestamptz,
  classes smallint[] not null,
  bins smallint[] not null,
  counts bigint[] not null,
  predicted bigint[] not null
);
comment on table pgscore_data.class_tally is
  'What a job predicted for a day, by class: counts[i] predictions gave class classes[i], from 0, a probability in bin bins[i], a fourth '
  'as many as score_bins has, and predicted[i] of them said this class. They join the cells when their run is done.';
comment on column pgscore_data.class_tally.run_id is 'A run, or a batch of calls, which is negative.';
comment on column pgscore_data.class_tally.day is 'NULL where the source has no event time: the day of the run''s snapshot.';
create index class_tally_of_run on pgscore_data.class_tally (run_id, attempt);

create table pgscore_data.segment_tally (
  run_id bigint not null,
  attempt int not null,
  shard int not null,
  day timestamptz,
  positions smallint[] not null,
  names text[] not null,
  counts bigint[] not null,
  failed bigint[] not null
);
comment on table pgscore_data.segment_tally is
  'Predictions of a job by day and segment, written with them: counts[i] of them, and failed[i] rows that could not be scored, have the '
  'value names[i] in the column run.segments[positions[i]]; NULL has none. A refresh adds them to the cells when the run is done.';
create index segment_tally_of_run on pgscore_data.segment_tally (run_id, attempt);

create table pgscore_data.feature_tally (
  run_id bigint not null,
  attempt int not null,
  shard int not null,
  set_id int not null,
  day timestamptz,
  features smallint[] not null,
  slots smallint[] not null,
  counts bigint[] not null,
  sums double precision[] not null
);
comment on table pgscore_data.feature_tally is
  'What a job read on a day, written with its predictions. A refresh adds it to the cells when the run is done.';
comment on column pgscore_data.feature_tally.run_id is 'A run, or a batch of calls, which is negative.';
comment on column pgscore_data.feature_tally.slots is
  'Parallel to features and counts: the slots that are not empty. The first ones are slot 0 of each number, which counts the values that '
  'sums adds up.';
create index feature_tally_of_run on pgscore_data.feature_tally (run_id, attempt);

create table pgscore_data.feature_sample (
  run_id bigint not null,
  attempt int not null,
  shard int not null,
  version_id int not null references pgscore_data.version on delete cascade,
  feature smallint not null,
  days timestamptz[] not null,
  numbers double precision[],
  texts text[]
);
comment on table pgscore_data.feature_sample is
  'The features of small runs before their version has bins, as they were; they become tallies when it has.';
comment on column pgscore_data.feature_sample.run_id is 'A run, or a batch of calls, which is negative.';
create index feature_sample_of_version on pgscore_data.feature_sample (version_id, run_id);

-- Cells.

create table pgscore_data.cell_volume (
  version_id int not null,
  segment_id int not null default 0,
  day timestamptz not null,
  n_predictions bigint not null,
  n_scored bigint not null default 0,
  n_failed bigint not null,
  primary key (version_id, segment_id, day)
) with (fillfactor = 70);
comment on table pgscore_data.cell_volume is 'Predictions of finished runs, by the local day that they are for.';
comment on column pgscore_data.cell_volume.segment_id is 'Of which segment; 0: of all predictions.';
comment on column pgscore_data.cell_volume.n_scored is
  'How many of them are in cell_score: those of a binary classifier that have a score.';

create table pgscore_data.cell_score (
  version_id int not null,
  day timestamptz not null,
  bin smallint not null,
  n bigint not null,
  n_positive bigint not null default 0,
  primary key (version_id, day, bin)
) with (fillfactor = 70);
comment on table pgscore_data.cell_score is 'Predictions by score, labelled or not.';
comment on column pgscore_data.cell_score.n_positive is 'How many of them were called positive.';

create table pgscore_data.cell_class_volume (
  version_id int not null,
  day timestamptz not null,
  class smallint not null,
  bin smallint not null,
  n bigint not null,
  n_predicted bigint not null,
  primary key (version_id, day, class, bin)
) with (fillfactor = 70);
comment on table pgscore_data.cell_class_volume is
  'Predictions of a classifier of 3 to 50 classes by the probability of each class, labelled or not.';
comment on column pgscore_data.cell_class_volume.n_predicted is 'How many of them said this class.';

create table pgscore_data.cell_open (
  version_id int not null,
  segment_id int not null,
  day timestamptz not null,
  closes_at timestamptz not null,
  n bigint not null,
  primary key (version_id, segment_id, day, closes_at)
) with (fillfactor = 70);
comment on table pgscore_data.cell_open is 'Places of a day that wait for a label. From closes_at on they count as superseded.';

create table pgscore_data.cell_outcome (
  version_id int not null,
  segment_id int not null default 0,
  day timestamptz not null,
  age_band smallint not null,
  actual_class smallint not null,
  predicted_class smallint not null,
  n bigint not null,
  sum_brier numeric not null,
  sum_log_loss numeric not null,
  primary key (version_id, segment_id, day, age_band, actual_class, predicted_class)
) with (fillfactor = 70);
comment on table pgscore_data.cell_outcome is 'Labelled predictions of a classifier by what was said and what was true.';
comment on column pgscore_data.cell_outcome.segment_id is 'Of which segment; 0: of all predictions.';

create table pgscore_data.cell_rank (
  version_id int not null,
  segment_id int not null default 0,
  day timestamptz not null,
  rank smallint not null,
  n bigint not null,
  primary key (version_id, segment_id, day, rank)
) with (fillfactor = 70);
comment on table pgscore_data.cell_rank is 'Labelled predictions of a classifier of three or more classes by the rank of what was true.';
comment on column pgscore_data.cell_rank.segment_id is 'Of which segment; 0: of all predictions.';

create table pgscore_data.cell_regression (
  version_id int not null,
  segment_id int not null default 0,
  day timestamptz not null,
  age_band smallint not null,
  n bigint not null,
  sum_error numeric not null,
  sum_abs_error numeric not null,
  sum_error2 numeric not null,
  sum_error4 numeric not null,
  sum_actual numeric not null,
  sum_actual2 numeric not null,
  sum_abs_actual numeric not null,
  n_zero_actual bigint not null,
  sum_relative_error numeric not null,
  n_log bigint not null default 0,
  sum_log_error2 numeric not null default 0,
  n_covered bigint not null default 0,
  n_inside bigint not null default 0,
  primary key (version_id, segment_id, day, age_band)
) with (fillfactor = 70);
comment on table pgscore_data.cell_regression is
  'Labelled predictions of a regression. Sums are numeric: exactly reversible, in any order.';
comment on column pgscore_data.cell_regression.segment_id is 'Of which segment; 0: of all predictions.';
comment on column pgscore_data.cell_regression.n_covered is 'How many were no more than what was predicted.';
comment on column pgscore_data.cell_regression.n_inside is 'How many lay between the lowest and the highest quantile of the row.';
comment on column pgscore_data.cell_regression.n_log is
  'How many pairs sum_log_error2 is of: those above -1 on both sides. Where it is less than n, there is no mean.';

create table pgscore_data.cell_error (
  version_id int not null,
  day timestamptz not null,
  bucket int not null,
  n bigint not null,
  primary key (version_id, day, bucket)
) with (fillfactor = 70);
comment on table pgscore_data.cell_error is
  'Absolute errors of a regression by size, buckets 2 % wide (DDSketch, arXiv 1908.10693): bucket k holds errors up to (1.01/0.99)^k; the '
  'lowest holds 0.';

create table pgscore_data.cell_class_score (
  version_id int not null,
  day timestamptz not null,
  class smallint not null,
  positive boolean not null,
  bin smallint not null,
  n bigint not null,
  primary key (version_id, day, class, positive, bin)
) with (fillfactor = 70);
comment on table pgscore_data.cell_class_score is 'Labelled predictions by the probability of each class and whether it was true.';

create table pgscore_data.score_log (
  version_id int not null,
  day timestamptz not null,
  positive boolean not null,
  bins smallint[] not null,
  counts bigint[] not null,
  sums numeric[] not null
);
comment on table pgscore_data.score_log is
  'Labelled predictions of a binary classifier by score and truth, as refreshes added them: counts[i] predictions, whose scores add up to '
  'sums[i], came into the bin bins[i], or left it where that is negative. A day that has many is folded.';
create index score_log_of_day on pgscore_data.score_log (version_id, day);
alter table pgscore_data.score_log replica identity full;

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

-- What is computed from the cells.

create table pgscore_data.touched (
  version_id int not null,
  day timestamptz not null,
  primary key (version_id, day)
);
comment on table pgscore_data.touched is 'Days whose cells changed since their metrics were computed.';

create table pgscore_data.metric_value (
  version_id int not null,
  grain text not null check (grain in ('day', 'week', 'month')),
  window_start timestamptz not null,
  metric text not null,
  value double precision,
  ci_low double precision,
  ci_high double precision,
  error_bound double precision,
  undefined_reason text,
  primary key (version_id, grain, window_start, metric),
  check (value not in ('NaN', 'Infinity', '-Infinity'))
) with (fillfactor = 70);
comment on table pgscore_data.metric_value is
  'Metrics that take more than adding cells up, computed again for the windows that a refresh touched.';

create table pgscore_data.class_metric (
  version_id int not null,
  grain text not null check (grain in ('day', 'week', 'month')),
  window_start timestamptz not null,
  class smallint not null,
  roc_auc double precision,
  error_bound double precision,
  primary key (version_id, grain, window_start, class)
) with (fillfactor = 70);
comment on table pgscore_data.class_metric is
  'Area under the ROC curve of each class against the others, computed again for the windows that a refresh touched.';

create table pgscore_data.score_curve (
  version_id int not null,
  window_start timestamptz not null,
  hundredth smallint not null,
  n_positive double precision not null,
  n_negative double precision not null,
  sum_score double precision not null,
  primary key (version_id, window_start, hundredth)
);
comment on table pgscore_data.score_curve is
  'The labelled predictions of a binary classifier by month, score in hundredths and truth: a month of cell_outcome_score, added up. '
  'Computed again for the months that a refresh touched.';

create table pgscore_data.calibration (
  version_id int not null,
  month timestamptz not null,
  last_day timestamptz,
  n bigint not null default 0,
  n_positive bigint not null default 0,
  state text not null default 'too_few_labels' check (state in ('isotonic', 'not_needed', 'too_few_labels')),
  share double precision[],
  primary key (version_id, month),
  check ((state = 'isotonic') = (share is not null))
);
comment on table pgscore_data.calibration is
  'What the scores of each labelled version mean from a month on: learned from the mature days of the year before it, and again when these '
  'have changed by a tenth.';
comment on column pgscore_data.calibration.month is 'Where the month begins: the days that it was learned from are before it.';
comment on column pgscore_data.calibration.last_day is 'The last day that it was learned from.';
comment on column pgscore_data.calibration.n is 'Labelled predictions that were learned from.';
comment on column pgscore_data.calibration.n_positive is
  'How many of them were positive; of a classifier of three or more classes, how many were right.';
comment on column pgscore_data.calibration.share is
  'The share of positives to expect in each bin of scores, by isotonic regression; NULL where scores are taken as the shares that they '
  'claim to be. Of a classifier of three or more classes one class after the other, in a fourth as many bins; NULL for a class that is '
  'taken at its word.';

create table pgscore_data.calibration_check (
  version_id int primary key,
  changed_at timestamptz not null default clock_timestamp(),
  checked_at timestamptz
);
comment on table pgscore_data.calibration_check is 'Versions that labels touched. A version has a row once a label touched it.';
comment on column pgscore_data.calibration_check.changed_at is 'When a label last changed its cells.';
comment on column pgscore_data.calibration_check.checked_at is 'As of when it was last seen whether there is more to learn from.';

create table pgscore_data.estimate_due (
  version_id int not null,
  day timestamptz not null,
  primary key (version_id, day)
);
comment on table pgscore_data.estimate_due is
  'Days whose predictions, or the meaning of whose scores, changed since their estimate was made.';

create table pgscore_data.estimate (
  version_id int not null,
  day timestamptz not null,
  class smallint not null,
  n bigint not null,
  true_positives double precision not null,
  false_positives double precision not null,
  false_negatives double precision not null,
  roc_auc double precision,
  primary key (version_id, day, class)
) with (fillfactor = 70);
comment on table pgscore_data.estimate is
  'What to expect of the predictions for a day, labelled or not, about each class against the others, by their calibrated probabilities.';
comment on column pgscore_data.estimate.class is 'Of a binary classifier 0, which stands for its positive class.';

-- Versions compared.

create table pgscore_data.compared_pair (
  version_id int not null,
  other_id int not null,
  compared_at timestamptz not null,
  compare_seconds double precision not null,
  n_days bigint not null,
  first_day timestamptz,
  last_day timestamptz,
  by_segment boolean not null,
  leaves_out boolean not null,
  error text,
  primary key (version_id, other_id)
);
comment on table pgscore_data.compared_pair is 'Versions that were compared, over the labels that judge both.';
comment on column pgscore_data.compared_pair.first_day is 'First day that has predictions of version_id among them.';
comment on column pgscore_data.compared_pair.by_segment is 'Whether they were also compared segment by segment, as a gate asks for it.';
comment on column pgscore_data.compared_pair.error is 'Why they could not be compared. They are tried again an hour later.';
comment on column pgscore_data.compared_pair.leaves_out is
  'Whether labels judge predictions of one of them that are left out, as one was trained on that time.';

create table pgscore_data.compared_metric (
  version_id int not null,
  other_id int not null,
  segment_id int not null,
  metric text not null,
  value double precision,
  other_value double precision,
  low double precision,
  high double precision,
  n bigint not null,
  other_n bigint not null,
  is_enough boolean not null,
  primary key (version_id, other_id, segment_id, metric),
  foreign key (version_id, other_id) references pgscore_data.compared_pair on delete cascade
);
comment on table pgscore_data.compared_metric is 'What each of two versions came to over the same labels.';
comment on column pgscore_data.compared_metric.segment_id is 'The segment of the predictions; 0: all of them.';
comment on column pgscore_data.compared_metric.low is 'The bounds of the 95 % interval of value - other_value are low and high.';

create unlogged table pgscore_data.compared_prediction (
  segment_id int not null,
  is_other boolean not null,
  entity bigint not null,
  day timestamptz not null,
  is_hit boolean,
  is_positive boolean,
  said_positive boolean,
  error double precision,
  bin smallint,
  brier double precision,
  log_loss double precision
);
comment on table pgscore_data.compared_prediction is
  'Work of the comparison that is running: predictions of two versions that are judged by the labels that judge both, or of two arms.';
comment on column pgscore_data.compared_prediction.segment_id is
  'A segment, or of arms the stage of the experiment; 0: all predictions.';
comment on column pgscore_data.compared_prediction.brier is 'What it adds to the Brier score, of arms only, as is log_loss.';

-- Replays. What they come to is kept apart from the cells, so that no live number can hold it.

create table pgscore_data.replay (
  run_id bigint primary key references pgscore_data.run on delete cascade,
  from_time timestamptz,
  to_time timestamptz,
  compared_at timestamptz,
  compare_seconds double precision,
  other_id int,
  n_days bigint,
  first_day timestamptz,
  last_day timestamptz
);
comment on table pgscore_data.replay is 'Runs that replay the past, and the version that each is compared with.';
comment on column pgscore_data.replay.from_time is 'Where the window begins; NULL: with the first row.';
comment on column pgscore_data.replay.to_time is 'Where it ends, this time excluded; NULL: with the last row.';
comment on column pgscore_data.replay.other_id is
  'The champion when the replay was asked for: a promotion leaves it. Once it is dropped, and nothing was compared yet, the present one.';
comment on column pgscore_data.replay.first_day is 'First day that has replayed predictions whose label judges both.';

create table pgscore_data.replay_metric (
  run_id bigint not null references pgscore_data.replay on delete cascade,
  metric text not null,
  value double precision,
  other_value double precision,
  low double precision,
  high double precision,
  n bigint not null,
  other_n bigint not null,
  is_enough boolean not null,
  primary key (run_id, metric)
);
comment on table pgscore_data.replay_metric is
  'What a replay and the live predictions of the champion came to over the same labels, as compared_metric has it of versions.';

create table pgscore_data.replay_month (
  run_id bigint not null references pgscore_data.replay on delete cascade,
  month timestamptz not null,
  in_training boolean,
  is_live boolean not null default false,
  n_predictions bigint not null,
  n_labeled bigint not null,
  n_awaiting bigint not null,
  n_hits bigint,
  n_positive bigint,
  n_said_positive bigint,
  n_true_positive bigint,
  sum_abs_error double precision,
  sum_error2 double precision,
  unique nulls not distinct (run_id, month, in_training, is_live)
);
comment on table pgscore_data.replay_month is 'What a replay came to, month by month.';
comment on column pgscore_data.replay_month.in_training is
  'Whether its predictions are for a time that the version, or the one that it is compared with, was trained on; NULL: the version does '
  'not say until when it was trained.';
comment on column pgscore_data.replay_month.is_live is
  'Whether the row is of the live predictions of the version that it is compared with, over the labels that judge both.';

create unlogged table pgscore_data.replay_prediction (
  entity bigint not null,
  event_time timestamptz not null,
  in_training boolean,
  is_awaiting boolean not null,
  known_at timestamptz,
  is_hit boolean,
  is_positive boolean,
  said_positive boolean,
  error double precision,
  bin smallint
);
comment on table pgscore_data.replay_prediction is
  'Work of the comparison that is running: the predictions of a replay, with what the label said that judges them, if any.';

-- Features and their drift.

create table pgscore_data.feature_set (
  set_id int generated always as identity primary key,
  version_id int not null unique references pgscore_data.version on delete cascade,
  baseline text not null check (baseline in ('first_runs', 'training', 'table', 'history')),
  baseline_rows bigint not null default 0,
  baseline_complete boolean not null default false
);
comment on table pgscore_data.feature_set is
  'The frozen bins of a version''s features as a whole. Forgetting them makes another set_id, so that nobody counts into bins that are '
  'gone.';
comment on column pgscore_data.feature_set.baseline is
  'Where the baseline comes from: the first finished runs, training statistics in the model''s metadata, a table or some days of history.';

create table pgscore_data.feature_bins (
  set_id int not null references pgscore_data.feature_set on delete cascade,
  feature smallint not null,
  name text not null,
  kind text not null check (kind in ('number', 'category')),
  n_bins smallint not null check (n_bins between 0 and 100),
  low double precision check (abs(low) < 1e60),
  high double precision check (high >= low and abs(high) < 1e60),
  edges double precision[],
  centers double precision[],
  coarse smallint[],
  categories text[],
  others text[],
  primary key (set_id, feature),
  check (case kind
    when 'number' then
      edges is not null and cardinality(centers) = n_bins and cardinality(coarse) = n_bins and cardinality(edges) = greatest(n_bins - 1, 0)
      and (low is null) = (n_bins = 0) and (high is null) = (low is null)
    else cardinality(categories) = n_bins and cardinality(others) <= 1000 end)
);
comment on table pgscore_data.feature_bins is
  'What a feature is counted in. Counts are arrays of n_bins + 3: missing; below the lowest bin, or a category that the baseline does not '
  'have; the bins; above the highest, or any other category.';
comment on column pgscore_data.feature_bins.feature is 'Position of the feature in the version''s signature, from 1.';
comment on column pgscore_data.feature_bins.edges is
  'Inner edges of the bins of a number, ascending. Bin 1 begins at low, the last one ends with high; an edge belongs to the bin above it, '
  'as in width_bucket() and numpy.histogram().';
comment on column pgscore_data.feature_bins.centers is
  'Mean of what was in each bin when they were frozen: its representative in distances.';
comment on column pgscore_data.feature_bins.coarse is 'Which of the ten wider bins each bin is part of.';
comment on column pgscore_data.feature_bins.others is
  'Categories that are known and have no bin; NULL where they were too many to distinguish from new ones.';

create table pgscore_data.feature_baseline (
  set_id int not null,
  feature smallint not null,
  counts bigint[] not null,
  n_measured bigint not null,
  sum numeric not null,
  primary key (set_id, feature),
  foreign key (set_id, feature) references pgscore_data.feature_bins on delete cascade
);
comment on table pgscore_data.feature_baseline is 'What days are compared with.';

create table pgscore_data.cell_feature (
  set_id int not null,
  day timestamptz not null,
  feature smallint not null,
  counts bigint[] not null,
  n_measured bigint not null,
  sum numeric not null,
  primary key (set_id, day, feature),
  foreign key (set_id, feature) references pgscore_data.feature_bins on delete cascade
) with (fillfactor = 70);
comment on table pgscore_data.cell_feature is
  'Rows that finished runs read, by the local day that they are for and by where each feature lay.';
comment on column pgscore_data.cell_feature.n_measured is 'Values that sum adds up: those that are finite and less than 1e60.';

create table pgscore_data.touched_feature (
  set_id int not null references pgscore_data.feature_set on delete cascade,
  day timestamptz not null,
  primary key (set_id, day)
);
comment on table pgscore_data.touched_feature is 'Days whose features changed, or whose baseline did, since their drift was computed.';

create table pgscore_data.drift_value (
  set_id int not null,
  day timestamptz not null,
  feature smallint not null,
  n bigint not null,
  n_baseline bigint not null,
  n_bins smallint not null,
  psi double precision,
  psi_floor double precision not null,
  psi_noise_limit double precision,
  js_distance_base2 double precision,
  ks_statistic double precision,
  ks_p_value double precision check (ks_p_value between 0 and 1),
  wasserstein_normed double precision,
  tv_distance double precision,
  l_infinity_distance double precision,
  chi2_statistic double precision,
  chi2_p_value double precision check (chi2_p_value between 0 and 1),
  cramers_v double precision,
  missing_rate double precision,
  missing_rate_delta double precision,
  out_of_range_rate double precision,
  new_category_rate double precision,
  mean double precision,
  mean_delta double precision,
  status text not null check (status in ('ok', 'warning', 'alert', 'insufficient_data')),
  undefined_reason text,
  primary key (set_id, day, feature),
  foreign key (set_id, feature) references pgscore_data.feature_bins on delete cascade,
  check (array[psi, psi_noise_limit, js_distance_base2, ks_statistic, wasserstein_normed, tv_distance, l_infinity_distance, chi2_statistic,
      cramers_v, mean, mean_delta] && array['NaN', 'Infinity', '-Infinity']::double precision[] is not true)
) with (fillfactor = 70);
comment on table pgscore_data.drift_value is
  'How far each feature of a day is from the baseline, computed again for the days that a refresh touched.';
comment on column pgscore_data.drift_value.n_bins is 'Bins that hold something, on either side.';

-- Refreshes.

create table pgscore_data.refresh_log (
  refresh_id bigint generated always as identity primary key,
  started_at timestamptz not null,
  labels_changed bigint not null,
  entities bigint not null,
  pairs_removed bigint not null,
  pairs_added bigint not null,
  runs_seen bigint not null,
  duration_ms double precision not null
);
comment on table pgscore_data.refresh_log is 'Refreshes of the last 90 days that changed something.';

create table pgscore_data.rollup_audit (
  version_id int not null,
  day timestamptz not null,
  checked_at timestamptz not null default clock_timestamp(),
  cells_checked bigint not null,
  cells_different bigint not null
);
comment on table pgscore_data.rollup_audit is 'Days whose cells were counted again to see whether they are right.';
create index rollup_audit_by_time on pgscore_data.rollup_audit (checked_at);

-- Work tables of a refresh.

create unlogged table pgscore_data.refresh_label (
  entity bigint not null,
  model_id int not null,
  source_id int,
  key text[] collate "C" not null,
  known_at timestamptz not null,
  label text,
  retracted boolean not null,
  captured_at timestamptz not null
);
comment on table pgscore_data.refresh_label is 'Work of the refresh that is running: the changes that it took.';
comment on column pgscore_data.refresh_label.entity is 'Number of the entity in this refresh.';

create unlogged table pgscore_data.refresh_key (
  entity bigint not null,
  model_id int not null,
  key text[] collate "C" not null
);
comment on table pgscore_data.refresh_key is 'Work of the refresh that is running: the entities whose pairs may have changed.';
comment on column pgscore_data.refresh_key.entity is 'Its number in this refresh.';

create unlogged table pgscore_data.refresh_truth (
  entity bigint not null,
  known_at timestamptz not null,
  label text not null,
  source_id int,
  received_at timestamptz not null
);
comment on table pgscore_data.refresh_truth is 'Work of the refresh that is running: every label that these entities have now.';

create unlogged table pgscore_data.refresh_pair (
  entity bigint not null,
  like pgscore_data.evaluation including defaults,
  n_predictions bigint,
  is_newest boolean
);
comment on table pgscore_data.refresh_pair is
  'Work of the refresh that is running: the labels that the entities which changed have now, as they are to be in evaluation.';
comment on column pgscore_data.refresh_pair.n_predictions is 'How many predictions are in its place.';
comment on column pgscore_data.refresh_pair.is_newest is
  'Whether it is in the last place of its entity; false also where that was not looked up.';

create unlogged table pgscore_data.refresh_old_pair (
  entity bigint not null,
  like pgscore_data.evaluation,
  row_tid tid not null
);
comment on table pgscore_data.refresh_old_pair is
  'Work of the refresh that is running: the labels that these entities had, and where they are.';

create unlogged table pgscore_data.refresh_delta (
  sign smallint not null,
  version_id int not null,
  day timestamptz not null,
  age_band smallint not null,
  actual_class smallint,
  predicted_class smallint,
  actual double precision,
  score double precision,
  p_actual double precision,
  bin smallint,
  rank smallint,
  class_bins smallint[],
  segments int[],
  predicted_values double precision[],
  actual_values double precision[]
);
comment on table pgscore_data.refresh_delta is 'Work of the refresh that is running: what leaves the cells (sign -1) and what enters them.';

create unlogged table pgscore_data.refresh_prediction (like pgscore_data.kept_prediction);
comment on table pgscore_data.refresh_prediction is
  'Work of the refresh that is running: single predictions that come in or, in forget(), go.';

create unlogged table pgscore_data.refresh_open (
  version_id int not null,
  segments int[],
  day timestamptz not null,
  closes_at timestamptz not null,
  n bigint not null
);
comment on table pgscore_data.refresh_open is 'Work of the refresh that is running: changes of the places that wait for a label.';

create unlogged table pgscore_data.refresh_special (code text collate "C" primary key);
comment on table pgscore_data.refresh_special is
  'Work of the refresh that is running: entities of a run in blocks that have other places since the run before it.';

create unlogged table pgscore_data.refresh_left (
  run_id bigint not null,
  code text collate "C" not null
);
comment on table pgscore_data.refresh_left is 'Work of the refresh that is running: entities of heads that a new run has not.';

create unlogged table pgscore_data.refresh_window (
  version_id int not null,
  grain text not null,
  window_start timestamptz not null,
  window_end timestamptz not null
);
comment on table pgscore_data.refresh_window is 'Work of the refresh that is running: the windows whose metrics are computed.';

create unlogged table pgscore_data.refresh_feature (
  set_id int not null,
  run_id bigint not null,
  day timestamptz not null,
  feature smallint not null,
  slot smallint not null,
  n bigint not null,
  sum double precision
);
comment on table pgscore_data.refresh_feature is 'Work of the refresh that is running: tallies of features of the runs that it counts.';

create unlogged table pgscore_data.refresh_drift (
  set_id int not null,
  day timestamptz not null,
  feature smallint not null,
  slot smallint not null,
  part smallint not null,
  center double precision,
  w double precision not null,
  b double precision,
  psi_floor double precision not null
);
comment on table pgscore_data.refresh_drift is 'Work of the refresh that is running: what a day and the baseline hold in each slot.';

-- These are analyzed for how many rows they have, and how many entities, versions and days. All else is not asked for.
do $$
declare
  c record;
begin
  for c in
    select a.attrelid::regclass as work, a.attname as name,
           case when a.attname in ('entity', 'model_id', 'version_id', 'day') then 1 else 0 end as target
      from unnest('{refresh_label,refresh_key,refresh_truth,refresh_delta}'::text[]) t
      join pg_attribute a on a.attrelid = ('pgscore_data.' || t)::regclass and a.attnum > 0
  loop
    execute format('alter table %s alter column %I set statistics %s', c.work, c.name, c.target);
  end loop;
end
$$;
alter table pgscore_data.refresh_label alter column entity set (n_distinct = -1);
alter table pgscore_data.refresh_key alter column entity set (n_distinct = -1);
