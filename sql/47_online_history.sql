-- What was asked for online, as the monitor reads it: batches of calls are counted as runs are, and labels find single calls by their key.

create or replace function pgscore_data._called_versions(this_model int) returns int[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return array(select v.version_id from pgscore_data.version v
                where v.model_id = this_model and exists (select from pgscore_data.online_hour h where h.version_id = v.version_id));
end
$$;
comment on function pgscore_data._called_versions(int) is 'The versions of a model that were ever called online, as far as that is counted.';

create or replace function pgscore_data._find_calls(this_model int) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  versions int[] := pgscore_data._called_versions(this_model);
begin
  if versions = '{}' then
    return;
  end if;
  perform pgscore_data._list_keys(array[this_model]);
  -- A call of a batch that is yet to be counted may be among them. Its key is noted when it is, and then finds it paired.
  insert into pgscore_data.refresh_prediction (entity, model_id, key, version_id, run_id, event_time, score, predicted_class, probabilities)
  select k.entity, k.model_id, k.key, p.version_id, -p.prediction_id, p.asked_at, p.score,
         case when e.task <> 'regression' then (array_position(e.class_labels, p.label) - 1)::smallint end,
         case when e.task = 'multiclass' then p.probabilities end
    from pgscore_data.refresh_key k
   cross join lateral (select * from pgscore_data.online_prediction x where x.key = k.key and x.version_id = any (versions) and x.error is null offset 0) p
   cross join lateral (select * from pgscore_data.execution x where x.version_id = p.version_id offset 0) e
   where k.model_id = this_model;
  insert into pgscore_data.refresh_prediction (entity, model_id, key, version_id, run_id, event_time, score, predicted_class, probabilities)
  select k.entity, k.model_id, k.key, p.version_id, -p.prediction_id, p.asked_at, p.score, p.predicted_class, p.probabilities
    from pgscore_data.refresh_key k
   cross join lateral (select * from pgscore_data.online_key x where hash_array(x.key) = hash_array(k.key) and x.key = k.key and x.version_id = any (versions) offset 0) p
   where k.model_id = this_model;
end
$$;
comment on function pgscore_data._find_calls(int) is 'Looks up every call about the entities that changed: each is a prediction by itself.';

create or replace function pgscore_data._keyed_calls(batches bigint[]) returns table (key text[], event_time timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select p.key, p.asked_at
    from unnest(batches) as x (batch_id)
   cross join lateral (select * from pgscore_data.online_batch y where y.batch_id = x.batch_id offset 0) b
   cross join lateral (
     select y.key, y.asked_at from pgscore_data.online_prediction y
      where y.prediction_id between b.first_id and b.last_id and y.version_id = b.version_id and y.error is null
     union all
     select k.key, y.asked_at + coalesce(k.later_ms, 0) * interval '1 millisecond'
       from pgscore_data.online_block y cross join lateral rows from (pgscore_data._key_rows(y.keys), unnest(y.later_ms)) as k (key, later_ms)
      where y.prediction_id between b.first_id and b.last_id and y.version_id = b.version_id and y.keys is not null
   ) p
   where p.key is not null;
end;
comment on function pgscore_data._keyed_calls(bigint[]) is 'The keys of the predictions of some batches, and when they were asked for.';

create or replace function pgscore_data._note_late_calls(batches bigint[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  b record;
  told bigint;
begin
  for b in
    select v.model_id, m.pairing, array_agg(x.batch_id) as batches
      from pgscore_data.online_batch x join pgscore_data.version v using (version_id) join pgscore_data.monitor m using (model_id)
     where x.batch_id = any (_note_late_calls.batches) and exists (select from pgscore_data.evaluation e where e.model_id = v.model_id)
     group by v.model_id, m.pairing
  loop
    told := pgscore_data._last_entity();
    execute pgscore_data._late_predictions('select c.key, c.event_time from pgscore_data._keyed_calls($1) c')
    using b.batches, b.model_id, null::timestamptz, b.pairing, told;
    perform pgscore_data._recall_labels(told);
  end loop;
end
$$;
comment on function pgscore_data._note_late_calls(bigint[]) is 'Notes the entities whose label was there before they were asked about.';

create or replace function pgscore_data._note_counted_calls(batches bigint[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with counted as (
    update pgscore_data.online_batch b set counted = true where b.batch_id = any (batches) returning b.*
  )
  insert into pgscore_data.online_hour as h (version_id, hour, n_predictions, last_at)
  select c.version_id, date_trunc('hour', c.snapshot_at, 'UTC'), sum(c.n_predictions), max(c.snapshot_at) from counted c group by 1, 2
  on conflict (version_id, hour) do update set n_predictions = h.n_predictions + excluded.n_predictions, last_at = greatest(h.last_at, excluded.last_at);
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
   where m.model_id = t.model_id and m.key_columns is null;
end
$$;
comment on function pgscore_data._note_key(bigint[]) is 'Takes the key of the first runs of a model for that of its calls, where labels have not said it.';
