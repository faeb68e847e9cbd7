-- Commands on models: promoting, rolling back, naming, renaming and dropping; and the trigger that executes every command.

create or replace view pgscore._command as
select null::text as action, null::text as model, null::text as argument, null::text as outcome, null::name as requested_by,
       null::jsonb as options
 where false;
comment on view pgscore._command is
  'Where the functions that change models hand their request over: requested_by is the caller, and nobody can write it.';
alter view pgscore._command alter column requested_by set default current_user;

create or replace function pgscore_data._name_alias() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  new.model_name := (select m.name from pgscore_data.model m where m.model_id = new.model_id);
  return new;
end
$$;
comment on function pgscore_data._name_alias() is 'Gives an alias the name of its model.';

create or replace trigger name_alias before insert on pgscore_data.alias
for each row execute function pgscore_data._name_alias();

create or replace function pgscore_data._set_alias(this_version int, this_alias text) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.promotion (model_id, version_id)
  select v.model_id, v.version_id from pgscore_data.version v where v.version_id = this_version and this_alias = 'champion'
     and not exists (select from pgscore_data.alias a
                      where a.model_id = v.model_id and a.alias = 'champion' and a.version_id = v.version_id);
  insert into pgscore_data.alias (model_id, alias, version_id)
  select v.model_id, this_alias, v.version_id from pgscore_data.version v where v.version_id = this_version
  on conflict (model_id, alias) do update set version_id = excluded.version_id;
  insert into pgscore_data.alert_due (version_id) select this_version where this_alias = 'champion';
end;
comment on function pgscore_data._set_alias(int, text) is
  'Points an alias at a version; a new champion is also written to the list that rollback goes down, and rules look at it next.';

create or replace function pgscore_data._change_alias(version record, alias text, actor name, options jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  name constant text := version.model_name || '@' || version.number;
begin
  if alias is null or alias !~ '^[[:alpha:]_][[:alnum:]_.-]*$' or octet_length(alias) > 50 then
    raise exception 'alias % cannot be used', coalesce(quote_literal(alias), 'NULL') using
      errcode = 'invalid_name', hint = 'Begin with a letter or _, go on with letters, digits, _, - and ., 50 bytes at most.';
  elsif alias = 'champion' then
    perform pgscore_data._refuse_experiment(version.model_id, version.model_name, 'promote', version.version_id);
    perform pgscore_data._refuse_unfitting(version.model_id, version.version_id, name);
    options := pgscore_data._pass_gates(version.version_id, name, actor, options);
  end if;
  perform pgscore_data._set_alias(version.version_id, alias);
  perform pgscore_data._warn_of_targets(version.version_id, alias,
    case alias when 'champion' then format('select pgscore.rollback(%L);', version.model_name)
      else format('select pgscore.set_alias(''%s@N'', %L);', version.model_name, alias) end);
  return options;
end
$$;
comment on function pgscore_data._change_alias(record, text, name, jsonb) is
  'Promotes a version, or points another alias at it; raises where an experiment, a bound table or a gate forbids it. Returns what the '
  'audit says of it.';

create or replace function pgscore_data._rollback(this_model int) returns int
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  previous record;
  base text := (select m.name from pgscore_data.model m where m.model_id = this_model);
  present int;
begin
  update pgscore_data.promotion p set rolled_back = true
   where p.promotion_id = (select max(l.promotion_id) from pgscore_data.promotion l where l.model_id = this_model and not l.rolled_back)
  returning p.version_id into present;
  select p.version_id, v.number into previous
    from pgscore_data.promotion p join pgscore_data.version v using (version_id)
   where p.model_id = this_model and not p.rolled_back order by p.promotion_id desc limit 1;
  if not found then
    raise exception 'model "%" has no earlier champion to go back to', base using
      errcode = 'object_not_in_prerequisite_state', hint = format('select pgscore.promote(''%s@N''); names a version.', base);
  end if;
  update pgscore_data.alias a set version_id = previous.version_id where a.model_id = this_model and a.alias = 'champion';
  insert into pgscore_data.alert_due (version_id) values (previous.version_id);
  perform pgscore_data._warn_of_targets(previous.version_id, 'champion',
    format('select pgscore.promote(%L);', pgscore_models._version_name(present)));
  return previous.number;
end
$$;
comment on function pgscore_data._rollback(int) is 'Makes the champion before the present one champion again; returns its number.';

create or replace function pgscore_data._rename_model(this_model int, old_name text, new_name text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  update pgscore_data.model m set name = new_name where m.model_id = this_model;
  if not exists (select from pgscore_data.binding b where b.model_id = this_model) then
    perform pgscore_data._drop_unless_used(f.function::text) from pgscore_data._typed_functions(this_model, old_name) f
      where pgscore_data._may_name(f.function);
  end if;
  -- Also those of a model that is no longer bound: a table may use what is left.
  if exists (select from pgscore_data.binding b where b.model_id = this_model)
    or exists (select from pgscore_data._typed_functions(this_model, old_name)) then
    perform pgscore_data._rename_bound(this_model, old_name, new_name);
    -- Before others see the new name, by which the functions of rows call these.
    perform pgscore_data._renew_scores(this_model);
  end if;
  perform pgscore_data._renew_bindings(this_model);
  update pgscore_data.schedule s set model = new_name || substr(s.model, length(old_name) + 1)
   where split_part(s.model, '@', 1) = old_name;
exception
  when unique_violation then
    raise exception 'model "%" already exists', new_name using errcode = 'duplicate_object', hint = 'Choose another name.';
  when duplicate_function or reserved_name then
    raise exception '%', sqlerrm using errcode = sqlstate, hint = 'Choose another name.';
  when check_violation or not_null_violation then
    raise exception 'model name % cannot be used', coalesce(quote_literal(new_name), 'NULL') using
      errcode = 'invalid_name', hint = 'Begin with a letter or _, go on with letters, digits, _, - and ., 50 bytes at most.';
end
$$;
comment on function pgscore_data._rename_model(int, text, text) is 'Renames a model; the schedules that name it follow.';

create or replace function pgscore_data._execute_command() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  base text := split_part(new.model, '@', 1);
  this_model int;
  version record;
  experiment int;
begin
  select m.model_id into this_model from pgscore_data.model m where m.name = base for no key update;
  if new.action in ('drop_version', 'drop_model') then
    perform pgscore_data._outdate_snapshots(this_model);
  end if;
  if new.action in ('promote', 'set_alias', 'drop_version') or this_model is null then
    version := pgscore._find_version(new.model);
    if new.action in ('promote', 'set_alias') and version.state <> 'ready' then
      perform pgscore._ready_version(new.model);
    end if;
  end if;
  if new.model <> base and new.action not in ('promote', 'set_alias', 'drop_version') then
    raise exception '% takes a whole model, not version %', new.action, new.model using errcode = 'invalid_parameter_value',
      hint = format('Name the model: %L.', base)
        || case new.action when 'drop_model' then format(' Of one version: select pgscore.drop_version(%L);', new.model) else '' end;
  end if;
  new.outcome := base;
  case new.action
    when 'promote', 'set_alias' then
      new.outcome := base || '@' || version.number;
      new.options := pgscore_data._change_alias(version, case new.action when 'promote' then 'champion' else new.argument end,
                                                new.requested_by, new.options);
    when 'rollback' then
      perform pgscore_data._refuse_experiment(this_model, base, 'rollback', null);
      new.outcome := base || '@' || pgscore_data._rollback(this_model);
    when 'drop_version' then
      new.outcome := base || '@' || version.number;
      perform pgscore_data._refuse_experiment(this_model, base, 'drop_version', version.version_id);
      perform pgscore_data._drop_version(version.version_id, new.outcome);
    when 'rename_model' then
      perform pgscore_data._rename_model(this_model, base, new.argument);
      new.outcome := new.argument;
    when 'drop_model' then
      perform pgscore_data._refuse_experiment(this_model, base, 'drop_model', null);
      perform pgscore_data._drop_model(this_model, base);
    when 'set_gate' then
      new.argument := pgscore_data._set_gate(base, new.argument, new.options, new.requested_by);
    when 'drop_gate' then
      perform pgscore_data._drop_gate(this_model, base, new.argument);
    when 'start_experiment' then
      experiment := pgscore_data._start_experiment(this_model, base, new.options, new.requested_by);
    when 'set_arms' then
      experiment := pgscore_data._change_arms(this_model, base, new.options -> 'arms');
    when 'stop_experiment' then
      experiment := pgscore_data._stop_experiment(this_model, base, new.argument);
    when 'grant_model', 'revoke_model' then
      perform pgscore_data._change_grant(this_model, base, new.argument, new.requested_by, new.action = 'grant_model');
    else
      raise exception 'unknown command %', new.action using errcode = 'invalid_parameter_value';
  end case;
  if experiment is not null then
    perform pgscore_data._renew_route(this_model);
  end if;
  if experiment is not null or new.action in ('promote', 'set_alias', 'rollback') then
    perform pgscore_data._renew_bindings(this_model);
    perform pgscore_data._wake('models');
  end if;
  if experiment is not null then
    new.options := coalesce(new.options, '{}') || jsonb_build_object('experiment', experiment);
  end if;
  insert into pgscore_data.audit (actor, action, model, version, sha256, detail)
  select new.requested_by, new.action, base, number,
         (select v.sha256 from pgscore_data.version v where v.model_id = this_model and v.number = n.number),
         jsonb_strip_nulls(jsonb_build_object('argument', new.argument)) || coalesce(new.options - 'golden', '{}')
    from (select nullif(split_part(new.outcome, '@', 2), '')::int as number) n;
  if new.action in ('set_gate', 'drop_gate') then
    new.outcome := new.argument;
  elsif experiment is not null then
    new.outcome := pgscore_data._experiment_outcome(experiment, new.action);
  end if;
  return new;
end
$$;
comment on function pgscore_data._execute_command() is 'Carries out a change of a model and writes its audit row.';

create or replace trigger execute instead of insert on pgscore._command
for each row execute function pgscore_data._execute_command();

create or replace function pgscore._run_command(action text, model text, argument text) returns text
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._command (action, model, argument) values ($1, $2, $3) returning outcome $$;
comment on function pgscore._run_command(text, text, text) is 'Hands a change of a model over as the caller.';

create or replace function pgscore.promote(version text, force boolean default false, reason text default null) returns text
language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  promoted text;
begin
  if force and reason !~ '\S' is not false then
    raise exception 'a promotion that is forced needs a reason' using errcode = 'invalid_parameter_value',
      hint = 'Add reason => ''…''. It is written to pgscore.audit.';
  end if;
  insert into pgscore._command (action, model, options)
  values ('promote', version, jsonb_strip_nulls(jsonb_build_object('force', nullif(force, false), 'reason', reason)))
  returning outcome into promoted;
  return promoted;
end
$$;
comment on function pgscore.promote(text, boolean, text) is
'Makes a ready version, such as churn@2, the champion of its model: the one that a bare model name means. Returns the version.
Refused where it does not pass the gates of the model (pgscore.check_gates).  force: promote it all the same.
reason: why, for pgscore.audit; needed with force.';

create or replace function pgscore.rollback(model text) returns text
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ select pgscore._run_command('rollback', model, null) $$;
comment on function pgscore.rollback(text) is
  'Makes the champion before the present one champion again, whatever the gates say; called again, it goes further back. '
  'Returns the version.';

create or replace function pgscore.set_alias(version text, alias text) returns text
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ select pgscore._run_command('set_alias', version, alias) $$;
comment on function pgscore.set_alias(text, text) is
  'Points an alias, such as challenger, at a ready version; it is then known as churn@challenger. Returns the version. '
  'champion is refused as by promote().';

create or replace function pgscore.drop_version(version text) returns text
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ select pgscore._run_command('drop_version', version, null) $$;
comment on function pgscore.drop_version(text) is
  'Drops a version; refused while an alias, a schedule or an open run uses it. Past predictions stay. Its number is never given again.';

create or replace function pgscore.drop_model(model text) returns text
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ select pgscore._run_command('drop_model', model, null) $$;
comment on function pgscore.drop_model(text) is
  'Drops a model with its versions, aliases and source of labels; refused while a schedule or an open run uses it. Past predictions stay.';

create or replace function pgscore.rename_model(model text, new_name text) returns text
language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ select pgscore._run_command('rename_model', model, new_name) $$;
comment on function pgscore.rename_model(text, text) is 'Renames a model; versions, aliases and schedules follow. Returns the new name.';
