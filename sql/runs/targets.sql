-- Targets, and the views that users read.

create or replace view pgscore._target_request with (security_barrier) as
select t.view_schema, t.view_name, t.task, t.key_columns, t.class_labels, t.target_id, t.owner as requested_by, t.score_unit, t.is_replay
from pgscore_data.target t where pg_has_role(to_regrole(quote_ident(t.owner)), 'usage');
comment on view pgscore._target_request is
  'The caller''s own targets; inserting one makes its storage. requested_by is the caller, and nobody can write it.';
alter view pgscore._target_request alter column requested_by set default current_user;

create or replace function pgscore_data._key_types(key_columns jsonb) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  k record;
  checked jsonb := '[]';
begin
  for k in select x ->> 'name' as name, to_regtype(x ->> 'sql_type') as type
    from jsonb_array_elements(key_columns) with ordinality as x (x, n) order by n loop
    if k.name is null or not coalesce(pgscore._key_type_allowed(k.type), false) then
      raise exception 'key column % cannot be stored', coalesce(quote_literal(k.name), 'NULL') using
        errcode = 'datatype_mismatch', hint = 'Submit runs with pgscore.score_table().';
    end if;
    checked := checked || jsonb_build_object('name', k.name, 'sql_type', format_type(k.type, -1));
  end loop;
  return checked;
end
$$;
comment on function pgscore_data._key_types(jsonb) is
  'The key of a target with its types as the catalogue spells them: what a caller wrote never becomes part of a statement.';

create or replace function pgscore._value_columns(task text, class_labels text[], score_unit text default null) returns text[]
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    when task in ('multi_target', 'quantiles') then class_labels
    when task = 'embedding' then '{embedding}'
    when task = 'multilabel' then
      array(select p || l from unnest('{probability_,label_}'::text[]) with ordinality as x (p, m)
             cross join unnest(class_labels) with ordinality as y (l, n) order by m, n)
    when score_unit = 'anomaly' or score_unit = 'margin' and cardinality(class_labels) = 2 then '{}'
    when cardinality(class_labels) <= 20 and not exists (select from unnest(class_labels) c where octet_length(prefix || c) > 63)
      then array(select prefix || c from unnest(class_labels) with ordinality as x (c, n) order by n)
    when score_unit is not null then '{}'
  end
  from (select coalesce(score_unit, 'probability') || '_') x (prefix)
$$;
comment on function pgscore._value_columns(text, text[], text) is
  'Columns for the values of a row, or for the probability or margin of each class. More than 20 classes have none: NULL if one jsonb '
  'column holds their probabilities, empty if they have margins. Two classes have one margin, the score.';

create or replace function pgscore_data._create_storage() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  t pgscore_data.target;
begin
  if coalesce(new.view_name, '') = '' then
    raise exception 'target => % cannot be used', coalesce(quote_literal(new.view_name), 'NULL')
      using errcode = 'invalid_name', hint = 'It names the view that shows the predictions: any name of 1 to 55 bytes.';
  elsif to_regnamespace(quote_ident(new.view_schema)) is null then
    raise exception 'target_schema => % does not exist', quote_literal(new.view_schema)
      using errcode = 'invalid_schema_name', hint = 'Name a schema that you may create views in: target_schema => ''...''.';
  elsif (select n.nspowner = 'pgscore_owner'::regrole from pg_namespace n where n.nspname = new.view_schema) then
    raise exception 'target_schema => % is a schema of pgscore', quote_literal(new.view_schema) using
      errcode = 'insufficient_privilege', hint = 'Name a schema of yours: target_schema => ''...''; pgscore uninstall drops what is in '
                                                 'its own.';
  elsif not has_schema_privilege(new.requested_by, new.view_schema, 'create') then
    raise exception 'permission denied for schema %', new.view_schema using
      errcode = 'insufficient_privilege', hint = format('Name a schema that you may create views in: target_schema => ''...''; or: grant '
                                                        'create on schema %I to %I;', new.view_schema, new.requested_by);
  end if;
  insert into pgscore_data.target (owner, view_schema, view_name, task, key_columns, class_labels, value_columns, score_unit, is_replay)
  values (new.requested_by, new.view_schema, new.view_name, new.task, pgscore_data._key_types(new.key_columns), new.class_labels,
          pgscore._value_columns(new.task, new.class_labels, new.score_unit), new.score_unit, coalesce(new.is_replay, false))
  returning * into t;
  perform pgscore_data._create_predictions(t);
  perform pgscore_data._storage_view(t, '_latest',
    format('p.generation = (select x.current_generation from pgscore_data.target x where x.target_id = %s)', t.target_id));
  perform pgscore_data._storage_view(t, '_history',
                                     format('p.generation in (select g.generation from pgscore_data.generation g where g.target_id = %s '
                                            'and g.state = ''published'')', t.target_id));
  perform pgscore_data._grant_storage_on_citus(t);
  new.target_id := t.target_id;
  return new;
exception
  when unique_violation then
    if exists (select from pgscore_data.target x
                where x.view_schema = new.view_schema and x.view_name = new.view_name and x.owner = new.requested_by) then
      raise exception 'target %.% was made by another session of yours just now', new.view_schema, new.view_name using
        errcode = 'object_in_use', hint = 'Submit the run again.';
    end if;
    raise exception 'target %.% belongs to another role', new.view_schema, new.view_name using
      errcode = 'insufficient_privilege', hint = 'Choose another name: target => ''...''.';
end
$$;
comment on function pgscore_data._create_storage() is
  'Makes the storage of a new target: its table and the views over it.';

create or replace trigger create_storage instead of insert on pgscore._target_request
for each row execute function pgscore_data._create_storage();

create or replace function pgscore._create_user_view(target_schema name, view_name name, storage_view text, what text, task text,
                                                     names text[], score_unit text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  col text;
begin
  if to_regclass(format('%I.%I', target_schema, view_name)) is not null then
    raise exception '"%.%" already exists and is not a target', target_schema, view_name using
      errcode = 'duplicate_table', hint = 'Choose another name for the predictions (target => ''...''), or drop or rename what stands '
                                          'there.';
  end if;
  execute format('create view %I.%I as select * from pgscore_predictions.%I', target_schema, view_name, storage_view);
  execute format('comment on view %I.%I is %L', target_schema, view_name, what);
  for col in select a.attname from pg_attribute a
    where a.attrelid = format('%I.%I', target_schema, view_name)::regclass and a.attnum > 0 loop
    execute format('comment on column %I.%I.%I is %L', target_schema, view_name, col, case
      when task = 'embedding' and col = 'embedding' then 'The vector of the row. NULL if it could not be computed.'
      when task = 'multi_target' and col = any (names) then format('The predicted value of %s.', col)
      when task = 'quantiles' and col = any (names) then format('Quantile %s of the prediction.', col)
      when task = 'multilabel' and col like 'label\_%' then
        format('Whether label %s applies: by the threshold of the version, or as the model itself has it.', substr(col, 7))
      when task = 'multilabel' and col like 'probability\_%' then format('Probability of label %s.', substr(col, 13))
      when col = 'score' and task = 'quantiles' then 'The predicted value: the middle quantile. NULL if the row could not be scored.'
      when col = 'score' and score_unit is not null then case score_unit
        when 'margin' then 'Margin, no probability: the decision score of the positive class (binary), larger the surer, or of the '
                           'predicted class (multiclass).'
        when 'distance' then 'Distance to the centre of the cluster that the label names.'
        when 'share' then 'Share of the row, from 0 to 1, that the component of the label has.'
        when 'anomaly' then 'How odd the row is: the decision function with its sign exchanged, above 0 for an anomaly (label -1).'
        end || ' NULL if the row could not be scored.'
      when col = 'score' then 'Probability of the positive class (binary), the predicted value (regression), or the probability of the '
                              'label (multiclass). NULL if the row could not be scored.'
      when col = 'label' then 'The predicted class: by the threshold of the version, or as the model itself has it.'
      when col = 'probabilities' then 'Probability of each class, by its label.'
      when col like 'probability\_%' then format('Probability of class %s.', substr(col, 13))
      when col like 'margin\_%' and score_unit = 'margin' then format('Margin of class %s.', substr(col, 8))
      when col like 'distance\_%' and score_unit = 'distance' then format('Distance to the centre of cluster %s.', substr(col, 10))
      when col like 'share\_%' and score_unit = 'share' then format('Share of component %s.', substr(col, 7))
      when col = 'error_code' then 'Why the row could not be scored; pgscore.run_errors says more.'
      when col = 'model_version' then 'The version that made the prediction, such as churn@3.'
      when col = 'run_id' then 'The run that made it; see pgscore.runs.'
      when col = 'event_time' then 'The time the prediction is for: the source''s event_time column, else the time of the snapshot.'
      when col = 'scored_at' then 'The time of the snapshot that the row was read from.'
      else 'Key of the source row.' end);
  end loop;
end
$$;
comment on function pgscore._create_user_view(name, name, text, text, text, text[], text) is
  'Makes a view over a target''s predictions as the caller, who owns it and grants it on.';

create or replace function pgscore._refuse_long_target(target text) returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if octet_length(target) > 55 then
    raise exception 'target name "%" is longer than 55 bytes', target
      using errcode = 'name_too_long', hint = 'Choose a shorter one: target => ''…''; the history view appends _history to it.';
  end if;
end
$$;
comment on function pgscore._refuse_long_target(text) is 'Raises if the name of a target is too long for the names of its views.';

create or replace function pgscore._ensure_target(
  target_schema name, target name, signature jsonb, keys jsonb, is_replay boolean default false
) returns int
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  labels text[] := pgscore._output_names(signature);
  task text := signature ->> 'task';
  taken text;
  unit text := signature -> 'outputs' -> 'margins' ->> 'unit';
  known record;
  id int;
begin
  keys := (select jsonb_agg(jsonb_build_object('name', k ->> 'name', 'sql_type', k ->> 'sql_type') order by n)
             from jsonb_array_elements(keys) with ordinality as x (k, n));
  perform pgscore._refuse_long_target(target);
  select k ->> 'name' into taken from jsonb_array_elements(keys) k
   where k ->> 'name' = any (pgscore._value_columns(task, labels, unit)) limit 1;
  if taken is not null then
    raise exception 'column "%" is the key of the source and a value of the model', taken using errcode = 'duplicate_column',
      hint = 'Score a view that names the key otherwise, or deploy the model with other names: targets => ''{…}''.';
  end if;
  select t.target_id, t.task, t.key_columns, t.class_labels, t.score_unit, t.is_replay into known
    from pgscore._target_request t where t.view_schema = target_schema and t.view_name = target;
  if known.target_id is null then
    if strpos(target, '.') > 0 and exists (select from pg_namespace n where n.nspname = split_part(target, '.', 1)) then
      raise exception 'target => % has a schema in its name', quote_literal(target) using errcode = 'invalid_name',
        hint = format('Write target => %L, target_schema => %L.', substr(target, strpos(target, '.') + 1), split_part(target, '.', 1));
    end if;
    insert into pgscore._target_request (view_schema, view_name, task, key_columns, class_labels, score_unit, is_replay)
    values (target_schema, target, task, keys, labels, unit, _ensure_target.is_replay) returning target_id into id;
  elsif known.is_replay <> _ensure_target.is_replay then
    raise exception 'target "%.%" holds %', target_schema, target,
      case when known.is_replay then 'replays' else 'live predictions' end using
      errcode = 'object_not_in_prerequisite_state', detail = 'Live predictions and replays are never in one target.',
      hint = 'Choose another target.';
  elsif (known.task, known.key_columns, known.class_labels, known.score_unit) is distinct from (task, keys, labels, unit) then
    raise exception 'target "%.%" has another shape', target_schema, target using
      errcode = 'datatype_mismatch',
      detail = format('It holds %s predictions keyed by %s%s; this run gives %s keyed by %s%s.',
        concat_ws(' ', known.task, known.score_unit),
        (select string_agg(concat_ws(' ', k ->> 'name', k ->> 'sql_type'), ', ') from jsonb_array_elements(known.key_columns) k),
        ' of ' || nullif(array_to_string(known.class_labels, ', '), ''), concat_ws(' ', task, unit),
        (select string_agg(concat_ws(' ', k ->> 'name', k ->> 'sql_type'), ', ') from jsonb_array_elements(keys) k),
        ' of ' || nullif(array_to_string(labels, ', '), '')),
      hint = 'Choose another target, or select pgscore.drop_target(target) first.';
  end if;
  id := coalesce(known.target_id, id);
  -- The owner of an existing target may have put another object in place of its view. In place of a view of a new target it is refused.
  if known.target_id is null or to_regclass(format('%I.%I', target_schema, target)) is null then
    perform pgscore._create_user_view(target_schema, target, format('target_%s_latest', id),
                                      case when is_replay then 'Empty, as it holds replays: the view of that name and _history has them.'
                                        else 'The latest prediction for each key.' end,
                                      task, labels, unit);
  end if;
  if known.target_id is null or to_regclass(format('%I.%I', target_schema, target || '_history')) is null then
    perform pgscore._create_user_view(target_schema, (target || '_history')::name, format('target_%s_history', id),
                                      'Every prediction that a finished run made.', task, labels, unit);
  end if;
  return id;
end
$$;
comment on function pgscore._ensure_target(name, name, jsonb, jsonb, boolean) is
  'The target of a run: the caller''s existing one, whose shape must fit, or a new one with its two views. keys: columns of the plan.';
