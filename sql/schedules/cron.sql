-- Cron expressions: a schedule is refused if its text is none, or can never fire.

create or replace function pgscore._cron_numbers(fields text[]) returns text[]
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  months constant text[] := array['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
  weekdays constant text[] := array['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
begin
  for n in 1..12 loop
    fields[4] := regexp_replace(fields[4], '\m' || months[n] || '\M', n::text, 'gi');
  end loop;
  for n in 0..6 loop
    fields[5] := regexp_replace(fields[5], '\m' || weekdays[n + 1] || '\M', n::text, 'gi');
  end loop;
  return fields;
end
$$;
comment on function pgscore._cron_numbers(text[]) is 'The fields of a cron expression with numbers for the names of months and weekdays.';

create or replace function pgscore._cron_values(field text, first int, last int) returns table (item bigint, value int)
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select i.n, v
    from regexp_split_to_table(field, ',') with ordinality as i (item, n)
    cross join regexp_match(i.item, '^([*?]|[0-9]+)(?:-([0-9]+))?(?:/([0-9]+))?$') p
    cross join lateral (select case when p[1] ~ '[0-9]' then p[1]::int end as start,
                               case when p[3] is not null then least(p[3]::numeric, last)::int end as step) f
    cross join lateral generate_series(coalesce(f.start, first), coalesce(p[2]::int, case when f.step is null then f.start end, last),
                                       coalesce(f.step, 1)) v
   where p is not null
$$;
comment on function pgscore._cron_values(text, int, int) is
  'What a field of a cron expression, all in numbers, stands for, by its items; without those that have an L.';

create or replace function pgscore._check_cron(cron text) returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  fields text[] := regexp_split_to_array(btrim(cron, E' \t\n'), '\s+');
  numbers text[] := pgscore._cron_numbers(fields);
  wrong record;
  malformed text;
  backwards text;
  least_day int;
begin
  if btrim(cron) ~ '^@(yearly|annually|monthly|weekly|daily|hourly)$' then
    return;
  end if;
  if cron is null or octet_length(cron) > 1024 or cardinality(fields) <> 5 or array_to_string(numbers, '') !~ '^[0-9*/,#?Ll-]+$' then
    raise exception 'cron => % is not a cron expression', coalesce(quote_literal(cron), 'NULL') using
      errcode = 'invalid_parameter_value', hint = 'Five fields: minute hour day-of-month month day-of-week, such as ''0 2 * * *'' for two '
                                                  'o''clock every night; or @hourly, @daily, @weekly, @monthly, @yearly.';
  end if;
  select fields[f.n] into malformed
    from (values (1, ''), (2, ''), (3, '|L'), (4, ''), (5, '|[0-7]L')) as f (n, also)
    cross join lateral (select '(([*?]|[0-9]+(-[0-9]+)?)(/0*[1-9][0-9]*)?' || f.also || ')' as item) i
   where numbers[f.n] !~ format('^%1$s(,%1$s)*$', i.item) and not (f.n = 5 and numbers[5] ~ '^[0-7]#[1-5]$')
   order by f.n limit 1;
  if malformed is not null then
    raise exception 'cron => % has the field %', quote_literal(cron), quote_literal(malformed) using
      errcode = 'invalid_parameter_value', hint = 'Between commas stands a value or a range, and after / a step of at least 1: 1,15 or '
                                                  '1-5 or */10. L is the last day of the month, 5L the last Friday, 5#2 the second.';
  end if;
  select split_part(i.written, '/', 1) into backwards
    from generate_series(1, 5) n
    cross join lateral rows from (regexp_split_to_table(fields[n], ','), regexp_split_to_table(numbers[n], ',')) as i (written, number)
    cross join regexp_match(i.number, '^([0-9]+)-([0-9]+)') r
   where r[1]::numeric > r[2]::numeric limit 1;
  if backwards is not null then
    raise exception 'cron => % has the range %, which goes backwards', quote_literal(cron), backwards using
      errcode = 'invalid_parameter_value', hint = 'Write two ranges: 22-23,0-5 instead of 22-5.';
  end if;
  -- A number after / is a step, after # a week of the month.
  select f.what, f.least, f.most, m[1] as number into wrong
    from (values (1, 'minute', 0, 59), (2, 'hour', 0, 23), (3, 'day of month', 1, 31), (4, 'month', 1, 12), (5, 'day of week', 0, 7))
      as f (n, what, least, most)
    cross join regexp_matches(numbers[f.n], '(?<![0-9/#])[0-9]+', 'g') m
   where m[1]::numeric not between f.least and f.most limit 1;
  if wrong.number is not null then
    raise exception 'cron => % has % as its %', quote_literal(cron), wrong.number, wrong.what using
      errcode = 'invalid_parameter_value', hint = format('The %s goes from %s to %s.', wrong.what, wrong.least, wrong.most);
  end if;
  select f.what, v.value as number into wrong
    from (values (1, 'minute', 0, 59, 60), (2, 'hour', 0, 23, 24), (3, 'day of month', 1, 31, 32), (4, 'month', 1, 12, 13),
          (5, 'day of week', 0, 7, 7)) as f (n, what, least, most, modulus)
    cross join lateral (
      select x.item, (x.value % f.modulus)::text as value from pgscore._cron_values(numbers[f.n], f.least, f.most) x
      union all
      select i.n, i.item from regexp_split_to_table(numbers[f.n], ',') with ordinality as i (item, n) where i.item ~ 'L'
    ) v
   group by f.what, v.value having count(distinct v.item) > 1 limit 1;
  if wrong.number is not null then
    raise exception 'cron => % has % twice as its %', quote_literal(cron), wrong.number, wrong.what using
      errcode = 'invalid_parameter_value', hint = 'Write each value once: 1-5 has a 3, and * has all.';
  end if;
  select min(v.value) into least_day from pgscore._cron_values(numbers[3], 1, 31) v;
  if numbers[3] !~ 'L' and numbers[5] in ('*', '?')
     and least_day > (select max((array[31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])[v.value])
                        from pgscore._cron_values(numbers[4], 1, 12) v) then
    raise exception 'cron => % never fires: no month that it names has a day %', quote_literal(cron), least_day using
      errcode = 'invalid_parameter_value', hint = 'Write L for the last day of each month.';
  end if;
end
$$;
comment on function pgscore._check_cron(text) is
  'Refuses what cannot be a cron expression, or can never fire; the service checks the rest and says so in pgscore.schedules.';
