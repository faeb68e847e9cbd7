-- What is known of which of two versions is better. Gates, the verdict of a model and results of experiments all go by it.

create or replace view pgscore_data.arm_difference as
select e.experiment_id, e.kind, s.version_id, s.other_id, a.metric, e.started_at, e.stopped_at, a.day,
       least(a.entities, c.entities) as entities, s.n, s.other_n, s.value, s.other_value, s.sign * a.difference as difference,
       case s.sign when 1 then i.low else - i.high end as low, case s.sign when 1 then i.high else - i.low end as high,
       case when s.sign = 1 then a.verdict when a.verdict = 'better' then 'worse' when a.verdict = 'worse' then 'better' else a.verdict end
         as verdict,
       a.reason
  from pgscore_data.experiment e
  join pgscore_data.experiment_result a on a.experiment_id = e.experiment_id and a.version_id <> e.champion_version_id
  join pgscore_data.experiment_result c
    on c.experiment_id = e.experiment_id and c.version_id = e.champion_version_id and c.metric = a.metric and c.day = a.day
 cross join lateral (
   select coalesce(a.always_valid_low, a.difference_low) as low, coalesce(a.always_valid_high, a.difference_high) as high) i
  -- An arm that was promoted is now what its old champion is compared with.
 cross join lateral (
   values (1, a.version_id, c.version_id, a.n, c.n, a.value, c.value), (-1, c.version_id, a.version_id, c.n, a.n, c.value, a.value))
   s (sign, version_id, other_id, n, other_n, value, other_value)
 where not exists (select from pgscore_data.experiment_result x
                    where x.experiment_id = a.experiment_id and x.version_id = a.version_id and x.metric = a.metric and x.day > a.day);
comment on view pgscore_data.arm_difference is
  'How far an arm of an experiment and its champion are apart by a metric, as was last found; seen from each of both. The interval is the '
  'one that holds however often one looks, where there is one.';

create or replace view pgscore_data.evidence as
with found as (
  select 'labels' as source, null::bigint as number, x.version_id, x.other_id, x.segment_id, x.metric, p.first_day, p.last_day,
         p.compared_at,
         exists (select from pgscore_data.comparison_due d where d.version_id = p.version_id and d.other_id = p.other_id) as is_due,
         x.n, x.other_n, x.value, x.other_value, x.difference, x.low, x.high, x.is_enough, null as doubt, null as needs,
         null::text as verdict
    from pgscore_data.compared_difference x join pgscore_data.compared_pair p using (version_id, other_id)
  union all
  select case a.kind when 'shadow' then 'shadow' else 'arms' end, a.experiment_id, a.version_id, a.other_id, 0, a.metric, a.started_at,
         a.day, j.judged_at, exists (select from pgscore_data.experiment_due d where d.experiment_id = a.experiment_id),
         a.n, a.other_n, a.value, a.other_value, a.difference, a.low, a.high, a.entities >= 100 and a.low is not null,
         case when a.verdict in ('sample_ratio', 'not_judged') then a.reason end,
         case a.verdict when 'sample_ratio' then 'arms that have their shares of entities'
           when 'not_judged' then 'labels that judge both versions' end, a.verdict
    from pgscore_data.arm_difference a left join pgscore_data.experiment_judgement j using (experiment_id)
  union all
  select 'replay', r.run_id, v.version_id, r.other_id, 0, x.metric, r.first_day, r.last_day, r.compared_at,
         exists (select from pgscore_data.replay_due d where d.run_id = r.run_id),
         x.n, x.other_n, x.value, x.other_value, x.difference, x.low, x.high, x.is_enough,
         case when t.is_unknown then 'it may have seen the answers, as nothing says until when its data reach' end,
         case when t.is_unknown then 'a deploy with trained_until' end, null
    from pgscore_data.replay r
    join pgscore_data.run u using (run_id)
    join pgscore_data.version v using (version_id)
    join pgscore_data.replayed_difference x using (run_id)
   cross join lateral (select coalesce(v.options ->> 'trained_until', v.facts ->> 'trainedUntil') is null as is_unknown) t
   where r.n_days > 0
)
select f.source, f.number, f.version_id, f.other_id, f.segment_id, f.metric, f.n, f.other_n, f.value, f.other_value, f.difference,
       f.low, f.high, f.is_enough, case when a.is_old then 'labels were set anew since' else f.doubt end as doubt,
       case when a.is_old then 'a comparison with the new labels, which a running service makes within minutes' else f.needs end as needs,
       f.first_day,
       case when f.verdict is not null then f.verdict when not f.is_enough then 'too_early'
         when f.low > 0 then case k.better when 'low' then 'worse' else 'better' end
         when f.high < 0 then case k.better when 'low' then 'better' else 'worse' end else 'no_difference' end as verdict,
       concat(case f.source when 'labels' then 'labels that judge both' when 'arms' then 'the arms of experiment ' || f.number
                when 'shadow' then 'the shadow of experiment ' || f.number else 'a replay (run ' || f.number || ')' end,
              ', ' || nullif(d.first, d.last) || ' to', case when d.first = d.last then ',' end, ' ' || d.last) as said_by,
       case f.source when 'replay' then 4 when 'labels' then case
         when f.first_day > all (select coalesce(a.stopped_at, 'infinity') from pgscore_data.arm_difference a
                                  where a.version_id = f.version_id and a.other_id = f.other_id and a.metric = f.metric) then 1
         else 3 end else 2 end as preference
  from found f
  join pgscore_data.metric_kind k using (metric)
  left join pgscore_data.counted_version o on o.version_id = f.version_id
  left join pgscore_data.monitor m using (model_id)
  left join pgscore_data.label_source l using (model_id)
 cross join lateral (
   select f.compared_at < l.set_at
            and (f.is_due or exists (select from pgscore_data.unread_labels u where u.model_id = l.model_id)) as is_old) a
 cross join lateral (
   select to_char(f.first_day at time zone m.time_zone, 'FMDD Mon YYYY') as first,
          to_char(f.last_day at time zone m.time_zone, 'FMDD Mon YYYY') as last) d;
comment on view pgscore_data.evidence is
  'All that is known of how far a version, or a value of one, is from another by a metric: by labels that judge both, by an experiment or '
  'by a replay. The least preference counts. During a split an entity has predictions of one version, so labels that judge both come '
  'before an experiment only if all of them are newer than its end. doubt: why it may not be trusted; needs: what would help.';

create or replace function pgscore_data._evidence(this_version int, other int, segment int, metric text, minimum_labels bigint)
returns pgscore_data.evidence
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select e from pgscore_data.evidence e
   where e.version_id = this_version and e.other_id = other and e.segment_id = segment and e.metric = _evidence.metric
   order by (e.verdict = 'sample_ratio' or least(e.n, e.other_n) >= minimum_labels and coalesce(e.is_enough, false)) desc, e.preference,
            case when e.preference = 2 then e.number end desc, least(e.n, e.other_n) desc, e.number desc
   limit 1;
end;
comment on function pgscore_data._evidence(int, int, int, text, bigint) is
  'What tells how far a version is from another by a metric: of what has labels enough the least preference, of experiments the newest, of '
  'replays the one with the most labels. NULL: nothing does.';
