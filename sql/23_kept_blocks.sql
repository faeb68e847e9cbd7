-- A large run that is for one time: kept in blocks, and counted against the runs before it all at once.

create or replace function pgscore_data._is_for_one_time(this_run bigint, least_rows bigint default 1000) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  r record;
  is_timed boolean;
begin
  select x.target_id, x.generation, x.rows_done, x.snapshot_at, m.sealed_before into r
    from pgscore_data.run x join pgscore_data.version v using (version_id) join pgscore_data.monitor m using (model_id)
   where x.run_id = this_run;
  if r.target_id is null or coalesce(r.generation, 0) = 0 or r.rows_done < least_rows or r.snapshot_at < r.sealed_before then
    return false;
  end if;
  execute format('select exists (select from pgscore_predictions.%I p where p.run_id = $1 and p.generation = $2 and p.event_time is not null)',
    'target_' || r.target_id) into is_timed using this_run, r.generation;
  return not is_timed;
end
$$;
comment on function pgscore_data._is_for_one_time(bigint, bigint) is 'Whether a run is large and has no event time of its own: kept in blocks then.';

create or replace function pgscore_data._write_blocks(this_run bigint) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
set enable_seqscan = on
as $$
declare
  r record;
  kept bigint;
begin
  select x.version_id, x.generation, x.segments, v.model_id, t as target, k.n_buckets into r
    from pgscore_data.run x join pgscore_data.kept_run k using (run_id) join pgscore_data.version v on v.version_id = x.version_id
    join pgscore_data.target t using (target_id) where x.run_id = this_run;
  execute format($q$
    insert into pgscore_data.kept_block (run_id, bucket, keys, scores, exact_scores, classes, probabilities, segments)
    select $1, b.bucket, b.keys, case when b.is_real then b.scores::real[] end, case when not b.is_real then b.scores end,
           case when %3$L then b.classes end, b.probabilities, b.segments
      from (select hash_array(n.key) & $6 as bucket, array_agg(pgscore_data._key_code(n.key)) as keys, array_agg(n.score) as scores,
                   bool_and(coalesce(case when n.score = 0 then true when abs(n.score) between 1e-37 and 1e38 then n.score = n.score::real end, n.score is null)) as is_real,
                   array_agg(n.predicted_class) as classes, array_agg(n.probabilities) filter (where n.probabilities is not null) as probabilities,
                   array_agg(n.segments) filter (where n.segments is not null) as segments
              from (select %1$s %2$s) n group by 1) b$q$,
    pgscore_data._kept_columns(r.target), pgscore_data._kept_rows(r.target), (r.target).task <> 'regression')
  using this_run, (r.target).class_labels, array[r.generation, 0], r.segments, r.model_id, r.n_buckets - 1;
  select coalesce(sum(cardinality(b.keys)), 0) into kept from pgscore_data.kept_block b where b.run_id = this_run;
  return kept;
end
$$;
comment on function pgscore_data._write_blocks(bigint) is 'Writes the predictions of a run as blocks; how many they are.';

create or replace view pgscore_data.block_prediction as
select r.version_id, r.run_id, r.event_time, r.is_head, k.code, k.place, b.segments
  from pgscore_data.kept_run r
  join pgscore_data.kept_block b using (run_id)
 cross join lateral unnest(b.keys) with ordinality as k (code, place);
comment on view pgscore_data.block_prediction is 'The predictions of blocks one by one; segments are those of the whole block.';

create or replace function pgscore_data._close_by_blocks(this_run bigint, this_version int, at timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- Whole runs are joined here.
set enable_hashjoin = on
set enable_seqscan = on
set work_mem = '256MB'
as $$
declare
  m record;
  heads constant bigint[] := array(select k.run_id from pgscore_data.kept_run k where k.version_id = this_version and k.is_head and k.event_time < at);
  first_head constant timestamptz := (select min(k.event_time) from pgscore_data.kept_run k where k.run_id = any (heads));
  has_single constant boolean := exists (select from pgscore_data.kept_prediction p where p.version_id = this_version and p.event_time < at);
begin
  select x.model_id, x.pairing, x.label_delay, x.time_zone into m from pgscore_data.monitor x join pgscore_data.version v using (model_id) where v.version_id = this_version;
  execute format($q$
    with fresh as (
      select p.code, case when p.segments is not null then array(select unnest(p.segments[p.place : p.place])) end as segments
        from pgscore_data.block_prediction p left join pgscore_data.refresh_special s using (code) where p.run_id = $1 and s.code is null
    ), head as (
      select %1$s p.code, p.event_time, case when p.segments is not null then array(select unnest(p.segments[p.place : p.place])) end as segments
        from pgscore_data.block_prediction p where p.run_id = any ($3) %2$s
    ), recent as (
      select distinct on (p.key) pgscore_data._key_code(p.key) as code, p.event_time, p.segments from pgscore_data.kept_prediction p
       where p.version_id = $2 and p.event_time >= $4 and p.event_time < $5 order by p.key, p.event_time desc, p.made_at desc
    ), before as materialized (
      select f.code, f.segments as new_segments, coalesce(c.event_time, h.event_time) as event_time,
             case when c.event_time is not null then c.segments else h.segments end as segments
        from fresh f left join head h using (code) left join recent c on c.code = f.code and (h.event_time is null or c.event_time > h.event_time)
    ), found as (
      select b.new_segments, b.event_time, b.segments, e.code is not null as is_labeled
        from before b
        left join (
          select distinct e.event_time, pgscore_data._key_code(e.key) as code from pgscore_data.evaluation e
           where e.version_id = $2 and e.event_time >= $4) e on e.code = b.code and e.event_time = b.event_time
       where b.event_time is not null
      union all
      select b.new_segments, o.event_time, o.segments, e.is_labeled is not null
        from before b
        left join lateral (
          select p.key, p.event_time, p.segments from pgscore_data.kept_prediction p
           where $6 and p.version_id = $2 and hash_array(p.key) = hash_array(pgscore_data._key_of(b.code, $7)) and p.key = pgscore_data._key_of(b.code, $7) and p.event_time < $5
           order by p.event_time desc, p.made_at desc limit 1) o on true
        left join lateral (
          select true as is_labeled from pgscore_data.evaluation e
           where o.key is not null and e.model_id = $11 and hash_array(e.key) = hash_array(o.key) and e.key = o.key and e.version_id = $2 and e.event_time = o.event_time limit 1) e on true
       where b.event_time is null
    ), counted as (
      select f.event_time, f.segments, f.new_segments, count(*) as n, count(*) filter (where not f.is_labeled) as n_waiting
        from found f group by f.event_time, f.segments, f.new_segments
    )
    insert into pgscore_data.refresh_open (version_id, segments, day, closes_at, n)
    select $2, c.segments, date_trunc('day', c.event_time, $8), x.closes_at, x.sign * c.n_waiting
      from counted c cross join lateral (values (-1, 'infinity'::timestamptz), (1, $9)) x (sign, closes_at)
     where c.event_time is not null
       and $10 in ('latest_before_label', 'latest')
    union all
    select $2, c.new_segments, date_trunc('day', $5, $8), 'infinity', c.n from counted c where $10 <> 'first' or c.event_time is null$q$,
    case when cardinality(heads) > 1 then 'distinct on (p.code)' end, case when cardinality(heads) > 1 then 'order by p.code, p.event_time desc' end)
  using this_run, this_version, heads, coalesce(first_head, at), at, has_single,
    (select k.n_columns from pgscore_data.kept_run k where k.run_id = this_run), m.time_zone,
    pgscore_data._closes_at(m.pairing, m.label_delay, null, at), m.pairing, m.model_id;
end
$$;
comment on function pgscore_data._close_by_blocks(bigint, int, timestamptz) is
  'Counts a new run against the newest places before it, all at once: those that it takes over from, and its own.';

create or replace function pgscore_data._retire_heads(this_run bigint, this_version int, most int default 8) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
set enable_seqscan = on
set work_mem = '256MB'
as $$
declare
  h record;
begin
  for h in
    select k.run_id, k.n_predictions, row_number() over (order by k.n_predictions desc) > most as is_too_many,
           (select count(*) from pgscore_data.block_prediction p
             where p.run_id = k.run_id
               and not exists (select from pgscore_data.block_prediction n where n.run_id = this_run and n.code = p.code)) as n_left
      from pgscore_data.kept_run k
     where k.version_id = this_version and k.is_head
       and k.event_time < (select n.event_time from pgscore_data.kept_run n where n.run_id = this_run)
  loop
    if h.is_too_many or h.n_left <= greatest(1000, h.n_predictions / 10) then
      perform pgscore_data._keep_left_behind(h.run_id, this_run);
      update pgscore_data.kept_run k set is_head = false, retired_by = this_run where k.run_id = h.run_id;
    end if;
  end loop;
end
$$;
comment on function pgscore_data._retire_heads(bigint, int, int) is
  'Runs of which a new one has nearly all entities are heads no more: those left behind are kept one by one, and so are those of the smallest heads past eight.';

create or replace function pgscore_data._unblocked(this_run bigint)
returns table (
  code text, key text[], event_time timestamptz, score double precision, predicted_class smallint, probabilities double precision[], segments int[]
)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select k.code, pgscore_data._key_of(k.code, r.n_columns), r.event_time, coalesce(k.score, k.exact_score), k.class,
         case when b.probabilities is not null then array(select unnest(b.probabilities[k.place : k.place])) end,
         case when b.segments is not null then array(select unnest(b.segments[k.place : k.place])) end
    from pgscore_data.kept_run r
    join pgscore_data.kept_block b using (run_id)
   cross join lateral unnest(b.keys, b.scores, b.exact_scores, b.classes) with ordinality as k (code, score, exact_score, class, place)
   where r.run_id = this_run;
end;
comment on function pgscore_data._unblocked(bigint) is 'The predictions of a run that is kept in blocks.';

create or replace function pgscore_data._keep_left_behind(this_run bigint, by_run bigint) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
set enable_seqscan = on
begin atomic
  insert into pgscore_data.kept_prediction (version_id, key, event_time, made_at, run_id, score, predicted_class, probabilities, segments)
  select r.version_id, u.key, u.event_time, u.event_time, this_run, u.score, u.predicted_class, u.probabilities, u.segments
    from pgscore_data._unblocked(this_run) u
    join pgscore_data.kept_run r on r.run_id = this_run
    left join (select p.code from pgscore_data.block_prediction p where p.run_id = by_run) n using (code)
   where n.code is null;
end;
comment on function pgscore_data._keep_left_behind(bigint, bigint) is 'Keeps one by one what a run predicted of entities that another has not.';

create or replace function pgscore_data._keep_blocks(this_run bigint) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
set enable_seqscan = on
as $$
declare
  r record;
  kept bigint;
begin
  select x.version_id, x.snapshot_at as event_time into r from pgscore_data.run x where x.run_id = this_run;
  insert into pgscore_data.kept_run (run_id, version_id, event_time, n_predictions, n_buckets, n_columns)
  select this_run, r.version_id, r.event_time, 0, (2 ^ greatest(0, ceil(log(2, x.rows_done / 430.0))))::int, jsonb_array_length(t.key_columns)
    from pgscore_data.run x join pgscore_data.target t using (target_id) where x.run_id = this_run;
  kept := pgscore_data._write_blocks(this_run);
  delete from pgscore_data.refresh_special;
  insert into pgscore_data.refresh_special
  select pgscore_data._key_code(p.key) from pgscore_data.kept_prediction p where p.version_id = r.version_id and p.event_time >= r.event_time
  union
  select h.code from pgscore_data.block_prediction h where h.version_id = r.version_id and h.is_head and h.event_time >= r.event_time;
  perform pgscore_data._close_by_blocks(this_run, r.version_id, r.event_time);
  insert into pgscore_data.refresh_arrival (version_id, key, event_time, made_at, run_id, score, predicted_class, probabilities, segments)
  select r.version_id, u.key, u.event_time, u.event_time, this_run, u.score, u.predicted_class, u.probabilities, u.segments
    from pgscore_data._unblocked(this_run) u join pgscore_data.refresh_special s using (code);
  perform pgscore_data._settle_arrivals(is_kept => false);
  update pgscore_data.kept_run k set n_predictions = kept, is_counted = true, is_head = true where k.run_id = this_run;
  perform pgscore_data._retire_heads(this_run, r.version_id);
end
$$;
comment on function pgscore_data._keep_blocks(bigint) is 'Keeps a run in blocks and counts which places wait for a label since.';
