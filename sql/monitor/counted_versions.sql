-- What is counted: versions, and the values of those that give several a row, with their tasks and classes; which days are sealed;
-- which models labels can judge. Also the turn, by which one session at a time counts.

create or replace function pgscore_data._monitor_model() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into pgscore_data.monitor (model_id) values (new.model_id);
  return null;
end
$$;
comment on function pgscore_data._monitor_model() is 'Every model is watched, with defaults, without being asked for.';

create or replace trigger monitor_model after insert on pgscore_data.model
for each row execute function pgscore_data._monitor_model();

create or replace function pgscore_data._is_sealed(this_model int, event_time timestamptz) returns boolean
language sql stable
return event_time < (select m.sealed_before from pgscore_data.monitor m where m.model_id = this_model) is true;
comment on function pgscore_data._is_sealed(int, timestamptz) is 'Whether a day is sealed that a prediction is for.';

create or replace function pgscore_data._is_of_sealed_days(this_model int, key text[], known_at timestamptz) returns boolean
language sql stable
return (
  select bool_and(pgscore_data._is_sealed(e.model_id, e.event_time)) is true from pgscore_data.evaluation e
   where e.model_id = this_model and hash_array(e.key) = hash_array(_is_of_sealed_days.key) and e.key = _is_of_sealed_days.key
     and e.known_at = _is_of_sealed_days.known_at);
comment on function pgscore_data._is_of_sealed_days(int, text[], timestamptz) is
  'Whether a label judges only predictions of sealed days: what it says then stays.';

create or replace view pgscore_data.scored_version as
select e.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.score_unit from pgscore_data.execution e
union all
select d.version_id, d.task, d.class_labels, d.positive_class, d.threshold, d.probabilities, d.score_unit
  from pgscore_data.dropped_version d
union all
select n.value_id, n.task, case n.task when 'binary' then '{0,1}'::text[] else '{}' end, case n.task when 'binary' then 2 end, n.threshold,
       n.probabilities, null
  from pgscore_data.version_value n;
comment on view pgscore_data.scored_version is
  'What accuracy is read by, of versions that are ready, of those that were dropped, and of each value of a row that has several.';

create or replace view pgscore_data.counted_version as
select v.version_id, v.version_id as of_version, null::smallint as position, v.model_id, v.number, v.state, null::text as target,
       (select n.quantile from pgscore_data.version_value n where n.version_id = v.version_id and n.is_score) as quantile,
       (select max(n.quantile) - min(n.quantile) from pgscore_data.version_value n where n.version_id = v.version_id
        having count(n.quantile) = count(*) and count(*) > 1) as interval_level
  from pgscore_data.version v
union all
select n.value_id, n.version_id, n.position, v.model_id, v.number, v.state, n.name, n.quantile, null
  from pgscore_data.version_value n join pgscore_data.version v using (version_id);
comment on view pgscore_data.counted_version is
  'What has cells: each version, and by itself each value of a row that has several, which is a target of of_version.';

create or replace view pgscore_data.scored as
select r.run_id, r.attempt, r.version_id, r.state, r.snapshot_at, r.finished_at, r.counted from pgscore_data.run r
union all
select b.batch_id, 0, b.version_id, 'done', b.snapshot_at, b.kept_at, b.counted from pgscore_data.online_batch b;
comment on view pgscore_data.scored is 'What was scored together and has tallies: runs, and batches of calls as they were kept.';

create or replace function pgscore_data._take_turn(this_work text) returns boolean
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  select exists (select from pgscore_data.turn t where t.work = this_work for update skip locked);
end;
comment on function pgscore_data._take_turn(text) is 'Whether this transaction has the turn for a work now: false where another has it.';

create or replace function pgscore_data._await_turn(this_work text) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  select from pgscore_data.turn t where t.work = this_work for update;
end;
comment on function pgscore_data._await_turn(text) is 'Waits until this transaction has the turn for a work.';

create or replace function pgscore_data._can_have_labels(task text, score_unit text) returns boolean
language sql immutable parallel safe
return task <> 'embedding' and coalesce(score_unit not in ('distance', 'share'), true);
comment on function pgscore_data._can_have_labels(text, text) is
  'Whether a label can judge what a model says: not a vector, or clusters.';

create or replace function pgscore_data._require_can_have_labels(model text, task text, score_unit text) returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if task = 'embedding' then
    raise exception 'model "%" gives a vector, which no label judges', model using
      errcode = 'feature_not_supported',
      hint = 'Its volume, features and drift are watched without labels. Judge the model that takes the vector.';
  elsif score_unit in ('distance', 'share') then
    raise exception 'model "%" is a clustering: no label can say whether it is right', model using
      errcode = 'feature_not_supported', hint = 'Its volume, its clusters and the drift of its features are watched without labels.';
  end if;
end
$$;
comment on function pgscore_data._require_can_have_labels(text, text, text) is
  'Raises where no label can judge a model: it gives a vector, or clusters.';

create or replace function pgscore_data._model_family(model text, out model_id int, out task text, out class_labels text[],
                                                      out score_unit text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  select m.model_id, e.task, e.class_labels, e.score_unit
    into _model_family.model_id, _model_family.task, _model_family.class_labels, _model_family.score_unit
    from pgscore_data.model m join pgscore_data.version v on v.model_id = m.model_id
    join pgscore_data.execution e on e.version_id = v.version_id
   where m.name = model order by v.number desc limit 1;
  if not found then
    raise exception 'model "%" has no version that is ready', model using
      errcode = 'undefined_object', hint = 'select model, version, state, reason from pgscore.models; lists what there is. Labels belong '
                                           'to a model, not to one version of it: write churn, not churn@3.';
  end if;
end
$$;
comment on function pgscore_data._model_family(text) is 'A model by its bare name, with the task and classes of its newest version.';
