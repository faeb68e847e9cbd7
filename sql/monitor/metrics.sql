-- Metrics that take more than adding cells up, for the windows that a refresh touched.
--
-- in: touched, days whose cells changed; cells. out: metric_value, class_metric and score_curve of the windows around these days.
-- Cells are looked up window by window, OFFSET 0: left to itself the planner merges windows with all of history.

create or replace function pgscore_data._windows_around(versions int[], days timestamptz[])
  returns table (version_id int, grain text, window_start timestamptz, window_end timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select distinct d.version_id, g.grain, s.at, (date_trunc(g.grain, s.at at time zone m.time_zone) + ('1 '
      || g.grain)::interval) at time zone m.time_zone
    from unnest(versions, days) as d (version_id, day)
    join pgscore_data.counted_version v using (version_id)
    join pgscore_data.monitor m using (model_id)
   cross join (values ('day'), ('week'), ('month')) g (grain)
   cross join lateral (select date_trunc(g.grain, d.day, m.time_zone)) s (at);
end;
comment on function pgscore_data._windows_around(int[], timestamptz[]) is 'The days, weeks and months that these days of versions are in.';

create or replace function pgscore_data._ranking_metrics() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  -- P and N of a bin are its positives and negatives; "below" and "above" are those of lower and of higher bins.
  with bins as (
    select w.version_id, w.grain, w.window_start, c.bin, coalesce(sum(c.n::float8) filter (where c.positive), 0) as p,
           coalesce(sum(c.n::float8) filter (where not c.positive), 0) as n,
           sum(c.sum_score) as sum_score
      from pgscore_data.refresh_window w
     cross join lateral (select * from pgscore_data.cell_outcome_score x
                          where x.version_id = w.version_id and x.day >= w.window_start and x.day < w.window_end offset 0) c
     group by w.version_id, w.grain, w.window_start, c.bin having sum(c.n) <> 0
  ), ranked as (
    select b.*, sum(b.p) over w as pos, sum(b.n) over w as neg,
           coalesce(sum(b.n) over (w order by b.bin rows between unbounded preceding and 1 preceding), 0) as n_below,
           coalesce(sum(b.p) over (w order by b.bin rows between unbounded preceding and 1 preceding), 0) as p_below
      from bins b window w as (partition by b.version_id, b.grain, b.window_start)
  ), shares as (
    select r.*, r.pos - r.p_below - r.p as p_above, r.neg - r.n_below - r.n as n_above,
           (r.n_below + r.n / 2) / nullif(r.neg, 0) as beats, (r.pos - r.p_below - r.p / 2) / nullif(r.pos, 0) as loses
      from ranked r
  ), averaged as (
    select p.*, sum(p.p * p.beats) over w / nullif(p.pos, 0) as auc
      from shares p window w as (partition by p.version_id, p.grain, p.window_start)
  ), summed as (
    select p.version_id, p.grain, p.window_start, max(p.pos) as pos, max(p.neg) as neg, max(p.auc) as auc,
           sum(p.p * p.n) / 2 / nullif(max(p.pos) * max(p.neg), 0) as auc_bound,
           sum(p.p * (p.beats - p.auc) ^ 2) / nullif(max(p.pos), 0) as beats_variance,
           sum(p.n * (p.loses - p.auc) ^ 2) / nullif(max(p.neg), 0) as loses_variance,
           sum(p.p * (p.p_above + p.p) / nullif(p.p_above + p.p + p.n_above + p.n, 0)) / nullif(max(p.pos), 0) as ap,
           -- The positives of a bin after its negatives, one by one: a sum of growing terms, no less than P times the first, nor than its
           -- integral.
           sum(greatest(p.p * (p.p_above + 1) / (p.p_above + 1 + p.n_above + p.n),
                        p.p - case when p.n_above + p.n > 0 then (p.n_above + p.n) * ln(1 + p.p / (p.p_above + p.n_above + p.n))
                                else 0 end)) / nullif(max(p.pos), 0) as ap_low,
           sum(p.p * (p.p_above + p.p) / nullif(p.p_above + p.p + p.n_above, 0)) / nullif(max(p.pos), 0) as ap_high,
           max(abs(p.p_above / nullif(p.pos, 0) - p.n_above / nullif(p.neg, 0))) as ks,
           -- What KS can reach inside of a bin that holds both classes: all its positives first, or all its negatives.
           max(greatest((p.p_above + p.p) / nullif(p.pos, 0) - p.n_above / nullif(p.neg, 0),
                        (p.n_above + p.n) / nullif(p.neg, 0) - p.p_above / nullif(p.pos, 0))) filter (where p.p > 0 and p.n > 0)
                          as ks_inside
      from averaged p group by p.version_id, p.grain, p.window_start
  ), tenths as (
    select 0 as bin, 0 as tenth union all
    select n::int, floor(e * 10 + 1e-9)::int from pgscore_data.score_bins s cross join unnest(s.edges) with ordinality as x (e, n)
  ), curve as (
    insert into pgscore_data.score_curve (version_id, window_start, hundredth, n_positive, n_negative, sum_score)
    select b.version_id, b.window_start, floor(s.low * 100 + 1e-9), sum(b.p), sum(b.n), sum(b.sum_score)
      from bins b join pgscore_data.score_bin s using (bin) where b.grain = 'month'
     group by b.version_id, b.window_start, floor(s.low * 100 + 1e-9)
  ), calibrated as (
    select t.version_id, t.grain, t.window_start, sum(abs(t.p - t.sum_score)) / sum(t.p + t.n) as ece
      from (select b.version_id, b.grain, b.window_start, x.tenth, sum(b.p) as p, sum(b.n) as n, sum(b.sum_score)::float8 as sum_score
              from bins b join tenths x using (bin)
             group by b.version_id, b.grain, b.window_start, x.tenth) t
     group by t.version_id, t.grain, t.window_start
  )
  insert into pgscore_data.metric_value (version_id, grain, window_start, metric, value, ci_low, ci_high, error_bound, undefined_reason)
  select s.version_id, s.grain, s.window_start, x.metric, x.value, x.ci_low, x.ci_high, x.error_bound, x.reason
    from summed s join calibrated c using (version_id, grain, window_start)
    left join pgscore_data.cell_repeat r
      on r.version_id = s.version_id and r.segment_id = 0 and r.grain = s.grain and r.window_start = s.window_start
   cross join lateral pgscore_data._auc_interval(s.auc, s.pos ^ 2 / nullif(s.pos + coalesce(r.pairs2, 0), 0),
     s.neg ^ 2 / nullif(s.neg + coalesce(r.pairs2, 0), 0), s.beats_variance, s.loses_variance) i
   cross join lateral (values
     ('roc_auc', case when s.pos * s.neg > 0 then s.auc end, i.low, i.high, s.auc_bound,
       case when s.pos * s.neg = 0 then 'one_class' end),
     ('average_precision', case when s.pos > 0 then s.ap end, s.ap_low, s.ap_high, null, case when s.pos = 0 then 'no_positive_labels' end),
     ('ks_of_scores', case when s.pos * s.neg > 0 then s.ks end, null, null,
      case when s.pos * s.neg > 0 then greatest(0, s.ks_inside - s.ks) end, case when s.pos * s.neg = 0 then 'one_class' end),
     ('ece', c.ece, null, null, null, null)
   ) x (metric, value, ci_low, ci_high, error_bound, reason);
end;
comment on function pgscore_data._ranking_metrics() is
  'AUC with its binning bound and interval, average precision with the interval that the bins leave open, the KS distance of the scores '
  'with its binning bound and the expected calibration error, of every touched window; and the curve of scores of every touched month.';

create or replace function pgscore_data._class_ranking() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with bins as (
    select w.version_id, w.grain, w.window_start, w.window_end, c.class, c.bin,
           coalesce(sum(c.n::float8) filter (where c.positive), 0) as p, coalesce(sum(c.n::float8) filter (where not c.positive), 0) as n
      from pgscore_data.refresh_window w
     cross join lateral (select * from pgscore_data.cell_class_score x
                          where x.version_id = w.version_id and x.day >= w.window_start and x.day < w.window_end and x.n <> 0 offset 0) c
     group by w.version_id, w.grain, w.window_start, w.window_end, c.class, c.bin
  ), ranked as (
    select b.*, coalesce(sum(b.n) over (partition by b.version_id, b.grain, b.window_start, b.class
                                        order by b.bin rows between unbounded preceding and 1 preceding), 0) as n_below from bins b
  )
  insert into pgscore_data.class_metric (version_id, grain, window_start, class, roc_auc, error_bound)
  select r.version_id, r.grain, r.window_start, r.class, sum(r.p * (r.n_below + r.n / 2)) / nullif(sum(r.p) * sum(r.n), 0),
         sum(r.p * r.n) / 2 / nullif(sum(r.p) * sum(r.n), 0)
    from ranked r group by r.version_id, r.grain, r.window_start, r.window_end, r.class
  -- None where some pairs are in no such cell.
  having sum(r.p + r.n) = (select sum(o.n) from pgscore_data.cell_outcome o
                            where o.version_id = r.version_id and o.segment_id = 0 and o.day >= r.window_start and o.day < r.window_end);
end;
comment on function pgscore_data._class_ranking() is
  'AUC of each class against the others with its binning bound, of every touched window whose pairs are all in these cells.';

create or replace function pgscore_data._error_quantiles() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with buckets as (
    select w.version_id, w.grain, w.window_start, c.bucket, sum(c.n::float8) as n
      from pgscore_data.refresh_window w
     cross join lateral (select * from pgscore_data.cell_error x
                          where x.version_id = w.version_id and x.day >= w.window_start and x.day < w.window_end and x.n <> 0 offset 0) c
     group by w.version_id, w.grain, w.window_start, c.bucket
  ), ranked as (
    select b.*, sum(b.n) over (w order by b.bucket) as upto, sum(b.n) over w as total,
           case when b.bucket = -100000 then 0 else 2 * power(1.01::float8 / 0.99, b.bucket) / (1 + 1.01::float8 / 0.99) end as error
      from buckets b window w as (partition by b.version_id, b.grain, b.window_start)
  ), neighbours as (
    -- Rank (n - 1) q, from 0, lies between two errors; each is known within 1 %, and so is what lies between them.
    select r.version_id, r.grain, r.window_start, q.metric, (r.total - 1) * q.share - floor((r.total - 1) * q.share) as fraction,
           min(r.error) filter (where r.upto > floor((r.total - 1) * q.share)) as lower,
           min(r.error) filter (where r.upto > ceil((r.total - 1) * q.share)) as upper
      from ranked r cross join (values ('median_abs_error', 0.5::float8), ('p90_abs_error', 0.9), ('max_abs_error', 1)) q (metric, share)
     group by r.version_id, r.grain, r.window_start, q.metric, q.share, r.total
  )
  insert into pgscore_data.metric_value (version_id, grain, window_start, metric, value)
  select p.version_id, p.grain, p.window_start, p.metric, p.lower + p.fraction * (p.upper - p.lower) from neighbours p;
end;
comment on function pgscore_data._error_quantiles() is
  'Median, ninth decile and greatest of the absolute errors of every touched window, within 1 %; between two errors as numpy.quantile() '
  'has it.';

create or replace function pgscore_data._compute_metrics(most int default 40, only_version int default null) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
-- No window is asked for twice.
set enable_memoize = off
set random_page_cost = 1.1
set work_mem = '64MB'
as $$
declare
  versions int[];
  days timestamptz[];
begin
  if not exists (select from pgscore_data.touched) or not pgscore_data._take_turn('cells') then
    return false;
  end if;
  truncate pgscore_data.refresh_window;
  with taken as (
    delete from pgscore_data.touched t
      where (t.version_id, t.day) in (
        select x.version_id, x.day from pgscore_data.touched x
         where only_version is null or x.version_id = only_version order by x.day desc limit most)
    returning t.*
  )
  select array_agg(t.version_id), array_agg(t.day) into versions, days from taken t;
  insert into pgscore_data.refresh_window select w.* from pgscore_data._windows_around(versions, days) w;
  -- Labels do not change what was to be expected without them.
  delete from pgscore_data.metric_value v using pgscore_data.refresh_window w
    where v.version_id = w.version_id and v.grain = w.grain and v.window_start = w.window_start and v.metric <> 'estimated_roc_auc';
  delete from pgscore_data.score_curve v using pgscore_data.refresh_window w
    where v.version_id = w.version_id and w.grain = 'month' and v.window_start = w.window_start;
  delete from pgscore_data.class_metric v using pgscore_data.refresh_window w
    where v.version_id = w.version_id and v.grain = w.grain and v.window_start = w.window_start;
  perform pgscore_data._fold_scores();
  perform pgscore_data._ranking_metrics();
  perform pgscore_data._class_ranking();
  perform pgscore_data._error_quantiles();
  insert into pgscore_data.calibration_check as c (version_id)
  select distinct w.version_id from pgscore_data.refresh_window w where w.version_id > 0
  on conflict (version_id) do update set changed_at = clock_timestamp();
  insert into pgscore_data.alert_due (version_id) select distinct w.version_id from pgscore_data.refresh_window w where w.version_id > 0;
  return exists (select from pgscore_data.touched t where only_version is null or t.version_id = only_version);
end
$$;
comment on function pgscore_data._compute_metrics(int, int) is
  'Brings the metrics of the windows around at most so many touched days up to date, of all versions or of one, the '
  'newest first. True where more is waiting.';
