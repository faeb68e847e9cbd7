-- What a gate that compares versions goes by: the arms of an experiment, labels that judge both versions, or a replay.

create or replace function pgscore_data._gate_evidence(g pgscore_data.gate, this_version int, other int,
  out d pgscore_data.compared_difference, out experiment int, out replay bigint, out doubt text, out needs text)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  with arm as (
    select e.experiment_id, e.stopped_at, r.verdict, r.reason, r.n, c.n as other_n, r.value, c.value as other_value,
           least(r.entities, c.entities) as fewest, r.difference,
           coalesce(r.always_valid_low, r.difference_low) as low, coalesce(r.always_valid_high, r.difference_high) as high
      from pgscore_data.experiment e
      join pgscore_data.experiment_result r using (experiment_id)
      join pgscore_data.experiment_result c
        on c.experiment_id = r.experiment_id and c.version_id = e.champion_version_id and c.metric = r.metric and c.day = r.day
     where e.model_id = g.model_id and e.kind <> 'shadow' and e.champion_version_id = other and r.version_id = this_version
       and r.metric = g.metric
     order by e.experiment_id desc, r.day desc limit 1
  ), found as (
    -- While arms are apart, a label judges both only where an entity moved from one to the other: at another time.
    select case when p.last_day > a.stopped_at then 1 else 3 end as place, x as d, null::int as experiment, null::bigint as replay,
           null as doubt, null as needs, false as is_final
      from pgscore_data.compared_difference x
      join pgscore_data.compared_pair p using (version_id, other_id)
      left join arm a on true
     where x.version_id = this_version and x.other_id = other and x.segment_id = 0 and x.metric = g.metric
    union all
    select 2, row(this_version, other, 0, g.metric, a.value, a.other_value, a.n, a.other_n, a.fewest >= 100, a.difference,
                  a.low, a.high)::pgscore_data.compared_difference, a.experiment_id, null,
           case when a.verdict in ('sample_ratio', 'not_judged') then a.reason end,
           case a.verdict when 'sample_ratio' then 'arms that have their shares of entities'
             when 'not_judged' then 'labels that judge both versions' end, a.verdict = 'sample_ratio'
      from arm a
    union all
    select 4, row(this_version, other, 0, g.metric, x.value, x.other_value, x.n, x.other_n, x.is_enough, x.difference, x.low, x.high
                  )::pgscore_data.compared_difference, null, r.run_id,
           case when t.until is null then 'it may have seen the answers, as nothing says until when its data reach' end,
           case when t.until is null then 'a deploy with trained_until' end, false
      from pgscore_data.replay r
      join pgscore_data.run u using (run_id)
      join pgscore_data.version v using (version_id)
      join pgscore_data.replayed_difference x using (run_id)
     cross join lateral (select pgscore_data._trained_until(v) as until) t
     where v.version_id = this_version and r.other_id = other and r.n_days > 0 and x.metric = g.metric
  )
  select f.d, f.experiment, f.replay, f.doubt, f.needs from found f
   order by (f.is_final or least((f.d).n, (f.d).other_n) >= g.minimum_labels and coalesce((f.d).is_enough, false)) desc, f.place,
            f.replay desc
   limit 1;
end;
comment on function pgscore_data._gate_evidence(pgscore_data.gate, int, int) is
'How far a version is from another by the metric of a gate: by the newest experiment that split entities between them, by labels that '
'judge both, or by a replay. The first of these that has labels enough counts; labels come first where they are newer than the experiment. '
'Of arms it is the interval that holds however often one looks, where there is one. doubt: why it is not passed all the same; needs: what '
'would help.';

create or replace function pgscore_data._judge_difference(g pgscore_data.gate, d pgscore_data.compared_difference, other text,
  experiment int, replay bigint, out passed boolean, out is_worse boolean, out needs text, out reason text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  n constant bigint := coalesce(least(d.n, d.other_n), 0);
  enough constant bigint := greatest(30, g.minimum_labels);
  low_is_better constant boolean := pgscore_data._lower_is_better(g.metric);
  worse constant double precision := case when low_is_better then d.difference else - d.difference end;
  at_least constant double precision := case when low_is_better then d.low else - d.high end;
  at_most constant double precision := case when low_is_better then d.high else - d.low end;
begin
  passed := false;
  is_worse := coalesce(n >= enough and d.is_enough and at_least > g.margin, false);
  -- Of arms whose shares changed, the difference is not that of the values.
  reason := case
    when experiment is not null then format('%s is %s %s than that of %s in experiment %s', g.metric,
      pgscore_data._short_number(abs(d.difference)), case when d.difference < 0 then 'lower' else 'higher' end, other, experiment)
    else concat(format('%s is %s, that of %s %s', g.metric, pgscore_data._short_number(d.value), other,
                       pgscore_data._short_number(d.other_value)), ', from a replay (run ' || replay || ')') end;
  if n < enough or not d.is_enough or at_most is null then
    needs := case when n < enough then format('%s more labels', enough - n)
               when experiment is not null and not d.is_enough then 'labels of 100 entities in each arm'
               when g.metric = 'roc_auc' then 'more labels of each class' else 'more labels' end;
    reason := concat(g.metric, ' counts ', n, ' labels ', coalesce('of an arm in experiment ' || experiment, 'that judge both versions'),
                     ', from a replay (run ' || replay || ')');
  elsif at_most <= g.margin then
    passed := true;
    reason := reason || case when at_most <= 0 then '' else format(': %s worse at most', pgscore_data._short_number(at_most)) end;
  elsif worse >= g.margin and worse > 0 then
    reason := reason || format(': %s worse', pgscore_data._short_number(worse));
  else
    -- The width of an interval goes with 1 / sqrt(n).
    needs := case when at_most - worse > 1000 * (g.margin - worse) then 'far more labels'
               else format('about %s more labels', ceil(n * ((at_most - worse) / (g.margin - worse)) ^ 2)::numeric - n) end;
    reason := reason || format(': it may be %s worse', pgscore_data._short_number(at_most));
  end if;
end
$$;
comment on function pgscore_data._judge_difference(pgscore_data.gate, pgscore_data.compared_difference, text, int, bigint) is
  'Whether a difference of two versions is within the margin of a gate, by the bound of its interval. is_worse: all of the interval is '
  'beyond the margin. experiment, replay: what it is of; NULL: of labels that judge both.';
