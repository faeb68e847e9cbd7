-- Calls of score() become history that the monitor reads: by key, and counted in the batches in which they are kept.

alter table pgscore_data.online_prediction add column key text[] collate "C";
comment on column pgscore_data.online_prediction.key is 'What the prediction is of, as labels spell it; NULL where the row did not say, and the prediction counts without ever having a label.';
create index online_prediction_of_key on pgscore_data.online_prediction (key, version_id) where key is not null;

alter table pgscore_data.monitor add column key_columns name[];
comment on column pgscore_data.monitor.key_columns is 'Columns that identify an entity: those of the labels, else those of the first target that predictions went to. By them the gateway knows what a call is about; NULL: not known yet.';
update pgscore_data.monitor m set key_columns = s.key_columns from pgscore_data.label_source s where s.model_id = m.model_id;
update pgscore_data.monitor m
   set key_columns = (select array_agg(k ->> 'name' order by n) from jsonb_array_elements(t.key_columns) with ordinality as x (k, n))
  from (select distinct on (v.model_id) v.model_id, y.key_columns
          from pgscore_data.run r join pgscore_data.version v using (version_id) join pgscore_data.target y using (target_id)
         where r.state = 'done' order by v.model_id, r.run_id) t
 where t.model_id = m.model_id and m.key_columns is null;

alter table pgscore_data.call_log add column key name[];
comment on column pgscore_data.call_log.key is 'Columns of the rows of calls that identify an entity, where they are called otherwise than those of the labels; NULL: they are not.';

create table pgscore_data.online_batch (
  batch_id bigint primary key check (batch_id < 0),
  version_id int not null references pgscore_data.version,
  n_predictions int not null,
  n_failed int not null,
  snapshot_at timestamptz not null,
  kept_at timestamptz not null default clock_timestamp(),
  first_id bigint not null,
  last_id bigint,
  counted boolean not null default false
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
comment on table pgscore_data.online_batch is 'Calls of a version that were kept in one transaction, with their tallies beside them: to the monitor what a finished run is. Rows stay for a day after they were counted, so that a batch whose commit was not answered for is known when it is sent again.';
comment on column pgscore_data.online_batch.batch_id is 'Drawn by the gateway before it writes. Negative, so that it is no run''s in the tallies.';
comment on column pgscore_data.online_batch.snapshot_at is 'When the last of them was asked.';
comment on column pgscore_data.online_batch.first_id is 'Its predictions are some of those from first_id to last_id: other gateways may have written between them.';
create index online_batch_waiting on pgscore_data.online_batch (batch_id) where not counted;

create table pgscore_data.online_hour (
  version_id int not null,
  hour timestamptz not null,
  n_predictions bigint not null,
  last_at timestamptz not null,
  primary key (version_id, hour)
) with (fillfactor = 70);
comment on table pgscore_data.online_hour is 'How many calls of each version were kept and answered, by the hour: which versions are called at all, and how much now.';

-- A tally is of a run or of a batch of calls. No run is ever deleted.
alter table pgscore_data.day_tally drop constraint day_tally_run_id_fkey;
alter table pgscore_data.class_tally drop constraint class_tally_run_id_fkey;
alter table pgscore_data.feature_tally drop constraint feature_tally_run_id_fkey;
alter table pgscore_data.feature_sample drop constraint feature_sample_run_id_fkey;
comment on column pgscore_data.day_tally.run_id is 'A run, or a batch of calls, which is negative.';
comment on column pgscore_data.class_tally.run_id is 'A run, or a batch of calls, which is negative.';
comment on column pgscore_data.feature_tally.run_id is 'A run, or a batch of calls, which is negative.';
comment on column pgscore_data.feature_sample.run_id is 'A run, or a batch of calls, which is negative.';
comment on column pgscore_data.evaluation.run_id is 'The run that made the prediction; of one that was asked for online its prediction_id, negative.';
