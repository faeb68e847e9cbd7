-- Accuracy before labels come: what scores mean by the labels of the past, and what today's scores then say of today.
--
-- in: estimate_due, days whose predictions or calibration changed; cell_claim; calibration.
-- out: estimate, cells to expect of each day, which add up, and estimated_roc_auc of weeks and months in metric_value.
-- Two classes are one question, positive or not; three or more are as many, one against the others, each with its own calibration.

create or replace view pgscore_data.claim_bins as
select 'binary' as task, count(*)::int as n_bins, array_agg((b.low + b.high) / 2 order by b.bin) as middles from pgscore_data.score_bin b
union all
select 'multiclass', count(*)::int, array_agg(b.middle order by b.bin)
  from (select x.bin / 4 as bin, (min(x.low) + max(x.high)) / 2 as middle from pgscore_data.score_bin x group by 1) b;
comment on view pgscore_data.claim_bins is
  'The middles of the bins of cell_claim. Those of three or more classes are four of score_bin each, so at most 0.004 wide.';

create or replace function pgscore_data._count_class_volumes() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with gone as (
    delete from pgscore_data.class_tally t
      where (select r.state from pgscore_data.scored r where r.run_id = t.run_id) in ('done', 'failed', 'cancelled') returning t.*
  ), counted as (
    select r.version_id, date_trunc('day', coalesce(g.day, r.snapshot_at), m.time_zone) as day, c.class, c.bin, sum(c.n)::bigint as n,
           sum(c.n_predicted)::bigint as n_predicted
      from gone g
      cross join lateral (select x.* from pgscore_data.scored x
                           where x.run_id = g.run_id and x.attempt = g.attempt and x.state = 'done' offset 0) r
      join pgscore_data.version v using (version_id)
      join pgscore_data.monitor m using (model_id)
     cross join lateral unnest(g.classes, g.bins, g.counts, g.predicted) as c (class, bin, n, n_predicted)
     group by 1, 2, 3, 4
  ), due as (
    insert into pgscore_data.estimate_due (version_id, day) select distinct p.version_id, p.day from counted p on conflict do nothing
  )
  insert into pgscore_data.cell_class_volume as c (version_id, day, class, bin, n, n_predicted)
  select p.version_id, p.day, p.class, p.bin, p.n, p.n_predicted from counted p
  on conflict (version_id, day, class, bin) do update set n = c.n + excluded.n, n_predicted = c.n_predicted + excluded.n_predicted;
end;
comment on function pgscore_data._count_class_volumes() is
  'Adds what finished runs and batches of calls counted by class to the cells; the counts of an attempt that came to nothing go.';

create or replace function pgscore_data._estimate_days(versions int[], days timestamptz[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with due as (
    select d.version_id, d.day, e.task, c.month
      from unnest(versions, days) as d (version_id, day)
      join pgscore_data.scored_version e
        on e.version_id = d.version_id and (e.task = 'multiclass' or e.task = 'binary' and e.probabilities)
      left join pgscore_data.calibration_span c on c.version_id = d.version_id and d.day >= c.from_day and d.day < c.to_day
  ), claimed as materialized (
    select * from pgscore_data.claim_bins
  ), learned as materialized (
    -- In an array without NULL, which is decompressed, an element is found by its position alone.
    select c.version_id, c.month, array_replace(c.share, null, -1) as share
      from (select distinct d.version_id, d.month from due d) d join pgscore_data.calibration c using (version_id, month)
  ), bins as materialized (
    -- Materialized, so that no sort carries the arrays.
    select c.version_id, c.day, c.class, c.bin, c.n, c.n_predicted,
           coalesce(nullif(l.share[c.class * b.n_bins + c.bin + 1], -1), b.middles[c.bin + 1]) as share
      from due d join claimed b using (task)
     cross join lateral (select * from pgscore_data.cell_claim x
                          where x.version_id = d.version_id and x.day = d.day and x.n <> 0 offset 0) c
      left join learned l on l.version_id = d.version_id and l.month = d.month
  ), ranked as (
    select b.*, b.share * b.n as p, coalesce(sum((1 - b.share) * b.n) over (partition by b.version_id, b.day, b.class
        order by b.bin rows between unbounded preceding and 1 preceding), 0) as n_below from bins b
  )
  insert into pgscore_data.estimate (version_id, day, class, n, true_positives, false_positives, false_negatives, roc_auc)
  select r.version_id, r.day, r.class, sum(r.n), sum(r.share * r.n_predicted), sum((1 - r.share) * r.n_predicted),
         sum(r.share * (r.n - r.n_predicted)),
         sum(r.p * (r.n_below + (r.n - r.p) / 2)) / nullif(sum(r.p) * sum(r.n - r.p), 0)
    from ranked r group by r.version_id, r.day, r.class
  on conflict (version_id, day, class) do update set
    n = excluded.n, true_positives = excluded.true_positives, false_positives = excluded.false_positives,
    false_negatives = excluded.false_negatives, roc_auc = excluded.roc_auc;
end;
comment on function pgscore_data._estimate_days(int[], timestamptz[]) is
  'Estimates days of classifiers. A prediction in a bin counts as one of the class by the share of the class to expect there: as learned, '
  'or else the middle of the bin, which is within half its width of what it claims.';

create or replace function pgscore_data._calibrated_around(versions int[], days timestamptz[])
  returns table (version_id int, grain text, window_start timestamptz, from_day timestamptz, to_day timestamptz, month timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select w.version_id, w.grain, w.window_start, greatest(w.window_start, c.from_day), least(w.window_end, c.to_day), c.month
    from pgscore_data._windows_around(versions, days) w
    left join pgscore_data.calibration_span c on c.version_id = w.version_id and c.from_day < w.window_end and c.to_day > w.window_start
   where w.grain <> 'day';
end;
comment on function pgscore_data._calibrated_around(int[], timestamptz[]) is
'The weeks and months that these days of versions are in, in parts of one calibration each.';

create or replace function pgscore_data._estimate_windows(versions int[], days timestamptz[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  delete from pgscore_data.metric_value v using pgscore_data._windows_around(versions, days) w
   where w.grain <> 'day' and v.version_id = w.version_id and v.grain = w.grain and v.window_start = w.window_start
     and v.metric = 'estimated_roc_auc';
  with part as materialized (
    select p.*, e.task from pgscore_data._calibrated_around(versions, days) p
      join pgscore_data.scored_version e
        on e.version_id = p.version_id and (e.task = 'multiclass' or e.task = 'binary' and e.probabilities)
  ), claimed as materialized (
    select * from pgscore_data.claim_bins
  ), learned as materialized (
    select c.version_id, c.month, array_replace(c.share, null, -1) as share
      from (select distinct p.version_id, p.month from part p) p join pgscore_data.calibration c using (version_id, month)
  ), parts as materialized (
    select p.version_id, p.task, p.grain, p.window_start, c.class, c.bin, c.n,
           coalesce(nullif(l.share[c.class * b.n_bins + c.bin + 1], -1), b.middles[c.bin + 1]) as share
      from part p join claimed b using (task)
     cross join lateral (
       select x.class, x.bin, sum(x.n)::bigint as n from pgscore_data.cell_claim x
        where x.version_id = p.version_id and x.day >= p.from_day and x.day < p.to_day
        group by x.class, x.bin having sum(x.n) <> 0 offset 0) c
      left join learned l on l.version_id = p.version_id and l.month = p.month
  ), bins as (
    select p.version_id, p.task, p.grain, p.window_start, p.class, p.bin, sum(p.n) as n, sum(p.n * p.share) as p
      from parts p group by p.version_id, p.task, p.grain, p.window_start, p.class, p.bin
  ), ranked as (
    select b.*, coalesce(sum(b.n - b.p) over (w rows between unbounded preceding and 1 preceding), 0) as n_below
      from bins b window w as (partition by b.version_id, b.grain, b.window_start, b.class order by b.bin)
  ), class as (
    select r.version_id, r.task, r.grain, r.window_start, sum(r.n) as n, sum(r.p) as p,
           sum(r.p * (r.n_below + (r.n - r.p) / 2)) / nullif(sum(r.p) * sum(r.n - r.p), 0) as roc_auc
      from ranked r group by r.version_id, r.task, r.grain, r.window_start, r.class
  )
  insert into pgscore_data.metric_value (version_id, grain, window_start, metric, value)
  select c.version_id, c.grain, c.window_start, 'estimated_roc_auc',
         avg(c.roc_auc) filter (where c.task = 'binary' or c.p between 0.5 and c.n - 0.5)
    from class c group by c.version_id, c.grain, c.window_start;
end;
comment on function pgscore_data._estimate_windows(int[], timestamptz[]) is
  'The ROC AUC to expect in the weeks and months around these days. Of three or more classes it is the mean of those that are likely to be '
  'there. All else that is estimated adds up from days.';

create or replace function pgscore_data._estimate(only_version int default null) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
set random_page_cost = 1.1
set work_mem = '64MB'
as $$
declare
  versions int[];
  days timestamptz[];
begin
  if not exists (select from pgscore_data.estimate_due)
    and not exists (select from pgscore_data.class_tally t
                     where (select r.state from pgscore_data.scored r where r.run_id = t.run_id) in ('done', 'failed', 'cancelled'))
    or not pgscore_data._take_turn('cells') then
    return false;
  end if;
  perform pgscore_data._count_class_volumes();
  with due as (
    delete from pgscore_data.estimate_due t
      where (t.version_id, t.day) in (
        select x.version_id, x.day from pgscore_data.estimate_due x
         where only_version is null or x.version_id = only_version order by x.day desc limit 50)
    returning t.*
  )
  select array_agg(d.version_id), array_agg(d.day) into versions, days from due d;
  perform pgscore_data._estimate_days(versions, days);
  perform pgscore_data._estimate_windows(versions, days);
  return exists (select from pgscore_data.estimate_due d where only_version is null or d.version_id = only_version);
end
$$;
comment on function pgscore_data._estimate(int) is
  'Estimates fifty days that changed, of all versions or of one, and the weeks and months around them, the newest first. '
  'True where more is waiting.';
