-- What is to be expected of classifiers of three or more classes: how their predictions lie by class, labelled or not. And which quantile a regression predicts, and rules
-- about drift that find the grain with rows enough.

alter table pgscore_data.monitor add column quantile double precision check (quantile > 0 and quantile < 1);
comment on column pgscore_data.monitor.quantile is 'Which quantile a regression predicts; NULL: none that is known, and no pinball loss.';

create table pgscore_data.class_tally (
  run_id bigint not null references pgscore_data.run on delete cascade,
  attempt int not null,
  shard int not null,
  day timestamptz,
  classes smallint[] not null,
  bins smallint[] not null,
  counts bigint[] not null,
  predicted bigint[] not null
);
comment on table pgscore_data.class_tally is 'What a job predicted for a day, by class: counts[i] predictions gave class classes[i], from 0, a probability in bin bins[i], a fourth as many as score_bins has, and predicted[i] of them said this class. They join the cells when their run is done.';
comment on column pgscore_data.class_tally.day is 'NULL where the source has no event time: the day of the run''s snapshot.';
create index class_tally_of_run on pgscore_data.class_tally (run_id, attempt);

create table pgscore_data.cell_class_volume (
  version_id int not null,
  day timestamptz not null,
  class smallint not null,
  bin smallint not null,
  n bigint not null,
  n_predicted bigint not null,
  primary key (version_id, day, class, bin)
) with (fillfactor = 70);
comment on table pgscore_data.cell_class_volume is 'Predictions of a classifier of 3 to 50 classes by the probability of each class, labelled or not.';
comment on column pgscore_data.cell_class_volume.n_predicted is 'How many of them said this class.';

create table pgscore_data.class_estimate (
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
comment on table pgscore_data.class_estimate is 'What to expect of the predictions for a day about each class against the others, by their calibrated probabilities.';

comment on column pgscore_data.calibration.n_positive is 'How many of them were positive; of a classifier of three or more classes, how many were right.';
comment on column pgscore_data.calibration.share is 'The share of positives to expect in each bin of scores, by isotonic regression; NULL where scores are taken as the shares that they claim to be. Of a classifier of three or more classes one class after the other, in a fourth as many bins; NULL for a class that is taken at its word.';

alter table pgscore_data.alert_rule drop constraint alert_rule_grain_check, add constraint alert_rule_grain_check check (grain in ('auto', 'day', 'week', 'month'));
comment on column pgscore_data.alert_rule.grain is 'auto, of drift: days, or where these have too few rows weeks, or where these have months.';

alter table pgscore_data.cell_regression add column n_log bigint not null default 0, add column sum_log_error2 numeric not null default 0;
comment on column pgscore_data.cell_regression.n_log is 'How many pairs sum_log_error2 is of: those above -1 on both sides, of what was counted since this column was. Less than n, there is no mean.';
