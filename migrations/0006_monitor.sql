-- Accuracy over time: labels as they arrive, the pair of prediction and label that counts now, and the cells that metrics are made of.

create table pgscore_data.monitor (
  model_id int primary key references pgscore_data.model on delete cascade,
  time_zone text not null default 'UTC',
  pairing text not null default 'latest_before_label' check (pairing in ('latest_before_label', 'latest', 'first', 'all')),
  label_maturity interval not null default '30 days',
  min_label_coverage double precision not null default 0.95 check (min_label_coverage between 0 and 1),
  key_types text[]
);
comment on table pgscore_data.monitor is 'How a model is watched. Every model has a row from its first version on.';
comment on column pgscore_data.monitor.time_zone is 'Where a day begins and ends.';
comment on column pgscore_data.monitor.pairing is 'Which prediction of an entity a label judges.';
comment on column pgscore_data.monitor.label_maturity is 'Age at which a window is expected to have its labels.';
comment on column pgscore_data.monitor.key_types is 'Families of the key columns of the labels, by which they are looked up among predictions; NULL until the first label.';
insert into pgscore_data.monitor (model_id) select m.model_id from pgscore_data.model m;

create table pgscore_data.score_bins (
  singleton boolean primary key default true check (singleton),
  edges double precision[] not null,
  mirrored double precision[] not null
);
comment on table pgscore_data.score_bins is 'Inner edges of the bins that probabilities are counted in: 50 a decade from 1e-7 to 0.01, thousandths to 0.99, and the mirror of the first near 1, so that AUC is right for rare classes too. Bin n holds edge n < p <= edge n+1. mirrored: the same edges negated and sorted, for width_bucket(), which closes bins on the left.';
insert into pgscore_data.score_bins (edges, mirrored)
with edge (e) as (
  select round(power(10::numeric, -7 + k / 50.0), 12) from generate_series(0, 249) k
  union select k / 1000.0 from generate_series(10, 990) k
  union select 1 - round(power(10::numeric, -7 + k / 50.0), 12) from generate_series(0, 249) k
)
select array_agg(e::float8 order by e), array_agg(-e::float8 order by e desc) from edge;

create table pgscore_data.label_source (
  source_id int generated always as identity primary key,
  model_id int not null unique references pgscore_data.model on delete cascade,
  set_by name not null,
  source_schema name not null,
  source_name name not null,
  label_column name not null,
  key_columns name[] not null,
  known_at_column name,
  handle_id bigint references pgscore_data.handle on delete set null,
  time_zone text,
  set_at timestamptz not null default clock_timestamp(),
  compare_after timestamptz not null default clock_timestamp(),
  compared_at timestamptz,
  compare_seconds double precision,
  rows_compared bigint,
  error text
);
comment on table pgscore_data.label_source is 'The table or view that holds the labels of a model, and when it was last compared with what is known.';
create table pgscore_data.comparison_request (source_id int not null);
comment on table pgscore_data.comparison_request is 'Sources of labels that a trigger wants read whole, because a statement such as TRUNCATE says nothing of rows. Rows are only added; a comparison takes them away.';

create table pgscore_data.label_change (
  change_id bigint generated always as identity primary key,
  model_id int not null,
  source_id int,
  key text[] collate "C" not null,
  known_at timestamptz,
  label text,
  retracted boolean not null default false,
  captured_at timestamptz not null default clock_timestamp()
);
comment on table pgscore_data.label_change is 'Labels that were written, corrected or withdrawn since the last refresh: written in the transaction of whoever changed them, taken out by the refresh. Of one label the highest change_id counts.';
create index label_change_of_key on pgscore_data.label_change (model_id, key);
comment on column pgscore_data.label_change.source_id is 'NULL for a label of record_label().';
comment on column pgscore_data.label_change.known_at is 'NULL where the source says nothing of it: then an entity has one label.';

create unlogged table pgscore_data.compared_label (source_id int not null, key text[] collate "C" not null, known_at timestamptz, label text not null);
comment on table pgscore_data.compared_label is 'A source of labels as it was just read, to be compared with what is known.';

create table pgscore_data.ground_truth (
  model_id int not null references pgscore_data.model on delete cascade,
  key text[] collate "C" not null,
  known_at timestamptz not null,
  label text not null,
  source_id int,
  revision int not null default 1,
  received_at timestamptz not null default clock_timestamp(),
  primary key (model_id, key, known_at)
) with (fillfactor = 90);
comment on table pgscore_data.ground_truth is 'The labels that are known now. known_at is when the truth became known, received_at when pgscore heard of it.';

create table pgscore_data.evaluation (
  model_id int not null,
  key text[] collate "C" not null,
  version_id int not null,
  run_id bigint not null,
  day timestamptz not null,
  event_time timestamptz not null,
  known_at timestamptz not null,
  age_band smallint not null,
  actual_class smallint,
  predicted_class smallint,
  actual double precision,
  score double precision,
  p_actual double precision,
  bin smallint,
  primary key (model_id, key, version_id, run_id)
) with (fillfactor = 90);
comment on table pgscore_data.evaluation is 'The prediction and label that are a pair now: what each contributed to the cells, so that it can be taken out again exactly.';
comment on column pgscore_data.evaluation.age_band is 'Age of the label when it became known: 0 up to a day, 1 a week, 2 thirty days, 3 ninety days, 4 more.';
comment on column pgscore_data.evaluation.p_actual is 'Probability that the model gave to the true class.';
comment on column pgscore_data.evaluation.actual_class is 'Place of the true class in the version''s class labels, from 0; NULL for a regression.';

create table pgscore_data.cell_volume (
  version_id int not null,
  day timestamptz not null,
  n_predictions bigint not null,
  n_failed bigint not null,
  primary key (version_id, day)
) with (fillfactor = 70);
comment on table pgscore_data.cell_volume is 'Predictions of finished runs, by the local day that they are for.';

create table pgscore_data.cell_score (
  version_id int not null,
  day timestamptz not null,
  bin smallint not null,
  n bigint not null,
  primary key (version_id, day, bin)
) with (fillfactor = 70);
comment on table pgscore_data.cell_score is 'Predictions by score, labelled or not.';

create table pgscore_data.cell_outcome (
  version_id int not null,
  day timestamptz not null,
  age_band smallint not null,
  actual_class smallint not null,
  predicted_class smallint not null,
  n bigint not null,
  sum_brier numeric not null,
  sum_log_loss numeric not null,
  primary key (version_id, day, age_band, actual_class, predicted_class)
) with (fillfactor = 70);
comment on table pgscore_data.cell_outcome is 'Labelled predictions of a classifier by what was said and what was true.';

create table pgscore_data.cell_outcome_score (
  version_id int not null,
  day timestamptz not null,
  positive boolean not null,
  bin smallint not null,
  n bigint not null,
  sum_score numeric not null,
  primary key (version_id, day, positive, bin)
) with (fillfactor = 70);
comment on table pgscore_data.cell_outcome_score is 'Labelled predictions of a binary classifier by score and truth: AUC, average precision, calibration and thresholds come from these.';

create table pgscore_data.cell_regression (
  version_id int not null,
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
  primary key (version_id, day, age_band)
) with (fillfactor = 70);
comment on table pgscore_data.cell_regression is 'Labelled predictions of a regression. Sums are numeric: exactly reversible, in any order.';

create table pgscore_data.cell_error (
  version_id int not null,
  day timestamptz not null,
  bucket int not null,
  n bigint not null,
  primary key (version_id, day, bucket)
) with (fillfactor = 70);
comment on table pgscore_data.cell_error is 'Absolute errors of a regression by size, buckets 2 % wide (DDSketch, arXiv 1908.10693): bucket k holds errors up to (1.01/0.99)^k; the lowest holds 0.';

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
comment on table pgscore_data.metric_value is 'Metrics that take more than adding cells up, computed again for the windows that a refresh touched.';

create table pgscore_data.touched (
  version_id int not null,
  day timestamptz not null,
  primary key (version_id, day)
);
comment on table pgscore_data.touched is 'Days whose cells changed since their metrics were computed.';

create table pgscore_data.rollup_audit (
  version_id int not null,
  day timestamptz not null,
  checked_at timestamptz not null default clock_timestamp(),
  cells_checked bigint not null,
  cells_different bigint not null
);
comment on table pgscore_data.rollup_audit is 'Days whose cells were counted again to see whether they are right.';
create index rollup_audit_by_time on pgscore_data.rollup_audit (checked_at);
create index evaluation_of_day on pgscore_data.evaluation (version_id, day);

create unlogged table pgscore_data.refresh_label (model_id int not null, source_id int, key text[] collate "C" not null, known_at timestamptz not null, label text, retracted boolean not null);
comment on table pgscore_data.refresh_label is 'Work of the refresh that is running: the changes that it took.';
create unlogged table pgscore_data.refresh_key (model_id int not null, key text[] collate "C" not null, primary key (model_id, key));
comment on table pgscore_data.refresh_key is 'Work of the refresh that is running: the entities whose pairs may have changed.';
create unlogged table pgscore_data.refresh_prediction (
  model_id int not null, key text[] collate "C" not null, version_id int not null, run_id bigint not null,
  event_time timestamptz not null, score double precision, predicted_class smallint, probabilities double precision[]
);
comment on table pgscore_data.refresh_prediction is 'Work of the refresh that is running: the predictions of those entities.';
create unlogged table pgscore_data.refresh_delta (
  sign smallint not null, version_id int not null, day timestamptz not null, age_band smallint not null,
  actual_class smallint, predicted_class smallint, actual double precision, score double precision, p_actual double precision, bin smallint
);
comment on table pgscore_data.refresh_delta is 'Work of the refresh that is running: what leaves the cells (sign -1) and what enters them.';

create unlogged table pgscore_data.refresh_window (version_id int not null, grain text not null, window_start timestamptz not null, window_end timestamptz not null);
comment on table pgscore_data.refresh_window is 'Work of the refresh that is running: the windows whose metrics are computed.';

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

alter table pgscore_data.run add column paired boolean not null default false;
comment on column pgscore_data.run.paired is 'Whether labels that were known before the run have been paired with its predictions.';
create index run_of_target on pgscore_data.run (target_id, version_id) where state = 'done';
create index run_unpaired on pgscore_data.run (run_id) where state = 'done' and not paired;

create table pgscore_data.run_tally (
  run_id bigint not null references pgscore_data.run on delete cascade,
  attempt int not null,
  shard int not null,
  day timestamptz,
  bin smallint not null,
  n bigint not null
);
comment on table pgscore_data.run_tally is 'Predictions of a run that is not published, by day and score: bin -1 counts those without a score, -2 those that failed. They join the cells in the transaction that publishes the run.';
create index run_tally_of_run on pgscore_data.run_tally (run_id, attempt);

-- By which the refresh finds what a run predicted, also where it was superseded meanwhile.
do $$
declare
  t pgscore_data.target;
begin
  for t in select x.* from pgscore_data.target x loop
    execute format('create index on pgscore_predictions.%I (run_id)', format('target_%s_g0', t.target_id));
  end loop;
end
$$;
