-- What a model's accuracy is likely to be before labels come, how versions compare, and how the classes of a classifier are ranked.

create table pgscore_data.score_bin (bin smallint primary key, low double precision not null, high double precision not null);
comment on table pgscore_data.score_bin is 'The bins that score_bins makes, a row each: p > low, p <= high. To be joined: an element of a long array costs 40 µs.';
insert into pgscore_data.score_bin (bin, low, high)
select place - 1, lag(high, 1, 0::float8) over (order by place), high from pgscore_data.score_bins s cross join lateral unnest(s.edges || 1::float8) with ordinality as x (high, place);

alter table pgscore_data.day_tally add column positives bigint[];
comment on column pgscore_data.day_tally.positives is 'How many of the counts were called positive; NULL where who counted did not say: then the bin tells.';

alter table pgscore_data.cell_score add column n_positive bigint not null default 0;
comment on column pgscore_data.cell_score.n_positive is 'How many of them were called positive: all or none, but in the bin that holds the threshold. Of what was counted before this column was, those in bins that begin at the threshold or above it.';
update pgscore_data.cell_score c set n_positive = c.n
  from pgscore_data.execution e join lateral (select min(b.bin) as bin from pgscore_data.score_bin b where b.low >= e.threshold) first on true
 where e.version_id = c.version_id and c.bin >= first.bin;

create table pgscore_data.calibration (
  version_id int primary key,
  changed_at timestamptz not null default clock_timestamp(),
  checked_at timestamptz,
  n bigint not null default 0,
  n_positive bigint not null default 0,
  last_day timestamptz,
  state text not null default 'too_few_labels' check (state in ('isotonic', 'not_needed', 'too_few_labels')),
  share double precision[],
  check ((state = 'isotonic') = (share is not null))
);
comment on table pgscore_data.calibration is 'What the scores of each labelled version mean: learned from the days that are mature, and again when these have grown by a tenth. A version has a row once a label touched it.';
comment on column pgscore_data.calibration.changed_at is 'When a label last changed its cells.';
comment on column pgscore_data.calibration.checked_at is 'As of when it was last seen whether there is more to learn from.';
comment on column pgscore_data.calibration.n is 'Labelled predictions that were learned from.';
comment on column pgscore_data.calibration.share is 'The share of positives to expect in each bin of scores, by isotonic regression; NULL where scores are taken as the shares that they claim to be.';
insert into pgscore_data.calibration (version_id)
select o.version_id from pgscore_data.cell_outcome o union select r.version_id from pgscore_data.cell_regression r;

create table pgscore_data.estimate_due (version_id int not null, day timestamptz not null, primary key (version_id, day));
comment on table pgscore_data.estimate_due is 'Days whose predictions, or the meaning of whose scores, changed since their estimate was made.';
insert into pgscore_data.estimate_due (version_id, day) select distinct c.version_id, c.day from pgscore_data.cell_score c;

create table pgscore_data.estimate (
  version_id int not null,
  day timestamptz not null,
  n bigint not null,
  true_positives double precision not null,
  false_positives double precision not null,
  false_negatives double precision not null,
  true_negatives double precision not null,
  roc_auc double precision,
  primary key (version_id, day)
) with (fillfactor = 70);
comment on table pgscore_data.estimate is 'What to expect of the predictions for a day, labelled or not, by their calibrated scores.';

alter table pgscore_data.evaluation add column rank smallint, add column class_bins smallint[];
comment on column pgscore_data.evaluation.rank is 'Place of the true class among the classes by probability, from 1; of equal ones the later class comes first, as in scikit-learn.';
comment on column pgscore_data.evaluation.class_bins is 'The bin of each class''s probability, of a classifier of 3 to 50 classes: a fourth as many as score_bins has. Kept so that a pair can be taken out of the cells after its prediction is gone.';
alter table pgscore_data.refresh_delta add column rank smallint, add column class_bins smallint[];

create table pgscore_data.cell_rank (
  version_id int not null,
  day timestamptz not null,
  rank smallint not null,
  n bigint not null,
  primary key (version_id, day, rank)
) with (fillfactor = 70);
comment on table pgscore_data.cell_rank is 'Labelled predictions of a classifier of three or more classes by the rank of what was true.';

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

create table pgscore_data.class_metric (
  version_id int not null,
  grain text not null check (grain in ('day', 'week', 'month')),
  window_start timestamptz not null,
  class smallint not null,
  roc_auc double precision,
  error_bound double precision,
  primary key (version_id, grain, window_start, class)
) with (fillfactor = 70);
comment on table pgscore_data.class_metric is 'Area under the ROC curve of each class against the others, computed again for the windows that a refresh touched.';

create table pgscore_data.compared_pair (
  version_id int not null,
  other_id int not null,
  compared_at timestamptz not null,
  compare_seconds double precision not null,
  n_days bigint not null,
  first_day timestamptz,
  last_day timestamptz,
  primary key (version_id, other_id)
);
comment on table pgscore_data.compared_pair is 'Versions that were compared, over the days that are mature for both.';

create table pgscore_data.compared_metric (
  version_id int not null,
  other_id int not null,
  metric text not null,
  value double precision,
  value_low double precision,
  value_high double precision,
  n bigint not null,
  other_value double precision,
  other_low double precision,
  other_high double precision,
  other_n bigint not null,
  is_enough boolean not null,
  primary key (version_id, other_id, metric),
  foreign key (version_id, other_id) references pgscore_data.compared_pair on delete cascade
);
comment on table pgscore_data.compared_metric is 'What each of two versions came to over the same days, with its 95 % interval.';
