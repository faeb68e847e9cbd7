-- What the cells of a day hold: predictions as finished runs and the gateway counted them, and pairs as they come and go.
-- in: day_tally, and refresh_delta. out: cell_* and score_log; touched, the days whose metrics are due.

create or replace function pgscore_data._count_predictions(runs bigint[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with gone as (
    delete from pgscore_data.day_tally t where t.run_id = any (runs) returning t.*
  ), counted as (
    select r.version_id, date_trunc('day', coalesce(g.day, r.snapshot_at), m.time_zone) as day, c.bin, sum(c.n)::bigint as n,
           sum(c.n_positive)::bigint as n_positive
      from gone g
      cross join lateral unnest(g.bins, g.counts, g.positives) as c (bin, n, n_positive)
      -- Of the runs that ended, these few: as a join, the planner may take all that ever did for fewer.
      cross join lateral (select x.* from pgscore_data.scored x
                           where x.run_id = g.run_id and x.attempt = g.attempt and x.state = 'done' offset 0) r
      join pgscore_data.version v using (version_id)
      join pgscore_data.monitor m using (model_id)
     group by 1, 2, 3
  ), due as (
    insert into pgscore_data.estimate_due (version_id, day) select distinct p.version_id, p.day from counted p
      where p.bin >= 0 on conflict do nothing
  ), volume as (
    insert into pgscore_data.cell_volume as c (version_id, day, n_predictions, n_failed, n_scored)
    select p.version_id, p.day, coalesce(sum(p.n) filter (where p.bin <> -2), 0), coalesce(sum(p.n) filter (where p.bin = -2), 0),
           coalesce(sum(p.n) filter (where p.bin >= 0), 0) from counted p group by p.version_id, p.day
    on conflict (version_id, segment_id, day) do update set n_predictions = c.n_predictions + excluded.n_predictions,
      n_failed = c.n_failed + excluded.n_failed, n_scored = c.n_scored + excluded.n_scored
  ), score as (
    insert into pgscore_data.cell_score as c (version_id, day, bin, n, n_positive)
    select p.version_id, p.day, p.bin, p.n, p.n_positive from counted p where p.bin >= 0
    on conflict (version_id, day, bin) do update set n = c.n + excluded.n, n_positive = c.n_positive + excluded.n_positive
  )
  -- Each an own CTE: pg_dump writes a nested `excluded` in a form that PostgreSQL cannot read back.
  select;
end;
comment on function pgscore_data._count_predictions(bigint[]) is
  'Adds the counts of finished runs and of batches of calls to the cells; those of an attempt that came to nothing go.';

create or replace view pgscore_data.cell_outcome_score as
-- In the list of columns, where nothing is put down in between as in FROM.
select l.version_id, l.day, l.positive, unnest(l.bins) as bin, unnest(l.counts) as n, unnest(l.sums) as sum_score
  from pgscore_data.score_log l;
comment on view pgscore_data.cell_outcome_score is
  'Labelled predictions of a binary classifier by score and truth: AUC, average precision, calibration and thresholds come from these. A '
  'cell is the sum of its rows.';

create or replace function pgscore_data._add_values() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.refresh_delta (sign, version_id, day, age_band, actual, score, segments)
  select d.sign, n.value_id, d.day, d.age_band, coalesce(d.actual_values[n.position], d.actual), d.predicted_values[n.position], d.segments
    from pgscore_data.version_value n join pgscore_data.refresh_delta d using (version_id)
   where n.task = 'regression' and d.predicted_values[n.position] is not null
     and coalesce(d.actual_values[n.position], d.actual) is not null;
  insert into pgscore_data.refresh_delta
    (sign, version_id, day, age_band, actual_class, predicted_class, score, p_actual, bin, segments)
  with edges as materialized (
    -- Appending an empty array decompresses the bins once, and not for every row.
    select b.mirrored || '{}'::double precision[] as mirrored from pgscore_data.score_bins b
  )
  select d.sign, n.value_id, d.day, d.age_band, d.actual_values[n.position],
         d.predicted_values[cardinality(d.actual_values) + n.position], p.p,
         case d.actual_values[n.position] when 1 then p.p else 1 - p.p end, pgscore_data._score_bin(p.p, b.mirrored), d.segments
    from pgscore_data.version_value n join pgscore_data.refresh_delta d using (version_id) cross join edges b
   cross join lateral (select d.predicted_values[n.position] as p) p
   where n.task = 'binary' and num_nulls(d.actual_values[n.position], d.predicted_values[cardinality(d.actual_values) + n.position]) = 0;
end;
comment on function pgscore_data._add_values() is
  'Notes for each value of a row, of versions that give several, what leaves and enters its own cells.';

create or replace function pgscore_data._is_inside(this_version int, actual double precision, predicted_values double precision[])
  returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select actual between min(predicted_values[x.lowest]) and min(predicted_values[x.highest])
    from (select first_value(n.position) over w as lowest, last_value(n.position) over w as highest
            from pgscore_data.version_value n
           where n.version_id = this_version and n.quantile is not null
          window w as (order by n.quantile rows between unbounded preceding and unbounded following)) x;
end;
comment on function pgscore_data._is_inside(int, double precision, double precision[]) is
  'Whether the truth lay between the lowest and the highest quantile of a row.';

create or replace function pgscore_data._add_deltas() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  holds record;
begin
  if exists (select from pgscore_data.version_value) then
    perform pgscore_data._add_values();
  end if;
  with days as materialized (
    select d.version_id, d.day, bool_or(d.actual_class is not null) as classes, bool_or(d.bin is not null) as scores,
           bool_or(d.rank is not null) as ranks, bool_or(d.class_bins is not null) as class_scores, bool_or(d.actual is not null) as numbers
      from pgscore_data.refresh_delta d group by d.version_id, d.day
  ), noted as (
    insert into pgscore_data.touched (version_id, day) select d.version_id, d.day from days d on conflict do nothing
  )
  select bool_or(d.classes) as classes, bool_or(d.scores) as scores, bool_or(d.ranks) as ranks, bool_or(d.class_scores) as class_scores,
         bool_or(d.numbers) as numbers into holds from days d;
  if holds.classes then
    insert into pgscore_data.cell_outcome as c (version_id, segment_id, day, age_band, actual_class, predicted_class, n, sum_brier,
                                                sum_log_loss)
    select d.version_id, d.segment_id, d.day, d.age_band, d.actual_class, d.predicted_class, sum(d.sign),
           coalesce(sum((d.sign * (1 - d.p_actual) ^ 2)::numeric), 0),
           coalesce(sum((-d.sign * ln(greatest(2.220446049250313e-16, least(1 - 2.220446049250313e-16, d.p_actual))))::numeric), 0)
      from pgscore_data.refresh_slice d where d.actual_class is not null
     group by d.version_id, d.segment_id, d.day, d.age_band, d.actual_class, d.predicted_class
    on conflict (version_id, segment_id, day, age_band, actual_class, predicted_class) do update
      set n = c.n + excluded.n, sum_brier = c.sum_brier + excluded.sum_brier, sum_log_loss = c.sum_log_loss + excluded.sum_log_loss;
  end if;
  if holds.scores then
    -- Almost every pair has cells of its own: to look each up and change it takes ten times as long as this.
    insert into pgscore_data.score_log (version_id, day, positive, bins, counts, sums)
    select c.version_id, c.day, c.positive, array_agg(c.bin), array_agg(c.n), array_agg(c.sum_score)
      from (select x.version_id, x.day, x.positive, x.bin, sum(x.sign) as n, sum((x.sign * x.score)::numeric) as sum_score
              from (select d.version_id, d.day, d.actual_class + 1 = e.positive_class as positive, d.bin, d.sign, d.score
                      from pgscore_data.refresh_delta d join pgscore_data.scored_version e using (version_id) where d.bin is not null
                     order by 1, 2, 3, 4) x
             group by x.version_id, x.day, x.positive, x.bin) c
     group by c.version_id, c.day, c.positive;
  end if;
  if holds.ranks then
    insert into pgscore_data.cell_rank as c (version_id, segment_id, day, rank, n)
    select d.version_id, d.segment_id, d.day, d.rank, sum(d.sign) from pgscore_data.refresh_slice d
     where d.rank is not null group by d.version_id, d.segment_id, d.day, d.rank
    on conflict (version_id, segment_id, day, rank) do update set n = c.n + excluded.n;
  end if;
  if holds.class_scores then
    insert into pgscore_data.cell_class_score as c (version_id, day, class, positive, bin, n)
    select d.version_id, d.day, x.position - 1, x.position - 1 = d.actual_class, x.bin, sum(d.sign)
      from pgscore_data.refresh_delta d cross join lateral unnest(d.class_bins) with ordinality as x (bin, position)
     where d.class_bins is not null group by 1, 2, 3, 4, 5
    on conflict (version_id, day, class, positive, bin) do update set n = c.n + excluded.n;
  end if;
  if holds.numbers then
    insert into pgscore_data.cell_regression as c
      (version_id, segment_id, day, age_band, n, sum_error, sum_abs_error, sum_error2, sum_error4, sum_actual, sum_actual2, sum_abs_actual,
       n_zero_actual, sum_relative_error, n_log, sum_log_error2, n_covered, n_inside)
    select d.version_id, d.segment_id, d.day, d.age_band, sum(d.sign), sum((d.sign * x.error)::numeric),
           sum((d.sign * abs(x.error))::numeric), sum((d.sign * (x.error * x.error))::numeric),
           sum((d.sign * (x.error * x.error * x.error * x.error))::numeric),
           sum(d.sign * x.actual), sum(d.sign * x.actual * x.actual), sum(d.sign * abs(x.actual)),
           coalesce(sum(d.sign) filter (where d.actual = 0), 0),
           coalesce(sum((d.sign * (abs(d.score - d.actual) / abs(d.actual)))::numeric) filter (where d.actual <> 0), 0),
           coalesce(sum(d.sign) filter (where least(d.score, d.actual) > -1), 0),
           coalesce(sum((d.sign * (ln(1 + d.score) - ln(1 + d.actual)) ^ 2)::numeric) filter (where least(d.score, d.actual) > -1), 0),
           coalesce(sum(d.sign) filter (where d.actual <= d.score), 0),
           coalesce(sum(d.sign) filter (where case when d.predicted_values is not null
                                          then pgscore_data._is_inside(d.version_id, d.actual, d.predicted_values) end), 0)
      from pgscore_data.refresh_slice d cross join lateral (select d.score - d.actual as error, pgscore_data._exactly(d.actual) as actual) x
     where d.actual is not null
     group by d.version_id, d.segment_id, d.day, d.age_band
    on conflict (version_id, segment_id, day, age_band) do update set
      n = c.n + excluded.n, sum_error = c.sum_error + excluded.sum_error, sum_abs_error = c.sum_abs_error + excluded.sum_abs_error,
      sum_error2 = c.sum_error2 + excluded.sum_error2, sum_error4 = c.sum_error4 + excluded.sum_error4,
      sum_actual = c.sum_actual + excluded.sum_actual,
      sum_actual2 = c.sum_actual2 + excluded.sum_actual2, sum_abs_actual = c.sum_abs_actual + excluded.sum_abs_actual,
      n_zero_actual = c.n_zero_actual + excluded.n_zero_actual, sum_relative_error = c.sum_relative_error + excluded.sum_relative_error,
      n_log = c.n_log + excluded.n_log, sum_log_error2 = c.sum_log_error2 + excluded.sum_log_error2,
      n_covered = c.n_covered + excluded.n_covered, n_inside = c.n_inside + excluded.n_inside;
    insert into pgscore_data.cell_error as c (version_id, day, bucket, n)
    select d.version_id, d.day, pgscore_data._error_bucket(d.score - d.actual), sum(d.sign) from pgscore_data.refresh_delta d
     where d.actual is not null
     group by d.version_id, d.day, pgscore_data._error_bucket(d.score - d.actual)
    on conflict (version_id, day, bucket) do update set n = c.n + excluded.n;
  end if;
end
$$;
comment on function pgscore_data._add_deltas() is
  'Adds what left and what came to the cells. Sums are numeric, so that what is taken out leaves nothing behind.';

create or replace function pgscore_data._fold_scores() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  w record;
begin
  for w in
    select x.version_id, x.window_start as day from pgscore_data.refresh_window x
     where x.grain = 'day' and (select sum(cardinality(l.bins)) from pgscore_data.score_log l
                                 where l.version_id = x.version_id and l.day = x.window_start) > 6000
  loop
    with held as (
      delete from pgscore_data.score_log l where l.version_id = w.version_id and l.day = w.day returning l.*
    ), cells as (
      select h.version_id, h.day, h.positive, c.bin, sum(c.n)::bigint as n, sum(c.sum_score) as sum_score
        from held h cross join lateral unnest(h.bins, h.counts, h.sums) c (bin, n, sum_score)
       group by h.version_id, h.day, h.positive, c.bin having sum(c.n) <> 0
    )
    insert into pgscore_data.score_log (version_id, day, positive, bins, counts, sums)
    select c.version_id, c.day, c.positive, array_agg(c.bin order by c.bin), array_agg(c.n order by c.bin),
           array_agg(c.sum_score order by c.bin) from cells c group by c.version_id, c.day, c.positive;
  end loop;
end
$$;
comment on function pgscore_data._fold_scores() is
  'Adds up what refreshes logged of the scores of a touched day, where that is more than twice what a day has cells.';
