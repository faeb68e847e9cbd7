-- Accuracy before labels come: what scores mean by the labels of the past, and what today's scores then say of today.

create or replace function pgscore_data._note_changed_labels() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.calibration_check as c (version_id) select distinct w.version_id from pgscore_data.refresh_window w
  on conflict (version_id) do update set changed_at = clock_timestamp();
end;
comment on function pgscore_data._note_changed_labels() is 'Notes which versions a refresh touched, for what is learned from their labels.';

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

create or replace function pgscore_data._estimate_anew(this_version int, this_month timestamptz) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.estimate_due (version_id, day)
  select x.version_id, x.day
    from pgscore_data.calibration_span c
    join (select s.version_id, s.day from pgscore_data.cell_score s where s.version_id = this_version
          union select s.version_id, s.day from pgscore_data.cell_class_volume s where s.version_id = this_version) x
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
select c.version_id, e.task from pgscore_data.calibration_check c
  join pgscore_data.execution e on e.version_id = c.version_id and e.probabilities
    and (e.task = 'binary' or e.task = 'multiclass' and cardinality(e.class_labels) <= 50)
 where c.checked_at is null or c.changed_at > c.checked_at;
comment on view pgscore_data.calibration_due is
'Classifiers whose labels changed since somebody looked whether there is more to learn from.';

create or replace function pgscore_data._claim_calibration(
  out version_id int, out month timestamptz, out n bigint, out n_positive bigint, out last_day timestamptz,
  out bins smallint[], out totals bigint[], out positives bigint[])
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $$
declare
  due int;
begin
  if not exists (select from pgscore_data.calibration_due d where d.task = 'binary') or not pgscore_data._take_turn('cells') then
    return;
  end if;
  for due in select d.version_id from pgscore_data.calibration_due d where d.task = 'binary' order by d.version_id loop
    select c.* into month, n, n_positive, last_day from pgscore_data._next_calibration(due) c;
    if month is not null then
      version_id := due;
      select array_agg(h.bin order by h.bin), array_agg(h.n order by h.bin), array_agg(h.positives order by h.bin) into bins, totals,
             positives
        from (select s.bin, sum(s.n)::bigint as n, coalesce(sum(s.n) filter (where s.positive), 0)::bigint as positives
                from pgscore_data._days_before(due, month) d join pgscore_data.cell_outcome_score s on s.version_id = due and s.day = d.day
               group by s.bin having sum(s.n) <> 0) h;
      return;
    end if;
  end loop;
end
$$;
comment on function pgscore_data._claim_calibration() is
'The labelled history before a month, by bins of scores, of a version that has more or less of it by a tenth than when last learned '
'from; NULL where there is none, and little work: a sum over the days of versions that labels touched. Days that are not mature are left '
'out: labels that come early are seldom like the others.';

create or replace function pgscore_data._estimate_binary(versions int[], days timestamptz[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with due as (
    select d.version_id, d.day, c.month
      from unnest(versions, days) as d (version_id, day)
      join pgscore_data.execution e on e.version_id = d.version_id and e.task = 'binary'
      left join pgscore_data.calibration_span c on c.version_id = d.version_id and d.day >= c.from_day and d.day < c.to_day
  ), learned as materialized (
    -- Concatenated with nothing, lest every bin decompress it.
    select c.version_id, c.month, c.share || '{}'::double precision[] as share from (select distinct d.version_id, d.month from due d) d
      join pgscore_data.calibration c using (version_id, month)
  ), bins as (
    select c.version_id, c.day, c.bin, c.n, c.n_positive, coalesce(l.share[c.bin + 1], (b.low + b.high) / 2) as share
      from due d
     cross join lateral (select * from pgscore_data.cell_score x
                          where x.version_id = d.version_id and x.day = d.day and x.n <> 0 offset 0) c
      join pgscore_data.score_bin b on b.bin = c.bin
      left join learned l on l.version_id = d.version_id and l.month = d.month
  ), ranked as (
    select b.*, b.share * b.n as p, coalesce(sum((1 - b.share) * b.n) over (partition by b.version_id, b.day
        order by b.bin rows between unbounded preceding and 1 preceding), 0) as n_below from bins b
  )
  insert into pgscore_data.estimate (version_id, day, n, true_positives, false_positives, false_negatives, true_negatives, roc_auc)
  select r.version_id, r.day, sum(r.n), sum(r.share * r.n_positive), sum((1 - r.share) * r.n_positive), sum(r.share * (r.n - r.n_positive)),
         sum((1 - r.share) * (r.n - r.n_positive)),
         sum(r.p * (r.n_below + (r.n - r.p) / 2)) / nullif(sum(r.p) * sum(r.n - r.p), 0)
    from ranked r group by r.version_id, r.day
  on conflict (version_id, day) do update set
    n = excluded.n, true_positives = excluded.true_positives, false_positives = excluded.false_positives,
    false_negatives = excluded.false_negatives,
    true_negatives = excluded.true_negatives, roc_auc = excluded.roc_auc;
end;
comment on function pgscore_data._estimate_binary(int[], timestamptz[]) is
  'Estimates these days of binary classifiers. A prediction in a bin counts as a positive by the share of positives to expect there: as '
  'learned, or else the middle of the bin, which is within half its width, at most 0.0005, of the score.';

create or replace function pgscore_data._windows_around(versions int[], days timestamptz[])
  returns table (version_id int, grain text, window_start timestamptz, window_end timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select distinct d.version_id, g.grain, s.at, (date_trunc(g.grain, s.at at time zone m.time_zone) + ('1 '
      || g.grain)::interval) at time zone m.time_zone
    from unnest(versions, days) as d (version_id, day)
    join pgscore_data.version v using (version_id)
    join pgscore_data.monitor m using (model_id)
   cross join (values ('week'), ('month')) g (grain)
   cross join lateral (select date_trunc(g.grain, d.day, m.time_zone)) s (at);
end;
comment on function pgscore_data._windows_around(int[], timestamptz[]) is 'The weeks and months that these days of versions are in.';

create or replace function pgscore_data._calibrated_around(versions int[], days timestamptz[])
  returns table (version_id int, grain text, window_start timestamptz, from_day timestamptz, to_day timestamptz, month timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select w.version_id, w.grain, w.window_start, greatest(w.window_start, c.from_day), least(w.window_end, c.to_day), c.month
    from pgscore_data._windows_around(versions, days) w
    left join pgscore_data.calibration_span c on c.version_id = w.version_id and c.from_day < w.window_end and c.to_day > w.window_start;
end;
comment on function pgscore_data._calibrated_around(int[], timestamptz[]) is
'The weeks and months that these days of versions are in, in parts of one calibration each.';

create or replace function pgscore_data._rank_binary(versions int[], days timestamptz[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with part as materialized (
    select p.* from pgscore_data._calibrated_around(versions, days) p
      join pgscore_data.execution e on e.version_id = p.version_id and e.task = 'binary'
  ), learned as materialized (
    select c.version_id, c.month, c.share || '{}'::double precision[] as share from (select distinct p.version_id, p.month from part p) p
      join pgscore_data.calibration c using (version_id, month)
  ), bins as (
    select p.version_id, p.grain, p.window_start, c.bin, sum(c.n) as n, sum(c.n * coalesce(l.share[c.bin + 1], (b.low + b.high) / 2)) as p
      from part p
     cross join lateral (
       select x.bin, sum(x.n)::bigint as n from pgscore_data.cell_score x
        where x.version_id = p.version_id and x.day >= p.from_day and x.day < p.to_day group by x.bin having sum(x.n) <> 0 offset 0) c
      join pgscore_data.score_bin b on b.bin = c.bin
      left join learned l on l.version_id = p.version_id and l.month = p.month
     group by p.version_id, p.grain, p.window_start, c.bin
  ), ranked as (
    select b.*, coalesce(sum(b.n - b.p) over (w rows between unbounded preceding and 1 preceding), 0) as n_below
      from bins b window w as (partition by b.version_id, b.grain, b.window_start order by b.bin)
  )
  insert into pgscore_data.metric_value (version_id, grain, window_start, metric, value)
  select r.version_id, r.grain, r.window_start, 'estimated_roc_auc',
         sum(r.p * (r.n_below + (r.n - r.p) / 2)) / nullif(sum(r.p) * sum(r.n - r.p), 0)
    from ranked r group by r.version_id, r.grain, r.window_start;
end;
comment on function pgscore_data._rank_binary(int[], timestamptz[]) is
  'The ROC AUC to expect in the weeks and months around these days of binary classifiers. All else that is estimated of them adds up from '
  'days.';

create or replace function pgscore_data._estimate(most int default 50) returns boolean
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
      where (t.version_id, t.day) in (select x.version_id, x.day from pgscore_data.estimate_due x order by x.day desc limit most)
            returning t.*
  )
  select array_agg(d.version_id), array_agg(d.day) into versions, days from due d;
  perform pgscore_data._estimate_binary(versions, days);
  perform pgscore_data._estimate_classes(versions, days);
  delete from pgscore_data.metric_value v using pgscore_data._windows_around(versions, days) w
   where v.version_id = w.version_id and v.grain = w.grain and v.window_start = w.window_start and v.metric = 'estimated_roc_auc';
  perform pgscore_data._rank_binary(versions, days);
  perform pgscore_data._rank_classes(versions, days);
  return exists (select from pgscore_data.estimate_due);
end
$$;
comment on function pgscore_data._estimate(int) is
  'Estimates so many days that changed, and the weeks and months around them, the newest first; true where more is waiting.';
