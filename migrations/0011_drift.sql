-- Drift of features: bins that are frozen per version, what each day held in them, and how far that is from the baseline.

alter table pgscore_data.monitor
  add column features_watched boolean not null default true,
  add column baseline_rows int not null default 1000 check (baseline_rows between 100 and 1000000),
  add column psi_floor double precision not null default 0.0001 check (psi_floor > 0 and psi_floor <= 0.01),
  add column psi_warning double precision not null default 0.1 check (psi_warning > 0 and psi_warning < 100),
  add column psi_alert double precision not null default 0.25 check (psi_alert >= psi_warning and psi_alert < 100);
comment on column pgscore_data.monitor.features_watched is 'Whether runs count their features.';
comment on column pgscore_data.monitor.baseline_rows is 'Rows from which the first runs of a version are its baseline.';
comment on column pgscore_data.monitor.psi_floor is 'What stands for a share of nothing in the population stability index.';

create table pgscore_data.feature_set (
  set_id int generated always as identity primary key,
  version_id int not null unique references pgscore_data.version on delete cascade,
  frozen_at timestamptz not null default clock_timestamp(),
  baseline text not null check (baseline in ('first_runs', 'training', 'table', 'history')),
  baseline_rows bigint not null default 0,
  baseline_complete boolean not null default false
);
comment on table pgscore_data.feature_set is 'The frozen bins of a version''s features as a whole. Forgetting them makes another set_id, so that nobody counts into bins that are gone.';
comment on column pgscore_data.feature_set.baseline is 'Where the baseline comes from: the first finished runs, training statistics in the model''s metadata, a table or some days of history.';

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
    when 'number' then edges is not null and cardinality(centers) = n_bins and cardinality(coarse) = n_bins and cardinality(edges) = greatest(n_bins - 1, 0) and (low is null) = (n_bins = 0) and (high is null) = (low is null)
    else cardinality(categories) = n_bins and cardinality(others) <= 1000 end)
);
comment on table pgscore_data.feature_bins is 'What a feature is counted in. Counts are arrays of n_bins + 3: missing; below the lowest bin, or a category that the baseline does not have; the bins; above the highest, or any other category.';
comment on column pgscore_data.feature_bins.feature is 'Place of the feature in the version''s signature, from 1.';
comment on column pgscore_data.feature_bins.edges is 'Inner edges of the bins of a number, ascending. Bin 1 begins at low, the last one ends with high; an edge belongs to the bin above it, as in width_bucket() and numpy.histogram().';
comment on column pgscore_data.feature_bins.centers is 'Mean of what was in each bin when they were frozen: its representative in distances.';
comment on column pgscore_data.feature_bins.coarse is 'Which of the ten wider bins each bin is part of.';
comment on column pgscore_data.feature_bins.others is 'Categories that are known and have no bin; NULL where they were too many to be told from new ones.';

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
comment on table pgscore_data.cell_feature is 'Rows that finished runs read, by the local day that they are for and by where each feature lay.';
comment on column pgscore_data.cell_feature.n_measured is 'Values that sum adds up: those that are finite and less than 1e60.';

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
  wasserstein_normed double precision,
  tv_distance double precision,
  l_infinity_distance double precision,
  chi2_statistic double precision,
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
  check (array[psi, psi_noise_limit, js_distance_base2, ks_statistic, wasserstein_normed, tv_distance, l_infinity_distance, chi2_statistic, cramers_v, mean, mean_delta]
    && array['NaN', 'Infinity', '-Infinity']::double precision[] is not true)
) with (fillfactor = 70);
comment on table pgscore_data.drift_value is 'How far each feature of a day is from the baseline, computed again for the days that a refresh touched.';
comment on column pgscore_data.drift_value.n_bins is 'Bins that hold something, on either side.';

create table pgscore_data.touched_feature (
  set_id int not null references pgscore_data.feature_set on delete cascade,
  day timestamptz not null,
  primary key (set_id, day)
);
comment on table pgscore_data.touched_feature is 'Days whose features changed, or whose baseline did, since their drift was computed.';

create table pgscore_data.feature_tally (
  run_id bigint not null references pgscore_data.run on delete cascade,
  attempt int not null,
  shard int not null,
  set_id int not null,
  day timestamptz,
  n bigint not null,
  features smallint[] not null,
  slots smallint[] not null,
  counts bigint[] not null,
  sums double precision[] not null
);
comment on table pgscore_data.feature_tally is 'What a job read on a day, written with its predictions. A refresh adds it to the cells when the run is done.';
comment on column pgscore_data.feature_tally.slots is 'Parallel to features and counts: the slots that are not empty. The first ones are slot 0 of each number, which counts the values that sums adds up.';
create index feature_tally_of_run on pgscore_data.feature_tally (run_id, attempt);

create table pgscore_data.feature_sample (
  run_id bigint not null references pgscore_data.run on delete cascade,
  attempt int not null,
  shard int not null,
  version_id int not null references pgscore_data.version on delete cascade,
  feature smallint not null,
  days timestamptz[] not null,
  numbers double precision[],
  texts text[]
);
comment on table pgscore_data.feature_sample is 'The features of small runs before their version has bins, as they were; they become tallies when it has.';
create index feature_sample_of_version on pgscore_data.feature_sample (version_id, run_id);

create unlogged table pgscore_data.refresh_feature (
  set_id int not null, run_id bigint not null, day timestamptz not null, feature smallint not null,
  slot smallint not null, n bigint not null, sum double precision
);
comment on table pgscore_data.refresh_feature is 'Work of the refresh that is running: tallies of features of the runs that it counts.';

create unlogged table pgscore_data.refresh_drift (
  set_id int not null, day timestamptz not null, feature smallint not null, slot smallint not null, part smallint not null, center double precision,
  w double precision not null, b double precision, psi_floor double precision not null
);
comment on table pgscore_data.refresh_drift is 'Work of the refresh that is running: what a day and the baseline hold in each slot.';
