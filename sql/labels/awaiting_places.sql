-- Counts the places that wait for a label. A place is a version, an entity and the time that a prediction is for.
-- A place is awaiting until closes_at, and superseded from then on. By the default rule the entity's next place sets closes_at.
-- Example: customer 7 is scored every night at 2:00, and label_delay is 1 day. Monday's place closes on Wednesday at 2:00:
-- Tuesday's place takes over, and a label that became known on Monday has one more day to reach us.
-- cell_open holds how many places of a day have the same closes_at. A place that has a label is not counted there.

-- Stable: PostgreSQL does not inline an immutable function that calls a stable one, as date_trunc() and extract() are.

create or replace function pgscore_data._closes_at(pairing text, label_delay interval, earlier timestamptz, later timestamptz)
returns timestamptz
language sql stable parallel safe
return case pairing
  when 'latest_before_label'
    then coalesce(date_trunc('minute', later + label_delay + interval '1 minute' - interval '1 microsecond', 'UTC'), 'infinity')
  when 'latest' then case when later is null then 'infinity'::timestamptz else '-infinity' end
  when 'first' then case when earlier is null then 'infinity'::timestamptz else '-infinity' end
  else 'infinity'::timestamptz end;
comment on function pgscore_data._closes_at(text, interval, timestamptz, timestamptz) is
  'When a place becomes superseded, given the places of its entity before and after it. Rounded up to the minute to keep cells few.';

create or replace function pgscore_data._precedence(pairing text, made_at timestamptz, run_id bigint) returns numeric[]
language sql stable parallel safe
return case pairing
  when 'first' then array[-extract(epoch from made_at), -abs(run_id)]
  else array[extract(epoch from made_at), abs(run_id)] end;
comment on function pgscore_data._precedence(text, timestamptz, bigint) is
  'Of several predictions of a place without a label, the one with the greatest precedence stands: the newest made, or the first made '
  'under the rule first.';

create or replace function pgscore_data._apply_open() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
set enable_nestloop = off
as $$
begin
  insert into pgscore_data.cell_open as c (version_id, segment_id, day, closes_at, n)
  select o.version_id, s.id, o.day, o.closes_at, sum(o.n)
    from pgscore_data.refresh_open o
    join pgscore_data.version v using (version_id)
    join pgscore_data.monitor m using (model_id)
   cross join lateral unnest(0 || o.segments) s (id)
   -- A closed place is never read again, and sealed days stay as they are.
   where o.closes_at > clock_timestamp() and o.day >= m.sealed_before
   group by o.version_id, s.id, o.day, o.closes_at having sum(o.n) <> 0
  on conflict (version_id, segment_id, day, closes_at) do update set n = c.n + excluded.n;
  delete from pgscore_data.refresh_open;
end
$$;
comment on function pgscore_data._apply_open() is 'Adds the changes that refresh_open holds to cell_open.';

create or replace function pgscore_data._count_arrivals() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
set enable_nestloop = off
as $$
begin
  if not exists (select from pgscore_data.refresh_prediction) then
    return;
  end if;
  analyze pgscore_data.refresh_prediction;
  delete from pgscore_data.refresh_prediction a using pgscore_data.version v, pgscore_data.monitor m
   where v.version_id = a.version_id and m.model_id = v.model_id and a.event_time < m.sealed_before;
  with arrived as materialized (
    select a.version_id, v.model_id, a.key, a.event_time, m.pairing, m.label_delay, m.time_zone
      from (select distinct x.version_id, x.key, x.event_time from pgscore_data.refresh_prediction x) a
      join pgscore_data.version v using (version_id) join pgscore_data.monitor m using (model_id)
  ), known as materialized (
    select e.version_id, e.key, n.event_time as newest
      from (select distinct a.version_id, a.key from arrived a) e
     cross join lateral pgscore_data._newest_place(e.version_id, e.key) n
  ), around as materialized (
    select a.*,
           case when k.newest < a.event_time then k.newest
             when k.newest is not null
               then (select l.event_time from pgscore_data._last_place(a.version_id, a.key, a.event_time - interval '1 microsecond') l)
           end as earlier,
           case when k.newest > a.event_time
             then (select l.event_time from pgscore_data._next_place(a.version_id, a.key, a.event_time) l) end as later
      from arrived a join known k using (version_id, key)
  ), place as materialized (
    select x.version_id, x.model_id, x.key, x.event_time, x.pairing, x.label_delay, x.time_zone, bool_or(x.matters) as matters
      from (select a.version_id, a.model_id, a.key, a.event_time, a.pairing, a.label_delay, a.time_zone, true as matters from around a
            union all
            select a.version_id, a.model_id, a.key, a.earlier, a.pairing, a.label_delay, a.time_zone, true
              from around a where a.earlier is not null
            union all
            select a.version_id, a.model_id, a.key, a.later, a.pairing, a.label_delay, a.time_zone, a.pairing = 'first'
              from around a where a.later is not null) x
     group by x.version_id, x.model_id, x.key, x.event_time, x.pairing, x.label_delay, x.time_zone
  ), said as (
    select p.*, o.made_at is not null as was_there, o.segments as old_segments,
           case when a.made_at is null
               or o.made_at is not null
                 and pgscore_data._precedence(p.pairing, o.made_at, o.run_id) > pgscore_data._precedence(p.pairing, a.made_at, a.run_id)
             then o.segments else a.segments end as new_segments
      from place p
      left join lateral (
        select x.* from pgscore_data._predictions_at(p.version_id, p.key, p.event_time) x
         order by pgscore_data._precedence(p.pairing, x.made_at, x.run_id) desc limit 1) o on true
      left join (
        select distinct on (x.version_id, x.key, x.event_time) x.*
          from pgscore_data.refresh_prediction x join pgscore_data.version v using (version_id) join pgscore_data.monitor m using (model_id)
         order by x.version_id, x.key, x.event_time, pgscore_data._precedence(m.pairing, x.made_at, x.run_id) desc) a
        on a.version_id = p.version_id and a.key = p.key and a.event_time = p.event_time
  ), ordered as (
    select s.*, lag(s.event_time) over later as earlier, lead(s.event_time) over later as later,
           max(s.event_time) filter (where s.was_there) over (later rows between unbounded preceding and 1 preceding) as old_earlier,
           min(s.event_time) filter (where s.was_there) over (later rows between 1 following and unbounded following) as old_later
      from said s window later as (partition by s.version_id, s.key order by s.event_time)
  ), waiting as (
    select o.* from ordered o
      left join lateral (
        select true as is_labeled from pgscore_data.evaluation e
         where e.model_id = o.model_id and hash_array(e.key) = hash_array(o.key) and e.key = o.key
           and e.version_id = o.version_id and e.event_time = o.event_time limit 1) e on true
     where o.matters and e.is_labeled is null
  )
  insert into pgscore_data.refresh_open (version_id, segments, day, closes_at, n)
  select w.version_id, w.old_segments, date_trunc('day', w.event_time, w.time_zone),
         pgscore_data._closes_at(w.pairing, w.label_delay, w.old_earlier, w.old_later), -1
    from waiting w where w.was_there
  union all
  select w.version_id, w.new_segments, date_trunc('day', w.event_time, w.time_zone),
         pgscore_data._closes_at(w.pairing, w.label_delay, w.earlier, w.later), 1
    from waiting w;
end
$$;
comment on function pgscore_data._count_arrivals() is
  'Counts the places of new predictions and the places before them anew. Arrivals of sealed days are dropped.';

create or replace function pgscore_data._keep_arrivals() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.kept_prediction select a.* from pgscore_data.refresh_prediction a;
  delete from pgscore_data.refresh_prediction;
end;
comment on function pgscore_data._keep_arrivals() is 'Keeps new predictions that no block holds, one by one.';

create or replace function pgscore_data._note_labeled_places() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
set enable_nestloop = off
as $$
begin
  with flipped as materialized (
    -- A place has one pair at most.
    select coalesce(o.model_id, p.model_id) as model_id, coalesce(o.key, p.key) as key, version_id, event_time,
           case when o.entity is null then -1 else 1 end as n, p.n_predictions, p.segments, p.is_newest
      from (select x.* from pgscore_data.refresh_old_pair x where x.run_id is not null) o
      full join (select x.* from pgscore_data.refresh_pair x where x.run_id is not null) p using (entity, version_id, event_time)
     where o.entity is null or p.entity is null
  ), said as (
    select f.model_id, f.key, f.version_id, f.event_time, f.n, f.is_newest, f.segments from flipped f where f.n_predictions = 1
    union all
    -- The place has several predictions, or its label was withdrawn: the prediction that stands is looked up.
    select f.model_id, f.key, f.version_id, f.event_time, f.n, f.is_newest, s.segments
      from flipped f join pgscore_data.monitor g using (model_id)
     cross join lateral (
       select x.segments from pgscore_data._predictions_at(f.version_id, f.key, f.event_time) x
        order by pgscore_data._precedence(g.pairing, x.made_at, x.run_id) desc limit 1) s
     where f.n_predictions is distinct from 1
  ), around as (
    select s.version_id, s.segments, date_trunc('day', s.event_time, m.time_zone) as day, m.pairing, m.label_delay, s.n,
           case when m.pairing = 'first'
             then (select l.event_time from pgscore_data._last_place(s.version_id, s.key, s.event_time - interval '1 microsecond') l)
           end as earlier,
           case when m.pairing in ('latest_before_label', 'latest') and s.is_newest is not true
             and (select n.event_time > s.event_time from pgscore_data._newest_place(s.version_id, s.key) n)
             then (select l.event_time from pgscore_data._next_place(s.version_id, s.key, s.event_time) l) end as later
      from said s join pgscore_data.monitor m using (model_id)
  )
  insert into pgscore_data.refresh_open (version_id, segments, day, closes_at, n)
  select a.version_id, a.segments, a.day, pgscore_data._closes_at(a.pairing, a.label_delay, a.earlier, a.later), a.n
    from (select x.version_id, x.segments, x.day, x.pairing, x.label_delay, x.earlier, x.later, sum(x.n) as n
            from around x group by x.version_id, x.segments, x.day, x.pairing, x.label_delay, x.earlier, x.later offset 0) a;
end
$$;
comment on function pgscore_data._note_labeled_places() is 'Notes the places that got a label, and those that lost theirs and wait again.';

create or replace function pgscore_data._recount_open(this_version int) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
set work_mem = '256MB'
as $$
declare
  m pgscore_data.monitor;
begin
  select x.* into m from pgscore_data.monitor x join pgscore_data.version v using (model_id) where v.version_id = this_version;
  delete from pgscore_data.cell_open c where c.version_id = this_version and c.day >= m.sealed_before;
  with prediction as (
    select pgscore_data._key_code(p.key) as code, p.event_time, p.made_at, abs(p.run_id) as number, p.segments
      from pgscore_data.kept_prediction p where p.version_id = this_version
    union all
    select p.code, p.event_time, p.event_time, p.run_id, p.segments
      from pgscore_data.block_prediction p where p.version_id = this_version
  ), place as (
    select distinct on (p.code, p.event_time) p.code, p.event_time, p.segments
      from prediction p order by p.code, p.event_time, pgscore_data._precedence(m.pairing, p.made_at, p.number) desc
  ), ordered as (
    select p.*, lag(p.event_time) over w as earlier, lead(p.event_time) over w as later
      from place p window w as (partition by p.code order by p.event_time)
  ), labeled as (
    select distinct pgscore_data._key_code(e.key) as code, e.event_time from pgscore_data.evaluation e where e.version_id = this_version
  )
  insert into pgscore_data.refresh_open (version_id, segments, day, closes_at, n)
  select this_version, o.segments, date_trunc('day', o.event_time, m.time_zone),
         pgscore_data._closes_at(m.pairing, m.label_delay, o.earlier, o.later), count(*)
    from ordered o left join labeled l using (code, event_time)
   where l.code is null
   group by 2, 3, 4;
  perform pgscore_data._apply_open();
end
$$;
comment on function pgscore_data._recount_open(int) is
  'Counts the places of a version that wait for a label anew. It reads all that is kept of the version.';
