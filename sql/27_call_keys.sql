-- What single predictions of blocks of calls are of.

create or replace function pgscore_data._key_rows(keys text[]) returns setof text[]
language sql immutable
set search_path = pg_catalog, pg_temp
begin atomic
  -- Of one column, as most keys are, in a third of the time.
  select case when x.part is not null then array[x.part] end from unnest(keys) as x (part) where array_length(keys, 2) = 1
  union all
  select case when e.key ->> 0 is not null then array(select jsonb_array_elements_text(e.key)) end from jsonb_array_elements(to_jsonb(keys)) as e (key) where array_length(keys, 2) > 1;
end;
comment on function pgscore_data._key_rows(text[]) is 'The keys of a block one by one; NULL for a prediction that has none.';

create or replace function pgscore_data._list_keys(models int[], most bigint default null) returns boolean
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with unlisted as (
    select b.prediction_id, b.n_predictions from pgscore_data.online_block b
     where b.keys is not null and not b.keys_listed
       and b.version_id in (select v.version_id from pgscore_data.version v where v.model_id = any (models))
     limit case when most is not null then 1000 end
  ), counted as (
    select u.prediction_id, sum(u.n_predictions) over (order by u.prediction_id) - u.n_predictions as before from unlisted u
  ), listed as (
    update pgscore_data.online_block b set keys_listed = true
     where b.prediction_id = any (array(select c.prediction_id from counted c where most is null or c.before < most)) and not b.keys_listed
    returning b.*
  ), kept as (
    insert into pgscore_data.online_key (key, version_id, prediction_id, asked_at, score, predicted_class, probabilities)
    select x.key, b.version_id, b.prediction_id + x.n - 1, b.asked_at + coalesce(x.later_ms, 0) * interval '1 millisecond', x.score, x.label - 1,
           case when b.probabilities is not null then array(select unnest(b.probabilities[x.n : x.n])) end
      from (select l.version_id, l.prediction_id, l.asked_at, l.later_ms, l.scores, l.labels, l.keys,
                   case when e.task = 'multiclass' and l.probabilities is not null then l.probabilities || '{}'::double precision[] end as probabilities
              from listed l join pgscore_data.execution e using (version_id) offset 0) b
     cross join lateral rows from (unnest(b.scores, b.labels, b.later_ms), pgscore_data._key_rows(b.keys)) with ordinality as x (score, label, later_ms, key, n)
     where x.key is not null
     -- Neighbours in the index go into it one behind the other.
     order by hash_array(x.key)
  )
  select exists (select from listed);
end;
comment on function pgscore_data._list_keys(int[], bigint) is 'Lists what the predictions of blocks of some models are of: of so many predictions, and the rest of a block, or of all where the number is NULL. True where there were any.';

create or replace function pgscore_data._list_some_keys() returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if not pgscore_data._take_turn('cells') then
    return false;
  end if;
  return pgscore_data._list_keys(array(select m.model_id from pgscore_data.model m), 20000);
end
$$;
comment on function pgscore_data._list_some_keys() is 'Lists keys by themselves, so that the first labels of a model do not wait for those of all its calls. True where there may be more; false also where another session has the turn.';

create or replace function pgscore_data._forget_keys() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  delete from pgscore_data.online_key k
   where k.asked_at < coalesce((
     select min(x.asked_at) from pgscore_data.version v
      cross join lateral (select b.asked_at from pgscore_data.online_block b where b.version_id = v.version_id order by b.asked_at limit 1) x), 'infinity');
end;
comment on function pgscore_data._forget_keys() is 'Lets go of the keys of calls that are older than any block: those that somebody deleted.';
