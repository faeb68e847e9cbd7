-- What was asked for online, as the monitor reads it: batches of calls are counted as runs are, and labels find single calls by their key.

create or replace function pgscore_data._note_counted_calls(batches bigint[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with counted as (
    update pgscore_data.online_batch b set counted = true where b.batch_id = any (batches) returning b.*
  )
  insert into pgscore_data.online_hour as h (version_id, hour, n_predictions, last_at)
  select c.version_id, date_trunc('hour', c.snapshot_at, 'UTC'), sum(c.n_predictions), max(c.snapshot_at) from counted c group by 1, 2
  on conflict (version_id, hour) do update set n_predictions = h.n_predictions + excluded.n_predictions,
    last_at = greatest(h.last_at, excluded.last_at);
end;
comment on function pgscore_data._note_counted_calls(bigint[]) is 'Takes batches of calls out of those that are to be counted.';

create or replace function pgscore_data._note_key(runs bigint[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from pgscore_data.monitor m where m.key_columns is null) then
    return;
  end if;
  update pgscore_data.monitor m
     set key_columns = (select array_agg(k ->> 'name' order by n) from jsonb_array_elements(t.key_columns) with ordinality as x (k, n))
    from (select distinct on (v.model_id) v.model_id, t.key_columns
            from pgscore_data.run r join pgscore_data.version v using (version_id) join pgscore_data.target t using (target_id)
           where r.run_id = any (runs) order by v.model_id, r.run_id) t
   where m.model_id = t.model_id
     -- A refresh waits for no transaction of a user. The next run notes what is passed over here.
     and m.model_id in (select x.model_id from pgscore_data.monitor x where x.key_columns is null for no key update skip locked);
end
$$;
comment on function pgscore_data._note_key(bigint[]) is
  'Takes the key of the first runs of a model for that of its calls, where labels have not said it.';
