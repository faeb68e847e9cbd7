-- Adding up what finished runs read and calls were about, by version, local day and feature.
-- in: feature_tally; feature_sample, rows of a version that has no bins yet. out: cell_feature, feature_baseline, touched_feature.

create or replace function pgscore_data._dense(size int, slots smallint[], counts bigint[]) returns bigint[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  dense bigint[] := array_fill(0::bigint, array[size]);
  slot smallint;
  at int := 0;
begin
  foreach slot in array coalesce(slots, '{}') loop
    at := at + 1;
    if slot between 1 and size then
      dense[slot] := dense[slot] + counts[at];
    end if;
  end loop;
  return dense;
end
$$;
comment on function pgscore_data._dense(int, smallint[], bigint[]) is 'Counts of some slots, a slot any number of times, as counts of all.';

create or replace function pgscore_data._sum_counts(a bigint[], b bigint[]) returns bigint[]
language sql immutable
set search_path = pg_catalog, pg_temp
return (select array_agg(x.a + x.b order by x.n) from unnest(a, b) with ordinality as x (a, b, n));
comment on function pgscore_data._sum_counts(bigint[], bigint[]) is 'The sum of two arrays of counts.';

create or replace function pgscore_data._freeze_sampled(runs bigint[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this_version int;
  this_set int;
begin
  for this_version in
    select r.version_id
      from (select distinct x.version_id from pgscore_data.scored x where x.run_id = any (runs)) r
     cross join lateral (
       select sum(cardinality(s.days)) as n
         from pgscore_data.feature_sample s
        where (s.run_id < 0 or exists (select from pgscore_data.run x
                                        where x.run_id = s.run_id and x.attempt = s.attempt and x.state = 'done'))
          and s.version_id = r.version_id and s.feature = (select min(w.feature) from pgscore_data._watched(r.version_id) w)) s
     where s.n >= 1000
  loop
    this_set := pgscore_data._new_set(this_version, 'first_runs');
    continue when this_set is null;
    perform pgscore_data._add_bins(this_set, w.feature, w.name, w.kind, v.numbers, v.texts)
      from (
       select s.feature, array_agg(x.number) as numbers, array_agg(x.text) as texts
         from pgscore_data.feature_sample s
        cross join lateral unnest(s.days, s.numbers, s.texts) x (day, number, text)
        where s.version_id = this_version
          and (s.run_id < 0 or exists (select from pgscore_data.run r
                                        where r.run_id = s.run_id and r.attempt = s.attempt and r.state = 'done'))
        group by s.feature) v
      join pgscore_data._watched(this_version) w on w.feature = v.feature;
  end loop;
end
$$;
comment on function pgscore_data._freeze_sampled(bigint[]) is
  'Freezes the bins of versions whose small runs and calls have been about a thousand rows together.';

create or replace function pgscore_data._tally_samples() returns bigint[]
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with gone as (
    delete from pgscore_data.feature_sample s using pgscore_data.feature_set f where f.version_id = s.version_id
    returning s.run_id, s.attempt, s.shard, f.set_id, s.feature, s.days, s.numbers, s.texts
  ), slotted as (
    select g.run_id, g.attempt, g.shard, g.set_id, g.feature, x.day, b.kind, x.number,
           case b.kind when 'number' then pgscore._number_slot(x.number, b.low, b.high, b.edges)
             else pgscore._category_slot(x.text, b.categories, b.others) end as slot
      from gone g join pgscore_data.feature_bins b using (set_id, feature)
     cross join lateral unnest(g.days, g.numbers, g.texts) x (day, number, text)
  ), counted as (
    select p.run_id, p.attempt, p.shard, p.set_id, p.day, p.feature, p.slot, count(*) as n, null::float8 as sum
      from slotted p group by 1, 2, 3, 4, 5, 6, 7
    union all
    select p.run_id, p.attempt, p.shard, p.set_id, p.day, p.feature, 0, count(*) filter (where abs(p.number) < 1e60),
           coalesce(sum(p.number) filter (where abs(p.number) < 1e60), 0)
      from slotted p where p.kind = 'number' group by 1, 2, 3, 4, 5, 6, 7
  ), tallied as (
    insert into pgscore_data.feature_tally (run_id, attempt, shard, set_id, day, features, slots, counts, sums)
    select c.run_id, c.attempt, c.shard, c.set_id, c.day, array_agg(c.feature order by c.slot, c.feature),
           array_agg(c.slot order by c.slot, c.feature), array_agg(c.n order by c.slot, c.feature),
           coalesce(array_agg(c.sum order by c.feature) filter (where c.slot = 0), '{}')
      from counted c group by c.run_id, c.attempt, c.shard, c.set_id, c.day
    returning run_id
  )
  select array(select distinct t.run_id from tallied t);
end;
comment on function pgscore_data._tally_samples() is
  'Counts the samples of versions that have bins by now, as the scorer would have; the runs and batches of calls that they are of.';

create or replace function pgscore_data._grow_baselines() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with growing_set as materialized (
    select s.set_id, (select min(b.feature) from pgscore_data.feature_bins b where b.set_id = s.set_id) as first_feature
      from pgscore_data.feature_set s
     where not s.baseline_complete and s.set_id in (select distinct f.set_id from pgscore_data.refresh_feature f)
  ), run as (
    select f.set_id, f.run_id, sum(f.n) as n
      from pgscore_data.refresh_feature f join growing_set s on s.set_id = f.set_id and s.first_feature = f.feature
     where f.slot > 0
     group by f.set_id, f.run_id
  ), growing as (
    select r.set_id, r.run_id, r.n, s.baseline_rows + sum(r.n) over (partition by r.set_id order by r.run_id) - r.n as before,
           m.baseline_rows as wanted
      from run r join pgscore_data.feature_set s using (set_id) join pgscore_data.version v using (version_id)
      join pgscore_data.monitor m using (model_id)
  ), taken as (
    select g.set_id, g.run_id, g.n, g.wanted from growing g where g.before < g.wanted
  ), added as (
    insert into pgscore_data.feature_baseline as c (set_id, feature, counts, n_measured, sum)
    select f.set_id, f.feature, pgscore_data._dense(b.n_bins + 3, array_agg(f.slot), array_agg(f.n)),
           coalesce(sum(f.n) filter (where f.slot = 0), 0), coalesce(sum(pgscore_data._exactly(f.sum)), 0)
      from pgscore_data.refresh_feature f join taken t using (set_id, run_id) join pgscore_data.feature_bins b using (set_id, feature)
     group by f.set_id, f.feature, b.n_bins
    on conflict (set_id, feature) do update set counts = pgscore_data._sum_counts(c.counts, excluded.counts),
      n_measured = c.n_measured + excluded.n_measured, sum = c.sum + excluded.sum
  ), grown as (
    update pgscore_data.feature_set s set baseline_rows = s.baseline_rows + t.n, baseline_complete = s.baseline_rows + t.n >= t.wanted
      from (select x.set_id, sum(x.n) as n, max(x.wanted) as wanted from taken x group by x.set_id) t where s.set_id = t.set_id
    returning s.set_id
  )
  insert into pgscore_data.touched_feature (set_id, day)
  select g.set_id, c.day from grown g join (select distinct x.set_id, x.day from pgscore_data.cell_feature x) c using (set_id)
  on conflict do nothing;
end;
comment on function pgscore_data._grow_baselines() is
  'Makes the first finished runs of a version its baseline, one after the other, until they hold as many rows as its monitor asks for.';

create or replace function pgscore_data._count_features(runs bigint[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- The refresh forbids these for its look-ups by key; here all that there is, is added up.
set enable_hashjoin = on
set enable_mergejoin = on
set enable_material = on
-- Of few runs or of many, they are gone to by their number.
set plan_cache_mode = force_generic_plan
as $$
begin
  -- A batch of calls, whose number is negative, is done, and its days are known.
  perform pgscore_data._freeze_sampled(runs);
  runs := runs || pgscore_data._tally_samples();
  if not exists (select from pgscore_data.feature_tally t where t.run_id = any (runs)) then
    return;
  end if;
  truncate pgscore_data.refresh_feature;
  with gone as (
    delete from pgscore_data.feature_tally t
      where t.run_id = any (runs) and (t.run_id < 0 or (select r.state from pgscore_data.run r where r.run_id = t.run_id) = 'done')
            returning t.*
  ), kept as (
    select g.*, date_trunc('day', coalesce(g.day, r.snapshot_at), m.time_zone) as at
      from gone g left join lateral (select x.attempt, x.snapshot_at from pgscore_data.run x where x.run_id = g.run_id offset 0) r on true
      join pgscore_data.feature_set s using (set_id) join pgscore_data.version v using (version_id)
      join pgscore_data.monitor m using (model_id)
     where g.run_id < 0 or g.attempt = r.attempt
  )
  insert into pgscore_data.refresh_feature (set_id, run_id, day, feature, slot, n, sum)
  select k.set_id, k.run_id, k.at, x.feature, x.slot, x.n, x.sum from kept k
   cross join lateral unnest(k.features, k.slots, k.counts, k.sums) x (feature, slot, n, sum);
  if not found then
    return;
  end if;
  analyze pgscore_data.refresh_feature;
  insert into pgscore_data.cell_feature as c (set_id, day, feature, counts, n_measured, sum)
  select f.set_id, f.day, f.feature, pgscore_data._dense(b.n_bins + 3, array_agg(f.slot), array_agg(f.n)),
         coalesce(sum(f.n) filter (where f.slot = 0), 0), coalesce(sum(pgscore_data._exactly(f.sum)), 0)
    from pgscore_data.refresh_feature f join pgscore_data.feature_bins b using (set_id, feature)
   group by f.set_id, f.day, f.feature, b.n_bins
  on conflict (set_id, day, feature) do update set counts = pgscore_data._sum_counts(c.counts, excluded.counts),
    n_measured = c.n_measured + excluded.n_measured, sum = c.sum + excluded.sum;
  insert into pgscore_data.touched_feature (set_id, day) select distinct f.set_id, f.day
    from pgscore_data.refresh_feature f on conflict do nothing;
  perform pgscore_data._grow_baselines();
end
$$;
comment on function pgscore_data._count_features(bigint[]) is
  'Adds what finished runs read to the cells of their features; tallies of an attempt that came to nothing go.';
