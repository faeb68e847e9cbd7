-- What single predictions of blocks of calls are of.

create or replace function pgscore_data._key_rows(keys text[]) returns setof text[]
language sql immutable
set search_path = pg_catalog, pg_temp
begin atomic
  -- Of one column, as most keys are, in a third of the time.
  select case when x.part is not null then array[x.part] end from unnest(keys) as x (part) where array_length(keys, 2) = 1
  union all
  (select case when bool_and(x.part is not null) then array_agg(x.part order by x.n) end
     from unnest(keys) with ordinality as x (part, n)
    where array_length(keys, 2) > 1
    group by (x.n - 1) / array_length(keys, 2)
    order by (x.n - 1) / array_length(keys, 2));
end;
comment on function pgscore_data._key_rows(text[]) is 'The keys of a block one by one; NULL for a prediction that has none.';

create or replace function pgscore_data._list_keys(models int[], most int default null) returns boolean
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with unlisted as materialized (
    select b.prediction_id from pgscore_data.online_block b
     where b.keys is not null and not b.keys_listed
       and b.version_id in (select v.version_id from pgscore_data.version v where v.model_id = any (models))
     limit most
  ), listed as (
    update pgscore_data.online_block b set keys_listed = true
     where b.prediction_id = any (array(select u.prediction_id from unlisted u))
    returning b.*
  ), kept as (
    insert into pgscore_data.online_key (key, version_id, prediction_id, asked_at, score, predicted_class, probabilities)
    select x.key, b.version_id, b.prediction_id + x.n - 1, b.asked_at, x.score, x.label - 1,
           case when b.probabilities is not null then array(select unnest(b.probabilities[x.n : x.n])) end
      from (select l.version_id, l.prediction_id, l.asked_at, l.scores, l.labels, l.keys,
                   case when e.task = 'multiclass' and l.probabilities is not null then l.probabilities || '{}'::double precision[] end as probabilities
              from listed l join pgscore_data.execution e using (version_id) offset 0) b
     cross join lateral rows from (unnest(b.scores), unnest(b.labels), pgscore_data._key_rows(b.keys)) with ordinality as x (score, label, key, n)
     where x.key is not null
     -- Neighbours in the index go into it one behind the other.
     order by hash_array(x.key)
  )
  select count(*) = most from unlisted;
end;
comment on function pgscore_data._list_keys(int[], int) is 'Lists what the predictions of at most so many blocks of some models are of; all, where the number is NULL. True where more may be waiting.';

create or replace function pgscore_data._list_some_keys() returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if not pgscore_data._take_turn('cells') then
    return false;
  end if;
  return pgscore_data._list_keys(array(select m.model_id from pgscore_data.model m), 100);
end
$$;
comment on function pgscore_data._list_some_keys() is 'Lists keys by themselves, so that the first labels of a model do not wait for those of all its calls. True where more may be waiting.';
