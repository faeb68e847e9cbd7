-- What analysts, and those who score, see of alerts.

create or replace view pgscore_bi.alerts with (security_barrier) as
select m.name as model_name, v.number::bigint as model_version, e.name as alert, e.kind, e.metric, coalesce(a.grain, e.grain) as grain,
       coalesce(nullif(a.column_name, ''), e.column_name) as column_name,
       null::text as segment_key, null::text as segment_value, coalesce(a.state, 'insufficient_data') as state,
       coalesce(a.state in ('firing', 'no_data'), false) as is_raised, e.severity, a.since,
       a.value, a.lower_threshold, a.upper_threshold, a.n, (a.window_start at time zone m.time_zone)::date as window_date, a.window_start,
       a.window_end,
       e.threshold, e.direction, e.for_windows::bigint as for_windows, e.of_windows::bigint as of_windows, e.min_samples,
       extract(epoch from e.keep_firing_for)::float8 / 3600 as keep_firing_hours,
       e.is_default, e.set_by::text as set_by, a.fingerprint,
       pgscore_data._alert_sentence(e.name, m.name || coalesce('@' || v.number, ''), coalesce(a.state, 'insufficient_data'), null,
         coalesce(a.detail, case when a.state is null and e.kind not in ('feed', 'watch') then
           'no recent window has rows enough, and labels where it needs them; preview_monitor() judges earlier ones' end)) as message
  from pgscore_data.visible_model m
  join pgscore_data.effective_alert e using (model_id)
  left join pgscore_data.version v on v.version_id = e.version_id
  left join pgscore_data.alert a on a.model_id = e.model_id and a.rule = e.name and a.version_id = e.version_id;
comment on view pgscore_bi.alerts is
  'Every rule of every model and where it stands now: a row a rule and, of drift, a column, of watches, a target. Those with '
  'is_raised want somebody''s attention.';

create or replace view pgscore_bi.alert_history with (security_barrier) as
select m.name as model_name, v.number::bigint as model_version, e.event_id, e.at as event_at, e.rule as alert, e.event, e.reason,
       e.severity, e.kind, e.metric, e.grain, nullif(e.column_name, '') as column_name,
       null::text as segment_key, null::text as segment_value, e.value, e.lower_threshold, e.upper_threshold, e.n,
       (e.window_start at time zone m.time_zone)::date as window_date, e.window_start, e.window_end,
       e.began_at, case when e.delivered_at is not null then 'delivered'
         when e.attempts = 0 and case when e.due_at <= now() - interval '1 day' then not e.has_webhook
           else not exists (select from pgscore_data.service w
                             where w.has_webhook and w.state <> 'stopped' and w.heartbeat_at > now() - interval '30 seconds') end
                                   then 'none'
         when e.due_at <= now() - interval '1 day' then 'given_up' when e.error is not null then 'failing' else 'waiting' end as delivery,
       e.attempts::bigint as attempts, e.delivered_at, e.error as delivery_error, e.fingerprint, e.message
  from pgscore_data.alert_event e
  join pgscore_data.visible_model m using (model_id)
  left join pgscore_data.version v using (version_id);
comment on view pgscore_bi.alert_history is
  'What was raised and resolved, with the values of that moment, and whether the webhook got it.';

create or replace view pgscore.alerts with (security_barrier) as
select a.model_name as model, a.model_version as version, a.alert, a.state, a.severity, a.since, a.metric, a.grain, a.column_name, a.value,
       a.lower_threshold, a.upper_threshold, a.n, a.window_date,
       a.threshold, a.direction, a.for_windows, a.of_windows, a.min_samples, a.keep_firing_hours, a.is_default, a.set_by, a.message
  from pgscore_bi.alerts a;
comment on view pgscore.alerts is 'The rules of your models and where each stands: pgscore_bi.alerts for those who score.';

create or replace function pgscore_data._alert_meanings() returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
return pgscore_data._metric_meanings() || '{
  "model": "Name of the model.",
  "version": "Number of the version that the rule looks at; NULL: the model, whatever its version.",
  "model_version": "Number of the version; NULL: the model, whatever its version.",
  "grain": "Length of the window: day, week or month; of a rule that has judged none yet auto, where it takes the shortest of rows enough.",
  "metric": "Name of the metric: what the column of that name in a performance view means; failed_share is the share of rows that could '
    'not be scored, null_score_share of those without a score; minutes_behind is the age of the oldest change that a watch has not scored.",
  "column_name": "Feature that it is about, or target of a watch; NULL: none.",
  "value": "Value of the metric in the window; of hours_since_scoring and hours_since_labels, when it ended or now; of '
    'minutes_behind, now.",
  "ci_low": "Lower bound of the 95 % interval.",
  "ci_high": "Upper bound.",
  "error_bound": "How far the value can be from that of the unbinned scores.",
  "n": "Rows that the value stands on.",
  "label_coverage": "Of the window''s predictions, the share whose truth is known; NULL where a metric needs no labels: drift, and the '
    'shares of rows that failed or have no score.",
  "lower_threshold": "What is below it is a breach, where all of the interval is.",
  "upper_threshold": "What is above it is a breach, where all of the interval is.",
  "is_breach": "Whether a rule was breached, by the window or by a lasting change; NULL: no rule looked at it.",
  "undefined_reason": "Why the value is NULL.",
  "noise_limit": "What a drift metric reaches by chance.",
  "alert": "Name of the rule.",
  "kind": "performance, integrity, feed (silence), watch or drift.",
  "state": "ok, pending (breached, not often enough), firing, no_data (a feed is silent) or insufficient_data (no window that could be '
    'judged).",
  "is_raised": "Whether it is firing or no_data.",
  "severity": "info, warning or critical.",
  "since": "When it came into this state; NULL: it has not been looked at yet.",
  "threshold": "The number that the rule names; NULL: it comes from earlier windows, and of performance a lasting change for the worse is '
    'a breach, too.",
  "direction": "below, above, or outside a range.",
  "for_windows": "How many windows must breach for the alert to be raised, of the last of_windows.",
  "of_windows": "How many of the last windows that can be judged are looked at.",
  "min_samples": "Windows of fewer are passed over.",
  "keep_firing_hours": "It does not clear before windows without a breach span so long.",
  "is_default": "Whether every model has the rule.",
  "set_by": "Role that set it.",
  "fingerprint": "The same for the same model, rule, version and column.",
  "event_id": "Number of the event; a webhook that gets it twice knows it by that.",
  "event_at": "When it happened.",
  "event": "firing, no_data, reminder (still raised a day after it was last sent; never of drift) or resolved.",
  "reason": "Why it resolved: recovered, insufficient_data, superseded (another version is champion) or dropped (the rule, or the watch).",
  "began_at": "When the alert was raised.",
  "delivery": "none (no running service has a webhook), waiting, delivered, failing, or given_up after a day.",
  "attempts": "How often the webhook was tried.",
  "delivered_at": "When it took it.",
  "delivery_error": "Why it did not, the last time.",
  "message": "The alert as a sentence; of an event the one that the webhook gets."
}'::jsonb;
comment on function pgscore_data._alert_meanings() is 'What the columns of the alert views mean.';

select pgscore_data._comment_columns(view, pgscore_data._alert_meanings())
  from unnest(array['pgscore_bi.model_metric', 'pgscore_bi.alerts', 'pgscore_bi.alert_history', 'pgscore.alerts']::regclass[]) view;
