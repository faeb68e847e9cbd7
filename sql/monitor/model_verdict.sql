-- Which model needs somebody, and why: one row a model, with one sentence about the largest cause, and one about a better version.
--
-- in: the views of judged_models.sql, _better_versions(), the newest run of each model, and its raised alerts.
-- out: pgscore_bi.model_verdict. Each branch of cause is one reason to look, with its verdict, weight and sentence; the first one counts.

create or replace view pgscore_bi.model_verdict with (security_barrier) as
with judged as materialized (
  select * from pgscore_data.judged_model
), accuracy as materialized (
  select * from pgscore_data.judged_accuracy_text
), drift as materialized (
  select * from pgscore_data.judged_drift
), label as materialized (
  select * from pgscore_data.judged_labels
), better as materialized (
  select j.model_id, b.*
    from judged j cross join lateral pgscore_data._better_versions(j.model_id, j.version_id, j.metric) b where j.is_champion
), run as materialized (
  select j.model_id, r.*, r.rows_failed::float8 / nullif(r.rows_done, 0) as failed_share,
         (r.ended_at at time zone coalesce(j.time_zone, 'UTC'))::date as ended_on
    from judged j
   cross join lateral (
     select x.run_id, x.state, x.rows_done, x.rows_failed, x.error_code, coalesce(x.finished_at, x.requested_at) as ended_at
       from pgscore_data.run x
      where x.version_id = j.version_id and x.state in ('done', 'failed') and not x.is_replay
        -- Nothing scores again what a watch that is gone could not.
        and (x.watch_id is null or exists (select from pgscore_data.watch w where w.watch_id = x.watch_id))
      order by x.run_id desc limit 1) r
), alert as materialized (
  select a.*, (a.since at time zone j.time_zone)::date as since_date
    from judged j join pgscore_data.alert a on a.model_id = j.model_id and a.version_id in (0, j.version_id)
   where a.state in ('firing', 'no_data')
), cause as (
  select a.model_id, 1 as weight, case when a.is_worst then 'act' else 'watch' end as verdict, 'accuracy_worse' as cause,
         a.growth as size, a.since,
         format('%s %s to %s in %s (%s), from %s over %s%s%s.', a.title, case a.metric when 'mae' then 'rose' else 'fell' end,
           a.value_text, a.month, a.interval_text, a.before_text, a.before_name,
           case when not a.is_worst then '; an earlier month was as bad' end, a.segment_text) as sentence,
         a.target
    from accuracy a where a.is_worse
  union all
  select r.model_id, 2, 'act', 'run_failed', 1, r.ended_on,
         format('Run %s failed on %s%s.', r.run_id, to_char(r.ended_on, 'FMDD Mon YYYY'), ': ' || r.error_code), null
    from run r where r.state = 'failed'
  union all
  select r.model_id, 2, case when r.failed_share >= 0.05 then 'act' else 'watch' end, 'rows_failed', r.failed_share, r.ended_on,
         format('Run %s could not score %s of its %s rows (%s %%).', r.run_id, to_char(r.rows_failed, 'FM999,999,999,999'),
           to_char(r.rows_done, 'FM999,999,999,999'), to_char(100 * r.failed_share, 'FM990.0')), null
    from run r where r.state = 'done' and r.failed_share >= 0.01
  union all
  select j.model_id, 2, 'act', 'watch_failed', 0, null,
         format('The watch of %I.%I cannot go on: %s. pgscore.watches says why, and what to do.', t.view_schema, t.view_name, w.error_code),
         null
    from judged j join pgscore_data.watch w using (model_id) join pgscore_data.target t using (target_id)
   where w.error is not null and not w.paused
  union all
  select d.model_id, 3, 'watch', 'drift', d.psi, d.since,
         format('Feature %s has drifted since %s: its population stability index is %s %s %s. %s of %s features %s drifted.',
           d.feature_name, to_char(d.since, f.pattern), to_char(d.psi, 'FM9990.00'), case d.grain when 'month' then 'in' else 'on' end,
           to_char(d.window_date, f.pattern), d.n_drifted, d.n_features, case d.n_drifted when 1 then 'has' else 'have' end), null
    from drift d cross join lateral (select case d.grain when 'month' then 'Mon YYYY' else 'FMDD Mon YYYY' end as pattern) f
   where d.has_drifted and d.status = 'alert'
  union all
  select l.model_id, 4, 'watch', 'labels_late', 1 - l.label_coverage, l.since,
         format('Labels are late: the truth is known of %s %% of the predictions for %s. All of them are due; this model asks for %s %%.%s',
           to_char(100 * l.label_coverage, 'FM990.0'),
           concat(to_char(nullif(l.first_date, l.last_date), 'FMDD Mon YYYY" to "'), to_char(l.last_date, 'FMDD Mon YYYY')),
           to_char(100 * j.min_label_coverage, 'FM990.##'),
           case when s.n_invalid > 0
             then format(' %s labels are none of this model, such as "%s".', s.n_invalid, s.invalid_label) end), null
    from label l join judged j using (model_id) left join pgscore_data.label_source s using (model_id)
   where l.label_coverage < j.min_label_coverage and (l.n_labeled > 0 or exists (select from accuracy a where a.model_id = l.model_id))
  union all
  select a.model_id, k.weight, case when a.severity = 'critical' or k.weight = 1 and a.severity <> 'info' then 'act' else 'watch' end,
         k.cause, null, a.since_date,
         case when a.kind = 'watch'
           then format('Alert %s is raised since %s: %s.', a.rule, to_char(a.since_date, 'FMDD Mon YYYY'), a.detail)
         else format('Alert %s is raised since %s: %s%s is %s%s.', a.rule, to_char(a.since_date, 'FMDD Mon YYYY'), a.metric,
           ' of ' || nullif(a.column_name, ''), pgscore_data._short_number(a.value), case
             when a.value < a.lower_threshold then ', below ' || pgscore_data._short_number(a.lower_threshold)
             when a.value > a.upper_threshold then ', above ' || pgscore_data._short_number(a.upper_threshold) end) end,
         case when a.kind = 'performance' then nullif(a.column_name, '') end
    from alert a
   cross join lateral (
     select * from (values
       (a.kind = 'performance', 1, 'accuracy_worse'), (a.metric in ('failed_share', 'null_score_share'), 2, 'rows_failed'),
       (a.metric = 'hours_since_scoring', 2, 'scoring_stopped'), (a.metric = 'n_predictions', 2, 'volume'),
       (a.kind = 'watch', 2, 'watch_delay'), (a.kind = 'drift', 3, 'drift'), (true, 4, 'labels_late')) x (holds, weight, cause)
      where x.holds limit 1) k
  union all
  select b.model_id, 5, 'watch', 'challenger_better', b.size, b.since, b.sentence, b.target from better b
  union all
  select j.model_id, 6, 'unknown', k.cause, null, null, case k.cause
           when 'no_version' then 'No version is ready to score' || coalesce((
             select format(', and %s@%s was rejected: %s', j.name, v.number, v.reason) from pgscore_data.version v
              where v.model_id = j.model_id and v.state = 'rejected' order by v.number desc limit 1),
             ': deploy one with pgscore.deploy().')
           when 'no_predictions' then 'Nothing was scored yet: use pgscore.score_table() or pgscore.score().'
           when 'no_truth' then 'No label judges what it gives: its volume, its failed rows and the drift of its features are watched.'
           when 'no_label_source' then format('The truth is not known: say where it arrives with pgscore.set_labels(%L, …).', j.name)
           when 'labels_waiting' then 'Labels are waiting to be counted, which takes seconds while a service runs.'
           when 'labels_unreadable' then format('Labels of %s cannot be read: pgscore.label_sources has the error.', j.label_source)
           when 'labels_invalid' then format('Labels of %s are none of this model, such as "%s". %s',
             j.label_source, s.invalid_label, (select pgscore_data._truths_of(e.task, e.class_labels)
                                                   from pgscore_data.execution e where e.version_id = j.version_id))
           when 'no_labels' then
             format('No label of %s has met a prediction yet: compare its keys, and known_at with the times of the predictions.',
                    j.label_source)
           else format('No month can be judged yet: that takes 30 labels, and the truth of %s %% of its predictions%s.',
             to_char(100 * j.min_label_coverage, 'FM990.##'),
             to_char(j.trained_until at time zone j.time_zone, '", all after "FMDD Mon YYYY"')) end, null
    from judged j
    left join accuracy a using (model_id)
    left join pgscore_data.label_source s using (model_id)
   cross join lateral (
     select case
       when j.version_id is null then 'no_version'
       when not exists (select from pgscore_data.cell_volume x
                         where x.version_id = j.version_id and x.segment_id = 0 and x.n_predictions <> 0) then 'no_predictions'
       when exists (select from pgscore_data.execution x where x.version_id = j.version_id
                       and (x.task = 'embedding' or x.score_unit in ('distance', 'share'))) then 'no_truth'
       when exists (select from pgscore_data.evaluation x where x.version_id = j.version_id) then 'no_mature_month'
       when exists (select from pgscore_data.label_change x where x.model_id = j.model_id) then 'labels_waiting'
       when j.label_source is null then 'no_label_source'
       when s.error is not null then 'labels_unreadable'
       when s.compared_at is null
         or exists (select from pgscore_data.comparison_request x where x.source_id = s.source_id) then 'labels_waiting'
       when s.n_invalid > 0 then 'labels_invalid'
       else 'no_labels' end as cause) k
   where a.model_id is null
  union all
  select a.model_id, 7, 'healthy', 'none', null, null,
         format('%s is %s in %s (%s), %s%s.', a.title, a.value_text, a.month, a.interval_text, case
           when a.n_months is null then 'the first month that can be judged'
           when a.loss > 0 then format('not surely worse than %s over %s', a.before_text, a.before_name)
           else format('no worse than %s over %s', a.before_text, a.before_name) end,
           case when a.target is not null and a.n_targets < n.n_values
             then format('; %s of %s targets can be judged', a.n_targets, n.n_values) end), a.target
    from accuracy a join judged j using (model_id)
   cross join lateral (select count(*) as n_values from pgscore_data.version_value x where x.version_id = j.version_id) n
   where a.is_first
), ranked as (
  select c.*, row_number() over (
           partition by c.model_id
           order by array_position('{act,watch,unknown,healthy}', c.verdict), c.weight, c.size desc nulls last, c.sentence) as rank
    from cause c
)
select j.name as model_name, j.number::bigint as model_version, j.is_champion,
       (select coalesce(y.signature ->> 'kind', y.signature ->> 'task') from pgscore_data.version y
         where y.version_id = j.version_id) as task, c.verdict, c.cause,
       concat_ws(' ', c.sentence, case when c.cause <> 'challenger_better' then b.sentence end) as sentence, o.causes, c.since,
       a.segment_key, a.segment_value, d.feature_name, d.since as feature_since, j.metric, a.window_date as latest_window, a.value,
       a.ci_low, a.ci_high, a.n::bigint as n, a.reference_value, coalesce(x.n, 0) as open_alerts,
       l.label_coverage, l.label_delay_days, r.failed_share, b.model_version as better_version,
       coalesce(o.undefined_reason, case when a.model_id is null then 'no_mature_month' end) as undefined_reason,
       coalesce(c.target, a.target) as target
  from judged j
  join ranked c on c.model_id = j.model_id and c.rank = 1
  join (select r.model_id, max(r.cause) filter (where r.verdict = 'unknown') as undefined_reason,
               string_agg(r.cause, ', ' order by r.rank) filter (where r.verdict in ('act', 'watch') and r.is_first) as causes
          from (select y.*, row_number() over (partition by y.model_id, y.cause order by y.rank) = 1 as is_first from ranked y) r
         group by r.model_id) o on o.model_id = j.model_id
  left join accuracy a on a.model_id = j.model_id and case when c.target is null then a.is_first else a.target = c.target end
  left join drift d on d.model_id = j.model_id and d.has_drifted
  left join label l on l.model_id = j.model_id
  left join run r on r.model_id = j.model_id and r.state = 'done'
  left join (select distinct on (y.model_id) y.* from better y order by y.model_id, y.size desc, y.target) b on b.model_id = j.model_id
  left join (select y.model_id, count(*) as n from alert y group by 1) x on x.model_id = j.model_id;
comment on view pgscore_bi.model_verdict is
'Which model needs somebody, and why: one row a model, with one sentence about the largest cause, and one about a better version. '
'Verdicts are act, watch, unknown and healthy. '
'Within one, causes weigh in the order accuracy, runs and failed rows, drift, labels, a better version.';

select pgscore_data._comment_columns('pgscore_bi.model_verdict', pgscore_data._drift_meanings() || '{
  "model_version": "The champion; where there is none, the newest ready version; NULL: none is ready.",
  "is_champion": "Whether model_version is the champion.",
  "verdict": "act: somebody is needed. watch: look at it. unknown: there is nothing to judge by, and the sentence says what to do. '
    'healthy: none of these.",
  "cause": "The largest cause: accuracy_worse, run_failed, rows_failed, watch_failed, volume, scoring_stopped, watch_delay, drift, '
    'labels_late or challenger_better; of unknown no_version, no_predictions, no_truth, no_label_source, labels_waiting, '
    'labels_unreadable, labels_invalid, no_labels or no_mature_month; of healthy none.",
  "sentence": "The cause in one sentence, with its numbers; where a version is surely better, another one about that.",
  "causes": "All causes of act and watch, the largest first; NULL: there is none.",
  "since": "First day on which the cause holds, as far back as is looked.",
  "segment_key": "Of a model that got worse, the column of the segment that lost most beyond doubt; NULL: none did.",
  "segment_value": "The value of that segment.",
  "feature_name": "The feature that is furthest from its baseline, of those that have drifted; NULL: none has.",
  "feature_since": "First day or month of its drift, as far back as is looked.",
  "latest_window": "First day of the newest month that is mature and has 30 labels: value is of that month.",
  "n": "Labelled predictions of that month.",
  "reference_value": "The metric over the months before it, twelve at most, weighted by their labels.",
  "open_alerts": "Alerts of the version and of the model that are raised now.",
  "label_coverage": "Of the predictions of the newest 90 days whose labels are due by label_maturity, the share whose truth is known; '
    'NULL: none are due.",
  "label_delay_days": "Days to their label, at the median, as the upper end of a band of 1, 7, 30 or 90 days; NULL beyond.",
  "failed_share": "Of the rows of the newest run, the share that could not be scored; NULL: the run itself failed, or there is none.",
  "better_version": "The newest version that is surely better than the champion by the same metric, surely worse by none, and passes the '
    'gates, of the five newest that are better; NULL: none is.",
  "undefined_reason": "Why value is NULL: no_version, no_predictions, no_truth, no_label_source, labels_waiting, '
    'labels_unreadable, labels_invalid, no_labels or no_mature_month.",
  "target": "Of a model of several targets or labels the one that sentence and value are of: where the cause is of none, the one that '
    'got worse most; NULL: it gives one value."
}');
