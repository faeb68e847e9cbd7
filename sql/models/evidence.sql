-- What is known of which of two versions is better. Gates and the verdict of a model go by it.

create or replace view pgscore_data.arm_difference as
select e.experiment_id, e.kind, s.version_id, s.other_id, a.metric, e.started_at, e.stopped_at, a.day,
       least(a.entities, c.entities) as entities, s.n, s.other_n, s.value, s.other_value, s.sign * a.difference as difference,
       case s.sign when 1 then i.low else - i.high end as low, case s.sign when 1 then i.high else - i.low end as high,
       case when j.error is not null then 'not_judged' when s.sign = 1 then a.verdict
         when a.verdict = 'better' then 'worse' when a.verdict = 'worse' then 'better' else a.verdict end as verdict,
       case when j.error is null then a.reason else 'it could not be judged: the log of the server says why' end as reason,
       pgscore_data._experiment_is_final(e) as is_final
  from pgscore_data.experiment e
  left join pgscore_data.experiment_judgement j using (experiment_id)
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

create or replace function pgscore_data._may_promote(role name) returns boolean
language sql stable
return pg_catalog.pg_has_role(pg_catalog.to_regrole(pg_catalog.quote_ident(role)), 'pgscore_deployer', 'usage') is true;
comment on function pgscore_data._may_promote(name) is 'Whether a role may promote: it is a deployer, and still there.';

create or replace view pgscore_data.evidence as
with found as (
  select 'labels' as source, null::bigint as number, x.version_id, x.other_id, x.segment_id, x.metric, p.first_day, p.last_day,
         p.compared_at,
         exists (select from pgscore_data.comparison_due d where d.version_id = p.version_id and d.other_id = p.other_id) as is_due,
         null as remedy, x.n, x.other_n, x.value, x.other_value, x.value - x.other_value as difference, x.low, x.high,
         x.is_enough, null as doubt, null as needs, null::text as verdict
    from pgscore_data.compared_metric x join pgscore_data.compared_pair p using (version_id, other_id)
  union all
  select case a.kind when 'shadow' then 'shadow' else 'arms' end, a.experiment_id, a.version_id, a.other_id, 0, a.metric, a.started_at,
         a.day, j.judged_at, exists (select from pgscore_data.experiment_due d where d.experiment_id = a.experiment_id) as is_due,
         case when a.is_final then 'another experiment, as this one is too old to be judged again' end as remedy,
         a.n, a.other_n, a.value, a.other_value, a.difference, a.low, a.high, t.is_enough,
         case when a.verdict in ('sample_ratio', 'not_judged') or a.verdict = 'too_early' and t.is_enough then a.reason end as doubt,
         case a.verdict when 'sample_ratio' then 'arms that have their shares of entities'
           when 'not_judged' then 'labels that judge both versions'
           when 'too_early' then 'an experiment that reached its until' end as needs, a.verdict
    from pgscore_data.arm_difference a left join pgscore_data.experiment_judgement j using (experiment_id)
   cross join lateral (
     select a.entities >= 100 and a.low is not null as is_enough) t
  union all
  select 'replay', r.run_id, v.version_id, r.other_id, 0, x.metric, r.first_day, r.last_day, r.compared_at,
         exists (select from pgscore_data.replay_due d where d.run_id = r.run_id) as is_due,
         case when pgscore_data._replay_is_final(u) then 'another replay, as this one is too old to be compared again' end as remedy,
         x.n, x.other_n, x.value, x.other_value, x.value - x.other_value, x.low, x.high, x.is_enough,
         case when t.is_unknown then 'the version was deployed without trained_until' end as doubt,
         case when t.is_unknown then 'a deploy with trained_until' end as needs, null as verdict
    from pgscore_data.replay r
    join pgscore_data.run u using (run_id)
    join pgscore_data.trained_version v using (version_id)
    join pgscore_data.replay_metric x using (run_id)
   cross join lateral (
     select r.first_day <= v.maybe_trained_until - interval '1 day' as is_unknown) t
   -- Who asks for a replay chooses its rows, and so what it says.
   where r.n_days > 0 and pgscore_data._may_promote(u.requested_by)
)
select f.source, f.number, f.version_id, f.other_id, f.segment_id, f.metric, f.n, f.other_n, f.value, f.other_value, f.difference,
       f.low, f.high, f.is_enough, coalesce(o.outdated, f.doubt) as doubt,
       case when o.outdated is null then f.needs when f.remedy is not null and not f.is_due then f.remedy
         when l.model_id is null then 'labels that judge both versions'
         when u.is_unreadable then 'labels that can be read: pgscore.label_sources has the error'
         else 'a comparison with the new labels, which a running service makes within minutes' end as needs,
       f.first_day,
       case when f.verdict is not null then f.verdict when not f.is_enough then 'too_early'
         when f.low > 0 then case k.better when 'low' then 'worse' else 'better' end
         when f.high < 0 then case k.better when 'low' then 'better' else 'worse' end else 'no_difference' end as verdict,
       concat(case f.source when 'labels' then 'labels that judge both' when 'arms' then 'the arms of experiment ' || f.number
                when 'shadow' then 'the shadow of experiment ' || f.number else 'a replay (run ' || f.number || ')' end,
              ', ', case when d.first <> d.last then d.first || ' to ' end, d.last,
              case when t.is_unknown then ' (training data may be among them)' end) as said_by,
       x.is_after_experiments, o.outdated
  from found f
  join pgscore_data.metric_kind k using (metric)
  left join pgscore_data.counted_version v on v.version_id = f.version_id
  left join pgscore_data.monitor m using (model_id)
  left join pgscore_data.label_source l using (model_id)
  left join pgscore_data.unread_labels u using (model_id)
 cross join lateral (
   select f.source = 'labels' and coalesce(f.first_day > all (
            select coalesce(a.stopped_at, 'infinity') from pgscore_data.arm_difference a
             where a.version_id = f.version_id and a.other_id = f.other_id and a.metric = f.metric), false) as is_after_experiments) x
 cross join lateral (
   select f.source in ('labels', 'replay') and bool_or(f.first_day <= a.maybe_trained_until - interval '1 day') as is_unknown
     from pgscore_data.trained_version a join pgscore_data.counted_version c on c.of_version = a.version_id
    where c.version_id in (f.version_id, f.other_id)) t
 cross join lateral (
   -- Where new labels are the same as the old ones, nothing is due: what is known stands.
   select case when f.compared_at < m.labels_unset_at then 'its labels were withdrawn since'
            when f.compared_at < l.set_at and (f.is_due or f.remedy is not null or u.model_id is not null or exists (
              select from pgscore_data.touched t join pgscore_data.counted_version c using (version_id) where c.model_id = l.model_id))
              then 'labels were set anew since' end as outdated) o
 cross join lateral (
   select to_char(f.first_day at time zone m.time_zone, 'FMDD Mon YYYY') as first,
          to_char(f.last_day at time zone m.time_zone, 'FMDD Mon YYYY') as last) d;
comment on view pgscore_data.evidence is
'All that is known of how far a version, or a value of one, is from another by a metric: by labels that judge both, by an experiment or '
'by a replay.
is_after_experiments: all labels that judge both are newer than the end of each experiment with both.  doubt: why it may not be '
'trusted.  needs: what would help.  outdated: why it is of other labels than those of now; NULL: it is not.';

create or replace function pgscore_data._evidence(this_version int, other int, segment int, metric text, minimum_labels bigint)
returns pgscore_data.evidence
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select e from pgscore_data.evidence e
   where e.version_id = this_version and e.other_id = other and e.segment_id = segment and e.metric = _evidence.metric
   order by (e.verdict = 'sample_ratio' or least(e.n, e.other_n) >= minimum_labels and coalesce(e.is_enough, false)) desc,
            e.is_after_experiments desc, e.source in ('arms', 'shadow') desc, e.source = 'labels' desc,
            case when e.source <> 'replay' then e.number end desc, least(e.n, e.other_n) desc, e.number desc
   limit 1;
end;
comment on function pgscore_data._evidence(int, int, int, text, bigint) is
'The evidence by which gates and verdicts go, of a version against another by a metric. What has labels enough comes first. Of that, an '
'experiment comes before labels that judge both, unless all of these are newer: its interval may be looked at daily, and in a split an '
'entity has predictions of one version. A replay comes last. Of experiments the newest counts, of replays the one with the most labels. '
'NULL: there is none.';

create or replace function pgscore_data._outdated(this_experiment bigint, arm int, metric text) returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select e.outdated from pgscore_data.evidence e
   where e.source in ('arms', 'shadow') and e.number = $1 and e.version_id = $2 and e.metric = $3
$$;
comment on function pgscore_data._outdated(bigint, int, text) is
  'Why what is known of an arm by a metric is of other labels than those of now; NULL: it is not.';
