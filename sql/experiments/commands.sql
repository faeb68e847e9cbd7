-- What users call to run an experiment.

create or replace function pgscore.start_experiment(
  model text, kind text, arms jsonb, split_by text[] default null, sampling double precision default null, until timestamptz default null
) returns int
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  insert into pgscore._command (action, model, options)
  values ('start_experiment', $1,
    jsonb_strip_nulls(jsonb_build_object('kind', $2, 'split_by', $4, 'sampling', $5, 'until', $6)) || jsonb_build_object('arms', $3))
  returning outcome::int
$$;
comment on function pgscore.start_experiment(text, text, jsonb, text[], double precision, timestamptz) is
'Has other versions of a model answer beside its champion. Returns the number of the experiment.
kind: canary or ab: each arm answers for a share of entities; shadow: the champion answers, and the arms score the same rows and calls '
'afterwards, for the history.
arms: versions, each with its percent of entities: {"churn@4": 10}; the champion has the rest. Of a shadow the percent is 100.
split_by: the columns of a row that say which entity it is of. A row that lacks one goes to the champion.
sampling: which share of entities a shadow scores (default 1).  until: when the service stops it.
A shadow scores calls that are kept with their inputs, see log_calls(). pgscore.experiments has how many, and why some have failed.
Until it is stopped, the champion can be neither promoted over nor rolled back.';

create or replace function pgscore.set_arms(model text, arms jsonb) returns jsonb
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  with done as (insert into pgscore._command (action, model, options) values ('set_arms', $1, jsonb_build_object('arms', $2))
                returning outcome)
  select outcome::jsonb from done
$$;
comment on function pgscore.set_arms(text, jsonb) is
'Gives arms of the running experiment larger shares of entities: set_arms(''churn'', ''{"churn@4": 25}''). Returns all arms.
Every entity of an arm stays in it: an arm only grows. Arms that are not named stay as they are.';

create or replace function pgscore.stop_experiment(
  model text, promote text default null, force boolean default false, reason text default null
) returns text
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  champion text;
begin
  if promote is null and (force or reason is not null) then
    raise exception 'force and reason are about a promotion' using errcode = 'invalid_parameter_value',
      hint = format('Name the arm: select pgscore.stop_experiment(%L, promote => ''…'', force => true, reason => ''…'');', model);
  end if;
  insert into pgscore._command (action, model, argument) values ('stop_experiment', model, promote) returning outcome into champion;
  if promote is not null then
    champion := pgscore.promote(promote, force, reason);
  end if;
  return champion;
end
$$;
comment on function pgscore.stop_experiment(text, text, boolean, text) is
'Stops the running experiment of a model: its champion answers for all entities. Returns the champion.
promote: the arm to promote, as promote() does: it must pass the gates of the model, or the experiment goes on.
force, reason: as promote() takes them.';

create or replace function pgscore_data._stop_due_experiments() returns setof text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  this record;
begin
  for this in
    select m.name from pgscore_data.experiment e join pgscore_data.model m using (model_id)
     where e.stopped_at is null and e.until <= clock_timestamp() for no key update skip locked
  loop
    insert into pgscore._command (action, model) values ('stop_experiment', this.name);
    return next this.name;
  end loop;
end
$$;
comment on function pgscore_data._stop_due_experiments() is
  'Stops experiments that were to run until now, as pgscore_owner; returns their models.';

create or replace function pgscore_data._arm(model text, key text, parts int) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  this pgscore_data.experiment;
  champion int;
begin
  champion := (pgscore._ready_version(model)).version_id;
  select e.* into this from pgscore_data.experiment e join pgscore_data.model m using (model_id)
   where model in (m.name, m.name || '@champion') and e.stopped_at is null and e.kind <> 'shadow';
  if this.experiment_id is not null and parts <> cardinality(this.split_by) then
    raise exception 'the experiment of model "%" splits by %', model, array_to_string(this.split_by, ', ') using
      errcode = 'invalid_parameter_value',
      hint = case when cardinality(this.split_by) = 1 then 'Give the key as one text, integer or uuid.'
               else format('Give a key of %s columns: select pgscore.arm(%L, array[%s]);', cardinality(this.split_by), model,
                           array_to_string(array_fill('''…'''::text, array[cardinality(this.split_by)]), ', ')) end;
  end if;
  return pgscore_models._version_name(coalesce(
    (select a.version_id from pgscore_data.experiment_arm a
      where a.experiment_id = this.experiment_id and a.buckets @> pgscore.bucket(this.salt, key)), champion));
end
$$;
comment on function pgscore_data._arm(text, text, int) is 'The arm of a key that is written as bucket() takes it, of so many columns.';

create or replace function pgscore.arm(model text, key text) returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$ select pgscore_data._arm($1, $2, 1) $$;
comment on function pgscore.arm(text, text) is
'The version that answers for an entity: arm(''churn'', ''42'') gives churn@4. It is the arm of pgscore.bucket(salt, key), with the salt '
'in pgscore.experiments. Without an experiment, in a shadow, or where key is NULL: the champion.
key: text, an integer or a uuid; of several columns an array of texts, in the order of split_by.';

create or replace function pgscore.arm(model text, key bigint) returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$ select pgscore_data._arm($1, $2::text, 1) $$;
comment on function pgscore.arm(text, bigint) is 'The version that answers for an entity whose key is an integer.';

create or replace function pgscore.arm(model text, key uuid) returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$ select pgscore_data._arm($1, $2::text, 1) $$;
comment on function pgscore.arm(text, uuid) is 'The version that answers for an entity whose key is a uuid.';

create or replace function pgscore.arm(model text, key text[]) returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select pgscore_data._arm($1, case when array_position($2, null) is null then array_to_string($2, E'\x1f') end, cardinality($2))
$$;
comment on function pgscore.arm(text, text[]) is 'The version that answers for an entity whose key is of several columns.';
