-- How far the arms of an experiment are apart, and what may be said of that by whoever looks every day.

create or replace function pgscore_data._always_valid_width(n_effective double precision) returns double precision
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
begin atomic
  -- rho^2 is (2 ln 20 + ln(2 ln 20 + 1)) / 1000: as narrow as can be at 1,000 predictions.
  select case when n_effective > 0 then sqrt(2 * (1 + 1 / x.r) * ln(sqrt(1 + x.r) * 20)) end
    from (select n_effective * 0.007936154601737565 as r) x;
end;
comment on function pgscore_data._always_valid_width(double precision) is
'How many standard errors the 95 % interval of a mean goes to each side, if it is to hold at all times at once: so one may look daily '
'and stop at will. It is the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024 (Annals of '
'Statistics 52:2613), theorem 2.2.
It is 3.9 at 100 predictions, 3.0 at 1,000 and 3.6 at 100,000; an interval for one look takes 1.96.';

create or replace function pgscore_data._always_valid_p_value(z double precision, n_effective double precision) returns double precision
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
begin atomic
  select case when n_effective > 0 then least(1, sqrt(1 + x.r) * exp(greatest(-700, - least(1e6, z ^ 2) * x.r / (2 * (1 + x.r))))) end
    from (select n_effective * 0.007936154601737565 as r) x;
end;
comment on function pgscore_data._always_valid_p_value(double precision, double precision) is
'The p-value that belongs to _always_valid_width(): the least level whose interval leaves 0 out; z is the difference in standard errors.';

create or replace function pgscore_data._contrast_arms(are_disjoint boolean)
returns table (metric text, n bigint, other_n bigint, entities bigint, other_entities bigint, difference double precision,
  standard_error double precision, pooled_error double precision, n_effective double precision)
language sql stable
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
begin atomic
  with part as materialized (
    select e.segment_id, e.is_other, e.entity, s.metric, e.sums[s.part] as part, e.sums[s.whole] as whole,
           e.sums[coalesce(s.squares, s.part)] as squares
      from pgscore_data.compared_entity e cross join pgscore_data.compared_sum s
     where s.is_mean and e.sums[s.whole] > 0 and e.sums[s.part] is not null
       and (e.segment_id > 0) = (select coalesce(max(p.segment_id), 0) > 0 from pgscore_data.compared_prediction p)
  ), arm as (
    select p.segment_id, p.metric, p.is_other, sum(p.whole) as whole, sum(p.part) / sum(p.whole) as mean,
           sum(p.squares) - sum(p.part) ^ 2 / sum(p.whole) as spread
      from part p group by p.segment_id, p.metric, p.is_other
  ), stage as materialized (
    select segment_id, metric, a.whole, a.mean, b.whole as other_whole, b.mean as other_mean, a.spread + b.spread as spread,
           a.whole * b.whole / (a.whole + b.whole) / sum(a.whole * b.whole / (a.whole + b.whole)) over (partition by metric) as weight
      from (select * from arm x where not x.is_other) a join (select * from arm x where x.is_other) b using (segment_id, metric)
  ), missed as materialized (
    select metric, s.segment_id, p.entity, p.is_other, s.weight, s.whole, s.other_whole,
           p.part - case when p.is_other then s.other_mean else s.mean end * p.whole as missed
      from part p join stage s using (segment_id, metric)
  ), entity as (
    select a.metric, count(*) filter (where a.is_arm) as entities, count(*) filter (where a.is_other) as other_entities,
           sqrt(sum(a.added ^ 2) * count(*) / nullif(count(*) - 1, 0)) as standard_error
      from (select m.metric, m.entity, bool_or(not m.is_other) as is_arm, bool_or(m.is_other) as is_other,
                   sum(m.weight * m.missed / case when m.is_other then - m.other_whole else m.whole end) as added
              from missed m group by m.metric, m.entity) a
     group by a.metric
  ), pooled as (
    select m.metric, case when are_disjoint then sqrt(sum(m.squares)) end as pooled_error
      from (select x.metric, min(x.weight) ^ 2 * sum(x.missed ^ 2) / min(x.whole * x.other_whole) as squares
              from missed x group by x.metric, x.segment_id) m
     group by m.metric
  )
  select s.metric, sum(s.whole)::bigint, sum(s.other_whole)::bigint, min(e.entities), min(e.other_entities),
         sum(s.weight * (s.mean - s.other_mean)), min(e.standard_error), min(p.pooled_error),
         4 * sum(s.spread) / sum(s.whole + s.other_whole) / nullif(greatest(min(e.standard_error), min(p.pooled_error)) ^ 2, 0)
    from stage s join entity e using (metric) join pooled p using (metric) group by s.metric;
end;
comment on function pgscore_data._contrast_arms(boolean) is
'How far an arm is from the champion by each metric that is a mean. Stages, in which the arms had other shares of entities, are '
'compared each by itself, and weigh by n m / (n + m). So a hard week does not count against the arm that was larger in it.
standard_error: that of a regression on stages and arms, clustered by entity (Liang and Zeger 1986), times G / (G - 1) of G entities.
pooled_error: the same if both arms vary alike, as a small arm that was seldom wrong shows too little of how it varies. NULL unless '
'are_disjoint: each arm has entities of its own.
n_effective: how many independent predictions, half of them of each arm, would tell as much by the larger error.';

create or replace function pgscore_data._sample_ratio(counts bigint[], shares double precision[],
  out statistic double precision, out degrees bigint, out p_value double precision)
language sql immutable
set search_path = pg_catalog, pg_temp
begin atomic
  select x.statistic, x.degrees, pgscore_data._chi2_p_value(x.statistic, x.degrees)
    from (select sum((c.n - c.total * c.share) ^ 2 / (c.total * c.share)) as statistic, count(*) - 1 as degrees
            from (select u.n, u.share, sum(u.n) over () as total from unnest(counts, shares) u (n, share) where u.share > 0) c) x;
end;
comment on function pgscore_data._sample_ratio(bigint[], double precision[]) is
'Pearson''s chi-squared of how many entities each arm has against the shares that it was to have, and its p-value.';

create or replace function pgscore_data._experiment_verdict(metric text, entities bigint, other_entities bigint,
  low double precision, high double precision, srm_p_value double precision, may_judge boolean, out verdict text, out reason text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  fewest constant bigint := coalesce(least(entities, other_entities), 0);
  low_is_better constant boolean := pgscore_data._lower_is_better(metric);
begin
  if srm_p_value < 0.001 then
    verdict := 'sample_ratio';
    reason := format('the arms have not the shares of entities that they were to have: p = %s', trim(to_char(srm_p_value, '9.9EEEE')));
  elsif fewest < 100 then
    verdict := 'too_early';
    reason := format('an arm %s, and a verdict takes 100',
      format(case when metric in ('roc_auc', 'f1_score', 'rmse') then 'is worth %s independent predictions'
               else 'has %s entities with labels' end, fewest));
  elsif low is null or high is null then
    verdict := 'too_early';
    reason := 'all predictions of an arm are equally right: nothing tells how the metric varies';
  elsif not may_judge then
    verdict := 'too_early';
    reason := 'its interval is for one look, at the end: other metrics may be looked at daily';
  elsif low > 0 or high < 0 then
    verdict := case when (low > 0) = low_is_better then 'worse' else 'better' end;
    reason := format('%s is %s to %s %s', metric, pgscore_data._short_number(least(abs(low), abs(high))),
                     pgscore_data._short_number(greatest(abs(low), abs(high))), case when low > 0 then 'higher' else 'lower' end);
  else
    verdict := 'no_difference';
    reason := format('%s may be %s lower to %s higher', metric, pgscore_data._short_number(- low), pgscore_data._short_number(high));
  end if;
end
$$;
comment on function
  pgscore_data._experiment_verdict(text, bigint, bigint, double precision, double precision, double precision, boolean) is
'What may be said of an arm by a metric, in a word and with its reason.
low, high: an interval of the difference to the champion.  may_judge: whether that interval holds at this look.';
