-- Accuracy by segment: the values of some columns, frozen with each prediction, and the cells of each value beside those of all.

alter table pgscore_data.monitor add column segments text[] not null default '{}' check (cardinality(segments) <= 8);
comment on column pgscore_data.monitor.segments is 'Columns that predictions are split by, from the next run on.';

alter table pgscore_data.run add column segments text[];
comment on column pgscore_data.run.segments is 'What the monitor''s segments were when the run was submitted: its predictions hold a value for each. NULL: none.';

create table pgscore_data.segment (
  segment_id int generated always as identity primary key,
  model_id int not null references pgscore_data.model on delete cascade,
  column_name text collate "C" not null,
  value text collate "C" not null,
  unique (model_id, column_name, value)
);
comment on table pgscore_data.segment is 'The values of each segment column that are told apart, two hundred at most; besides, :missing is a row without one, and :other any further one. Who is no segment is 0: all predictions. Rows stay, so that a value is the same segment for ever.';

create table pgscore_data.segment_tally (
  run_id bigint not null references pgscore_data.run on delete cascade,
  attempt int not null,
  shard int not null,
  day timestamptz,
  places smallint[] not null,
  names text[] not null,
  counts bigint[] not null,
  failed bigint[] not null
);
comment on table pgscore_data.segment_tally is 'Predictions of a job by day and segment, written with them: counts[i] of them, and failed[i] rows that could not be scored, have the value names[i] in the column run.segments[places[i]]; NULL has none. A refresh adds them to the cells when the run is done.';
create index segment_tally_of_run on pgscore_data.segment_tally (run_id, attempt);

alter table pgscore_data.evaluation add column segments int[];
comment on column pgscore_data.evaluation.segments is 'The segments that the prediction is in, one a column; NULL where it was made without.';
alter table pgscore_data.refresh_prediction add column segments int[];
alter table pgscore_data.refresh_pair add column segments int[];
alter table pgscore_data.refresh_old_pair add column segments int[];
alter table pgscore_data.refresh_delta add column segments int[];

alter table pgscore_data.cell_volume add column segment_id int not null default 0, drop constraint cell_volume_pkey, add primary key (version_id, segment_id, day);
alter table pgscore_data.cell_outcome add column segment_id int not null default 0, drop constraint cell_outcome_pkey, add primary key (version_id, segment_id, day, age_band, actual_class, predicted_class);
alter table pgscore_data.cell_rank add column segment_id int not null default 0, drop constraint cell_rank_pkey, add primary key (version_id, segment_id, day, rank);
alter table pgscore_data.cell_regression add column segment_id int not null default 0, drop constraint cell_regression_pkey, add primary key (version_id, segment_id, day, age_band);
comment on column pgscore_data.cell_volume.segment_id is 'Of which segment; 0: of all predictions.';
comment on column pgscore_data.cell_outcome.segment_id is 'Of which segment; 0: of all predictions.';
comment on column pgscore_data.cell_rank.segment_id is 'Of which segment; 0: of all predictions.';
comment on column pgscore_data.cell_regression.segment_id is 'Of which segment; 0: of all predictions.';

do $$
declare
  t pgscore_data.target;
begin
  select x.* into t from pgscore_data.target x where x.key_columns @> '[{"name": "pgscore_segments"}]' limit 1;
  if found then
    raise exception 'target "%"."%" of % is keyed by "pgscore_segments", a column of every prediction from now on, and must be dropped before', t.view_schema, t.view_name, t.owner using
      errcode = 'duplicate_column', hint = format('select pgscore.drop_target(%L, %L); nothing was changed so far.', t.view_name, t.view_schema);
  end if;
  for t in select x.* from pgscore_data.target x loop
    execute format('alter table pgscore_predictions.%I add column pgscore_segments text[]', 'target_' || t.target_id);
  end loop;
end
$$;
