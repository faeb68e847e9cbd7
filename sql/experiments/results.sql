-- What an experiment says.

create or replace function pgscore_data._experiment_meanings() returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
return pgscore_data._detail_meanings() || '{
  "experiment": "Number of the experiment, as in pgscore.experiments.",
  "kind": "canary, ab or shadow.",
  "is_running": "Whether it was not stopped yet.",
  "model_version": "An arm of it, or its champion.",
  "is_champion": "Whether it is the version that the arms are compared with.",
  "metric": "accuracy, precision_score, recall_score, f1_score, brier_score, log_loss or roc_auc of classifiers; mae, rmse or mse of '
    'regressions. Brier score and log loss take probabilities.",
  "last_date": "The last day whose labels count; NULL: no day has them yet.",
  "n": "Labelled predictions that the metric rests on.",
  "entities": "How many entities they are of.",
  "label_coverage": "Share of the predictions for the days of the experiment whose label is there, of those that can have one, also of '
    'those that were made before the start or after the stop on these days; NULL: there are none.",
  "value": "The metric of this version.",
  "value_low": "Lower bound of its 95 % interval, for one look.",
  "value_high": "Upper bound.",
  "difference": "How much higher it is than that of the champion, each stage of the arms compared by itself; NULL of the champion.",
  "difference_low": "Lower bound of the 95 % interval of the difference that holds for one look, at a time that was set before.",
  "difference_high": "Upper bound.",
  "p_value": "Of no difference, for one look.",
  "always_valid_low": "Lower bound of the 95 % interval of the difference that may be looked at daily, to stop whenever it tells enough: '
    'the asymptotic confidence sequence of Waudby-Smith and others 2024. NULL for roc_auc, f1_score and rmse, which have none.",
  "always_valid_high": "Upper bound.",
  "always_valid_p_value": "Of no difference, at whatever time one looks.",
  "srm_p_value": "Of the sample ratio: how likely the arms have so many entities, given their buckets (chi-squared). Below 0.001 something '
    'is wrong with the split, or with labels that go by it, and no winner is named.",
  "agreement": "Of a shadow: the share of labels of which both versions said the same class.",
  "verdict": "better, worse, no_difference, too_early or sample_ratio, by the interval that may be looked at daily; of roc_auc, '
    'f1_score and rmse by the other one, once until has passed; not_judged where labels have another key, or judging '
    'failed. NULL of the champion.",
  "reason": "Why, in a sentence.",
  "judged_at": "When that was found."
}';
comment on function pgscore_data._experiment_meanings() is 'What the columns of experiments mean.';

create or replace view pgscore_bi.experiment_results with (security_barrier) as
select e.experiment_id::bigint as experiment, m.name as model_name, e.kind, e.stopped_at is null as is_running,
       v.number::bigint as model_version, x.is_champion, k.metric, (r.day at time zone m.time_zone)::date as last_date,
       coalesce(r.n, 0) as n, coalesce(r.entities, 0) as entities, c.label_coverage,
       r.value, r.value_low, r.value_high, r.difference, r.difference_low, r.difference_high, r.p_value,
       r.always_valid_low, r.always_valid_high, r.always_valid_p_value, j.srm_p_value, r.agreement,
       case when o.outdated is not null then 'too_early'
         when not x.is_champion and j.error is not null then 'not_judged'
         when not x.is_champion then coalesce(r.verdict, case when j.srm_p_value < 0.001 then 'sample_ratio' else 'too_early' end)
         end as verdict,
       case when x.is_champion then null
         when o.outdated is not null then o.outdated
         when j.error is not null then 'it could not be judged and is tried again within an hour: the log of the server says why'
         when r.verdict in ('better', 'worse', 'no_difference') then format('%s, %s to %s', r.reason,
           to_char(e.started_at at time zone m.time_zone, 'FMDD Mon YYYY'), to_char(r.day at time zone m.time_zone, 'FMDD Mon YYYY'))
         when r.version_id is not null then r.reason
         when exists (select from pgscore_data.unread_labels u where u.model_id = e.model_id and u.is_unreadable)
           then 'its labels are not judged, as their source cannot be read: pgscore.label_sources has the error'
         when coalesce(c.n, 0) = 0
           and exists (select from pgscore_data.scored y
                        where y.version_id in (e.champion_version_id, x.version_id) and y.state = 'done' and not y.counted)
           then 'its predictions are not counted yet, which a running service soon does'
         when coalesce(c.n, 0) = 0 then 'no prediction of it that a label can judge is for a day since the experiment began'
         when c.n_labeled = 0 then 'no label judges its predictions yet'
         when exists (select from pgscore_data.experiment_due d where d.experiment_id = e.experiment_id)
           then 'its labels are not judged yet, which a running service soon does'
         when exists (select from pgscore_data.experiment_day d where d.experiment_id = e.experiment_id and d.is_mature)
           then 'no labelled prediction of it counts: they were not made in the experiment, or are of entities of another version'
         else (select format('labels are not there yet: %s@%s has those of %s %% of its predictions for %s, '
                             'and a day needs %s %% of every version', m.name, w.number, floor(100 * w.coverage),
                             to_char(w.day at time zone m.time_zone, 'FMDD Mon YYYY'), 100 * m.min_label_coverage)
                 from (select distinct on (l.day) l.day, q.number, l.n_labeled::float8 / (l.n_labeled + l.n_awaiting) as coverage
                         from pgscore_data.day_labels l join pgscore_data.experiment_version y using (version_id)
                         join pgscore_data.version q using (version_id)
                        where y.experiment_id = e.experiment_id and l.segment_id = 0 and l.n_labeled + l.n_awaiting > 0
                          and l.day >= date_trunc('day', e.started_at, m.time_zone)
                        order by l.day, coverage, q.number) w
                order by w.coverage desc, w.day desc limit 1)
         end as reason,
       j.judged_at
  from pgscore_data.visible_model m
  join pgscore_data.experiment e using (model_id)
  join pgscore_data.experiment_version x using (experiment_id)
  join pgscore_data.version v using (version_id)
  join pgscore_data.scored_version s using (version_id)
  join pgscore_data.experiment_metric k on k.task = s.task and (s.probabilities or k.metric not in ('brier_score', 'log_loss'))
  left join pgscore_data.experiment_judgement j using (experiment_id)
  left join lateral (
    select y.* from pgscore_data.experiment_result y
     where y.experiment_id = e.experiment_id and y.version_id = x.version_id and y.metric = k.metric order by y.day desc limit 1) r on true
 cross join lateral (
   select case when r.version_id is not null and not x.is_champion
            then pgscore_data._outdated(e.experiment_id, x.version_id, k.metric) end as outdated) o
 cross join lateral (
   select sum(l.n_labeled) as n_labeled, sum(l.n_labeled + l.n_awaiting) as n,
          sum(l.n_labeled)::float8 / nullif(sum(l.n_labeled + l.n_awaiting), 0) as label_coverage
     from pgscore_data.day_labels l
    where l.version_id = x.version_id and l.segment_id = 0 and l.day >= date_trunc('day', e.started_at, m.time_zone)
      and l.day <= coalesce(e.stopped_at, 'infinity')) c;
comment on view pgscore_bi.experiment_results is
'How the arms of an experiment do against its champion: a row for each version and metric. Predictions count that were made while the '
'experiment was open, up to the newest day whose labels are there for every arm. Predictions of one entity are not taken for independent. '
'Native calls are split and not recorded: of a native model those of runs, of watches and of the service count. '
'None of a model of several targets or labels: version_comparison has its versions, by target.';

create or replace view pgscore_bi.experiment_results_daily with (security_barrier) as
select e.experiment_id::bigint as experiment, m.name as model_name, v.number::bigint as model_version,
       r.version_id = e.champion_version_id as is_champion, r.metric, (r.day at time zone m.time_zone)::date as last_date,
       r.n, coalesce(r.entities, 0) as entities, r.value, r.value_low, r.value_high, r.difference, r.difference_low, r.difference_high,
       r.p_value, r.always_valid_low, r.always_valid_high, r.always_valid_p_value, r.verdict, r.reason
  from pgscore_data.visible_model m
  join pgscore_data.experiment e using (model_id)
  join pgscore_data.experiment_result r using (experiment_id)
  join pgscore_data.version v using (version_id);
comment on view pgscore_bi.experiment_results_daily is
'What experiment_results said up to each day whose labels were there: how an experiment went. A day stays as it was first found, but for '
'the newest one.';
do $$
begin
  perform pgscore_data._comment_columns('pgscore_bi.experiment_results', pgscore_data._experiment_meanings());
  perform pgscore_data._comment_columns('pgscore_bi.experiment_results_daily', pgscore_data._experiment_meanings());
end
$$;
