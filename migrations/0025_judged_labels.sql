-- A label and the prediction that it judges are one row: as two they were looked up and written in two tables, and found by two
-- indexes of keys, each with a page of its own for almost every label. Keys are arrays of text, which are compared in a tenth of a
-- microsecond and more, some thirty times a look-up: what they hash to is compared instead, in an index of a third of the size.
--
-- Rows are put among those that arrived lately, whose indexes are small, and are moved to the others many at a time.

drop function if exists pgscore_data._tell_labels(), pgscore_data._recall_labels(), pgscore_data._recall_pairs(), pgscore_data._settle();

create unlogged table pgscore_data.judged_label as
select g.model_id, g.key, g.known_at, g.label, g.source_id, g.revision, g.received_at,
       e.version_id, e.run_id, e.day, e.event_time, e.age_band, e.actual_class, e.predicted_class, e.actual, e.score, e.p_actual, e.bin, e.rank, e.class_bins, e.segments
  from pgscore_data.ground_truth g left join pgscore_data.evaluation e on e.model_id = g.model_id and e.key = g.key and e.known_at = g.known_at;
truncate pgscore_data.evaluation;
drop index pgscore_data.evaluation_of_time;
alter table pgscore_data.evaluation
  drop constraint evaluation_pkey,
  alter column version_id drop not null, alter column run_id drop not null, alter column day drop not null, alter column event_time drop not null, alter column age_band drop not null,
  add column label text not null, add column source_id int, add column revision int not null default 1, add column received_at timestamptz not null default clock_timestamp();
insert into pgscore_data.evaluation
  (model_id, key, known_at, label, source_id, revision, received_at, version_id, run_id, day, event_time, age_band, actual_class, predicted_class, actual, score, p_actual, bin, rank, class_bins, segments)
select j.model_id, j.key, j.known_at, j.label, j.source_id, j.revision, j.received_at,
       j.version_id, j.run_id, j.day, j.event_time, j.age_band, j.actual_class, j.predicted_class, j.actual, j.score, j.p_actual, j.bin, j.rank, j.class_bins, j.segments
  from pgscore_data.judged_label j;
drop table pgscore_data.judged_label, pgscore_data.ground_truth, pgscore_data.refresh_pair, pgscore_data.refresh_old_pair;

create unlogged table pgscore_data.refresh_pair (entity bigint not null, like pgscore_data.evaluation);
comment on table pgscore_data.refresh_pair is 'Work of the refresh that is running: the labels that the entities which changed have now, as they are to be in evaluation.';
alter table pgscore_data.evaluation add column is_recent boolean not null default false;
create unlogged table pgscore_data.refresh_old_pair (entity bigint not null, like pgscore_data.evaluation, place tid not null);
comment on table pgscore_data.refresh_old_pair is 'Work of the refresh that is running: the labels that these entities had, and where they are.';
truncate pgscore_data.refresh_truth;
alter table pgscore_data.refresh_truth add column source_id int, add column revision int not null, add column received_at timestamptz not null;

alter table pgscore_data.evaluation rename to evaluation_earlier;
create table pgscore_data.evaluation (like pgscore_data.evaluation_earlier including defaults including comments) partition by list (is_recent);
alter table pgscore_data.evaluation alter column is_recent set default true;
alter table pgscore_data.evaluation attach partition pgscore_data.evaluation_earlier for values in (false);
create table pgscore_data.evaluation_recent partition of pgscore_data.evaluation for values in (true) with (fillfactor = 90);
create index evaluation_of_time on pgscore_data.evaluation (version_id, event_time);
create index evaluation_of_entity on pgscore_data.evaluation (model_id, hash_array(key));
alter table pgscore_data.evaluation_earlier replica identity full;
alter table pgscore_data.evaluation_recent replica identity full;
-- As if there were many versions, as among the others.
alter table pgscore_data.evaluation_recent alter column version_id set (n_distinct = 500);
comment on table pgscore_data.evaluation is 'The labels that are known now, each beside the prediction that it judges: in as many rows as it judges predictions, and in one without a run where it judges none. Also what each pair contributed to the cells, so that it can be taken out again exactly.';
comment on column pgscore_data.evaluation.known_at is 'When the truth became known.';
comment on column pgscore_data.evaluation.run_id is 'The run that made the prediction; of one that was asked for online its prediction_id, negative. NULL: the label judges no prediction, for the time being.';
comment on column pgscore_data.evaluation.received_at is 'When pgscore heard of the label as it is now.';
comment on column pgscore_data.evaluation.is_recent is 'Whether the row is one of those that arrived lately.';
comment on table pgscore_data.evaluation_earlier is 'All but the rows that arrived lately.';
comment on table pgscore_data.evaluation_recent is 'The rows that arrived lately: to find a place in its small indexes changes pages that are in memory, and few of them. When they are many they are moved to the others.';
