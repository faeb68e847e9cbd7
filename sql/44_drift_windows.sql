-- Which windows a rule about drift looks at where it is left to find those of rows enough.

create or replace function pgscore_data._drift_of(this_name text, this_number int, rule pgscore_data.effective_alert, this_grain text, starts timestamptz[], from_time timestamptz, as_of timestamptz) returns setof pgscore_data.drift_series
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if cardinality(starts) = 0 then
    return;
  end if;
  return query
    select d.* from pgscore_data.drift_series d
     where d.model_name = this_name and d.model_version = this_number and d.grain = this_grain and d.metric = rule.metric and (rule.column_name is null or d.column_name = rule.column_name)
       and d.window_start >= from_time and d.window_end <= as_of and (starts is null or d.window_start = any (starts));
end
$$;
comment on function pgscore_data._drift_of(text, int, pgscore_data.effective_alert, text, timestamptz[], timestamptz, timestamptz) is 'The windows of a grain that a rule about drift may look at: those that begin at starts, or all.';

create or replace function pgscore_data._drift_windows(this_name text, this_number int, zone text, rule pgscore_data.effective_alert, first timestamptz, as_of timestamptz)
returns table (grain text, column_name text, window_start timestamptz, window_end timestamptz, value double precision, n bigint, noise_limit double precision, is_enough boolean)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  least_rows constant bigint := greatest(200, rule.min_samples);
  -- From a week before the month, for a week is of the month that it begins in.
  from_time constant timestamptz := date_trunc('month', first, zone) - interval '7 days';
  days pgscore_data.drift_series[] := array(select d from pgscore_data._drift_of(this_name, this_number, rule, 'day', null, from_time, as_of) d);
  weeks pgscore_data.drift_series[];
  months pgscore_data.drift_series[];
begin
  weeks := array(
    select w from pgscore_data._drift_of(this_name, this_number, rule, 'week', array(
        select distinct x.week from (
            select date_trunc('week', d.window_start, zone) as week, sum(d.n) as n, bool_or(d.value is not null and d.n >= least_rows) as has_day from unnest(days) d group by d.column_name, 1) x
         where x.n >= least_rows and not x.has_day), from_time, as_of) w
     where w.value is not null and w.n >= least_rows
       and not exists (
         select from (select coalesce(d.column_name, '') as of_column, date_trunc('week', d.window_start, zone) as at from unnest(days) d where d.value is not null and d.n >= least_rows) x
          where x.of_column = coalesce(w.column_name, '') and x.at = w.window_start));
  months := array(
    select m from pgscore_data._drift_of(this_name, this_number, rule, 'month', array(
        select distinct x.month from (
            select date_trunc('month', d.window_start, zone) as month, sum(d.n) as n, bool_or(d.value is not null and d.n >= least_rows) as has_day from unnest(days) d group by d.column_name, 1) x
         where x.n >= least_rows and not x.has_day), from_time, as_of) m
     where m.value is not null and m.n >= least_rows
       and not exists (
         select from (select coalesce(d.column_name, '') as of_column, date_trunc('month', d.window_start, zone) as at from unnest(days || weeks) d where d.value is not null and d.n >= least_rows) x
          where x.of_column = coalesce(m.column_name, '') and x.at = m.window_start));
  return query
    select x.grain, coalesce(x.column_name, ''), x.window_start, x.window_end, x.value, x.n, x.noise_limit, true from unnest(weeks || months) x where x.window_end > first
    union all
    select 'day', d.of_column, d.window_start, d.window_end, d.value, d.n, d.noise_limit, d.value is not null and d.n >= least_rows
      from (select x.*, coalesce(x.column_name, '') as of_column, date_trunc('week', x.window_start, zone) as week, date_trunc('month', x.window_start, zone) as month from unnest(days) x where x.window_end > first) d
     where not exists (select from (select coalesce(x.column_name, '') as of_column, x.window_start from unnest(weeks) x) w where w.of_column = d.of_column and w.window_start = d.week)
       and not exists (select from (select coalesce(x.column_name, '') as of_column, x.window_start from unnest(months) x) m where m.of_column = d.of_column and m.window_start = d.month);
end
$$;
comment on function pgscore_data._drift_windows(text, int, text, pgscore_data.effective_alert, timestamptz, timestamptz) is
'The windows that a rule about drift of grain auto looks at, of those that end between first and as_of: days of rows enough; weeks of rows enough that have no such day; months of rows enough that have no such day, and in which no such week begins. Days that are part of none of them come, too: they cannot be judged.
Whether a window is looked at is told from it and what is inside of it, and not from how many rows are usual: so a model that is about the limit does not change from one grain to the other and back.';
