-- Finds the kept predictions of an entity. A place is a version, an entity and the time that a prediction is for.
-- A large run is kept in blocks, by the hash of the key. A head is a run that may hold the newest place of an entity.
--
-- These functions have no SET clause, so that PostgreSQL inlines them into the query that calls them.

create or replace function pgscore_data._prediction_in_block(run bigint, n_buckets int, key text[])
returns table (
  bucket int, n int, score double precision, predicted_class smallint, probabilities double precision[], segments int[]
)
language sql stable
begin atomic
  select b.bucket, x.n, coalesce(b.scores[x.n], b.exact_scores[x.n]), b.classes[x.n],
         case when b.probabilities is not null then array(select unnest(b.probabilities[x.n : x.n])) end,
         case when b.segments is not null then array(select unnest(b.segments[x.n : x.n])) end
    from (
      select * from pgscore_data.kept_block k
       where k.run_id = run and k.bucket = hashtext(pgscore_data._key_code(_prediction_in_block.key)) & (n_buckets - 1) offset 0) b
   cross join lateral (select array_position(b.keys, pgscore_data._key_code(_prediction_in_block.key) collate "C") as n offset 0) x
   where x.n is not null;
end;
comment on function pgscore_data._prediction_in_block(bigint, int, text[]) is
  'The prediction of an entity in a run in blocks, as the nth of its block. OFFSET 0 keeps this a look-up by bucket, in a loop, and looks '
  'for the key once and not for each column.';

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
            cross join lateral pgscore_data._prediction_in_block(r.run_id, r.n_buckets, _newest_place.key) b limit 1)) x;
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
  (select r.event_time, r.event_time, r.run_id, b.score, b.predicted_class, b.probabilities, b.segments
     from (select * from pgscore_data.kept_run k where k.version_id = version and k.is_head order by k.event_time desc offset 0) r
    cross join lateral pgscore_data._prediction_in_block(r.run_id, r.n_buckets, _newest_predictions.key) b
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
            cross join lateral pgscore_data._prediction_in_block(r.run_id, r.n_buckets, _last_place.key) b limit 1)) x;
end;
comment on function pgscore_data._last_place(int, text[], timestamptz) is
  'The last place of an entity until a time. It looks through runs one by one, which takes long if few hold the entity.';

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
            cross join lateral pgscore_data._prediction_in_block(r.run_id, r.n_buckets, _next_place.key) b limit 1)) x;
end;
comment on function pgscore_data._next_place(int, text[], timestamptz) is
  'The first place of an entity after a time. It looks through runs one by one, which takes long if few hold the entity.';

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
   cross join lateral pgscore_data._prediction_in_block(r.run_id, r.n_buckets, _places_within.key) b
   where r.version_id = version and r.is_counted and r.event_time > after and r.event_time <= until;
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
  select r.event_time, r.run_id, b.score, b.predicted_class, b.probabilities, b.segments
    from pgscore_data.kept_run r
   cross join lateral pgscore_data._prediction_in_block(r.run_id, r.n_buckets, _predictions_at.key) b
   where r.version_id = version and r.is_counted and r.event_time = at;
end;
comment on function pgscore_data._predictions_at(int, text[], timestamptz) is 'The predictions of an entity for one time.';
