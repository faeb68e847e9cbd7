-- All that a version says of a row as jsonb, native or not.

create or replace function pgscore_models._refuse_ungranted(model text) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'model "%" is not granted to "%"', model, current_user using errcode = 'insufficient_privilege',
    hint = format('A pgscore_deployer can grant it: select pgscore.grant_model(%L, %L);', split_part(model, '@', 1), current_user);
end
$$;
comment on function pgscore_models._refuse_ungranted(text) is
'Raises that the caller may not use a model, which PostgreSQL would only say of a function that the caller never heard of.';

create or replace function pgscore_models._value_names_text(version pgscore_models._version) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select format('Its %s are %s.', case version.task when 'multi_target' then 'values' when 'multilabel' then 'labels'
                                    when 'regression' then 'quantiles' else 'classes' end, array_to_string(version.class_labels, ', '))
$$;
comment on function pgscore_models._value_names_text(pgscore_models._version) is
  'What a version names that class => can ask for, as a sentence: its classes, labels, targets or quantiles.';

create or replace function pgscore_models._refuse_labels_only(model text) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'model "%" gives labels without probabilities: it has no score', model using
    errcode = 'invalid_parameter_value', hint = format('pgscore.classify(%L, row) gives the label.', model);
end
$$;
comment on function pgscore_models._refuse_labels_only(text) is 'Raises that a model gives labels without probabilities.';

create or replace function pgscore_models._refuse_vector(version pgscore_models._version, lacks text) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  model constant text := pgscore_models._model_name(version.version_id);
begin
  raise exception 'model "%" gives a vector: it has %', model, lacks using
    errcode = 'invalid_parameter_value', hint = format('pgscore.embed(%L, row) gives the vector.', model);
end
$$;
comment on function pgscore_models._refuse_vector(pgscore_models._version, text) is
  'Raises that a version gives a vector and nothing else.';

create or replace function pgscore_models._refuse_scoreless(version pgscore_models._version) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  model text;
begin
  if version.task = 'embedding' then
    perform pgscore_models._refuse_vector(version, 'no score');
  elsif version.score_unit in ('distance', 'share') then
    return;
  elsif version.task in ('multiclass', 'multi_target', 'multilabel') then
    model := pgscore_models._model_name(version.version_id);
    raise exception 'model "%" has % %: score() needs to know which one', model, cardinality(version.class_labels),
      case version.task when 'multiclass' then 'classes' when 'multilabel' then 'labels' else 'values' end using
      errcode = 'invalid_parameter_value', detail = pgscore_models._value_names_text(version),
      hint = case when version.probabilities or version.score_unit is not null
          then format('score(%L, row, class => %L), or ', model, version.class_labels[1]) else '' end
        || case version.task when 'multiclass' then format('pgscore.classify(%L, row) for the label.', model)
             else format('pgscore.predict(%L, row) for all of them.', model) end;
  elsif version.task = 'binary' and not version.probabilities and version.score_unit is null then
    perform pgscore_models._refuse_labels_only(pgscore_models._model_name(version.version_id));
  end if;
end
$$;
comment on function pgscore_models._refuse_scoreless(pgscore_models._version) is
'Raises that a version has no score without a class, and what it has.';

create or replace function pgscore_models._refuse_class(version pgscore_models._version, class text) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  classes constant text := case
    when version.class_labels = '{}' then 'It is a regression: leave class out.'
    else pgscore_models._value_names_text(version)
  end;
begin
  if version.task = 'embedding' then
    perform pgscore_models._refuse_vector(version, 'no classes');
  elsif class is null then
    raise exception 'the class is NULL' using errcode = 'null_value_not_allowed', hint = classes;
  elsif array_position(version.class_labels, class) is null then
    raise exception 'model "%" has no % "%"', pgscore_models._model_name(version.version_id),
      case version.task when 'multi_target' then 'value' when 'multilabel' then 'label' else 'class' end, class using
      errcode = 'invalid_parameter_value', hint = classes;
  elsif not version.probabilities and version.score_unit is null then
    perform pgscore_models._refuse_labels_only(pgscore_models._model_name(version.version_id));
  end if;
end
$$;
comment on function pgscore_models._refuse_class(pgscore_models._version, text) is 'Raises that a version gives no probability of a class.';

create or replace function pgscore_models._predict(this pgscore_models._version, features jsonb) returns pgscore_models._prediction
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  base constant text := 'pgscore_models._v' || this.version_id;
  prediction pgscore_models._prediction;
  label int;
  near double precision;
  is_positive boolean;
begin
  if features is null or features = 'null' then
    return null;
  end if;
  if not has_function_privilege(base || '_online(jsonb, name)', 'execute') then
    perform pgscore_models._refuse_ungranted(pgscore_models._version_name(this.version_id));
  end if;
  if not pgscore_models._execution(
    coalesce(current_setting('pgscore.execution', true), ''), this.version_id, this.native, this.reason)
  then
    -- (f($1)).* would call it for each of its columns.
    execute 'select p.* from ' || base || '_online($1) p' into prediction using features;
  else
    if 'score' = any (this.parts) then
      execute 'select ' || base || '_json($1)' into prediction.score using features;
    end if;
    if 'label' = any (this.parts) then
      execute 'select ' || base || '_label_json($1)' into label using features;
      prediction.label := this.class_labels[label + 1];
    end if;
    if 'probabilities' = any (this.parts) then
      execute 'select ' || base || '_probabilities_json($1)' into prediction.probabilities using features;
    end if;
    -- As the service has it: the probability of the label.
    if this.task = 'multiclass' then
      prediction.score := prediction.probabilities[label + 1];
    end if;
    -- Without a score there is no label. It is compared as float32, as ONNX Runtime has it: five weights of 0.1 make 0.5.
    if this.task = 'binary' and this.probabilities and prediction.score is not null then
      near := case when prediction.score < 1e-37 then prediction.score else prediction.score::real end;
      -- Without the deployer's threshold the label is the more probable class, at a tie the first.
      is_positive := case
        when this.threshold is not null then near >= this.threshold
        when this.positive_class = 1 then near >= 0.5
        else near > 0.5
      end;
      prediction.label := this.class_labels[case when is_positive then this.positive_class else 3 - this.positive_class end];
      prediction.probabilities := case this.positive_class when 1 then array[prediction.score, 1 - prediction.score]
        else array[1 - prediction.score, prediction.score] end;
    end if;
  end if;
  return prediction;
end
$$;
comment on function pgscore_models._predict(pgscore_models._version, jsonb) is
  'All that a model says of one row; NULL for a row that is NULL.';

create or replace function pgscore_models._values_json(task text, names text[], numbers double precision[]) returns jsonb
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case
    when task = 'multilabel' then jsonb_build_object(
      'labels', (select coalesce(jsonb_agg(n order by at) filter (where numbers[cardinality(names) + at] = 1), '[]')
                   from unnest(names) with ordinality as x (n, at)))
      -- A model that gives labels only has none.
      || case when numbers[1] <> 'NaN' then jsonb_build_object(
           'probabilities', (select jsonb_object_agg(n, numbers[at]) from unnest(names) with ordinality as x (n, at))) else '{}' end
    when task = 'embedding' then jsonb_build_object('embedding', numbers::real[])
    else jsonb_build_object('values', (select jsonb_object_agg(n, v) from unnest(names, numbers) as x (n, v)))
  end
   where numbers is not null and (task = 'embedding' or names <> '{}' and task in ('multi_target', 'multilabel', 'regression'))
$$;
comment on function pgscore_models._values_json(text, text[], double precision[]) is
'The several values of a row as predict() has them: labels that apply and the probability of each, values by name, or a vector; NULL for '
'any other model. numbers: of labels first the probabilities and then the labels, as 0 or 1.';

create or replace function pgscore_models._predict_json(asked pgscore_models._call) returns jsonb
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  this constant pgscore_models._version := asked.version;
  p constant pgscore_models._prediction := pgscore_models._predict(this, asked.features);
  version constant jsonb := jsonb_build_object('version', pgscore_models._version_name(this.version_id));
begin
  return case
    when coalesce(asked.features, 'null') = 'null' then null
    when this.task in ('multi_target', 'multilabel', 'embedding')
      then pgscore_models._values_json(this.task, this.class_labels, p.probabilities) || version
    when this.task = 'regression' then jsonb_build_object('value', p.score) || version
      || coalesce(pgscore_models._values_json(this.task, this.class_labels, p.probabilities), '{}')
    else version || jsonb_build_object('label', p.label,
      case this.score_unit
        when 'margin' then 'margins' when 'distance' then 'distances' when 'share' then 'shares' when 'anomaly' then 'margins'
        else 'probabilities' end,
      (select jsonb_object_agg(c, x.probability) from unnest(this.class_labels, p.probabilities) as x (c, probability)
        where p.probabilities is not null))
  end;
end
$$;
comment on function pgscore_models._predict_json(pgscore_models._call) is 'predict() of a row.';

create or replace function pgscore_models._classify(asked pgscore_models._call) returns text
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  this constant pgscore_models._version := asked.version;
  p constant pgscore_models._prediction := pgscore_models._predict(this, asked.features);
  model text;
begin
  if coalesce(asked.features, 'null') = 'null' then
    return null;
  elsif this.task = 'regression' then
    model := pgscore_models._model_name(this.version_id);
    raise exception 'model "%" is a regression: it has no labels', model using
      errcode = 'invalid_parameter_value', hint = format('score(%L, row) gives its value.', model);
  elsif this.task = 'embedding' then
    perform pgscore_models._refuse_vector(this, 'no labels');
  elsif this.task in ('multi_target', 'multilabel') then
    model := pgscore_models._model_name(this.version_id);
    raise exception 'model "%" has % a row: classify() gives one label', model,
      case this.task when 'multilabel' then 'several labels' else 'values and no label' end using
      errcode = 'invalid_parameter_value', hint = format('pgscore.predict(%L, row) gives all of them.', model);
  end if;
  return p.label;
end
$$;
comment on function pgscore_models._classify(pgscore_models._call) is 'classify() of a row.';

create or replace function pgscore_models._score_class(asked pgscore_models._call, class text) returns double precision
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  this constant pgscore_models._version := asked.version;
  p constant pgscore_models._prediction := pgscore_models._predict(this, asked.features);
begin
  if coalesce(asked.features, 'null') <> 'null' then
    perform pgscore_models._refuse_class(this, class);
  end if;
  return p.probabilities[array_position(this.class_labels, class)];
end
$$;
comment on function pgscore_models._score_class(pgscore_models._call, text) is 'score() with class => ... of a row.';

create or replace function pgscore_models._embed(asked pgscore_models._call) returns real[]
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  this constant pgscore_models._version := asked.version;
  p constant pgscore_models._prediction := pgscore_models._predict(this, asked.features);
  model text;
begin
  if this.task <> 'embedding' and coalesce(asked.features, 'null') <> 'null' then
    model := pgscore_models._model_name(this.version_id);
    raise exception 'model "%" gives no vector: its task is %', model, this.task using
      errcode = 'invalid_parameter_value', hint = format('pgscore.predict(%L, row) gives all that it says.', model);
  end if;
  return p.probabilities::real[];
end
$$;
comment on function pgscore_models._embed(pgscore_models._call) is 'embed() of a row.';
