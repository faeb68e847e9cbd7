-- Accuracy before labels come: what scores mean by the labels of the past, and what today's scores then say of today.

create or replace function pgscore_data._note_changed_labels() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.calibration as c (version_id) select distinct w.version_id from pgscore_data.refresh_window w
  on conflict (version_id) do update set changed_at = clock_timestamp();
end;
comment on function pgscore_data._note_changed_labels() is 'Notes which versions a refresh touched, for what is learned from their labels.';

create or replace function pgscore_data._mature_days(this_version int) returns table (day timestamptz, n_labeled bigint)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select w.day, c.n
    from pgscore_data.cell_volume w
    join (select o.day, sum(o.n)::bigint as n from pgscore_data.cell_outcome o where o.version_id = this_version and o.segment_id = 0 group by o.day
          union all select r.day, sum(r.n)::bigint from pgscore_data.cell_regression r where r.version_id = this_version and r.segment_id = 0 group by r.day) c using (day)
   where w.version_id = this_version and w.segment_id = 0 and c.n > 0
     and c.n >= w.n_predictions * (select m.min_label_coverage from pgscore_data.monitor m join pgscore_data.version v using (model_id) where v.version_id = this_version);
end;
comment on function pgscore_data._mature_days(int) is 'The days of a version whose labels are there, by its monitor.';

create or replace function pgscore_data._set_calibration(this_version int, as_of timestamptz, n bigint, n_positive bigint, last_day timestamptz, learned double precision[], state text) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
begin atomic
  select pgscore_data._await_turn('cells');
  insert into pgscore_data.estimate_due (version_id, day)
  select x.version_id, x.day
    from (select s.version_id, s.day from pgscore_data.cell_score s where s.version_id = this_version
          union select s.version_id, s.day from pgscore_data.cell_class_volume s where s.version_id = this_version) x
    join pgscore_data.calibration c using (version_id)
   where c.share is distinct from learned
  on conflict do nothing;
  update pgscore_data.calibration c set
    checked_at = as_of, n = _set_calibration.n, n_positive = _set_calibration.n_positive, last_day = _set_calibration.last_day, share = learned, state = _set_calibration.state
   where c.version_id = this_version;
end;
comment on function pgscore_data._set_calibration(int, timestamptz, bigint, bigint, timestamptz, double precision[], text) is 'Keeps what was learned of the scores of a version, and has its days estimated anew where they mean something else now.';

create or replace function pgscore_data._claim_calibration(out version_id int, out as_of timestamptz, out n bigint, out n_positive bigint, out last_day timestamptz, out bins smallint[], out totals bigint[], out positives bigint[])
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $$
declare
  c pgscore_data.calibration;
begin
  if not exists (select from pgscore_data.calibration x join pgscore_data.execution e on e.version_id = x.version_id and e.task = 'binary' and e.probabilities where x.checked_at is null or x.changed_at > x.checked_at)
    or not pgscore_data._take_turn('cells') then
    return;
  end if;
  for c in
    select x.* from pgscore_data.calibration x join pgscore_data.execution e on e.version_id = x.version_id and e.task = 'binary' and e.probabilities
     where x.checked_at is null or x.changed_at > x.checked_at
     order by x.version_id
  loop
    as_of := clock_timestamp();
    select coalesce(sum(o.n), 0), coalesce(sum(o.n) filter (where o.actual_class + 1 = e.positive_class), 0), max(o.day) into n, n_positive, last_day
      from pgscore_data._mature_days(c.version_id) d join pgscore_data.cell_outcome o on o.version_id = c.version_id and o.segment_id = 0 and o.day = d.day join pgscore_data.execution e on e.version_id = c.version_id;
    if n < 200 or least(n_positive, n - n_positive) < 10 then
      perform pgscore_data._set_calibration(c.version_id, as_of, n, n_positive, last_day, null, 'too_few_labels');
    elsif c.state <> 'too_few_labels' and abs(n - c.n) <= c.n * 0.1 and abs(n_positive - c.n_positive) <= c.n_positive * 0.1 then
      update pgscore_data.calibration x set checked_at = as_of where x.version_id = c.version_id;
    else
      version_id := c.version_id;
      select array_agg(h.bin order by h.bin), array_agg(h.n order by h.bin), array_agg(h.positives order by h.bin) into bins, totals, positives
        from (select s.bin, sum(s.n)::bigint as n, coalesce(sum(s.n) filter (where s.positive), 0)::bigint as positives
                from pgscore_data._mature_days(c.version_id) d join pgscore_data.cell_outcome_score s on s.version_id = c.version_id and s.day = d.day
               group by s.bin having sum(s.n) <> 0) h;
      return;
    end if;
  end loop;
end
$$;
comment on function pgscore_data._claim_calibration() is 'The labelled history, by bins of scores, of a version that has more of it by a tenth than when last learned from; NULL where there is none, and little work: a sum over the days of versions that labels touched. Days that are not mature are left out: labels that come early are seldom like the others.';

create or replace function pgscore_data._estimate_binary(versions int[], days timestamptz[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with due as (
    select d.version_id, d.day from unnest(versions, days) as d (version_id, day) join pgscore_data.execution e on e.version_id = d.version_id and e.task = 'binary'
  ), learned as materialized (
    -- Concatenated with nothing, lest every bin decompress it.
    select c.version_id, c.share || '{}'::double precision[] as share from (select distinct d.version_id from due d) d join pgscore_data.calibration c using (version_id)
  ), bins as (
    select c.version_id, c.day, c.bin, c.n, c.n_positive, coalesce(l.share[c.bin + 1], (b.low + b.high) / 2) as share
      from due d
     cross join lateral (select * from pgscore_data.cell_score x where x.version_id = d.version_id and x.day = d.day and x.n <> 0 offset 0) c
      join pgscore_data.score_bin b on b.bin = c.bin
      left join learned l on l.version_id = c.version_id
  ), ranked as (
    select b.*, b.share * b.n as p, coalesce(sum((1 - b.share) * b.n) over (partition by b.version_id, b.day order by b.bin rows between unbounded preceding and 1 preceding), 0) as n_below from bins b
  )
  insert into pgscore_data.estimate (version_id, day, n, true_positives, false_positives, false_negatives, true_negatives, roc_auc)
  select r.version_id, r.day, sum(r.n), sum(r.share * r.n_positive), sum((1 - r.share) * r.n_positive), sum(r.share * (r.n - r.n_positive)), sum((1 - r.share) * (r.n - r.n_positive)),
         sum(r.p * (r.n_below + (r.n - r.p) / 2)) / nullif(sum(r.p) * sum(r.n - r.p), 0)
    from ranked r group by r.version_id, r.day
  on conflict (version_id, day) do update set
    n = excluded.n, true_positives = excluded.true_positives, false_positives = excluded.false_positives, false_negatives = excluded.false_negatives,
    true_negatives = excluded.true_negatives, roc_auc = excluded.roc_auc;
end;
comment on function pgscore_data._estimate_binary(int[], timestamptz[]) is 'Estimates these days of binary classifiers. A prediction in a bin counts as a positive by the share of positives to expect there: as learned, or else the middle of the bin, which is within half its width, at most 0.0005, of the score.';

create or replace function pgscore_data._windows_around(versions int[], days timestamptz[]) returns table (version_id int, grain text, window_start timestamptz, window_end timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select distinct d.version_id, g.grain, s.at, (date_trunc(g.grain, s.at at time zone m.time_zone) + ('1 ' || g.grain)::interval) at time zone m.time_zone
    from unnest(versions, days) as d (version_id, day)
    join pgscore_data.version v using (version_id)
    join pgscore_data.monitor m using (model_id)
   cross join (values ('week'), ('month')) g (grain)
   cross join lateral (select date_trunc(g.grain, d.day, m.time_zone)) s (at);
end;
comment on function pgscore_data._windows_around(int[], timestamptz[]) is 'The weeks and months that these days of versions are in.';

create or replace function pgscore_data._rank_binary(versions int[], days timestamptz[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with learned as materialized (
    select c.version_id, c.share || '{}'::double precision[] as share from (select distinct x.version_id from unnest(versions) x (version_id)) d join pgscore_data.calibration c using (version_id)
  ), bins as (
    select w.version_id, w.grain, w.window_start, c.bin, c.n, coalesce(l.share[c.bin + 1], (b.low + b.high) / 2) as share
      from pgscore_data._windows_around(versions, days) w
      join pgscore_data.execution e on e.version_id = w.version_id and e.task = 'binary'
     cross join lateral (
       select x.bin, sum(x.n)::bigint as n from pgscore_data.cell_score x
        where x.version_id = w.version_id and x.day >= w.window_start and x.day < w.window_end group by x.bin having sum(x.n) <> 0 offset 0) c
      join pgscore_data.score_bin b on b.bin = c.bin
      left join learned l on l.version_id = w.version_id
  ), ranked as (
    select b.*, b.share * b.n as p, coalesce(sum((1 - b.share) * b.n) over (partition by b.version_id, b.grain, b.window_start order by b.bin rows between unbounded preceding and 1 preceding), 0) as n_below from bins b
  )
  insert into pgscore_data.metric_value (version_id, grain, window_start, metric, value)
  select r.version_id, r.grain, r.window_start, 'estimated_roc_auc', sum(r.p * (r.n_below + (r.n - r.p) / 2)) / nullif(sum(r.p) * sum(r.n - r.p), 0)
    from ranked r group by r.version_id, r.grain, r.window_start;
end;
comment on function pgscore_data._rank_binary(int[], timestamptz[]) is 'The ROC AUC to expect in the weeks and months around these days of binary classifiers. All else that is estimated of them adds up from days.';

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
  if not exists (select from pgscore_data.estimate_due) and not exists (select from pgscore_data.class_tally t where (select r.state from pgscore_data.scored r where r.run_id = t.run_id) in ('done', 'failed', 'cancelled'))
    or not pgscore_data._take_turn('cells') then
    return false;
  end if;
  perform pgscore_data._count_class_volumes();
  with due as (
    delete from pgscore_data.estimate_due t where (t.version_id, t.day) in (select x.version_id, x.day from pgscore_data.estimate_due x order by x.day desc limit most) returning t.*
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
comment on function pgscore_data._estimate(int) is 'Estimates so many days that changed, and the weeks and months around them, the newest first; true where more is waiting.';
