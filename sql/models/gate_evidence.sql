-- What a gate that compares versions goes by: the arms of an experiment, labels that judge both versions, or a replay.

create or replace function pgscore_data._gate_evidence(g pgscore_data.gate, this_version int, other int,
  out difference pgscore_data.compared_difference, out experiment int, out replay bigint, out doubt text, out needs text)
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
    -- During a split an entity has predictions of one version. Labels that judge both come first only if all are newer than the stop.
    select case when p.first_day > a.stopped_at then 1 else 3 end as preference, x as difference, null::int as experiment,
           null::bigint as replay, null as doubt, null as needs, false as is_sample_ratio
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
  select f.difference, f.experiment, f.replay, f.doubt, f.needs from found f
   order by (f.is_sample_ratio or least((f.difference).n, (f.difference).other_n) >= g.minimum_labels
              and coalesce((f.difference).is_enough, false)) desc, f.preference,
            least((f.difference).n, (f.difference).other_n) desc, f.replay desc
   limit 1;
end;
comment on function pgscore_data._gate_evidence(pgscore_data.gate, int, int) is
'How far a version is from another by the metric of a gate: by the newest experiment that split entities between them, by labels that '
'judge both, or by a replay. The first of these that has labels enough counts; labels come first where all of them are newer than the '
'experiment. Of replays the one with the most labels counts. '
'Of arms it is the interval that holds however often one looks, where there is one. doubt: why it is not passed all the same; needs: what '
'would help.';
