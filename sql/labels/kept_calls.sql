-- Keeps the predictions of calls of score() for labels, when a refresh counts the calls.

create or replace function pgscore_data._key_rows(keys text[]) returns setof text[]
language sql immutable
set search_path = pg_catalog, pg_temp
begin atomic
  -- Most keys have one column: this branch takes a third of the time.
  select case when x.part is not null then array[x.part] end from unnest(keys) as x (part) where array_length(keys, 2) = 1
  union all
  select case when e.key ->> 0 is not null then array(select jsonb_array_elements_text(e.key)) end
    from jsonb_array_elements(to_jsonb(keys)) as e (key)
   where array_length(keys, 2) > 1;
end;
comment on function pgscore_data._key_rows(text[]) is 'The keys of a block, one row each. NULL for a prediction that has no key.';

create or replace function pgscore_data._counted_calls(batches bigint[])
returns table (
  version_id int, key text[], event_time timestamptz, made_at timestamptz, prediction_id bigint, score double precision,
  predicted_class smallint, probabilities double precision[]
)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select p.*
    from unnest(batches) as x (batch_id)
   cross join lateral (select * from pgscore_data.online_batch y where y.batch_id = x.batch_id offset 0) b
   cross join lateral (select * from pgscore_data.scored_version y where y.version_id = b.version_id offset 0) e
   cross join lateral (
     select b.version_id, y.key, coalesce(y.event_time, y.asked_at), y.asked_at, y.prediction_id, y.score,
            case when e.task <> 'regression' then (array_position(e.class_labels, y.label) - 1)::smallint end,
            case when e.task = 'multiclass' then y.probabilities end
       from pgscore_data.online_prediction y
      where y.prediction_id between b.first_id and b.last_id and y.version_id = b.version_id and y.error is null
     union all
     select b.version_id, k.key, coalesce(k.event_time, a.asked_at), a.asked_at, y.prediction_id + k.n - 1, k.score,
            (k.label - 1)::smallint,
            case when e.task = 'multiclass' and y.probabilities is not null then array(select unnest(y.probabilities[k.n : k.n])) end
       from pgscore_data.online_block y
      cross join lateral rows from (unnest(y.scores, y.labels, y.later_ms, y.event_times), pgscore_data._key_rows(y.keys))
        with ordinality as k (score, label, later_ms, event_time, key, n)
      cross join lateral (select y.asked_at + coalesce(k.later_ms, 0) * interval '1 millisecond') a (asked_at)
      where y.prediction_id between b.first_id and b.last_id and y.version_id = b.version_id) p;
end;
comment on function pgscore_data._counted_calls(bigint[]) is
  'The predictions of batches of calls. key is NULL where the call named no entity.';

create or replace function pgscore_data._keep_calls(batches bigint[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
begin atomic
  insert into pgscore_data.refresh_arrival (version_id, key, event_time, made_at, run_id, score, predicted_class, probabilities)
  select c.version_id, c.key, c.event_time, c.made_at, -c.prediction_id, c.score, c.predicted_class, c.probabilities
    from pgscore_data._counted_calls(batches) c where c.key is not null;
  -- No label can find a call without a key: it waits for ever.
  insert into pgscore_data.refresh_open (version_id, day, closes_at, n)
  select c.version_id, date_trunc('day', c.event_time, m.time_zone), 'infinity', count(*)
    from pgscore_data._counted_calls(batches) c join pgscore_data.version v using (version_id) join pgscore_data.monitor m using (model_id)
   where c.key is null group by 1, 2;
end;
comment on function pgscore_data._keep_calls(bigint[]) is
  'Puts the predictions of batches of calls into refresh_arrival. Those without a key are only counted as waiting.';
