-- Which version is surely better than the champion, and may be promoted.

create or replace function pgscore_data._worse_metrics(this_version int, champion int)
returns table (metric text, target text, said_by text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select k.metric, p.target, e.said_by
    from pgscore_data.version_pair p
    join (select c.task, c.metric from pgscore_data.compared_kind c
          union select c.task, c.metric from pgscore_data.experiment_metric c) k using (task)
   cross join lateral pgscore_data._evidence(p.version_id, p.other_id, 0, k.metric, 30) e
   where p.of_version = this_version and p.of_other = champion and p.compared_with = 'champion' and e.verdict = 'worse'
   order by p.target, k.metric
$$;
comment on function pgscore_data._worse_metrics(int, int) is
  'By which metrics a version is surely worse than the champion, and what says so.';

create or replace function pgscore_data._better_versions(this_model int, champion int, metric text)
returns table (model_version bigint, target text, size double precision, since date, sentence text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  with better as materialized (
    select v.number, p.of_version as version_id, p.target, e.source, e.first_day, e.value, e.other_value, e.difference, e.said_by
      from pgscore_data.version_pair p
      join pgscore_data.version v on v.version_id = p.of_version
     cross join lateral pgscore_data._evidence(p.version_id, p.other_id, 0, $3, 30) e
     where p.model_id = $1 and p.of_other = $2 and p.compared_with = 'champion' and e.verdict = 'better' and e.doubt is null
       -- On Citus users can name this function, which runs as the owner: so by the role of the session.
       and (session_user = 'pgscore_service' or pg_has_role(session_user, 'pgscore_deployer', 'member')
            or exists (select from pgscore_data.model_grant g join pg_roles r on r.rolname = g.grantee
                        where g.model_id = $1 and pg_has_role(session_user, r.oid, 'member')))
  ), newest as materialized (
    select distinct b.version_id, b.number from better b order by b.number desc limit 5
  ), passed as (
    select n.version_id
      from newest n
     where not exists (select from pgscore_data._worse_metrics(n.version_id, $2))
       and not exists (
         select from pgscore_data.gate g cross join lateral pgscore_data._judge_comparison(g, n.version_id) j
          where g.model_id = $1 and g.kind <> 'golden' and not j.passed)
     order by n.number desc limit 1
  )
  select b.number, b.target, abs(b.difference), (b.first_day at time zone o.time_zone)::date,
         format('Version %s is surely better: %s%s %s, by %s. %s.', b.number,
           case $3 when 'mae' then 'mean absolute error' else $3 end, ' of ' || b.target,
           case when b.source in ('arms', 'shadow') then format('is %s %s', pgscore_data._short_number(abs(b.difference)),
                                                               case when b.difference < 0 then 'lower' else 'higher' end)
             when $3 = 'accuracy' then format('%s %% instead of %s %%', to_char(100 * b.value, 'FM990.0'),
                                              to_char(100 * b.other_value, 'FM990.0'))
             else format('%s instead of %s', pgscore_data._short_number(b.value), pgscore_data._short_number(b.other_value)) end,
           b.said_by, case
             when r.experiment_id is null then format('Promote it with pgscore.promote(%L)', m.name || '@' || b.number)
             when r.is_arm then format('Promote it with pgscore.stop_experiment(%L, promote => %L)', m.name, m.name || '@' || b.number)
             else 'An experiment is running: stop it before you promote' end)
    from better b
    join passed using (version_id)
    join pgscore_data.model m on m.model_id = $1
    join pgscore_data.monitor o using (model_id)
    left join lateral (
      select y.experiment_id, exists (select from pgscore_data.experiment_arm a
                                       where a.experiment_id = y.experiment_id and a.version_id = b.version_id) as is_arm
        from pgscore_data.experiment y where y.model_id = $1 and y.stopped_at is null) r on true
$$;
comment on function pgscore_data._better_versions(int, int, text) is
  'The newest version that is surely better than the champion by a metric, with each target in which it is. It is surely worse by no '
  'other metric or target, and passes the gates of the model but for golden rows, which are scored at the promotion. '
  'The five newest that are better are looked at.';
