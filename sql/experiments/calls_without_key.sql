-- Calls whose rows do not say which entity they are of: in a split the champion answers them.

create or replace view pgscore_data.experiment_logged_by_key as
select e.experiment_id
  from pgscore_data.experiment e
  join pgscore_data.monitor mo using (model_id)
  left join pgscore_data.call_log c using (model_id)
 cross join lateral (select coalesce(c.key, mo.key_columns)::text[] as columns) k
 where e.kind <> 'shadow' and e.split_by @> k.columns and e.split_by <@ k.columns;
comment on view pgscore_data.experiment_logged_by_key is
  'Experiments of which calls are kept with the columns that they split by, and no others.';

create or replace function pgscore_data._count_without_key() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  -- A row for each session, so that gateways wait neither for one another nor for who stops the experiment.
  insert into pgscore_data.experiment_calls_without_key as c (experiment_id, hour, written_by, without_key)
  select e.experiment_id, date_trunc('hour', clock_timestamp(), 'UTC'), pg_backend_pid(), n.without_key
    from pgscore_data.experiment e
    join pgscore_data.experiment_logged_by_key using (experiment_id)
   cross join lateral (
     select sum(case when y.keys is null then y.n_predictions
                  else (select count(*) from unnest(y.keys) k where k is null) / array_length(y.keys, 2) end) as without_key
       from pgscore_data.online_block y
      where y.prediction_id between new.first_id and new.last_id and y.version_id = new.version_id and y.written_by = new.written_by
        and y.n_predictions > 0 and not y.is_shadow) n
   where e.model_id = (select v.model_id from pgscore_data.version v where v.version_id = new.version_id) and e.stopped_at is null
     and e.champion_version_id = new.version_id and n.without_key > 0
  on conflict (experiment_id, hour, written_by) do update set without_key = c.without_key + excluded.without_key;
  return null;
end
$$;
comment on function pgscore_data._count_without_key() is 'Counts calls of a champion in a split that were just kept without a key.';

create or replace trigger count_without_key after update of last_id on pgscore_data.online_batch
for each row when (new.n_predictions > 0 and old.last_id is null) execute function pgscore_data._count_without_key();
