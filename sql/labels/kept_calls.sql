-- Keeps the predictions of calls of score() for labels, when a refresh counts the calls.
-- Batches of calls are counted as runs are, and labels find single calls by their key.

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

create or replace function pgscore_data._stage_calls(batches bigint[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
begin atomic
  insert into pgscore_data.refresh_prediction (version_id, key, event_time, made_at, run_id, score, predicted_class, probabilities)
  select p.*
    from unnest(batches) as x (batch_id)
   cross join lateral (select * from pgscore_data.online_batch y where y.batch_id = x.batch_id offset 0) b
   cross join lateral (
     select y.*, exists (select from pgscore_data.version_value n where n.version_id = y.version_id) as has_values
       from pgscore_data.scored_version y
      where y.version_id = b.version_id and pgscore_data._can_have_labels(y.task, y.score_unit) offset 0) e
   cross join lateral (
     select b.version_id, k.key, coalesce(k.event_time, a.asked_at), a.asked_at, -(y.prediction_id + k.n - 1), k.score,
            (k.label - 1)::smallint,
            case when (e.task = 'multiclass' and e.score_unit is null or e.has_values) and y.probabilities is not null
              then array(select unnest(y.probabilities[k.n : k.n])) end
       from pgscore_data.online_block y
      cross join lateral rows from (unnest(y.scores, y.labels, y.later_ms, y.event_times), pgscore_data._key_rows(y.keys))
        with ordinality as k (score, label, later_ms, event_time, key, n)
      cross join lateral (select y.asked_at + coalesce(k.later_ms, 0) * interval '1 millisecond') a (asked_at)
      where y.prediction_id between b.first_id and b.last_id and y.version_id = b.version_id and y.written_by = b.written_by
        -- A call without a key is left out: no label can find it.
        and k.key is not null) p;
end;
comment on function pgscore_data._stage_calls(bigint[]) is
  'Puts the predictions of batches of calls that a label can judge into refresh_prediction, but for those without a key.';

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
comment on function pgscore_data._note_counted_calls(bigint[]) is
  'Marks batches of calls as counted, and adds them to the hours of their versions.';

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
     -- Skips a model that a transaction of a user has locked: the next run notes its key.
     and m.model_id in (select x.model_id from pgscore_data.monitor x where x.key_columns is null for no key update skip locked);
end
$$;
comment on function pgscore_data._note_key(bigint[]) is
  'Sets the key columns of the calls of a model to those of its first run, unless set_labels() has set them.';
