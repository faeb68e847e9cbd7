-- Counts the places of a run in blocks, and which places of earlier runs it supersedes.
-- A place is a version, an entity and the time that a prediction is for. A head is a run that may hold the newest place of an entity.
-- A new run becomes a head. It sets closes_at of the places that were the newest ones: when they become superseded.
-- Example: Monday's run of all customers is the head, and Tuesday's run closes all of its places at once. Customers who are not
-- in Tuesday's run keep their place of Monday, one by one, in kept_prediction. Then Monday's run is no head any more.
--
-- Runs are joined whole: _keep_blocks() turns nested loops off for itself and what it calls. PostgreSQL takes a run that is not in its
-- statistics yet for one row, and would loop over it.

create or replace function pgscore_data._is_superseding(pairing text) returns boolean
language sql immutable parallel safe
return pairing in ('latest_before_label', 'latest');
comment on function pgscore_data._is_superseding(text) is 'Whether a later place takes over from an earlier one by this pairing rule.';

create or replace function pgscore_data._count_same_blocks(this_run bigint, head bigint, alike int[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  r record;
begin
  select n.version_id, n.event_time, n.n_buckets - 1 as mask, h.event_time as head_time, m.pairing, m.label_delay, m.time_zone into r
    from pgscore_data.kept_run n join pgscore_data.kept_run h on h.run_id = head
    join pgscore_data.version v on v.version_id = n.version_id join pgscore_data.monitor m using (model_id) where n.run_id = this_run;
  with block as (
    select b.run_id, b.keys, b.segments from pgscore_data.kept_block b where b.run_id in (this_run, head) and b.bucket = any (alike)
  ), special as (
    select s.code from pgscore_data.refresh_special s where hashtext(s.code) & r.mask = any (alike)
  ), labeled as (
    select distinct pgscore_data._key_code(e.key) as code from pgscore_data.evaluation e
     where e.version_id = r.version_id and e.event_time = r.head_time
  ), excepted as materialized (
    select head as run_id, l.code from labeled l where hashtext(l.code) & r.mask = any (alike)
    union
    select x.run_id, s.code from special s cross join (values (this_run), (head)) x (run_id)
  ), counted as (
    select b.run_id, null::int[] as segments, sum(cardinality(b.keys)) as n from block b where b.segments is null group by b.run_id
    union all
    select b.run_id, x.segments, count(*)
      from block b
     cross join lateral (
       select array(select unnest(b.segments[i : i])) as segments from generate_subscripts(b.keys, 1) i) x
     where b.segments is not null group by b.run_id, x.segments
    union all
    select b.run_id, case when b.segments is not null then array(select unnest(b.segments[x.position : x.position])) end, -1
      from excepted e
      join pgscore_data.kept_block b on b.run_id = e.run_id and b.bucket = hashtext(e.code) & r.mask
     cross join lateral (select array_position(b.keys, e.code) as position) x
     where x.position is not null
  )
  insert into pgscore_data.refresh_open (version_id, segments, day, closes_at, n)
  select r.version_id, c.segments, date_trunc('day', x.at, r.time_zone), x.closes_at, x.sign * sum(c.n)
    from counted c
    join (values (head, r.head_time, 'infinity'::timestamptz, -1),
                 (head, r.head_time, pgscore_data._closes_at(r.pairing, r.label_delay, null, r.event_time), 1),
                 (this_run, r.event_time, 'infinity', 1)) x (run_id, at, closes_at, sign) using (run_id)
   where case when x.run_id = head then pgscore_data._is_superseding(r.pairing) else r.pairing <> 'first' end
   group by c.segments, x.at, x.closes_at, x.sign;
end
$$;
comment on function pgscore_data._count_same_blocks(bigint, bigint, int[]) is
  'Counts blocks that hold the same entities as those of the head. Only special or labeled entities are looked up.';

create or replace function pgscore_data._count_other_blocks(this_run bigint, heads bigint[], buckets int[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set work_mem = '256MB'
as $$
declare
  r record;
  mask int;
begin
  select k.version_id, v.model_id, k.event_time, k.n_columns, m.pairing, m.label_delay, m.time_zone, k.n_buckets - 1 as mask into r
    from pgscore_data.kept_run k join pgscore_data.version v using (version_id) join pgscore_data.monitor m using (model_id)
   where k.run_id = this_run;
  -- Compares block with block if the only head has as many blocks, else with all blocks of all heads.
  mask := case when cardinality(heads) = 1 and (
    select k.n_buckets - 1 = r.mask from pgscore_data.kept_run k where k.run_id = heads[1]) then r.mask end;
  with fresh as materialized (
    select p.code, p.segments, s.code is not null as is_special
      from pgscore_data.block_prediction p left join pgscore_data.refresh_special s using (code)
     where p.run_id = this_run and p.bucket = any (buckets)
  ), head as (
    select p.run_id, p.code, p.event_time, p.segments
      from pgscore_data.block_prediction p where p.run_id = any (heads) and (mask is null or p.bucket = any (buckets))
  ), met as materialized (
    select coalesce(f.code, h.code) as code, h.run_id, f.code is not null as is_fresh, f.is_special,
           f.segments as new_segments, h.event_time, h.segments
      from fresh f full join head h using (code)
  ), left_behind as (
    insert into pgscore_data.refresh_left (run_id, code) select m.run_id, m.code from met m where not m.is_fresh
  ), found as (
    select m.new_segments, m.event_time, m.segments, e.code is not null as is_labeled
      from (select m.*, row_number() over (partition by m.code order by m.event_time desc) as nth from met m where cardinality(heads) > 1
            union all select m.*, 1 from met m where cardinality(heads) = 1) m
      left join (
        select distinct e.event_time, pgscore_data._key_code(e.key) as code from pgscore_data.evaluation e
         where e.version_id = r.version_id
           and e.event_time = any (array(select k.event_time from pgscore_data.kept_run k where k.run_id = any (heads)))) e
        on e.code = m.code and e.event_time = m.event_time
     where m.is_fresh and not m.is_special and m.event_time is not null and m.nth = 1
    union all
    select m.new_segments, o.event_time, o.segments, e.is_labeled is not null
      from met m
      left join lateral (
        select p.key, p.event_time, p.segments from pgscore_data.kept_prediction p
         where p.version_id = r.version_id and hash_array(p.key) = hash_array(pgscore_data._key_of(m.code, r.n_columns))
           and p.key = pgscore_data._key_of(m.code, r.n_columns) and p.event_time < r.event_time
         order by p.event_time desc, p.made_at desc limit 1) o on true
      left join lateral (
        select true as is_labeled from pgscore_data.evaluation e
         where o.key is not null and e.model_id = r.model_id and hash_array(e.key) = hash_array(o.key) and e.key = o.key
           and e.version_id = r.version_id and e.event_time = o.event_time limit 1) e on true
     where m.is_fresh and not m.is_special and m.event_time is null
  ), counted as (
    select f.event_time, f.segments, f.new_segments, count(*) as n, count(*) filter (where not f.is_labeled) as n_waiting
      from found f group by f.event_time, f.segments, f.new_segments
  )
  insert into pgscore_data.refresh_open (version_id, segments, day, closes_at, n)
  select r.version_id, c.segments, date_trunc('day', c.event_time, r.time_zone), x.closes_at, x.sign * c.n_waiting
    from counted c
   cross join lateral (
     values (-1, 'infinity'::timestamptz), (1, pgscore_data._closes_at(r.pairing, r.label_delay, null, r.event_time))) x (sign, closes_at)
   where c.event_time is not null and pgscore_data._is_superseding(r.pairing)
  union all
  select r.version_id, c.new_segments, date_trunc('day', r.event_time, r.time_zone), 'infinity', c.n
    from counted c where r.pairing <> 'first' or c.event_time is null;
end
$$;
comment on function pgscore_data._count_other_blocks(bigint, bigint[], int[]) is
  'Counts the other blocks of a run against the newest places before it, by one join. Notes the entities that the run lacks.';

create or replace function pgscore_data._count_blocks(this_run bigint) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  heads constant bigint[] := array(
    select h.run_id from pgscore_data.kept_run n join pgscore_data.kept_run h on h.version_id = n.version_id and h.is_head
     where n.run_id = this_run and h.event_time < n.event_time);
  alike int[] := '{}';
  others int[];
begin
  if cardinality(heads) = 1 then
    alike := array(
      select n.bucket
        from pgscore_data.kept_run x join pgscore_data.kept_run y on y.run_id = heads[1] and y.n_buckets = x.n_buckets
        join pgscore_data.kept_block n on n.run_id = x.run_id
       cross join lateral (
         select h.keys from pgscore_data.kept_block h where h.run_id = y.run_id and h.bucket = n.bucket offset 0) h
       where x.run_id = this_run and h.keys = n.keys);
  end if;
  others := array(
    select b.bucket from pgscore_data.kept_block b where b.run_id = this_run union
    select b.bucket from pgscore_data.kept_block b where b.run_id = any (heads)
    except select unnest(alike));
  if cardinality(alike) > 0 then
    perform pgscore_data._count_same_blocks(this_run, heads[1], alike);
  end if;
  if cardinality(others) > 0 then
    perform pgscore_data._count_other_blocks(this_run, heads, others);
  end if;
end
$$;
comment on function pgscore_data._count_blocks(bigint) is
  'Counts the places of a new run, and those of older runs that it takes over from.';

create or replace function pgscore_data._keep_left_behind(this_run bigint) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.kept_prediction (version_id, key, event_time, made_at, run_id, score, predicted_class, probabilities, segments)
  select k.version_id, u.key, u.event_time, u.event_time, this_run, u.score, u.predicted_class, u.probabilities, u.segments
    from pgscore_data._block_rows(this_run) u
    join pgscore_data.refresh_left l on l.run_id = this_run and l.code = u.code
    join pgscore_data.kept_run k on k.run_id = this_run;
end;
comment on function pgscore_data._keep_left_behind(bigint) is
  'Keeps the predictions of a run, for entities that a new run lacks, one by one.';

create or replace function pgscore_data._retire_heads(this_run bigint) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  h record;
begin
  for h in
    select k.run_id, k.n_predictions, row_number() over (order by k.n_predictions desc) > 8 as is_too_many,
           (select count(*) from pgscore_data.refresh_left l where l.run_id = k.run_id) as n_left
      from pgscore_data.kept_run n join pgscore_data.kept_run k on k.version_id = n.version_id and k.is_head and k.event_time < n.event_time
     where n.run_id = this_run
  loop
    if h.is_too_many or h.n_left <= greatest(1000, h.n_predictions / 10) then
      if h.n_left > 0 or h.is_too_many then
        perform pgscore_data._keep_left_behind(h.run_id);
      end if;
      update pgscore_data.kept_run k set is_head = false, retired_by = this_run where k.run_id = h.run_id;
    end if;
  end loop;
end
$$;
comment on function pgscore_data._retire_heads(bigint) is
  'Retires the heads whose entities are nearly all in the new run, and the smallest heads past eight. Keeps their other predictions one '
  'by one.';

create or replace function pgscore_data._keep_blocks(this_run bigint) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
set enable_nestloop = off
as $$
declare
  r record;
  kept bigint;
begin
  select x.version_id, x.snapshot_at as event_time into r from pgscore_data.run x where x.run_id = this_run;
  -- 215 to 430 keys a block: larger blocks make a look-up slower, smaller ones take more bytes.
  insert into pgscore_data.kept_run (run_id, version_id, event_time, n_predictions, n_buckets, n_columns)
  select this_run, r.version_id, r.event_time, 0, (2 ^ greatest(0, ceil(log(2, x.rows_done / 430.0))))::int,
         jsonb_array_length(t.key_columns)
    from pgscore_data.run x join pgscore_data.target t using (target_id) where x.run_id = this_run;
  kept := pgscore_data._write_blocks(this_run);
  delete from pgscore_data.refresh_special;
  delete from pgscore_data.refresh_left;
  -- Entities with places since the runs before this one, or after it, are looked up one by one.
  insert into pgscore_data.refresh_special
  select pgscore_data._key_code(p.key) from pgscore_data.kept_prediction p
   where p.version_id = r.version_id
     and p.event_time > (select coalesce(min(k.event_time), r.event_time) from pgscore_data.kept_run k
                          where k.version_id = r.version_id and k.is_head and k.event_time < r.event_time)
  union
  select h.code from pgscore_data.kept_run k join pgscore_data.block_prediction h using (run_id)
   where k.version_id = r.version_id and k.is_head and k.event_time >= r.event_time;
  perform pgscore_data._count_blocks(this_run);
  if exists (select from pgscore_data.refresh_special) then
    insert into pgscore_data.refresh_prediction (version_id, key, event_time, made_at, run_id, score, predicted_class, probabilities,
      segments)
    select r.version_id, u.key, u.event_time, u.event_time, this_run, u.score, u.predicted_class, u.probabilities, u.segments
      from pgscore_data._block_rows(this_run) u join pgscore_data.refresh_special s using (code);
    perform pgscore_data._count_arrivals();
    delete from pgscore_data.refresh_prediction;
  end if;
  update pgscore_data.kept_run k set n_predictions = kept, is_counted = true, is_head = true where k.run_id = this_run;
  perform pgscore_data._retire_heads(this_run);
end
$$;
comment on function pgscore_data._keep_blocks(bigint) is 'Keeps a run in blocks, and counts the places that wait for a label from then on.';
