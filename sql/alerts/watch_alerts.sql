-- Raises alerts by how late watches are now. It needs no windows: a watch has no past that could be looked at.

create or replace function pgscore_data._watch_alerts(as_of timestamptz) returns setof pgscore_data.alert
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select f.fingerprint, w.model_id, e.name, 0, t.name, e.metric, e.grain, e.kind, e.severity,
         case when w.paused or pgscore_data._stands_by(w) then 'insufficient_data'
           when x.is_late or w.error is not null and k.state = 'pending' and k.since <= as_of - interval '1 minute'
             -- A watch that is tried again has no error until that fails, too.
             or k.state = 'firing' and (w.error is not null or w.retry_at > as_of - interval '5 minutes') then 'firing'
           when w.error is not null then 'pending' else 'ok' end,
         as_of, d.day, d.day + interval '1 day', y.minutes, coalesce(p.pending, 0), null::float8, l.upper, null::timestamptz,
         concat(e.metric, ' of ', t.name, ' was ', pgscore_data._short_number(y.minutes), ' on ', (d.day at time zone m.time_zone)::date,
                case when x.is_late then ', above ' || pgscore_data._short_number(l.upper) end,
                '; the watch fails (' || w.error_code || ')', case when w.paused then '; the watch is paused' end)
    from pgscore_data.watch w
    join pgscore_data.effective_alert e on e.model_id = w.model_id and e.kind = 'watch'
    join pgscore_data.monitor m on m.model_id = w.model_id
    left join pgscore_data.watch_pending p using (watch_id)
   cross join lateral (
     select g.target,
            g.target || case when w.generation is null then '' else '@' || coalesce(w.alias, w.version_number::text) end as name
       from (select format('%I.%I', x.view_schema, x.view_name) as target
               from pgscore_data.target x where x.target_id = w.target_id) g) t
   cross join lateral (select pgscore_data._alert_fingerprint(w.model_id, e.name, 0, t.name) as fingerprint) f
   cross join lateral pgscore_data._alert_limits(e, null, null, null) l
   cross join lateral (select date_trunc('day', as_of, m.time_zone) as day) d
   cross join lateral (
     select coalesce(round(extract(epoch from as_of - p.oldest_pending) / 60, 1), 0)::float8 as minutes) y
    left join pgscore_data.alert k on k.fingerprint = f.fingerprint
   cross join lateral (select y.minutes > l.upper or k.state = 'firing' and y.minutes > l.upper_clear as is_late) x
   where coalesce(e.column_name = t.target, true);
end;
comment on function pgscore_data._watch_alerts(timestamptz) is
'Where each rule about watches stands, a row a watch. column_name: the target, with the version of a challenger''s watch. A watch that is '
'late is firing until it is no later than where the rule clears; one that fails is pending for a minute, as most failures mend themselves, '
'and firing until five minutes after a try that did not fail. One that is paused or stands by raises nothing.';

create or replace function pgscore_data._evaluate_watches(as_of timestamptz) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  s record;
  event bigint;
begin
  for s in
    select k.a as before, standing as now_is
      from pgscore_data._watch_alerts(as_of) standing
      full join (select known as a, known.fingerprint from pgscore_data.alert known where known.kind = 'watch') k using (fingerprint)
     order by coalesce(standing.model_id, (k.a).model_id), coalesce(standing.rule, (k.a).rule),
              coalesce(standing.column_name, (k.a).column_name)
  loop
    event := greatest(event, pgscore_data._advance_alert(s.before, s.now_is, as_of));
  end loop;
  return event;
end
$$;
comment on function pgscore_data._evaluate_watches(timestamptz) is
  'Moves the alerts about watches, of all models; the last event that came of it.';
