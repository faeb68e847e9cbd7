-- Applies each rule to its windows: its limits, whether they are breached, and the state that follows. Evaluation and preview share this.
-- in: effective_alert, the windows of windows.sql, and what alert_window says of older ones.
-- out: rows of _window_states(); preview_monitor().

create or replace function pgscore_data._alert_candidates(this_model int, since timestamptz, as_of timestamptz)
returns table (
  rule text, version_id int, grain text, column_name text, window_start timestamptz, window_end timestamptz, value double precision,
  ci_low double precision, ci_high double precision,
  n bigint, least_threshold double precision, is_usable boolean
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  watched record;
  anew text[] := array(
    select e.name from pgscore_data.effective_alert e
     where e.model_id = this_model and e.kind not in ('feed', 'watch')
       and not exists (select from pgscore_data.alert_window w
                        where w.model_id = e.model_id and w.version_id = e.version_id and w.said_at >= e.set_at));
begin
  select x.version_id, x.number, y.name, m.time_zone into watched
    from pgscore_data.watched_version x join pgscore_data.model y using (model_id) join pgscore_data.monitor m using (model_id)
   where x.model_id = this_model;
  return query
    select e.name, e.version_id, w.grain, w.column_name, w.window_start, w.window_end, w.value, w.ci_low, w.ci_high, w.n, w.noise_limit,
           w.is_enough
      from (select x.grain, array_agg(x) as rules, bool_or(x.name = any (anew)) as has_new
              from pgscore_data.effective_alert x
             where x.model_id = this_model and x.kind not in ('feed', 'watch') group by x.grain, x.kind = 'drift') g
     cross join lateral (
       select p.* from pgscore_data._pooled_windows(watched.name, watched.number, watched.time_zone, g.rules,
           case when g.has_new then '-infinity' else pgscore_data._since('month', since, as_of) end, as_of) p where g.grain = 'auto'
       union all
       select p.* from pgscore_data._watched_windows(watched.name, watched.number, g.rules, g.grain, null,
           case when g.has_new then '-infinity' else pgscore_data._since(g.grain, since, as_of) - interval '31 days' end, as_of) p
          where g.grain <> 'auto') w
      join unnest(g.rules) e on e.name = w.rule
     where w.window_end > pgscore_data._since(w.grain, since, as_of) or e.name = any (anew);
  return query
    select e.name, e.version_id, e.grain, '', f.window_start, f.window_end, f.hours, null::float8, null::float8, f.n, f.usual_hours,
           f.n >= case when e.threshold is null then 7 else 1 end
             and f.hours <= extract(epoch from pgscore_data._alert_horizon(this_model)) / 3600
      from pgscore_data.effective_alert e
     cross join lateral pgscore_data._feed_series(
       this_model, case e.metric when 'hours_since_labels' then 'labels' when 'hours_since_scoring' then 'scoring' end, since, as_of) f
     where e.model_id = this_model and e.kind = 'feed';
end
$$;
comment on function pgscore_data._alert_candidates(int, timestamptz, timestamptz) is
  'Every window that a rule of a model looks at and that ends after since, or where the rule has not looked before, of all time; and '
  'whether it can be judged: mature, and of enough rows. least_threshold: what a value reaches by chance, or a pause as usual.';

create or replace function pgscore_data._alert_said(this_model int, since timestamptz, as_of timestamptz)
  returns setof pgscore_data.alert_window
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select (s.w).*
    from (select w, row_number() over series as nth,
                 row_number() over (partition by w.rule, w.version_id, w.column_name order by w.window_end desc) as nth_last,
                 e.threshold is null as wants_reference
            from pgscore_data.effective_alert e
            join pgscore_data.alert_window w on w.model_id = e.model_id and w.version_id = e.version_id and w.metric = e.metric
              and e.grain in (w.grain, 'auto') and w.rule = e.name and w.said_at >= e.set_at
           where e.model_id = this_model and w.window_end <= pgscore_data._since(w.grain, since, as_of) and w.is_eligible
             and (e.threshold is null and e.kind <> 'feed' or w.window_end > since - interval '101 days' or e.grain <> 'day')
          window series as (partition by w.rule, w.version_id, w.column_name order by w.window_end)) s
   where s.nth_last <= 100 or s.nth <= 90 and s.wants_reference;
end;
comment on function pgscore_data._alert_said(int, timestamptz, timestamptz) is
  'What was said of windows that ended by since, as far as it bears on those after: the first ones, for usual values, and the last ones.';

create or replace function pgscore_data._alert_limits(
  rule pgscore_data.effective_alert, reference double precision[], reference_n bigint[], least_threshold double precision,
  out lower double precision, out upper double precision,
  out lower_clear double precision, out upper_clear double precision, out usual double precision, out spread double precision,
  out reference_rows double precision
)
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  reach double precision;
  by_chance double precision;
begin
  if rule.kind = 'feed' then
    upper := coalesce(rule.threshold, least_threshold);
  elsif rule.threshold is not null then
    lower := case rule.direction when 'below' then rule.threshold end;
    upper := case rule.direction when 'above' then greatest(rule.threshold, least_threshold) end;
  elsif cardinality(reference) >= 7 then
    select avg(x), 3 * stddev_pop(x), sum(n) into usual, reach, reference_rows from unnest(reference, reference_n) y (x, n);
    spread := (select sum(n * (x - usual) ^ 2) / (count(*) - 1) from unnest(reference, reference_n) y (x, n));
    -- Windows that were all perfect do not say that each will be: a share varies by chance at least, with one more row of either kind.
    by_chance := case when rule.better = 'high' and rule.least = 0
                   and rule.most = 1 then (usual * reference_rows + 1) / (reference_rows + 2) end;
    reach := greatest(reach, 3 * sqrt(by_chance * (1 - by_chance) * cardinality(reference) / nullif(reference_rows, 0)));
    -- Volume has days of the week in it: it must halve or double, too. Large values are frequent there, so above it takes five deviations.
    lower := case when rule.direction <> 'above'
               then greatest(rule.least, usual - greatest(reach, case rule.metric when 'n_predictions' then usual / 2 end)) end;
    upper := case when rule.direction <> 'below'
               then least(rule.most, usual + case rule.metric when 'n_predictions' then greatest(usual, reach * 5 / 3) else reach end) end;
    lower_clear := lower + 0.2 * (usual - lower);
    upper_clear := upper - 0.2 * (upper - usual);
    return;
  end if;
  if rule.direction = 'below' then
    lower_clear := coalesce(rule.clear_at, lower + case when rule.most > lower then 0.2 * (rule.most - lower) else 0.25 * abs(lower) end);
  else
    upper_clear := coalesce(rule.clear_at, case rule.kind when 'drift' then greatest(rule.threshold / 2, 0.8 * least_threshold)
                                             when 'feed' then upper else upper - 0.2 * abs(upper) end);
  end if;
end
$$;
comment on function pgscore_data._alert_limits(pgscore_data.effective_alert, double precision[], bigint[], double precision) is
'Between which values a rule is content with a window, and between which a raised alert clears: four fifths of the way from the best, or '
'usual, value; of drift half of the threshold, or what is about as much as chance; of feeds the threshold.
usual, spread and reference_rows: mean of the windows that thresholds without a number come from, variance of a row''s share in a '
'window''s value, and rows.';

create or replace function pgscore_data._window_states(this_model int, only_rule text, since timestamptz, as_of timestamptz, replay boolean)
returns table (
  rule text, version_id int, column_name text, metric text, grain text, window_start timestamptz, window_end timestamptz,
  value double precision, n bigint,
  lower_threshold double precision, upper_threshold double precision, is_eligible boolean, is_usable boolean, is_breach boolean, state text,
  event text,
  cusum double precision, lasting_since timestamptz, lasting_value double precision, usual_value double precision
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  w record;
  r pgscore_data.effective_alert;
  limits record := pgscore_data._alert_limits(null, null, null, null);
  series text;
  rule_state text;
  state_before text;
  reference double precision[];
  reference_n bigint[];
  held_back double precision[];
  held_back_n bigint[];
  most int;
  kept int;
  recent boolean[];
  good_windows int;
  run_n bigint;
  run_since timestamptz;
  last_breach timestamptz;
  limits_known boolean;
begin
  for w in
    select x.rule, x.version_id, x.grain, x.column_name, x.window_start, x.window_end, x.value, (x.ci_high - x.ci_low) / 2 as half_width,
           x.ci_low, x.ci_high, x.n,
           x.least_threshold, x.is_usable as is_eligible, null::text as said_state, null::boolean as said_usable,
           null::boolean as said_breach,
           null::float8 as said_cusum, null::timestamptz as said_since,
           x.window_end > pgscore_data._since(x.grain, since, as_of) as is_fresh
      from pgscore_data._alert_candidates(this_model, since, as_of) x where only_rule is null or x.rule = only_rule
    union all
    select s.rule, s.version_id, s.grain, s.column_name, s.window_start, s.window_end, s.value, null, null, null, s.n,
           s.usual_value, s.is_eligible, s.state, s.is_usable, s.is_breach, s.cusum, s.lasting_since, false
      from pgscore_data._alert_said(this_model, since, as_of) s where replay
     order by rule, column_name, window_end
  loop
    if series is distinct from concat(length(w.rule), w.rule, w.column_name) then
      series := concat(length(w.rule), w.rule, w.column_name);
      select * into r from pgscore_data.effective_alert e where e.model_id = this_model and e.name = w.rule;
      rule_state := 'ok';
      reference := '{}';
      reference_n := '{}';
      held_back := '{}';
      held_back_n := '{}';
      recent := '{}';
      good_windows := 0;
      cusum := case when pgscore_data._watches_lasting(r) then 0 end;
      lasting_since := null;
      last_breach := null;
      limits_known := false;
    end if;
    state_before := rule_state;
    if (w.said_state is null or r.kind = 'drift') and not (limits_known and w.least_threshold is null) then
      select * into limits from pgscore_data._alert_limits(r, reference, reference_n, w.least_threshold);
      limits_known := true;
    end if;
    rule := w.rule; version_id := w.version_id; column_name := w.column_name; metric := r.metric; grain := w.grain; window_start :=
        w.window_start; window_end := w.window_end;
    value := w.value; n := w.n; lower_threshold := limits.lower; upper_threshold := limits.upper;
    usual_value := case r.kind when 'drift' then w.least_threshold else limits.usual end; is_eligible := w.is_eligible;
    is_usable := coalesce(w.said_usable, w.is_eligible and (lower_threshold is not null or upper_threshold is not null));
    if is_usable and cusum is not null then
      cusum := case when w.said_state is not null then coalesce(w.said_cusum, 0)
        else pgscore_data._cusum(cusum, r, limits.usual, limits.spread, limits.reference_rows, w.value, w.half_width, w.n) end;
      run_since := case when cusum > 0 then case when w.said_state is null then coalesce(lasting_since, w.window_start)
                                              else w.said_since end end;
      run_n := case when run_since = lasting_since then run_n else 0 end + w.n;
      lasting_value := case when run_n > w.n then lasting_value + (w.value - lasting_value) * w.n / run_n when cusum > 0 then w.value end;
      lasting_since := run_since;
    end if;
    is_breach := coalesce(w.said_breach, is_usable
                          and (coalesce(cusum >= pgscore_data._cusum_limit(), false)
                               or coalesce(coalesce(w.ci_high, w.value) < lower_threshold, false) or coalesce(
      case r.kind when 'drift' then w.value >= upper_threshold else coalesce(w.ci_low, w.value) > upper_threshold end, false)));
    if is_usable then
      recent := (array[is_breach] || recent)[1:r.of_windows];
      good_windows := case when not is_breach and coalesce(cusum, 0) = 0 and w.value >= coalesce(limits.lower_clear, w.value)
                and w.value <= coalesce(limits.upper_clear, w.value) then good_windows + 1 else 0 end;
      if w.said_state is not null then
        rule_state := w.said_state;
        recent := case when state_before in ('firing', 'no_data') and rule_state = 'ok' then '{}' else recent end;
      elsif rule_state in ('firing', 'no_data') then
        if good_windows >= (case r.kind when 'drift' then r.for_windows else 1 end)
          and coalesce(window_end - last_breach >= r.keep_firing_for, true) then
          rule_state := 'ok';
          recent := '{}';
        end if;
      elsif is_breach and w.is_fresh and cardinality(array_positions(recent, true)) >= r.for_windows then
        rule_state := case r.kind when 'feed' then 'no_data' else 'firing' end;
      else
        rule_state := case when cardinality(array_positions(recent, true)) > 0 then 'pending' else 'ok' end;
      end if;
      last_breach := case when is_breach then window_end else last_breach end;
    end if;
    -- What may be the beginning of a change is not usual before the evidence is gone.
    if is_eligible and r.threshold is null and r.kind <> 'feed' then
      held_back := case when cusum >= pgscore_data._cusum_limit() then '{}' when is_breach and r.better <> 'neither' then held_back
                    else array[w.value] || held_back end;
      held_back_n := case when cusum >= pgscore_data._cusum_limit() then '{}' when is_breach and r.better <> 'neither' then held_back_n
                      else array[w.n] || held_back_n end;
      if r.better = 'neither' or coalesce(cusum, 0) = 0 and cardinality(reference) < 30 and cardinality(held_back) > 0 then
        most := case r.better when 'neither' then 28 else 30 end;
        kept := case r.better when 'neither' then cardinality(held_back)
                  else least(cardinality(held_back), most - cardinality(reference)) end;
        reference := (held_back[1 + cardinality(held_back) - kept:] || reference)[1:most];
        reference_n := (held_back_n[1 + cardinality(held_back) - kept:] || reference_n)[1:most];
        held_back := '{}';
        held_back_n := '{}';
        limits_known := false;
      end if;
    end if;
    if w.said_state is null then
      state := case when is_usable then rule_state else 'insufficient_data' end;
      event := case when state_before not in ('firing', 'no_data') and rule_state in ('firing', 'no_data') then rule_state
                 when state_before in ('firing', 'no_data') and rule_state not in ('firing', 'no_data') then 'resolved' end;
      return next;
    end if;
  end loop;
end
$$;
comment on function pgscore_data._window_states(int, text, timestamptz, timestamptz, boolean) is
'Goes through the windows of each rule of a model, in order: whether it is breached, and in which state the rule is after it. Only '
'windows that end after since raise an alert; with replay, what was said of older ones stands.
Thresholds without a number come from windows before: the first 30 that were right, and in which no change began, or where no value is '
'the better one, the last 28.
cusum: evidence of a lasting change after the window (NULL: not watched for), which since lasting_since has had the mean lasting_value. '
'usual_value: of drift, what it reaches by chance. A rule about drift clears after for_windows windows in a row on the good side, any '
'other after one.';

create or replace function pgscore_data._preview(this_model int, only_rule text, from_time timestamptz, to_time timestamptz) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select coalesce(jsonb_agg(jsonb_build_object('alert', j.rule, 'metric', j.metric, 'grain', j.grain, 'column_name',
                                               nullif(j.column_name, ''),
           'window_date', (j.window_start at time zone m.time_zone)::date, 'window_start', j.window_start, 'value', j.value, 'n', j.n,
           'lower_threshold', j.lower_threshold, 'upper_threshold', j.upper_threshold, 'is_breach', j.is_breach, 'state', j.state, 'event',
           j.event)
           order by j.rule, j.column_name, j.window_end), '[]')
    from pgscore_data._window_states(this_model, only_rule, '-infinity',
                                     least(coalesce(to_time, clock_timestamp()), clock_timestamp()), false) j
    join pgscore_data.monitor m on m.model_id = this_model
   where from_time is null or j.window_end > from_time;
end;
comment on function pgscore_data._preview(int, text, timestamptz, timestamptz) is
  'What the rules of a model would have said of each window, had they looked when it came.';

create or replace function pgscore.preview_monitor(model text, alert text default null, from_time timestamptz default null,
                                                   to_time timestamptz default null)
returns table (
  alert text, metric text, grain text, column_name text, window_date date, window_start timestamptz, value double precision, n bigint,
  lower_threshold double precision, upper_threshold double precision, is_breach boolean, state text, event text
)
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  with asked as (
    insert into pgscore._alert_request (model, action, name, settings)
      values ($1, 'preview', $2, jsonb_build_object('from_time', $3, 'to_time', $4)) returning outcome
  )
  select p.* from asked a cross join lateral jsonb_to_recordset(a.outcome) p (
    alert text, metric text, grain text, column_name text, window_date date, window_start timestamptz, value double precision, n bigint,
    lower_threshold double precision, upper_threshold double precision, is_breach boolean, state text, event text)
$$;
comment on function pgscore.preview_monitor(text, text, timestamptz, timestamptz) is
'What a model''s rules would have said of the past: every window in order, with its state and the events firing, no_data and resolved. '
'Set an alert, look, and roll back to try a rule out.
model: its bare name.  alert: one rule (default: all).  from_time, to_time: windows that end within (default: all, until now).';
