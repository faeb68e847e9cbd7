-- What the scores of a version mean, by the labels that it has: which months it can be learned for, from which days.
--
-- in: calibration_check, versions whose labels changed; cells of mature days. out: calibration, which src/monitor/renew-calibrations.ts
-- fits to the history that _claim_calibration() returns, and estimate_due, the days that it holds for.

create or replace function pgscore_data._mature_days(this_version int) returns table (day timestamptz, n_labeled bigint)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  -- Without statistics the planner would add the cells up once a day.
  with c as materialized (
    select o.day, sum(o.n)::bigint as n from pgscore_data.cell_outcome o where o.version_id = this_version and o.segment_id = 0
      group by o.day
    union all
    select r.day, sum(r.n)::bigint from pgscore_data.cell_regression r where r.version_id = this_version and r.segment_id = 0 group by r.day
  )
  select w.day, c.n
    from pgscore_data.day_volume w
    join c using (day)
   where w.version_id = this_version
     and w.day >= coalesce((select t.trained_until from pgscore_data.trained_version t where t.version_id = this_version), '-infinity')
     and w.segment_id = 0 and c.n > 0
     and c.n >= (c.n + w.n_awaiting) * (select m.min_label_coverage from pgscore_data.monitor m join pgscore_data.version v using (model_id)
                                         where v.version_id = this_version);
end;
comment on function pgscore_data._mature_days(int) is
  'The days of a version whose labels are there, by its monitor. None of its training data, of which it is right more often.';

create or replace function pgscore_data._days_before(this_version int, this_month timestamptz) returns table (day timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select d.day
    from pgscore_data._mature_days(this_version) d
   cross join (
     select m.time_zone from pgscore_data.version v join pgscore_data.monitor m using (model_id) where v.version_id = this_version) z
   where d.day < this_month and d.day >= ((this_month at time zone z.time_zone) - interval '1 year') at time zone z.time_zone;
end;
comment on function pgscore_data._days_before(int, timestamptz) is
'The mature days of a version in the year before a month: what is learned of it.';

create or replace view pgscore_data.calibration_span as
select c.*, case when lag(c.month) over w is null then '-infinity' else c.month end as from_day,
  coalesce(lead(c.month) over w, 'infinity') as to_day
  from pgscore_data.calibration c window w as (partition by c.version_id order by c.month);
comment on view pgscore_data.calibration_span is
'Which days each calibration holds for: those from its month to that of the next one. The first one holds for the days before it, too, '
'which have none of before.';

create or replace function pgscore_data._calibration_months(this_version int)
  returns table (month timestamptz, n bigint, n_positive bigint, last_day timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  with zone as (
    select m.time_zone, e.task
      from pgscore_data.version v join pgscore_data.monitor m using (model_id) join pgscore_data.execution e using (version_id)
     where v.version_id = this_version
  ), outcome as (
    select o.day, sum(o.n) as n, sum(o.n) filter (where o.actual_class + 1 = e.positive_class) as positive,
           sum(o.n) filter (where o.actual_class = o.predicted_class) as right_ones
      from pgscore_data.cell_outcome o join pgscore_data.execution e using (version_id)
     where o.version_id = this_version and o.segment_id = 0 group by o.day
  ), labelled as materialized (
    select d.day, date_trunc('month', d.day at time zone z.time_zone) as local,
           case z.task when 'binary' then o.n
             else (select sum(s.n) from pgscore_data.cell_class_score s
                    where s.version_id = this_version and s.class = 0 and s.day = d.day) end as n,
           coalesce(case z.task when 'binary' then o.positive else o.right_ones end, 0) as positive
      from pgscore_data._mature_days(this_version) d join outcome o using (day) cross join zone z
  )
  select m.month at time zone z.time_zone, sum(l.n)::bigint, sum(l.positive)::bigint, max(l.day)
    from zone z
   cross join (select distinct l.local + interval '1 month' from labelled l) m (month)
    join labelled l on l.local < m.month and l.local >= m.month - interval '1 year'
   group by m.month, z.time_zone, z.task
  having sum(l.n) >= 200 and (z.task <> 'binary' or least(sum(l.positive), sum(l.n) - sum(l.positive)) >= 10);
end;
comment on function pgscore_data._calibration_months(int) is
'The months of which a version can have a calibration: each that follows one with mature days, with what there is to learn from in the '
'year before it, if that is enough. n_positive is of two classes the positives, of more the right ones.';

create or replace view pgscore_data.cell_claim as
select s.version_id, s.day, 0::smallint as class, s.bin, s.n, s.n_positive as n_predicted from pgscore_data.cell_score s
union all
select c.version_id, c.day, c.class, c.bin, c.n, c.n_predicted from pgscore_data.cell_class_volume c;
comment on view pgscore_data.cell_claim is
  'Predictions by the probability that they claim, labelled or not: of the positive class, or of each of three or more classes.';

create or replace function pgscore_data._estimate_anew(this_version int, this_month timestamptz) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.estimate_due (version_id, day)
  select x.version_id, x.day
    from pgscore_data.calibration_span c
    join (select distinct s.version_id, s.day from pgscore_data.cell_claim s where s.version_id = this_version) x
      on x.day >= c.from_day and x.day < c.to_day
   where c.version_id = this_version and c.month = this_month
  on conflict do nothing;
end;
comment on function pgscore_data._estimate_anew(int, timestamptz) is
'Has the days that the calibration of a month holds for estimated again.';

create or replace function pgscore_data._next_calibration(this_version int, out month timestamptz, out n bigint, out n_positive bigint,
  out last_day timestamptz)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  as_of constant timestamptz := clock_timestamp();
  months timestamptz[];
  counts bigint[];
  positives bigint[];
  last_days timestamptz[];
begin
  select coalesce(array_agg(m.month), '{}'), array_agg(m.n), array_agg(m.n_positive), array_agg(m.last_day)
    into months, counts, positives, last_days
    from pgscore_data._calibration_months(this_version) m;
  perform pgscore_data._estimate_anew(this_version, c.month)
     from pgscore_data.calibration c where c.version_id = this_version and c.month <> all (months);
  delete from pgscore_data.calibration c where c.version_id = this_version and c.month <> all (months);
  select m.* into month, n, n_positive, last_day
    from unnest(months, counts, positives, last_days) m (month, n, n_positive, last_day)
    left join pgscore_data.calibration c on c.version_id = this_version and c.month = m.month
   where c.month is null or abs(m.n - c.n) > c.n * 0.1 or abs(m.n_positive - c.n_positive) > c.n_positive * 0.1
   order by m.month limit 1;
  if not found then
    update pgscore_data.calibration_check x set checked_at = as_of where x.version_id = this_version;
  end if;
end
$$;
comment on function pgscore_data._next_calibration(int) is
'The first month of a version that has a tenth more or less to learn from than was learned from; NULL where there is none, which is '
'noted. Calibrations whose labels were withdrawn go.';

create or replace function pgscore_data._set_calibration(this_version int, this_month timestamptz, n bigint, n_positive bigint,
  last_day timestamptz, learned double precision[], state text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  old record;
begin
  perform pgscore_data._await_turn('cells');
  select c.month, c.share into old from pgscore_data.calibration c where c.version_id = this_version and c.month = this_month;
  insert into pgscore_data.calibration as c (version_id, month, n, n_positive, last_day, share, state)
  values (this_version, this_month, _set_calibration.n, _set_calibration.n_positive, _set_calibration.last_day, learned,
          _set_calibration.state)
  on conflict on constraint calibration_pkey do update set
    n = excluded.n, n_positive = excluded.n_positive, last_day = excluded.last_day, share = excluded.share, state = excluded.state;
  if old.month is null or old.share is distinct from learned then
    perform pgscore_data._estimate_anew(this_version, this_month);
  end if;
end
$$;
comment on function pgscore_data._set_calibration(int, timestamptz, bigint, bigint, timestamptz, double precision[], text) is
'Keeps what was learned of the scores of a version before a month, and has the days that it holds for estimated anew where they mean '
'something else now.';

create or replace view pgscore_data.calibration_due as
select c.version_id, case e.task when 'multiclass' then cardinality(e.class_labels) end as n_classes
  from pgscore_data.calibration_check c
  join pgscore_data.execution e on e.version_id = c.version_id and e.probabilities
    and (e.task = 'binary' or e.task = 'multiclass' and cardinality(e.class_labels) <= 50)
 where c.checked_at is null or c.changed_at > c.checked_at;
comment on view pgscore_data.calibration_due is
'Classifiers whose labels changed since somebody looked whether there is more to learn from. n_classes: NULL of two classes.';

create or replace function pgscore_data._claim_calibration(
  out version_id int, out month timestamptz, out n bigint, out n_positive bigint, out last_day timestamptz, out n_classes int,
  out classes smallint[], out bins smallint[], out totals bigint[], out positives bigint[])
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $$
declare
  due record;
begin
  if not exists (select from pgscore_data.calibration_due) or not pgscore_data._take_turn('cells') then
    return;
  end if;
  for due in select d.* from pgscore_data.calibration_due d order by d.version_id loop
    select c.* into month, n, n_positive, last_day from pgscore_data._next_calibration(due.version_id) c;
    if month is not null then
      version_id := due.version_id;
      n_classes := due.n_classes;
      select array_agg(h.class), array_agg(h.bin), array_agg(h.n), array_agg(h.positives) into classes, bins, totals, positives
        from (select s.class, s.bin, sum(s.n)::bigint as n, coalesce(sum(s.n) filter (where s.positive), 0)::bigint as positives
                from pgscore_data._days_before(due.version_id, month) d
               cross join lateral (
                 select 0::smallint as class, x.positive, x.bin, x.n from pgscore_data.cell_outcome_score x
                  where due.n_classes is null and x.version_id = due.version_id and x.day = d.day
                 union all
                 select x.class, x.positive, x.bin, x.n from pgscore_data.cell_class_score x
                  where due.n_classes is not null and x.version_id = due.version_id and x.day = d.day) s
               group by s.class, s.bin having sum(s.n) <> 0) h;
      return;
    end if;
  end loop;
end
$$;
comment on function pgscore_data._claim_calibration() is
'The labelled history before a month, by bins of scores, of a version that has more or less of it by a tenth than when last learned '
'from; of three classes or more (n_classes) by bins of the probability of each class. NULL where there is none, and little work: a sum '
'over the days of versions that labels touched. Days that are not mature are left out: labels that come early are seldom like the others.';
