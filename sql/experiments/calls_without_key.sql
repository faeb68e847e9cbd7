-- Calls whose rows do not say which entity they are of: in a split the champion answers them.

create or replace function pgscore_data._knows_key(this pgscore_data.experiment) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select this.kind <> 'shadow' and this.split_by @> x.key_columns and this.split_by <@ x.key_columns
    from (select coalesce(c.key, mo.key_columns)::text[] as key_columns
            from pgscore_data.monitor mo left join pgscore_data.call_log c using (model_id) where mo.model_id = this.model_id) x;
end;
comment on function pgscore_data._knows_key(pgscore_data.experiment) is
  'Whether calls are kept with the columns that an experiment splits by, and no others.';

create or replace function pgscore_data._count_without_key() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  -- A row for each session, so that gateways wait neither for one another nor for who stops the experiment.
  insert into pgscore_data.experiment_calls as c (experiment_id, hour, written_by, without_key)
  select e.experiment_id, date_trunc('hour', clock_timestamp(), 'UTC'), pg_backend_pid(), n.without_key
    from pgscore_data.experiment e
   cross join lateral (
     select sum(case when y.keys is null then y.n_predictions
                  else (select count(*) from unnest(y.keys) k where k is null) / array_length(y.keys, 2) end) as without_key
       from pgscore_data.online_block y
      where y.prediction_id between new.first_id and new.last_id and y.version_id = new.version_id and y.written_by = new.written_by
        and y.n_predictions > 0 and not y.is_shadow) n
   where e.model_id = (select v.model_id from pgscore_data.version v where v.version_id = new.version_id) and e.stopped_at is null
     and e.champion_version_id = new.version_id and pgscore_data._knows_key(e) and n.without_key > 0
  on conflict (experiment_id, hour, written_by) do update set without_key = c.without_key + excluded.without_key;
  return null;
end
$$;
comment on function pgscore_data._count_without_key() is 'Counts calls of a champion in a split that were just kept without a key.';

create or replace trigger count_without_key after update of last_id on pgscore_data.online_batch
for each row when (new.n_predictions > 0 and old.last_id is null) execute function pgscore_data._count_without_key();
