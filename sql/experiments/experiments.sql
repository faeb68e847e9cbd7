-- Experiments: starting, changing, stopping and listing them.

create or replace view pgscore.experiments with (security_barrier) as
select m.name as model, e.kind, e.stopped_at is null as is_running, pgscore_models._version_name(e.champion_version_id) as champion,
       (select jsonb_object_agg(pgscore_models._version_name(a.version_id), a.weight) from pgscore_data.experiment_arm a
         where a.experiment_id = e.experiment_id) as arms,
       e.split_by, e.sampling, e.salt, e.started_by, e.started_at, e.until, e.stopped_at,
       pgscore_models._version_name(e.promoted_version_id) as promoted, e.experiment_id,
       c.scored as calls_scored, c.waiting as calls_waiting, c.failed as calls_failed, c.skipped as calls_skipped,
       c.error as arm_error, c.error_at as arm_error_at,
       coalesce(k.without_key, case when exists (
         select from pgscore_data.experiment_logged_by_key x where x.experiment_id = e.experiment_id) then 0 end) as calls_without_key
  from pgscore_data.experiment e
  join pgscore_data.model m using (model_id)
  left join lateral (
    select sum(a.calls_scored)::bigint as scored, sum(a.calls_failed)::bigint as failed, sum(a.calls_skipped)::bigint as skipped,
           (select coalesce(sum(b.n_predictions), 0) from pgscore_data.shadow_batch b where b.experiment_id = e.experiment_id) as waiting,
           string_agg(format('%s: %s', pgscore_models._version_name(a.version_id), a.calls_error), '; ' order by a.version_id)
             filter (where a.calls_error is not null) as error,
           max(a.calls_error_at) as error_at
      from pgscore_data.experiment_arm a where a.experiment_id = e.experiment_id and e.kind = 'shadow' having count(*) > 0) c on true
  left join lateral (select sum(x.without_key)::bigint as without_key from pgscore_data.experiment_calls_without_key x
                      where x.experiment_id = e.experiment_id) k on true;
comment on view pgscore.experiments is
  'Which versions answer, or answered, for which share of entities beside the champion; of all models, as pgscore.models lists them.';
comment on column pgscore.experiments.model is 'Name of the model.';
comment on column pgscore.experiments.kind is 'canary, ab or shadow, as in start_experiment().';
comment on column pgscore.experiments.is_running is 'Whether it was not stopped yet.';
comment on column pgscore.experiments.champion is 'The version that answers for all entities of no arm.';
comment on column pgscore.experiments.arms is 'The other versions, each with its percent of entities.';
comment on column pgscore.experiments.split_by is 'The columns of a row that say which entity it is of.';
comment on column pgscore.experiments.sampling is 'Which share of entities a shadow scores.';
comment on column pgscore.experiments.salt is 'pgscore.bucket(salt, key) is the bucket of an entity.';
comment on column pgscore.experiments.started_by is 'The role that started it.';
comment on column pgscore.experiments.started_at is 'When it was started.';
comment on column pgscore.experiments.until is 'When the service stops it; NULL: when somebody does.';
comment on column pgscore.experiments.stopped_at is 'When it was stopped; NULL: it is running.';
comment on column pgscore.experiments.promoted is 'The version that was promoted when it was stopped.';
comment on column pgscore.experiments.experiment_id is 'Number of the experiment.';
comment on column pgscore.experiments.calls_scored is
  'Of a shadow: calls that its arms scored, too. A call of several rows counts for each. NULL of another kind, as the next five.';
comment on column pgscore.experiments.calls_waiting is 'Calls that its arms have yet to score.';
comment on column pgscore.experiments.calls_failed is 'Calls that an arm could not score: pgscore.online_predictions has the reasons.';
comment on column pgscore.experiments.calls_skipped is
  'Calls that no arm scores: kept without their inputs, past the backlog of 100,000, or given up as an arm hung or crashed thrice.';
comment on column pgscore.experiments.arm_error is 'Why calls last failed or were skipped.';
comment on column pgscore.experiments.arm_error_at is 'When that was.';
comment on column pgscore.experiments.calls_without_key is
'Of a split: kept calls of the champion, also by its number, whose rows did not say which entity they are of. The champion answers such '
'calls. NULL: a shadow, or calls are not kept with the columns of split_by: see log_calls(key => …).';

create or replace function pgscore_data._open_experiment(this_model int) returns pgscore_data.experiment
language sql stable
set search_path = pg_catalog, pg_temp
as $$ select e from pgscore_data.experiment e where e.model_id = this_model and e.stopped_at is null $$;
comment on function pgscore_data._open_experiment(int) is 'The experiment of a model that is running; NULL: there is none.';

create or replace function pgscore_data._running_experiment(this_model int, base text) returns pgscore_data.experiment
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  this constant pgscore_data.experiment := pgscore_data._open_experiment(this_model);
begin
  if this.experiment_id is null then
    raise exception 'model "%" has no experiment that is running', base using errcode = 'object_not_in_prerequisite_state',
      hint = 'select * from pgscore.experiments; lists those that there were.';
  end if;
  return this;
end
$$;
comment on function pgscore_data._running_experiment(int, text) is 'The experiment of a model that is running; raises where there is none.';

create or replace function pgscore_data._refuse_experiment(this_model int, base text, action text, this_version int) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  this constant pgscore_data.experiment := pgscore_data._open_experiment(this_model);
begin
  if this.experiment_id is null or action = 'promote' and this_version = this.champion_version_id
    or action = 'drop_version' and this_version not in (
      select a.version_id from pgscore_data.experiment_arm a where a.experiment_id = this.experiment_id) then
    return;
  end if;
  raise exception 'model "%" has an experiment that is running', base using errcode = 'object_not_in_prerequisite_state',
    detail = case action when 'drop_version' then format('%s is an arm of it.', pgscore_models._version_name(this_version))
               when 'drop_model' then 'Its versions answer in it.' else 'Its champion stays until it is stopped.' end,
    hint = case when action = 'promote' and this_version in (
               select a.version_id from pgscore_data.experiment_arm a where a.experiment_id = this.experiment_id)
               then format('select pgscore.stop_experiment(%L, promote => %L);', base, pgscore_models._version_name(this_version))
             else format('select pgscore.stop_experiment(%L); first.', base) end;
end
$$;
comment on function pgscore_data._refuse_experiment(int, text, text, int) is
  'Raises where an experiment that is running does not let a model be changed so.';

create or replace function pgscore_data._wrong_experiment(options jsonb, split_by text[], out wrong text, out remedy text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if coalesce(options ->> 'kind' not in ('canary', 'ab', 'shadow'), true) then
    wrong := format('there is no kind %s', coalesce(quote_literal(options ->> 'kind'), 'NULL'));
    remedy := 'Kinds are canary, ab and shadow.';
  elsif options ->> 'kind' = 'shadow' and split_by <> '{}' then
    wrong := 'a shadow has no split_by';
    remedy := 'The champion answers for all entities; sampling => 0.2 has the shadow score a fifth of the rows.';
  elsif options ->> 'kind' <> 'shadow' and split_by = '{}' then
    wrong := 'it needs split_by';
    remedy := 'Name the columns of a row that say which entity it is of: split_by => ''{customer_id}''.';
  elsif jsonb_path_exists(options -> 'split_by', 'strict $[*] ? (@.type() == "array")') then
    wrong := 'split_by is no list of column names';
    remedy := 'Give, for example, split_by => ''{customer_id,day}''.';
  elsif (select count(*) <> count(distinct nullif(c, '')) from unnest(split_by) c) then
    wrong := 'split_by names a column twice, or one without a name';
    remedy := 'Name each column once.';
  elsif options ->> 'kind' <> 'shadow' and options ? 'sampling' then
    wrong := 'only a shadow has sampling';
    remedy := 'The weight of an arm says which percent of entities it has.';
  elsif (options ->> 'sampling')::double precision not between 1e-6 and 1 then
    wrong := 'sampling is a share above 0, at most 1';
    remedy := 'sampling => 0.2 has the shadow score a fifth of the rows.';
  elsif (options ->> 'until')::timestamptz <= clock_timestamp() then
    wrong := 'until has passed';
    remedy := 'Give, for example, until => now() + interval ''14 days''.';
  end if;
end
$$;
comment on function pgscore_data._wrong_experiment(jsonb, text[]) is
  'Why an experiment makes no sense, and what to do; NULL where it does.';

create or replace function pgscore_data._start_experiment(this_model int, base text, options jsonb, actor name) returns int
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  split_by constant text[] := array(select c from jsonb_array_elements_text(coalesce(options -> 'split_by', '[]'))
                                      with ordinality x (c, n) order by n);
  problem constant record := pgscore_data._wrong_experiment(options, split_by);
  champion constant int := (pgscore._ready_version(base)).version_id;
  this pgscore_data.experiment := pgscore_data._open_experiment(this_model);
begin
  if this.experiment_id is not null then
    raise exception 'model "%" has an experiment that is running already', base using errcode = 'object_not_in_prerequisite_state',
      hint = format('select pgscore.set_arms(%1$L, …); changes it, and select pgscore.stop_experiment(%1$L); stops it.', base);
  elsif problem.wrong is not null then
    raise exception 'an experiment of model "%" cannot be started: %', base, problem.wrong using errcode = 'invalid_parameter_value',
      hint = problem.remedy;
  end if;
  insert into pgscore_data.experiment (model_id, kind, salt, split_by, sampling, champion_version_id, until, started_by)
  values (this_model, options ->> 'kind', gen_random_uuid(), split_by, coalesce((options ->> 'sampling')::double precision, 1), champion,
          (options ->> 'until')::timestamptz, actor)
  returning * into this;
  update pgscore_data.experiment e set salt = base || '/' || e.experiment_id where e.experiment_id = this.experiment_id;
  perform pgscore_data._set_arms(this, base, options -> 'arms');
  perform pgscore_data._warn_of_arms(this, base);
  if pgscore_data._other_key(this) is not null then
    raise notice 'no arm of this experiment will be judged: %', pgscore_data._other_key(this) using
      hint = 'Split by columns of the key of the labels: names count.';
  end if;
  if not exists (select from pgscore_data.scored_version s join pgscore_data.experiment_metric k using (task)
                  where s.version_id = champion and pgscore_data._can_have_labels(s.task, s.score_unit)) then
    raise notice 'pgscore_bi.experiment_results will have no results of model "%": it does not give one value a row that labels judge', base
      using hint = 'The views of accuracy in pgscore_bi have it by version and target: let a shadow score the same rows.';
  end if;
  return this.experiment_id;
end
$$;
comment on function pgscore_data._start_experiment(int, text, jsonb, name) is 'Starts an experiment; returns its number.';

create or replace function pgscore_data._change_arms(this_model int, base text, arms jsonb) returns int
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this constant pgscore_data.experiment := pgscore_data._running_experiment(this_model, base);
  other text;
begin
  select w.version into other from pgscore_data._arm_weights(arms) w
   where not exists (select from pgscore_data.experiment_arm a
                      where a.experiment_id = this.experiment_id and a.version_id = (pgscore._find_version(w.version)).version_id);
  if other is not null then
    raise exception 'version "%" is no arm of the experiment of model "%"', other, base using errcode = 'undefined_object',
      detail = format('Its arms are %s.', (select string_agg(pgscore_models._version_name(a.version_id), ', ' order by a.version_id)
                                             from pgscore_data.experiment_arm a where a.experiment_id = this.experiment_id)),
      hint = 'An experiment keeps its arms: stop it, and start another with this one.';
  end if;
  perform pgscore_data._set_arms(this, base, arms);
  return this.experiment_id;
end
$$;
comment on function pgscore_data._change_arms(int, text, jsonb) is
  'Gives arms of the running experiment larger shares; returns its number.';

create or replace function pgscore_data._stop_experiment(this_model int, base text, promote text) returns int
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this constant pgscore_data.experiment := pgscore_data._running_experiment(this_model, base);
  promoted int;
begin
  if promote is not null then
    promoted := (pgscore._find_version(promote)).version_id;
    if promoted <> this.champion_version_id and not exists (
      select from pgscore_data.experiment_arm a where a.experiment_id = this.experiment_id and a.version_id = promoted) then
      raise exception 'version "%" is no arm of the experiment of model "%"', promote, base using errcode = 'invalid_parameter_value',
        hint = format('Stop it, then promote the version: select pgscore.stop_experiment(%L); select pgscore.promote(%L);', base, promote);
    end if;
  end if;
  update pgscore_data.experiment e set stopped_at = clock_timestamp(), promoted_version_id = promoted
   where e.experiment_id = this.experiment_id;
  return this.experiment_id;
end
$$;
comment on function pgscore_data._stop_experiment(int, text, text) is 'Stops the running experiment; returns its number.';

create or replace function pgscore_data._experiment_outcome(this_experiment int, action text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select case action when 'start_experiment' then e.experiment_id::text
           when 'set_arms' then (select jsonb_object_agg(pgscore_models._version_name(a.version_id), a.weight)
                                   from pgscore_data.experiment_arm a where a.experiment_id = e.experiment_id)::text
           else pgscore_models._version_name(e.champion_version_id) end
    from pgscore_data.experiment e where e.experiment_id = this_experiment
$$;
comment on function pgscore_data._experiment_outcome(int, text) is 'What a command on an experiment returns.';
