-- Accuracy before labels come: what scores mean by the labels of the past, and what today's scores then say of today.

create or replace function pgscore_data._note_changed_labels() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.calibration as c (version_id) select distinct w.version_id from pgscore_data.refresh_window w
  on conflict (version_id) do update set changed_at = clock_timestamp();
end;
comment on function pgscore_data._note_changed_labels() is 'Notes which versions a refresh touched, for what is learned from their labels.';

create or replace function pgscore_data._mature_days(this_version int) returns table (day timestamptz, n_labeled bigint)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select w.day, c.n
    from pgscore_data.cell_volume w
    join (select o.day, sum(o.n)::bigint as n from pgscore_data.cell_outcome o where o.version_id = this_version and o.segment_id = 0 group by o.day
          union all select r.day, sum(r.n)::bigint from pgscore_data.cell_regression r where r.version_id = this_version and r.segment_id = 0 group by r.day) c using (day)
   where w.version_id = this_version and w.segment_id = 0 and c.n > 0
     and c.n >= w.n_predictions * (select m.min_label_coverage from pgscore_data.monitor m join pgscore_data.version v using (model_id) where v.version_id = this_version);
end;
comment on function pgscore_data._mature_days(int) is 'The days of a version whose labels are there, by its monitor.';

create or replace function pgscore_data._set_calibration(this_version int, as_of timestamptz, n bigint, n_positive bigint, last_day timestamptz, learned double precision[], state text) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
begin atomic
  select pgscore_data._await_turn('cells');
  insert into pgscore_data.estimate_due (version_id, day)
  select x.version_id, x.day
    from (select s.version_id, s.day from pgscore_data.cell_score s where s.version_id = this_version
          union select s.version_id, s.day from pgscore_data.cell_class_volume s where s.version_id = this_version) x
    join pgscore_data.calibration c using (version_id)
   where c.share is distinct from learned
  on conflict do nothing;
  update pgscore_data.calibration c set
    checked_at = as_of, n = _set_calibration.n, n_positive = _set_calibration.n_positive, last_day = _set_calibration.last_day, share = learned, state = _set_calibration.state
   where c.version_id = this_version;
end;
comment on function pgscore_data._set_calibration(int, timestamptz, bigint, bigint, timestamptz, double precision[], text) is 'Keeps what was learned of the scores of a version, and has its days estimated anew where they mean something else now.';

create or replace function pgscore_data._claim_calibration(out version_id int, out as_of timestamptz, out n bigint, out n_positive bigint, out last_day timestamptz, out bins smallint[], out totals bigint[], out positives bigint[])
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $$
declare
  c pgscore_data.calibration;
begin
  if not exists (select from pgscore_data.calibration x join pgscore_data.execution e on e.version_id = x.version_id and e.task = 'binary' and e.probabilities where x.checked_at is null or x.changed_at > x.checked_at)
    or not pgscore_data._take_turn('cells') then
    return;
  end if;
  for c in
    select x.* from pgscore_data.calibration x join pgscore_data.execution e on e.version_id = x.version_id and e.task = 'binary' and e.probabilities
     where x.checked_at is null or x.changed_at > x.checked_at
     order by x.version_id
  loop
    as_of := clock_timestamp();
    select coalesce(sum(o.n), 0), coalesce(sum(o.n) filter (where o.actual_class + 1 = e.positive_class), 0), max(o.day) into n, n_positive, last_day
      from pgscore_data._mature_days(c.version_id) d join pgscore_data.cell_outcome o on o.version_id = c.version_id and o.segment_id = 0 and o.day = d.day join pgscore_data.execution e on e.version_id = c.version_id;
    if n < 200 or least(n_positive, n - n_positive) < 10 then
      perform pgscore_data._set_calibration(c.version_id, as_of, n, n_positive, last_day, null, 'too_few_labels');
    elsif c.state <> 'too_few_labels' and abs(n - c.n) <= c.n * 0.1 and abs(n_positive - c.n_positive) <= c.n_positive * 0.1 then
      update pgscore_data.calibration x set checked_at = as_of where x.version_id = c.version_id;
    else
      version_id := c.version_id;
      select array_agg(h.bin order by h.bin), array_agg(h.n order by h.bin), array_agg(h.positives order by h.bin) into bins, totals, positives
        from (select s.bin, sum(s.n)::bigint as n, coalesce(sum(s.n) filter (where s.positive), 0)::bigint as positives
                from pgscore_data._mature_days(c.version_id) d join pgscore_data.cell_outcome_score s on s.version_id = c.version_id and s.day = d.day
               group by s.bin having sum(s.n) <> 0) h;
      return;
    end if;
  end loop;
end
$$;
comment on function pgscore_data._claim_calibration() is 'The labelled history, by bins of scores, of a version that has more of it by a tenth than when last learned from; NULL where there is none, and little work: a sum over the days of versions that labels touched. Days that are not mature are left out: labels that come early are seldom like the others.';

create or replace function pgscore_data._estimate_binary(versions int[], days timestamptz[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with due as (
    select d.version_id, d.day from unnest(versions, days) as d (version_id, day) join pgscore_data.execution e on e.version_id = d.version_id and e.task = 'binary'
  ), learned as materialized (
    -- Concatenated with nothing, lest every bin decompress it.
    select c.version_id, c.share || '{}'::double precision[] as share from (select distinct d.version_id from due d) d join pgscore_data.calibration c using (version_id)
  ), bins as (
    select c.version_id, c.day, c.bin, c.n, c.n_positive, coalesce(l.share[c.bin + 1], (b.low + b.high) / 2) as share
      from due d
     cross join lateral (select * from pgscore_data.cell_score x where x.version_id = d.version_id and x.day = d.day and x.n <> 0 offset 0) c
      join pgscore_data.score_bin b on b.bin = c.bin
      left join learned l on l.version_id = c.version_id
  ), ranked as (
    select b.*, b.share * b.n as p, coalesce(sum((1 - b.share) * b.n) over (partition by b.version_id, b.day order by b.bin rows between unbounded preceding and 1 preceding), 0) as n_below from bins b
  )
  insert into pgscore_data.estimate (version_id, day, n, true_positives, false_positives, false_negatives, true_negatives, roc_auc)
  select r.version_id, r.day, sum(r.n), sum(r.share * r.n_positive), sum((1 - r.share) * r.n_positive), sum(r.share * (r.n - r.n_positive)), sum((1 - r.share) * (r.n - r.n_positive)),
         sum(r.p * (r.n_below + (r.n - r.p) / 2)) / nullif(sum(r.p) * sum(r.n - r.p), 0)
    from ranked r group by r.version_id, r.day
  on conflict (version_id, day) do update set
    n = excluded.n, true_positives = excluded.true_positives, false_positives = excluded.false_positives, false_negatives = excluded.false_negatives,
    true_negatives = excluded.true_negatives, roc_auc = excluded.roc_auc;
end;
comment on function pgscore_data._estimate_binary(int[], timestamptz[]) is 'Estimates these days of binary classifiers. A prediction in a bin counts as a positive by the share of positives to expect there: as learned, or else the middle of the bin, which is within half its width, at most 0.0005, of the score.';

create or replace function pgscore_data._estimate(most int default 50) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
set random_page_cost = 1.1
set work_mem = '64MB'
as $$
declare
  versions int[];
  days timestamptz[];
begin
  if not exists (select from pgscore_data.estimate_due) and not exists (select from pgscore_data.class_tally t where (select r.state from pgscore_data.scored r where r.run_id = t.run_id) in ('done', 'failed', 'cancelled'))
    or not pgscore_data._take_turn('cells') then
    return false;
  end if;
  perform pgscore_data._count_class_volumes();
  with due as (
    delete from pgscore_data.estimate_due t where (t.version_id, t.day) in (select x.version_id, x.day from pgscore_data.estimate_due x order by x.day desc limit most) returning t.*
  )
  select array_agg(d.version_id), array_agg(d.day) into versions, days from due d;
  perform pgscore_data._estimate_binary(versions, days);
  perform pgscore_data._estimate_classes(versions, days);
  return exists (select from pgscore_data.estimate_due);
end
$$;
comment on function pgscore_data._estimate(int) is 'Estimates so many days that changed, the newest first; true where more is waiting.';

create or replace function pgscore_data._estimate_meanings() returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
return pgscore_data._metric_meanings() || $${
  "n": "Predictions with a score: those that the estimate is about, labelled or not.",
  "estimated_accuracy": "Accuracy to expect of them.",
  "realized_accuracy": "Accuracy of those whose truth is known.",
  "estimated_precision_score": "Precision to expect; of three or more classes the mean over those that are predicted (macro), as realized_precision_score is then.",
  "realized_precision_score": "Precision of those whose truth is known.",
  "estimated_recall_score": "Recall to expect; of three or more classes the mean over those of which there is likely to be one (at least 0.5 are to be expected).",
  "realized_recall_score": "Recall of those whose truth is known.",
  "estimated_f1_score": "F1 to expect; of three or more classes the mean over those that are predicted or likely to be there.",
  "realized_f1_score": "F1 of those whose truth is known.",
  "estimated_roc_auc": "Area under the ROC curve to expect; ties, and scores in one bin, count half. Of three or more classes the mean over each against the others, of those that are likely to be there.",
  "realized_roc_auc": "Area under the ROC curve of those whose truth is known.",
  "estimated_positive_rate": "Share of positives to expect; NULL for three or more classes.",
  "realized_positive_rate": "Share of positives of those whose truth is known; NULL for three or more classes.",
  "is_realized": "Whether the labelled share has reached the minimum of the model's monitor: then look at what was realized.",
  "is_calibrated": "Whether the scores were corrected by what past labels say of them. If not, they are taken as the probabilities that they claim to be.",
  "calibration": "isotonic: corrected (of three or more classes: at least one of them, each of 10 labels); not_needed: correction would have made them no truer; too_few_labels: less than 200 on mature days, or less than 10 of a class (of three or more: of every class), so that nobody knows whether scores mean what they say.",
  "calibrated_until": "Last day whose labels the correction was learned from: estimates of days up to it have seen labels of that time.",
  "undefined_reason": "Why estimates are NULL: no_probabilities (the model says labels only, or no prediction has a score), not_estimated (the next refresh will), too_many_classes (more than 50), not_counted (a classifier of three or more classes predicted before pgscore counted what they are made of), no_predicted_positives or one_class (no positive, or no negative, is to be expected)."
}$$::jsonb;
comment on function pgscore_data._estimate_meanings() is 'What the columns of the view of estimates mean.';

create or replace view pgscore_data.expected_of_classes as
select x.version_id, x.day, max(x.n) as n, sum(x.true_positives) / max(x.n) as accuracy, avg(x.true_positives / nullif(x.true_positives + x.false_positives, 0)) as macro_precision,
       avg(x.true_positives / nullif(x.true_positives + x.false_negatives, 0)) filter (where x.true_positives + x.false_negatives >= 0.5) as macro_recall,
       avg(2 * x.true_positives / nullif(2 * x.true_positives + x.false_positives + x.false_negatives, 0)) filter (where x.true_positives + x.false_negatives >= 0.5 or x.true_positives + x.false_positives > 0) as macro_f1,
       avg(x.roc_auc) filter (where x.true_positives + x.false_negatives between 0.5 and x.n - 0.5) as macro_roc_auc
  from pgscore_data.class_estimate x group by x.version_id, x.day;
comment on view pgscore_data.expected_of_classes is 'What to expect of a day of a classifier of three or more classes. As in what is realized, a class that is not there is no part of a mean: one is likely to be there where at least half a prediction of it is to be expected.';

do $do$
declare
  realized constant text := $q$
    select sum(x.n)::float8 as n, coalesce(sum(x.n) filter (where x.actual_class = e.positive_class - 1 and x.predicted_class = e.positive_class - 1), 0)::float8 as tp,
           coalesce(sum(x.n) filter (where x.actual_class <> e.positive_class - 1 and x.predicted_class = e.positive_class - 1), 0)::float8 as fp,
           coalesce(sum(x.n) filter (where x.actual_class = e.positive_class - 1 and x.predicted_class <> e.positive_class - 1), 0)::float8 as fn
      from pgscore_data.cell_outcome x
     where x.version_id = v.version_id and x.segment_id = 0 and x.day >= w.window_start and x.day < w.window_end$q$;
begin
  execute $q$create or replace view pgscore_bi.estimated_performance_daily with (security_barrier) as
    select m.name as model_name, v.number::bigint as model_version, s.segment_key, s.segment_value,
           (w.window_start at time zone mo.time_zone)::date as window_date, w.window_start, w.window_end, w.n_predictions,
           coalesce(c.n, 0)::bigint as n_labeled, coalesce(c.n, 0)::float8 / nullif(w.n_predictions, 0) as label_coverage, coalesce(x.n, 0) as n,
           (x.true_positives + x.true_negatives) / x.n as estimated_accuracy, (c.n - c.fp - c.fn) / nullif(c.n, 0) as realized_accuracy,
           x.true_positives / nullif(x.true_positives + x.false_positives, 0) as estimated_precision_score, c.tp / nullif(c.tp + c.fp, 0) as realized_precision_score,
           x.true_positives / nullif(x.true_positives + x.false_negatives, 0) as estimated_recall_score, c.tp / nullif(c.tp + c.fn, 0) as realized_recall_score,
           2 * x.true_positives / nullif(2 * x.true_positives + x.false_positives + x.false_negatives, 0) as estimated_f1_score, 2 * c.tp / nullif(2 * c.tp + c.fp + c.fn, 0) as realized_f1_score,
           x.roc_auc as estimated_roc_auc, auc.value as realized_roc_auc,
           (x.true_positives + x.false_negatives) / x.n as estimated_positive_rate, (c.tp + c.fn) / nullif(c.n, 0) as realized_positive_rate,
           coalesce(c.n, 0) >= mo.min_label_coverage * w.n_predictions as is_realized,
           coalesce(k.state = 'isotonic', false) as is_calibrated, coalesce(k.state, 'too_few_labels') as calibration, (k.last_day at time zone mo.time_zone)::date as calibrated_until,
           case when x.n is null then case when not e.probabilities then 'no_probabilities' when exists (select from pgscore_data.cell_score s where s.version_id = v.version_id and s.day = w.window_start) then 'not_estimated' else 'no_probabilities' end
             when x.roc_auc is null then 'one_class' when x.true_positives + x.false_positives = 0 then 'no_predicted_positives' end as undefined_reason$q$
    || pgscore_data._windows_from('day', 'binary', realized) || $q$
      left join pgscore_data.calibration k on k.version_id = v.version_id
      left join pgscore_data.estimate x on x.version_id = v.version_id and x.day = w.window_start
      left join pgscore_data.metric_value auc on auc.version_id = v.version_id and auc.grain = 'day' and auc.window_start = w.window_start and auc.metric = 'roc_auc'
     where s.segment_key is null
    union all
    select p.model_name, p.model_version, p.segment_key, p.segment_value, p.window_date, p.window_start, p.window_end, p.n_predictions, p.n_labeled, p.label_coverage, coalesce(x.n, 0),
           x.accuracy, p.accuracy, x.macro_precision, p.macro_precision, x.macro_recall, p.macro_recall, x.macro_f1, p.macro_f1, x.macro_roc_auc, p.macro_roc_auc, null, null, p.is_mature,
           coalesce(k.state = 'isotonic', false), coalesce(k.state, 'too_few_labels'), (k.last_day at time zone mo.time_zone)::date,
           case when x.n is null then case when not e.probabilities then 'no_probabilities' when cardinality(e.class_labels) > 50 then 'too_many_classes'
                when exists (select from pgscore_data.cell_class_volume s where s.version_id = v.version_id and s.day = p.window_start) then 'not_estimated' else 'not_counted' end
             when x.macro_roc_auc is null then 'one_class' end
      from pgscore_bi.multiclass_performance_daily p
      join pgscore_data.model m on m.name = p.model_name
      join pgscore_data.monitor mo using (model_id)
      join pgscore_data.version v on v.model_id = m.model_id and v.number = p.model_version
      join pgscore_data.execution e on e.version_id = v.version_id
      left join pgscore_data.calibration k on k.version_id = v.version_id
      left join lateral (select * from pgscore_data.expected_of_classes y where y.version_id = v.version_id and y.day = p.window_start offset 0) x on true
     where p.segment_key is null$q$;
  comment on view pgscore_bi.estimated_performance_daily is
'What the accuracy of each version of a classifier is likely to be, by day, before labels come: from all scores of the day and what earlier labels say that such scores mean (CBPE: confidence-based performance estimation, after NannyML), with what labels then said beside it. It holds as long as a score means what it meant: if other rows come (covariate shift), it sees the effect. It is blind to concept drift: if the same rows turn out differently, it cannot know. Where scores are taken as they are and the threshold is 0.5, it never says less than 0.5 of accuracy, since whoever is less than half sure of a class says the other. Three or more classes are as many questions, one against the others, each with its own calibration; precision, recall, F1 and ROC AUC are means over the classes (macro), and a probability is taken for what it says whichever class was said. Exact for the scores as they are binned: which side of the threshold each prediction is on, and which class it says, is counted, not told from its bin. Regressions have no estimate: it takes a second model that predicts their error.';
  perform pgscore_data._comment_columns('pgscore_bi.estimated_performance_daily', pgscore_data._estimate_meanings());
end
$do$;
