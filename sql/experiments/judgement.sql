-- Judges experiments, as far as labels are there.

create or replace view pgscore_data.experiment_metric as
select x.task, x.metric, coalesce(s.is_mean, false) as is_always_valid
  from (values
    ('binary', 'accuracy'), ('binary', 'precision_score'), ('binary', 'recall_score'), ('binary', 'f1_score'), ('binary', 'brier_score'),
    ('binary', 'log_loss'), ('binary', 'roc_auc'), ('multiclass', 'accuracy'), ('multiclass', 'log_loss'),
    ('regression', 'mae'), ('regression', 'rmse'), ('regression', 'mse')) x (task, metric)
  left join pgscore_data.compared_sum s using (metric);
comment on view pgscore_data.experiment_metric is
  'By which metrics the arms of an experiment are judged. is_always_valid: it is a mean, whose interval may be looked at daily; a '
  'metric that is no mean is judged once, when until has passed.';

create or replace function pgscore_data._experiment_is_final(e pgscore_data.experiment) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
return coalesce(e.stopped_at <= now() - interval '90 days', false);
comment on function pgscore_data._experiment_is_final(pgscore_data.experiment) is
  'Whether an experiment is judged no more, as it was stopped too long ago.';

create or replace view pgscore_data.experiment_due as
select e.experiment_id, j.judged_at, j.judge_seconds
  from pgscore_data.experiment e
  left join pgscore_data.experiment_judgement j using (experiment_id)
 where e.model_id not in (select u.model_id from pgscore_data.unread_labels u)
   and (not pgscore_data._experiment_is_final(e) or j.judged_at < e.stopped_at)
   and exists (select from pgscore_data.experiment_version x join pgscore_data.calibration_check c using (version_id)
                where x.experiment_id = e.experiment_id
                  and (j.judged_at is null or c.changed_at > j.judged_at or j.judged_at < least(now(), e.stopped_at) - interval '1 day'
                       or j.judged_at < e.until and e.until <= now()
                       or j.error is not null and j.judged_at < now() - interval '1 hour'));
comment on view pgscore_data.experiment_due is
  'Experiments that are to be judged: their labels changed, or a day has passed, after which older days may be mature; or '
  'they could not be judged an hour ago.';

create or replace function pgscore_data._sample_ratio_p_value(this pgscore_data.experiment) returns double precision
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  with first as (
    select distinct on (p.entity) p.stage, p.version_id from pgscore_data._arm_predictions(this, '-infinity', 'infinity') p
     order by p.entity, p.made_at, p.day
  ), counted as (
    select s.stage, s.version_id, (select sum(upper(r) - lower(r)) from unnest(s.buckets) r) / 10000.0 as share,
           (select count(*) from first f where f.stage = s.stage and f.version_id = s.version_id) as n
      from pgscore_data.experiment_share s where s.experiment_id = this.experiment_id
  ), tested as (
    select t.statistic, t.degrees
      from (select array_agg(c.n) as counts, array_agg(c.share::float8) as shares from counted c group by c.stage having sum(c.n) > 0) x
     cross join lateral pgscore_data._sample_ratio(x.counts, x.shares) t
  )
  select pgscore_data._chi2_p_value(sum(t.statistic), sum(t.degrees)::bigint) from tested t
   where this.kind <> 'shadow' and pgscore_data._other_key(this) is null
$$;
comment on function pgscore_data._sample_ratio_p_value(pgscore_data.experiment) is
'The p-value of how many entities with labels each arm has, against its buckets. An entity counts once, in the stage of its first '
'prediction, so that stages are independent. NULL of a shadow, and where entities are not known.';

create or replace function pgscore_data._collect_day(this pgscore_data.experiment, arm int, this_day timestamptz) returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  with day as materialized (
    -- A shadow scores rows after the champion, so perhaps on the next day.
    select p.*
      from pgscore_data._arm_predictions(this, this_day - case this.kind when 'shadow' then interval '25 hours' else '0' end, this_day) p
     where p.version_id in (arm, this.champion_version_id)
  ), placed as (
    select p.*, max(p.day) filter (where p.version_id = arm) over w as arm_day,
           max(p.day) filter (where p.version_id = this.champion_version_id) over w as champion_day
      from day p window w as (partition by p.entity, p.known_at, p.event_time)
  ), added as (
    insert into pgscore_data.compared_prediction (segment_id, is_other, entity, day, is_hit, is_positive, said_positive, error, bin, brier,
                                                  log_loss)
    select g.segment_id, p.version_id = this.champion_version_id, p.entity, p.day, p.actual_class = p.predicted_class,
           p.actual_class + 1 = x.positive_class, p.predicted_class + 1 = x.positive_class, p.error, p.bin,
           case when x.task = 'binary' then (1 - p.p_actual) ^ 2 end,
           -- greatest() and least() pass NULL by: there are scores that are no probabilities.
           case when p.p_actual is not null
             then - ln(greatest(2.220446049250313e-16, least(1 - 2.220446049250313e-16, p.p_actual))) end
      from placed p join pgscore_data.scored_version x using (version_id)
     cross join lateral unnest(case (select max(s.stage) from pgscore_data.experiment_share s where s.experiment_id = this.experiment_id)
                                 when 1 then array[0] else array[0, p.stage] end) g (segment_id)
     where this.kind <> 'shadow'
        or (p.arm_day is not null and p.champion_day is not null
          and this_day in (p.day, case p.version_id when arm then p.champion_day else p.arm_day end))
    returning 1
  )
  select count(*) from added
$$;
comment on function pgscore_data._collect_day(pgscore_data.experiment, int, timestamptz) is
  'Notes the predictions of an arm and of the champion of one day; of a shadow those of places where one label judges both.';

create or replace function pgscore_data._agreement(this pgscore_data.experiment, arm int) returns double precision
language sql stable
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
as $$
  with counted as materialized (
    select p.* from pgscore_data._arm_predictions(this, '-infinity', 'infinity') p
  )
  select avg((a.predicted_class = b.predicted_class)::int)
    from counted a join counted b using (entity, known_at)
   where this.kind = 'shadow' and a.version_id = arm and b.version_id = this.champion_version_id
     and a.event_time is not distinct from b.event_time
$$;
comment on function pgscore_data._agreement(pgscore_data.experiment, int) is
  'Of the places where one label judges both, the share in which a shadow and the champion said the same class; NULL of another experiment '
  'or a regression.';

create or replace function pgscore_data._within_shares(metric text, bound double precision) returns double precision
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
return case when metric in ('log_loss', 'mae', 'mse', 'rmse') then bound when bound < -1 then -1 when bound > 1 then 1 else bound end;
comment on function pgscore_data._within_shares(text, double precision) is
  'A bound of the difference of a metric of two arms: that of two shares lies between -1 and 1.';

create or replace function pgscore_data._compared_arms(is_shadow boolean)
returns table (is_other boolean, metric text, n bigint, entities bigint, value double precision, value_low double precision,
  value_high double precision, difference double precision, difference_low double precision, difference_high double precision,
  p_value double precision, always_valid_low double precision, always_valid_high double precision, always_valid_p_value double precision,
  n_evidence bigint)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  with found as materialized (
    select c.*
      from pgscore_data.compared_result c
      left join pgscore_data.compared_sum s using (metric)
     where c.segment_id = case when s.is_mean then 0 else (select max(p.segment_id) from pgscore_data.compared_prediction p) end
  ), arm as (
    select p.is_other, count(distinct p.entity) as entities
      from pgscore_data.compared_prediction p where p.segment_id = (select max(x.segment_id) from pgscore_data.compared_prediction x)
     group by p.is_other
  ), mean as materialized (
    select c.*, x.width * x.error as margin, pgscore_data._always_valid_p_value(c.difference / x.error, c.n_effective) as level
      from pgscore_data._contrast_arms(not is_shadow) c
     cross join lateral (
       select pgscore_data._always_valid_width(c.n_effective) as width,
              nullif(greatest(c.standard_error, c.pooled_error), 0) as error offset 0) x
  ), own as (
    select v.*, c.metric from found c
     cross join lateral (
       values (false, c.value, c.value_low, c.value_high, c.n), (true, c.other_value, c.other_low, c.other_high, c.other_n))
         v (is_other, value, low, high, n)
     where v.value is not null
  ), no_mean as (
    select c.metric, c.value - c.other_value as difference, c.low, c.high, floor(c.n_effective) * c.is_enough::int as n_effective
      from found c where c.metric not in (select m.metric from mean m)
  )
  select o.is_other, o.metric, o.n::bigint, coalesce(case when o.is_other then m.other_entities else m.entities end, w.entities),
         o.value, o.low, o.high,
         case when not o.is_other then coalesce(m.difference, d.difference) end,
         case when not o.is_other then pgscore_data._within_shares(o.metric,
           coalesce(m.difference - 1.959963984540054 * nullif(m.standard_error, 0), d.low)) end,
         case when not o.is_other then pgscore_data._within_shares(o.metric,
           coalesce(m.difference + 1.959963984540054 * nullif(m.standard_error, 0), d.high)) end,
         case when not o.is_other then pgscore_data._chi2_p_value(coalesce((m.difference / nullif(m.standard_error, 0)) ^ 2,
           -- An interval that is not symmetrical: by its half towards 0.
           (1.959963984540054 * d.difference
             / nullif(case when d.difference > 0 then d.difference - d.low else d.high - d.difference end, 0)) ^ 2), 1) end,
         case when not o.is_other then pgscore_data._within_shares(o.metric, m.difference - m.margin) end,
         case when not o.is_other then pgscore_data._within_shares(o.metric, m.difference + m.margin) end,
         case when not o.is_other then m.level end,
         coalesce(case when o.is_other then m.other_entities else m.entities end, d.n_effective::bigint)
    from own o left join arm w using (is_other) left join mean m using (metric) left join no_mean d using (metric);
end;
comment on function pgscore_data._compared_arms(boolean) is
'What an arm and the champion came to by each metric, over compared_prediction, and how far they are apart: with the interval for one '
'look, and the one that holds at all times. A metric that is no mean has no interval of the latter kind, and counts the newest stage.
n_evidence: by how many entities a verdict goes. For a metric that is no mean: how many independent predictions its predictions are '
'worth, or 0 if they are too few.';

create or replace function pgscore_data._judge_arm(this pgscore_data.experiment, arm int, srm_p_value double precision) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  judged constant timestamptz := (select max(r.day) from pgscore_data.experiment_result r
                                   where r.experiment_id = this.experiment_id and r.version_id = arm);
  agreement constant double precision := pgscore_data._agreement(this, arm);
  is_over constant boolean := coalesce(this.until <= least(now(), this.stopped_at), false);
  other_key constant text := pgscore_data._other_key(this);
  this_day timestamptz;
  added bigint;
begin
  truncate pgscore_data.compared_prediction;
  for this_day in
    select d.day from pgscore_data.experiment_day d where d.experiment_id = this.experiment_id and d.is_mature order by d.day
  loop
    -- Results of a day are of all days up to it, so the predictions of days that are judged already are needed, too.
    added := pgscore_data._collect_day(this, arm, this_day);
    continue when this_day < judged or added = 0 and this_day is distinct from judged;
    -- What was judged may have been forgotten since. Where keys differ, rows stay: their reason says so.
    delete from pgscore_data.experiment_result r
     where r.experiment_id = this.experiment_id and r.version_id = arm and r.day = this_day and other_key is null;
    insert into pgscore_data.experiment_result as r
      (experiment_id, version_id, metric, day, n, entities, value, value_low, value_high, difference, difference_low, difference_high,
       p_value, always_valid_low, always_valid_high, always_valid_p_value, agreement, verdict, reason)
    select this.experiment_id, case when c.is_other then this.champion_version_id else arm end, c.metric, this_day, c.n, c.entities,
           c.value, c.value_low, c.value_high, c.difference, c.difference_low, c.difference_high, c.p_value,
           c.always_valid_low, c.always_valid_high, c.always_valid_p_value, case when not c.is_other then agreement end,
           case when not c.is_other then v.verdict end, case when not c.is_other then v.reason end
      from (select x.*, max(x.n_evidence) filter (where x.is_other) over (partition by x.metric) as other_evidence
              from pgscore_data._compared_arms(this.kind = 'shadow') x) c
      join pgscore_data.scored_version e on e.version_id = arm
      join pgscore_data.experiment_metric k on k.task = e.task and k.metric = c.metric
     cross join lateral pgscore_data._experiment_verdict(c.metric, c.n_evidence, c.other_evidence,
       case when k.is_always_valid then c.always_valid_low else c.difference_low end,
       case when k.is_always_valid then c.always_valid_high else c.difference_high end, srm_p_value, k.is_always_valid or is_over) v
    on conflict (experiment_id, version_id, metric, day) do update set
      n = excluded.n, entities = excluded.entities,
      value = excluded.value, value_low = excluded.value_low, value_high = excluded.value_high,
      difference = excluded.difference, difference_low = excluded.difference_low, difference_high = excluded.difference_high,
      p_value = excluded.p_value, always_valid_low = excluded.always_valid_low, always_valid_high = excluded.always_valid_high,
      always_valid_p_value = excluded.always_valid_p_value, agreement = excluded.agreement, verdict = excluded.verdict,
      reason = excluded.reason;
  end loop;
  if other_key is not null then
    update pgscore_data.experiment_result r
       set difference_low = null, difference_high = null, p_value = null, always_valid_low = null, always_valid_high = null,
           always_valid_p_value = null, verdict = 'not_judged', reason = other_key
     where r.experiment_id = this.experiment_id and r.version_id = arm and r.reason is distinct from other_key;
  end if;
  truncate pgscore_data.compared_prediction;
end
$$;
comment on function pgscore_data._judge_arm(pgscore_data.experiment, int, double precision) is
  'Judges an arm up to each mature day that was not judged yet, and up to the newest one again.';

create or replace function pgscore_data._judge_experiment(patient boolean) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
set work_mem = '64MB'
as $$
declare
  began constant timestamptz := clock_timestamp();
  this pgscore_data.experiment;
  srm_p_value double precision;
  failure text;
begin
  select e.* into this from pgscore_data.experiment e join pgscore_data.experiment_due d using (experiment_id)
   where d.judged_at is null or not patient or began > d.judged_at + d.judge_seconds * interval '20 seconds'
   order by d.judged_at nulls first limit 1;
  if not found or not pgscore_data._take_turn('cells') then
    return false;
  end if;
  begin
    -- Of days that have no labels any more nothing is known.
    delete from pgscore_data.experiment_result r
     where r.experiment_id = this.experiment_id
       and not exists (select from pgscore_data.experiment_day d
                        where d.experiment_id = r.experiment_id and d.is_mature and d.day >= r.day);
    -- Each arm writes the row of the champion again, unless labels say no more of it.
    delete from pgscore_data.experiment_result r
     where r.experiment_id = this.experiment_id and r.version_id = this.champion_version_id
       and r.day = (select max(x.day) from pgscore_data.experiment_result x where x.experiment_id = this.experiment_id)
       and pgscore_data._other_key(this) is null;
    srm_p_value := pgscore_data._sample_ratio_p_value(this);
    perform pgscore_data._judge_arm(this, a.version_id, srm_p_value)
       from pgscore_data.experiment_arm a where a.experiment_id = this.experiment_id order by a.version_id;
  exception when lock_not_available then
    return false;
  when others then
    failure := sqlerrm;
    raise warning 'experiment % cannot be judged: %', this.experiment_id, failure;
  end;
  insert into pgscore_data.experiment_judgement as j (experiment_id, judged_at, judge_seconds, srm_p_value, error)
  values (this.experiment_id, began, extract(epoch from clock_timestamp() - began), srm_p_value, failure)
  on conflict (experiment_id) do update
    set judged_at = excluded.judged_at, judge_seconds = excluded.judge_seconds, srm_p_value = excluded.srm_p_value, error = excluded.error;
  return true;
end
$$;
comment on function pgscore_data._judge_experiment(boolean) is
  'Judges one experiment that is due. True where another may wait. patient: an experiment waits until twenty times as long has passed as '
  'its last judgement took.';
