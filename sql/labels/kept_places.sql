-- Looks up the places of an entity in what is kept. A place is a version, an entity and the time that a prediction is for.
-- A large run is kept in blocks, by the hash of the key. A head is a run that may hold the newest place of an entity.
--
-- The functions that run for each label have no SET clause, so that PostgreSQL inlines them into the query that calls them.

create or replace function pgscore_data._key_text(keys jsonb) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return (select 'array[' || string_agg(format('pg_catalog.concat(p.%I)', k ->> 'name'), ', ' order by n) || ']'
        from jsonb_array_elements(keys) with ordinality as x (k, n));
comment on function pgscore_data._key_text(jsonb) is
  'The expression of a prediction''s key, spelled as labels spell it. concat() calls no function of a type''s owner; a cast would.';

create or replace function pgscore_data._canonical_key(this_model int, base text, key text[]) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
  families constant text[] := (select m.key_types from pgscore_data.monitor m where m.model_id = this_model);
  canonical text[];
begin
  if families is null then
    return key;
  end if;
  if cardinality(key) is distinct from cardinality(families) or array_position(key, null) is not null then
    raise exception 'the key of model "%" has % columns (%), and none is NULL', base, cardinality(families), array_to_string(families, ', ')
      using errcode = 'invalid_parameter_value',
        hint = 'Pass one value a column, in the order of the predictions'' key: array[''a'', ''b''].';
  end if;
  begin
    execute format('select array[%s]', (
      select string_agg(format('concat(%L::%s)', key[n], families[n]), ', ' order by n)
        from generate_subscripts(families, 1) n)) into canonical;
  exception
    when data_exception then
      raise exception 'the key of model "%" is (%), not (%)', base, array_to_string(families, ', '), array_to_string(key, ', ') using
        errcode = 'invalid_parameter_value', detail = sqlerrm, hint = 'Pass the values as they stand in the key of the predictions.';
  end;
  return canonical;
end
$$;
comment on function pgscore_data._canonical_key(int, text, text[]) is
  'A key, spelled as kept predictions spell it. Raises an error if the model can''t have such a key.';

create or replace function pgscore_data._has_key(t pgscore_data.target) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select count(a.attname) = jsonb_array_length(t.key_columns)
    from jsonb_array_elements(t.key_columns) k
    left join pg_attribute a on a.attrelid = to_regclass('pgscore_predictions.target_' || t.target_id)
     and a.attname = k.value ->> 'name' and not a.attisdropped;
end;
comment on function pgscore_data._has_key(pgscore_data.target) is
  'Whether the predictions of a target have their key. It goes with a type of a user that is dropped with CASCADE.';

create or replace function pgscore_data._can_have_labels(t pgscore_data.target) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
return pgscore_data._can_have_labels(t.task, t.score_unit) and pgscore_data._has_key(t);
comment on function pgscore_data._can_have_labels(pgscore_data.target) is
  'Whether a label can judge the predictions of a target, which takes their key.';

create or replace function pgscore_data._code_text(keys jsonb) returns text
language sql stable
set search_path = pg_catalog, pg_temp
return case
  -- A cast gives the same text for these types, in a fourth of the time.
  when jsonb_array_length(keys) = 1 and pgscore._key_family(to_regtype(keys -> 0 ->> 'sql_type')) in ('bigint', 'text', 'uuid')
    then format('p.%I::text', keys -> 0 ->> 'name')
  else format('pgscore_data._key_code(%s)', pgscore_data._key_text(keys)) end;
comment on function pgscore_data._code_text(jsonb) is 'The expression of the key of a prediction p, as blocks store it.';

-- Stable, as casts of arrays are: PostgreSQL inlines no function that calls itself immutable and is not.

create or replace function pgscore_data._key_code(key text[]) returns text
language sql stable parallel safe
return case when cardinality(key) = 1 then key[1] else key::text end;
comment on function pgscore_data._key_code(text[]) is
  'A key as blocks store it: its value, or the text of the array where it has several columns.';

create or replace function pgscore_data._block_position(keys text[], key text[]) returns int
language sql stable parallel safe
return array_position(keys, pgscore_data._key_code(key) collate "C");
comment on function pgscore_data._block_position(text[], text[]) is 'Where a key stands among the keys of a block; NULL where it does not.';

create or replace function pgscore_data._key_of(code text, n_columns int) returns text[]
language sql stable parallel safe
return case when n_columns = 1 then array[code] else code::text[] end;
comment on function pgscore_data._key_of(text, int) is 'The key that a block stores as code.';

create or replace function pgscore_data._newest_place(version int, key text[]) returns table (event_time timestamptz)
language sql stable
begin atomic
  select max(x.event_time)
    from ((select p.event_time from pgscore_data.kept_prediction p
            where p.version_id = version and hash_array(p.key) = hash_array(_newest_place.key) and p.key = _newest_place.key
            order by p.event_time desc limit 1)
          union all
          (select r.event_time
             from (select * from pgscore_data.kept_run k where k.version_id = version and k.is_head order by k.event_time desc offset 0) r
            cross join lateral (
              select b.keys from pgscore_data.kept_block b
               where b.run_id = r.run_id and b.bucket = hashtext(pgscore_data._key_code(_newest_place.key)) & (r.n_buckets - 1) offset 0) b
            where pgscore_data._block_position(b.keys, _newest_place.key) is not null limit 1)) x;
end;
comment on function pgscore_data._newest_place(int, text[]) is 'The latest event_time of an entity''s predictions; NULL if none is kept.';

create or replace function pgscore_data._newest_predictions(version int, key text[])
returns table (
  event_time timestamptz, made_at timestamptz, run_id bigint, score double precision, predicted_class smallint,
  probabilities double precision[], segments int[]
)
language sql stable
begin atomic
  (select p.event_time, p.made_at, p.run_id, p.score, p.predicted_class, p.probabilities, p.segments from pgscore_data.kept_prediction p
    where p.version_id = version and hash_array(p.key) = hash_array(_newest_predictions.key) and p.key = _newest_predictions.key
    order by p.event_time desc fetch first 1 row with ties)
  union all
  (select r.event_time, r.event_time, r.run_id, coalesce(b.scores[x.position], b.exact_scores[x.position]), b.classes[x.position],
          case when b.probabilities is not null then array(select unnest(b.probabilities[x.position : x.position])) end,
          case when b.segments is not null then array(select unnest(b.segments[x.position : x.position])) end
     from (select * from pgscore_data.kept_run k where k.version_id = version and k.is_head order by k.event_time desc offset 0) r
    cross join lateral (
      select * from pgscore_data.kept_block b
       where b.run_id = r.run_id
         and b.bucket = hashtext(pgscore_data._key_code(_newest_predictions.key)) & (r.n_buckets - 1) offset 0) b
    cross join lateral (select pgscore_data._block_position(b.keys, _newest_predictions.key) as position) x
    where x.position is not null
    order by r.event_time desc fetch first 1 row with ties);
end;
comment on function pgscore_data._newest_predictions(int, text[]) is
  'The newest predictions of an entity that are kept one by one, and the newest in blocks. The later ones are its newest place.';

create or replace function pgscore_data._last_place(version int, key text[], until timestamptz) returns table (event_time timestamptz)
language sql stable
begin atomic
  select max(x.event_time)
    from ((select p.event_time from pgscore_data.kept_prediction p
            where p.version_id = version and hash_array(p.key) = hash_array(_last_place.key) and p.key = _last_place.key
              and p.event_time <= until
            order by p.event_time desc limit 1)
          union all
          (select r.event_time
             from (select * from pgscore_data.kept_run k
                    where k.version_id = version and k.is_counted and k.event_time <= until order by k.event_time desc offset 0) r
            cross join lateral (
              select b.keys from pgscore_data.kept_block b
               where b.run_id = r.run_id and b.bucket = hashtext(pgscore_data._key_code(_last_place.key)) & (r.n_buckets - 1) offset 0) b
            where pgscore_data._block_position(b.keys, _last_place.key) is not null limit 1)) x;
end;
comment on function pgscore_data._last_place(int, text[], timestamptz) is
  'The last place of an entity until a time. It looks through runs one by one, which takes long where few hold the entity.';

create or replace function pgscore_data._next_place(version int, key text[], after timestamptz) returns table (event_time timestamptz)
language sql stable
begin atomic
  select min(x.event_time)
    from ((select p.event_time from pgscore_data.kept_prediction p
            where p.version_id = version and hash_array(p.key) = hash_array(_next_place.key) and p.key = _next_place.key
              and p.event_time > after
            order by p.event_time limit 1)
          union all
          (select r.event_time
             from (select * from pgscore_data.kept_run k
                    where k.version_id = version and k.is_counted and k.event_time > after order by k.event_time offset 0) r
            cross join lateral (
              select b.keys from pgscore_data.kept_block b
               where b.run_id = r.run_id and b.bucket = hashtext(pgscore_data._key_code(_next_place.key)) & (r.n_buckets - 1) offset 0) b
            where pgscore_data._block_position(b.keys, _next_place.key) is not null limit 1)) x;
end;
comment on function pgscore_data._next_place(int, text[], timestamptz) is
  'The first place of an entity after a time. It looks through runs one by one, which takes long where few hold the entity.';

create or replace function pgscore_data._places_within(version int, key text[], after timestamptz, until timestamptz)
returns table (event_time timestamptz)
language sql stable
begin atomic
  select p.event_time from pgscore_data.kept_prediction p
   where p.version_id = version and hash_array(p.key) = hash_array(_places_within.key) and p.key = _places_within.key
     and p.event_time > after and p.event_time <= until
  union
  select r.event_time
    from pgscore_data.kept_run r
   cross join lateral (
     select b.keys from pgscore_data.kept_block b
      where b.run_id = r.run_id and b.bucket = hashtext(pgscore_data._key_code(_places_within.key)) & (r.n_buckets - 1) offset 0) b
   where r.version_id = version and r.is_counted and r.event_time > after and r.event_time <= until
     and pgscore_data._block_position(b.keys, _places_within.key) is not null;
end;
comment on function pgscore_data._places_within(int, text[], timestamptz, timestamptz) is
  'The places of an entity after one time and until another.';

create or replace function pgscore_data._predictions_at(version int, key text[], at timestamptz)
returns table (
  made_at timestamptz, run_id bigint, score double precision, predicted_class smallint, probabilities double precision[], segments int[]
)
language sql stable
begin atomic
  select p.made_at, p.run_id, p.score, p.predicted_class, p.probabilities, p.segments from pgscore_data.kept_prediction p
   where p.version_id = version and hash_array(p.key) = hash_array(_predictions_at.key) and p.key = _predictions_at.key
     and p.event_time = at
  union all
  select r.event_time, r.run_id, coalesce(b.scores[x.position], b.exact_scores[x.position]), b.classes[x.position],
         case when b.probabilities is not null then array(select unnest(b.probabilities[x.position : x.position])) end,
         case when b.segments is not null then array(select unnest(b.segments[x.position : x.position])) end
    from pgscore_data.kept_run r
   cross join lateral (
     select * from pgscore_data.kept_block b
      where b.run_id = r.run_id and b.bucket = hashtext(pgscore_data._key_code(_predictions_at.key)) & (r.n_buckets - 1) offset 0) b
   cross join lateral (select pgscore_data._block_position(b.keys, _predictions_at.key) as position) x
   where r.version_id = version and r.is_counted and r.event_time = at and x.position is not null;
end;
comment on function pgscore_data._predictions_at(int, text[], timestamptz) is 'The predictions of an entity for one time.';
