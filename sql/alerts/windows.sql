-- Chooses days, weeks or months for a rule that names no grain: the shortest that have enough rows.
-- in: counted_series, drift_series and feed_day. out: rows of watched_window, for _alert_candidates().

create or replace function pgscore_data._watched_windows(
  this_name text, this_number int, rules pgscore_data.effective_alert[], this_grain text, starts timestamptz[], from_time timestamptz,
  as_of timestamptz
) returns setof pgscore_data.watched_window
language plpgsql stable
set search_path = pg_catalog, pg_temp
-- To plan these views takes longer than to read them.
set plan_cache_mode = force_generic_plan
as $$
declare
  metrics constant text[] := array(select distinct r.metric from unnest(rules) r);
  maturity constant interval := (select m.label_maturity from pgscore_data.monitor m where m.model_id = rules[1].model_id);
begin
  if cardinality(starts) = 0 or cardinality(rules) is null then
    return;
  end if;
  if rules[1].kind = 'drift' then
    return query
      select r.name, d.grain, coalesce(d.column_name, ''), d.window_start, d.window_end, d.value, null::float8, null::float8, d.n,
             d.noise_limit,
             d.value is not null and d.n >= greatest(200, r.min_samples)
        from pgscore_data.drift_series d
        join unnest(rules) r on r.metric = d.metric and (r.column_name is null or r.column_name = d.column_name)
       where d.model_name = this_name and d.model_version = this_number and d.grain = this_grain and d.metric = any (metrics)
         and d.window_start >= from_time and d.window_end <= as_of and (starts is null or d.window_start = any (starts));
  else
    return query
      select r.name, s.grain, coalesce(s.column_name, ''), s.window_start, s.window_end, s.value, s.ci_low, s.ci_high, s.n, null::float8,
             s.value is not null and case
               when r.kind = 'performance' then s.is_mature and s.n >= r.min_samples and coalesce(s.least_class >= 10, true)
                 and (r.threshold is not null or s.in_training is not true)
               -- A day's predictions may come in several runs.
               when r.metric = 'n_predictions' then s.window_end + interval '1 day' <= as_of
               when r.metric = 'label_coverage' then s.n >= r.min_samples and s.window_end + maturity <= as_of
               else s.n >= r.min_samples end
        from pgscore_data.counted_series s
        join unnest(rules) r on r.metric = s.metric and (r.column_name is null or r.column_name = s.column_name)
       where s.segment_key is null and s.model_name = this_name and s.model_version = this_number and s.grain = this_grain
         and s.metric = any (metrics)
         and s.window_start >= from_time and s.window_end <= as_of and (starts is null or s.window_start = any (starts));
  end if;
end
$$;
comment on function pgscore_data._watched_windows(text, int, pgscore_data.effective_alert[], text, timestamptz[], timestamptz,
                                                  timestamptz) is
'The windows of a grain, of those that begin at starts or of all, as rules see them that are all about drift, or none of them. Rules '
'without a threshold learn what is usual from windows after the training data only: a version scores better on data it was trained on.';

create or replace function pgscore_data._pooled_windows(
  this_name text, this_number int, zone text, rules pgscore_data.effective_alert[], first timestamptz, as_of timestamptz
) returns setof pgscore_data.watched_window
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  -- From a week before the month, for a week is of the month that it begins in.
  from_time constant timestamptz := date_trunc('month', first, zone) - interval '7 days';
  days pgscore_data.watched_window[] := array(
    select d from pgscore_data._watched_windows(this_name, this_number, rules, 'day', null, from_time, as_of) d);
  weeks pgscore_data.watched_window[] := pgscore_data._windows_above(this_name, this_number, zone, rules, 'week', days, days, from_time,
      as_of);
  months pgscore_data.watched_window[] := pgscore_data._windows_above(this_name, this_number, zone, rules, 'month', days, days || weeks,
      from_time, as_of);
begin
  return query
    select w.* from unnest(weeks || months) w where w.window_end > first
    union all
    select d.* from unnest(days) d
     where d.window_end > first
       and not exists (
         select from unnest(weeks) w where w.rule = d.rule and w.column_name = d.column_name
            and w.window_start = date_trunc('week', d.window_start, zone))
       and not exists (
         select from unnest(months) m
          where m.rule = d.rule and m.column_name = d.column_name and m.window_start = date_trunc('month', d.window_start, zone));
end
$$;
comment on function pgscore_data._pooled_windows(text, int, text, pgscore_data.effective_alert[], timestamptz, timestamptz) is
'The windows that rules of grain auto look at, of those that end between first and as_of: days of rows enough; weeks of rows enough that '
'have no such day; months of rows enough that have no such day, and in which no such week begins. Days that are part of none of them '
'come, too: they cannot be judged.
Whether a window is looked at depends on it and what is inside of it, and not on how many rows are usual: so a model that is about '
'the limit does not change from one grain to the other and back.';

create or replace function pgscore_data._windows_above(
  this_name text, this_number int, zone text, rules pgscore_data.effective_alert[], this_grain text, days pgscore_data.watched_window[],
  parts pgscore_data.watched_window[], from_time timestamptz, as_of timestamptz
) returns pgscore_data.watched_window[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  starts constant timestamptz[] := array(
    select distinct x.start from (
        select d.rule, date_trunc(this_grain, d.window_start, zone) as start, sum(d.n) as n from unnest(days) d
         group by d.rule, d.column_name, 2 having not bool_or(d.is_enough)) x
      join unnest(rules) r on r.name = x.rule
     where x.n >= case r.kind when 'drift' then greatest(200, r.min_samples) else r.min_samples end);
begin
  return array(
    select w from pgscore_data._watched_windows(this_name, this_number, rules, this_grain, starts, from_time, as_of) w
     where w.is_enough and not exists (
       select from unnest(parts) x
        where x.rule = w.rule and x.column_name = w.column_name and x.is_enough
          and date_trunc(this_grain, x.window_start, zone) = w.window_start));
end
$$;
comment on function pgscore_data._windows_above(text, int, text, pgscore_data.effective_alert[], text, pgscore_data.watched_window[],
                                                pgscore_data.watched_window[], timestamptz, timestamptz) is
'The weeks or months of rows enough of which no part has enough.';

create or replace function pgscore_data._alert_horizon(this_model int) returns interval
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select greatest(2 * m.label_maturity, interval '7 days',
                  (select max(('2 ' || e.grain)::interval) from pgscore_data.effective_alert e
                    where e.model_id = m.model_id and e.grain <> 'auto'))
    from pgscore_data.monitor m where m.model_id = this_model;
end;
comment on function pgscore_data._alert_horizon(int) is
  'How old windows can be to raise an alert: twice the time that labels take, and no less than a week, and two windows.';

create or replace function pgscore_data._since(grain text, since timestamptz, as_of timestamptz) returns timestamptz
language sql immutable
set search_path = pg_catalog, pg_temp
return case when grain in ('week', 'month') then least(since, as_of - ('2 ' || grain)::interval) else since end;
comment on function pgscore_data._since(text, timestamptz, timestamptz) is
  'From when on windows of a grain can raise an alert: since, but two of them at least.';

create or replace function pgscore_data._feed_series(this_model int, this_feed text, from_time timestamptz, as_of timestamptz)
returns table (window_start timestamptz, window_end timestamptz, hours double precision, usual_hours double precision, n bigint)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  -- Usual is the longest of the last 30 pauses, and half more, but no less than a day. One that is more than twice as long as the next is
  -- taken for a fault, unless one in ten are as long.
  select d.day, e.day_end, extract(epoch from least(e.day_end, as_of) - p.last_at)::float8 / 3600,
         (u.gap + greatest(24, u.gap / 2))::float8, p.n
    from pgscore_data.monitor m
   cross join lateral (
     select greatest(f.day, from_time) as first from pgscore_data.feed_day f
      where f.model_id = m.model_id and f.feed = this_feed order by f.day limit 1) b
   cross join lateral (
     select s at time zone m.time_zone as day
       from generate_series(date_trunc('day', b.first at time zone m.time_zone), as_of at time zone m.time_zone, interval '1 day') s) d
   cross join lateral (select (date_trunc('day', d.day at time zone m.time_zone) + interval '1 day') at time zone m.time_zone as day_end) e
   cross join lateral (
     select max(x.last_at) as last_at, count(*) as n, percentile_disc(0.9) within group (order by x.pause) as ninth_decile,
            array_agg(x.pause order by x.pause desc) filter (where x.pause is not null) as pauses
       from (select f.last_at, f.day - lag(f.day) over (order by f.day) as pause
               from (select y.day, y.last_at from pgscore_data.feed_day y
                      where y.model_id = m.model_id and y.feed = this_feed and y.day <= d.day order by y.day desc limit 31) f) x) p
   cross join lateral (
     select round(extract(epoch from greatest(p.ninth_decile, p.pauses[case when p.pauses[1] <= 2 * p.pauses[2] then 1 else 2 end]))
                  / 3600) as gap) u
   where m.model_id = this_model and p.n > 0;
end;
comment on function pgscore_data._feed_series(int, text, timestamptz, timestamptz) is
  'For each local day, how long a model had not been scored, or its labels not changed, when the day ended or at as_of; and how long a '
  'pause is usual for it.';
