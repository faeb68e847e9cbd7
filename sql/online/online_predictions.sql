-- What is kept of online calls, as users read it.

create or replace view pgscore_data.shown_block with (security_barrier) as
select b.prediction_id, m.name as model, v.number as version, b.requested_by, b.request_id, b.asked_at, b.duration_ms, b.scores, b.labels,
       v.signature -> 'classLabels' as class_labels, v.signature -> 'features' as features,
       coalesce(to_jsonb(b.reals), to_jsonb(b.features)) as given,
       -- Read from where long values are stored, once; the parts of one that is stored there would each read all of it.
       case when b.probabilities is not null then b.probabilities || '{}'::double precision[] end as probabilities, b.durations,
       -- Texts of an array are counted off from its first, each time that one is looked for.
       to_jsonb(b.keys) as keys, b.event_times
  from pgscore_data.online_block b join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id)
 where b.requested_by = current_user or pg_has_role(current_user, 'pgscore_deployer', 'usage');
comment on view pgscore_data.shown_block is
  'Blocks of predictions that the current role may see. A barrier, so that what is given here is computed once for a block and not for '
  'each of its predictions, and only where it is asked for.';

-- The outer query has the parts leave out columns that nobody asks for.
create or replace view pgscore.online_predictions with (security_barrier) as
select p.prediction_id, p.model, p.version, p.requested_by, p.request_id, p.asked_at, p.duration_ms, p.inputs, p.score, p.label,
       p.probabilities, p.error, p.key, p.event_time
  from (
    select p.prediction_id, m.name as model, v.number as version, p.requested_by, p.request_id, p.asked_at, p.duration_ms,
           case when p.reals is null and p.features is null then p.inputs
             else (select jsonb_object_agg(f.feature ->> 'name', f.value) from rows
                     from (jsonb_array_elements(v.signature -> 'features'),
                           jsonb_array_elements(coalesce(to_jsonb(p.reals), to_jsonb(p.features)))) as f (feature, value))
           end as inputs, p.score, p.label, p.probabilities, p.error, p.key, p.event_time
      from pgscore_data.online_prediction p join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id)
     where p.requested_by = current_user or pg_has_role(current_user, 'pgscore_deployer', 'usage')
    union all
    select b.prediction_id + x.n - 1, b.model, b.version, b.requested_by, b.request_id, b.asked_at, coalesce(x.duration, b.duration_ms),
           case when b.given is not null
             then (select jsonb_object_agg(f.feature ->> 'name', f.value) from rows
                     from (jsonb_array_elements(b.features), jsonb_array_elements(b.given -> (x.n - 1)::int)) as f (feature, value))
           end, x.score, b.class_labels ->> (x.label - 1),
             case when b.probabilities is not null then array(select unnest(b.probabilities[x.n : x.n])) end, null,
             case when b.keys -> (x.n - 1)::int ->> 0 is not null
               then array(select jsonb_array_elements_text(b.keys -> (x.n - 1)::int)) end,
           x.event_time
      from pgscore_data.shown_block b
     cross join lateral unnest(b.scores, b.labels, b.durations, b.event_times) with ordinality as x (score, label, duration, event_time, n)
  ) p;
comment on view pgscore.online_predictions is
  'What the service answered to score(), predict() and classify(): the caller''s own calls, and to a pgscore_deployer all of them; also '
  'those of transactions that were rolled back.';
comment on column pgscore.online_predictions.prediction_id is 'Number of the prediction.';
comment on column pgscore.online_predictions.model is 'Name of the model.';
comment on column pgscore.online_predictions.version is 'Number of the version.';
comment on column pgscore.online_predictions.requested_by is 'Who asked.';
comment on column pgscore.online_predictions.request_id is 'What the setting pgscore.request_id was when it was asked.';
comment on column pgscore.online_predictions.asked_at is 'When the question arrived; of calls alike, to within 10 ms.';
comment on column pgscore.online_predictions.duration_ms is 'Milliseconds until it was answered, in the service.';
comment on column pgscore.online_predictions.inputs is 'The features that were given.';
comment on column pgscore.online_predictions.score is 'The probability of the positive class, or the value.';
comment on column pgscore.online_predictions.label is 'The label.';
comment on column pgscore.online_predictions.probabilities is 'In the order of the class labels.';
comment on column pgscore.online_predictions.error is 'Why there is no prediction.';
comment on column pgscore.online_predictions.key is 'What the row was about, by which labels find it; NULL: it did not say.';
comment on column pgscore.online_predictions.event_time is
  'The time that the row said it is for; NULL: it did not say, and the prediction is for the moment of the call.';
