-- Moves alerts from state to state by what rules said of windows, and writes the events that are sent.
-- in: rows of _window_states(). out: alert_window, what was said of each window; alert, where each stands; alert_event, the outbox.

create or replace function pgscore_data._alert_fingerprint(this_model int, rule text, version int, column_name text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return left(encode(sha256(convert_to(concat_ws(E'\x1f', this_model, version, length(rule), rule, column_name), 'UTF8')), 'hex'), 16);
comment on function pgscore_data._alert_fingerprint(int, text, int, text) is
  'What makes an alert the same alert: model, rule, version and column.';

create or replace function pgscore_data._store_verdicts(this_model int, since timestamptz, as_of timestamptz) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  -- By whoever looks, and not by who sets or drops a rule, whose transaction may stay open.
  delete from pgscore_data.alert_window w
   where w.model_id = this_model
     and not exists (select from pgscore_data.effective_alert e
                      where e.model_id = w.model_id and e.name = w.rule and e.metric = w.metric and e.grain in (w.grain, 'auto')
                        and w.said_at >= e.set_at);
  with said as materialized (
    select j.* from pgscore_data._window_states(this_model, null, since, as_of, true) j
  ), gone as (
    delete from pgscore_data.alert_window w using pgscore_data.effective_alert e
     where w.model_id = this_model and w.window_end > pgscore_data._since(w.grain, since, as_of) and e.model_id = w.model_id
       and e.version_id = w.version_id and e.name = w.rule
       and not exists (select from said s
                        where s.rule = w.rule and s.metric = w.metric and s.grain = w.grain and s.column_name = w.column_name
                          and s.window_start = w.window_start)
  )
  insert into pgscore_data.alert_window as w
    (model_id, version_id, metric, grain, column_name, window_start, rule, window_end, value, n, lower_threshold, upper_threshold,
     is_eligible, is_usable, is_breach, state, cusum, lasting_since, lasting_value, usual_value)
  select this_model, s.version_id, s.metric, s.grain, s.column_name, s.window_start, s.rule, s.window_end, s.value, s.n, s.lower_threshold,
         s.upper_threshold, s.is_eligible, s.is_usable, s.is_breach, s.state, s.cusum,
         s.lasting_since, s.lasting_value, s.usual_value
    from said s
   where not exists (
     select from pgscore_data.alert_window x
      where x.model_id = this_model and x.version_id = s.version_id and x.metric = s.metric and x.grain = s.grain
        and x.column_name = s.column_name and x.window_start = s.window_start and x.rule = s.rule
        and (x.window_end, x.value, x.n, x.lower_threshold, x.upper_threshold, x.is_eligible, x.is_usable, x.is_breach, x.state, x.cusum,
             x.lasting_since, x.lasting_value, x.usual_value)
            is not distinct from (s.window_end, s.value, s.n, s.lower_threshold, s.upper_threshold, s.is_eligible, s.is_usable, s.is_breach,
                                  s.state, s.cusum, s.lasting_since, s.lasting_value, s.usual_value))
  on conflict (model_id, version_id, metric, grain, column_name, window_start, rule) do update
    set (window_end, value, n, lower_threshold, upper_threshold, is_eligible, is_usable, is_breach, state, said_at, cusum, lasting_since,
         lasting_value, usual_value)
      = row(excluded.window_end, excluded.value, excluded.n, excluded.lower_threshold, excluded.upper_threshold, excluded.is_eligible,
            excluded.is_usable, excluded.is_breach, excluded.state, excluded.said_at, excluded.cusum, excluded.lasting_since,
            excluded.lasting_value, excluded.usual_value);
end;
comment on function pgscore_data._store_verdicts(int, timestamptz, timestamptz) is
  'Writes down what rules say of windows, where it is not what stands there already.';

create or replace function pgscore_data._short_number(value double precision) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return case
  when value = 0 or abs(value) not between 1e-9 and 1e15 then value::text
  else trim_scale(round(value::numeric, greatest(0, 3 - floor(log(abs(value)))::int)))::text end;
comment on function pgscore_data._short_number(double precision) is 'A number as sentences have it: four digits, or all of a whole number.';

create or replace function pgscore_data._alert_detail(w pgscore_data.alert_window, zone text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
return concat(
  w.metric, ' of ' || nullif(w.column_name, ''), coalesce(' was ' || pgscore_data._short_number(w.value), ' has no value'),
  case w.grain when 'day' then ' on ' else format(' in the %s from ', w.grain) end, (w.window_start at time zone zone)::date,
  case when not w.is_usable then null
    when w.value < w.lower_threshold then ', below ' || pgscore_data._short_number(w.lower_threshold)
    when w.value > w.upper_threshold or w.is_breach and w.value = w.upper_threshold
      then ', above ' || pgscore_data._short_number(w.upper_threshold) end,
  case when w.lasting_since is not null and (w.state = 'firing' or w.is_breach) then format('; since %s it has been %s, where %s is usual',
    (w.lasting_since at time zone zone)::date, pgscore_data._short_number(w.lasting_value), pgscore_data._short_number(w.usual_value)) end);
comment on function pgscore_data._alert_detail(pgscore_data.alert_window, text) is
  'What a rule has to say of a window, as the second half of a sentence.';

create or replace function pgscore_data._why_not_judged(w pgscore_data.alert_window, rule pgscore_data.effective_alert) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
-- To plan this view takes longer than to read it.
set plan_cache_mode = force_generic_plan
as $$
declare
  enough constant bigint := case rule.kind when 'drift' then greatest(200, rule.min_samples) else rule.min_samples end;
  s record;
begin
  if w.is_usable or w.value is null then
    return null;
  elsif rule.kind = 'feed' then
    return case when w.n < 7 then '; what is usual is known after seven days' else '; so long a pause raises nothing' end;
  elsif w.is_eligible then
    return '; what is usual is known after seven windows that count';
  elsif w.n < enough then
    return format('; the %s has %s %s, and counts from %s on', w.grain, w.n,
                  case rule.kind when 'performance' then 'labels' else 'rows' end, enough);
  elsif rule.kind <> 'performance' then
    return format('; the %s counts later, for more may come', w.grain);
  end if;
  select c.is_mature, c.least_class into s
    from pgscore_data.counted_series c
    join pgscore_data.model m on m.name = c.model_name and m.model_id = w.model_id
    join pgscore_data.version v on v.version_id = w.version_id and v.number = c.model_version
   where c.segment_key is null and c.grain = w.grain and c.metric = w.metric and coalesce(c.column_name, '') = w.column_name
     and c.window_start = w.window_start;
  return case when not s.is_mature then format('; too many labels of the %s are still to come', w.grain)
    when s.least_class < 10 then format('; the %s has %s labels of a class, and counts from 10 on', w.grain, s.least_class)
    else format('; the %s has rows of the training data', w.grain) end;
end
$$;
comment on function pgscore_data._why_not_judged(pgscore_data.alert_window, pgscore_data.effective_alert) is
  'Why a rule could not judge a window that has a value, as the end of a sentence.';

create or replace function pgscore_data._alert_sentence(rule text, watched text, state text, reason text, detail text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return concat(rule, ' of ', watched, case when state in ('no_data', 'insufficient_data') then ' has ' else ' is ' end,
              replace(state, '_', ' '),
  ' (' || replace(reason, '_', ' ') || ')', ': ' || detail, '.');
comment on function pgscore_data._alert_sentence(text, text, text, text, text) is
  'The sentence about an alert that the views show and the webhook gets. state: one of pgscore_bi.alerts, or resolved, or still_raised.';

create or replace function pgscore_data._write_event(a pgscore_data.alert, event text, reason text, as_of timestamptz) returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.alert_event (at, fingerprint, model_id, rule, version_id, column_name, metric, grain, kind, severity, event,
                                        reason, began_at, window_start, window_end, value, n,
    lower_threshold, upper_threshold, is_digest, due_at, next_attempt_at, message, has_webhook)
  select as_of, a.fingerprint, a.model_id, a.rule, a.version_id, a.column_name, a.metric, a.grain, a.kind, a.severity, _write_event.event,
         _write_event.reason, a.since, a.window_start, a.window_end, a.value, a.n,
         a.lower_threshold, a.upper_threshold, d.is_digest, d.due_at, d.due_at,
         pgscore_data._alert_sentence(a.rule, mo.name || coalesce('@' || v.number, ''),
                                      case _write_event.event when 'reminder' then 'still_raised' else _write_event.event end,
                                      _write_event.reason,
           case when coalesce(_write_event.reason, 'recovered') = 'recovered' then a.detail end),
         exists (select from pgscore_data.service w
                  where w.has_webhook and w.state <> 'stopped' and w.heartbeat_at > clock_timestamp() - interval '30 seconds')
    from pgscore_data.monitor m
    join pgscore_data.model mo using (model_id)
    left join pgscore_data.version v on v.version_id = a.version_id
   cross join lateral (select a.kind = 'drift' as is_digest,
                              case when a.kind = 'drift' then (date_trunc('day',
                                  as_of at time zone m.time_zone) + interval '1 day') at time zone m.time_zone else as_of end as due_at) d
   where m.model_id = a.model_id
  returning event_id;
end;
comment on function pgscore_data._write_event(pgscore_data.alert, text, text, timestamptz) is
  'Puts an event into the outbox, with the values of this moment: at once, or for the digest of the day.';

create or replace function pgscore_data._advance_alert(before pgscore_data.alert, now_is pgscore_data.alert, as_of timestamptz)
  returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  was_raised boolean := coalesce(before.state in ('firing', 'no_data'), false);
  is_raised boolean := coalesce(now_is.state in ('firing', 'no_data'), false);
  event bigint;
begin
  now_is.since := case when was_raised or before.state = now_is.state then before.since else as_of end;
  if was_raised and not is_raised then
    event := pgscore_data._write_event(case when now_is.fingerprint is null then before else now_is end, 'resolved',
      case when now_is.state = 'insufficient_data' then 'insufficient_data' when now_is.fingerprint is not null then 'recovered'
        when before.kind <> 'watch'
          and exists (select from pgscore_data.effective_alert e where e.model_id = before.model_id and e.name = before.rule)
          then 'superseded' else 'dropped' end, as_of);
  end if;
  if now_is.fingerprint is null then
    delete from pgscore_data.alert a where a.fingerprint = before.fingerprint;
    return event;
  end if;
  now_is.since := case when before.state = now_is.state then before.since else as_of end;
  now_is.last_event_at := case when is_raised then before.last_event_at end;
  if is_raised and not was_raised then
    event := pgscore_data._write_event(now_is, now_is.state, null, as_of);
    now_is.last_event_at := as_of;
  elsif is_raised and now_is.kind <> 'drift' and before.last_event_at <= as_of - interval '24 hours' then
    event := pgscore_data._write_event(now_is, 'reminder', null, as_of);
    now_is.last_event_at := as_of;
  end if;
  if now_is is distinct from before then
    delete from pgscore_data.alert a where a.fingerprint = now_is.fingerprint;
    insert into pgscore_data.alert select now_is.*;
  end if;
  return event;
end
$$;
comment on function pgscore_data._advance_alert(pgscore_data.alert, pgscore_data.alert, timestamptz) is
  'Brings an alert from where it stood to where it stands; the event that this is, if any.';

create or replace function pgscore_data._evaluate_model(this_model int, as_of timestamptz) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  since timestamptz := as_of - pgscore_data._alert_horizon(this_model);
  s record;
  event bigint;
begin
  perform pgscore_data._store_verdicts(this_model, since, as_of);
  for s in
    with said as (
      select distinct on (w.rule, w.version_id, w.column_name) e.kind, e.severity, w.*, w, e
        from pgscore_data.effective_alert e
        join pgscore_data.alert_window w on w.model_id = e.model_id and w.version_id = e.version_id and w.rule = e.name
          and w.metric = e.metric and e.grain in (w.grain, 'auto')
       where e.model_id = this_model and w.window_end > pgscore_data._since(w.grain, since, as_of)
       order by w.rule, w.version_id, w.column_name, w.is_usable or e.kind = 'feed' desc, w.window_end desc
    ), standing as (
      select row(pgscore_data._alert_fingerprint(this_model, x.rule, x.version_id, x.column_name), this_model, x.rule, x.version_id,
                 x.column_name, x.metric, x.grain, x.kind, x.severity,
               case when x.is_usable then x.state else 'insufficient_data' end, as_of, x.window_start, x.window_end, x.value, x.n,
               x.lower_threshold, x.upper_threshold, null,
               concat(pgscore_data._alert_detail(x.w, m.time_zone), pgscore_data._why_not_judged(x.w, x.e)))::pgscore_data.alert as a
        from said x join pgscore_data.monitor m on m.model_id = this_model
    ), known as (
      select k as a from pgscore_data.alert k where k.model_id = this_model and k.kind <> 'watch'
    )
    select k.a as before, n.a as now_is from standing n
        full join known k on (k.a).fingerprint = (n.a).fingerprint order by coalesce((n.a).rule, (k.a).rule), (n.a).column_name
  loop
    event := greatest(event, pgscore_data._advance_alert(s.before, s.now_is, as_of));
  end loop;
  return event;
end
$$;
comment on function pgscore_data._evaluate_model(int, timestamptz) is
  'Looks at the windows of a model that ended within the horizon and moves its alerts; the last event that came of it.';

create or replace function pgscore_data._evaluate_alerts(as_of timestamptz default clock_timestamp(), at_once boolean default false,
                                                         out event bigint, out failure text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set jit = off
set work_mem = '64MB'
as $$
declare
  began timestamptz := clock_timestamp();
  everything boolean := exists (select from pgscore_data.alert_clock c where c.last_at <= as_of - interval '10 minutes');
  watches boolean := (everything or exists (select from pgscore_data.alert_clock c where c.watches_at <= as_of - interval '1 minute'))
    and (exists (select from pgscore_data.watch) or exists (select from pgscore_data.alert a where a.kind = 'watch'));
  models int[];
  this_model int;
begin
  if not everything and not watches and not exists (select from pgscore_data.alert_due) or not pgscore_data._take_turn('alerts') then
    return;
  end if;
  if not at_once and exists (select from pgscore_data.alert_clock c where c.rest_until > began) then
    return;
  end if;
  -- Ranks of scores are computed after their cells; a version whose turn for that has not come waits here, too.
  with due as (
    delete from pgscore_data.alert_due d where not exists (select from pgscore_data.touched t where t.version_id = d.version_id)
      returning d.version_id
  ), clock as (
    update pgscore_data.alert_clock c set last_at = as_of where c.last_at <= as_of - interval '10 minutes' returning true
  )
  select array(
    select v.model_id from due d join pgscore_data.version v using (version_id)
    union
    select m.model_id from pgscore_data.monitor m
     where exists (select from clock)
       and (exists (select from pgscore_data.alert a where a.model_id = m.model_id and a.state in ('firing', 'no_data'))
       or exists (select from pgscore_data.feed_day f
                   where f.model_id = m.model_id and f.day > as_of - 2 * pgscore_data._alert_horizon(m.model_id)))
    order by 1) into models;
  foreach this_model in array models loop
    begin
      event := greatest(event, pgscore_data._evaluate_model(this_model, as_of));
    exception when others then
      -- One model must not silence the alerts of the others.
      failure := format('%s: %s', (select m.name from pgscore_data.model m where m.model_id = this_model), sqlerrm);
    end;
  end loop;
  if watches then
    begin
      event := greatest(event, pgscore_data._evaluate_watches(as_of));
    exception when others then
      failure := format('watches: %s', sqlerrm);
    end;
  end if;
  update pgscore_data.alert_clock c
     set rest_until = clock_timestamp() + 10 * (clock_timestamp() - began),
         watches_at = case when watches then as_of else c.watches_at end;
  if event is not null and current_setting('pgscore.notify', true) is distinct from 'off' then
    perform pg_notify('pgscore_alert', json_build_object('event_id', event)::text);
  end if;
end
$$;
comment on function pgscore_data._evaluate_alerts(timestamptz, boolean) is
'Moves the alerts of the models whose windows changed, and every ten minutes those of all, for what time alone brings about: silence, and '
'reminders; those about watches every minute. event: the last one that came of it; NULL where there was none, or another session is about '
'it. failure: of a model that could not be looked at.
Labels that trickle in do not make it a burden: it takes a tenth of the time at most, unless it is to be at_once.
Whoever listens on channel pgscore_alert is notified, once.';
