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
'Raises that the caller may not use a model, which PostgreSQL would only say of a function that she never heard of.';

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

create or replace function pgscore_models._refuse_scoreless(route pgscore_models._routing) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if route.task = 'multiclass' then
    raise exception 'model "%" has % classes: score() needs to know which one', route.model, cardinality(route.class_labels) using
      errcode = 'invalid_parameter_value', detail = 'Its classes are ' || array_to_string(route.class_labels, ', ') || '.',
      hint = case when route.probabilities then format('score(%L, row, class => %L), or ', route.model, route.class_labels[1]) else '' end
        || format('pgscore.classify(%L, row) for the label.', route.model);
  elsif route.task = 'binary' and not route.probabilities then
    perform pgscore_models._refuse_labels_only(route.model);
  end if;
end
$$;
comment on function pgscore_models._refuse_scoreless(pgscore_models._routing) is
'Raises that a version has no score without a class, and what it has.';

create or replace function pgscore_models._refuse_class(route pgscore_models._routing, class text) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  classes constant text := case
    when route.task = 'regression' then 'It is a regression: leave class out.'
    else 'Its classes are ' || array_to_string(route.class_labels, ', ') || '.'
  end;
begin
  if class is null then
    raise exception 'the class is NULL' using errcode = 'null_value_not_allowed', hint = classes;
  elsif array_position(route.class_labels, class) is null then
    raise exception 'model "%" has no class "%"', route.model, class using errcode = 'invalid_parameter_value', hint = classes;
  elsif not route.probabilities then
    perform pgscore_models._refuse_labels_only(route.model);
  end if;
end
$$;
comment on function pgscore_models._refuse_class(pgscore_models._routing, text) is 'Raises that a version gives no probability of a class.';

create or replace function pgscore_models._score_any(version_id int, model text, features jsonb) returns double precision
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  answer double precision;
  route constant pgscore_models._routing := pgscore_models._route(row(version_id, model, null)::pgscore_models._asked);
  setting text := current_setting('pgscore.execution', true);
begin
  if not has_function_privilege('pgscore_models._v' || route.version_id || '_online(jsonb, name)', 'execute') then
    perform pgscore_models._refuse_ungranted(model);
  end if;
  perform pgscore_models._refuse_scoreless(route);
  if setting is null and route.native or pgscore_models._execution(coalesce(setting, ''), route.version_id, route.native, route.reason) then
    execute 'select pgscore_models._v' || route.version_id || '_json($1)' into answer using features;
  else
    execute 'select (pgscore_models._v' || route.version_id || '_online($1)).score' into answer using features;
  end if;
  return answer;
end
$$;
comment on function pgscore_models._score_any(int, text, jsonb) is
'score() of a row as jsonb by any version, native or not; says why where it cannot.';

create or replace function pgscore_models._score_asked(asked pgscore_models._asked, features anyelement) returns double precision
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._score(coalesce(($1).version_id, pgscore_models._version($1)), ($1).model::pg_catalog.varchar, $2) $$;
comment on function pgscore_models._score_asked(pgscore_models._asked, anyelement) is
'score() of a row of any kind by the version that is meant.';

create or replace function pgscore_models._score_of_shape(version_id int, model text, features anyelement, shape bigint,
  relation regclass) returns double precision
language sql volatile parallel restricted cost 10000
as $$
  select case when $4 operator(pg_catalog.=) 0 then
    pgscore_models._score($1, $2, pgscore_models._features($1, pgscore_models._texts($1), $3))
    else pgscore_models._score_row($1, $2, $3, $4, $5) end
$$;
comment on function pgscore_models._score_of_shape(int, text, anyelement, bigint, regclass) is
'score() of a row with this _shape() and _relation().';

create or replace function pgscore_models._score(version_id int, model text, features anyelement) returns double precision
language sql volatile parallel restricted cost 10000
as $$
  select pgscore_models._score_of_shape($1, $2, $3, pgscore_models._shape(case when false then $3 end),
    pgscore_models._relation(case when false then $3 end))
$$;
comment on function pgscore_models._score(int, text, anyelement) is
'score() of a row of a table that is not bound, or of a subquery: matched by name.
Each bound table has an overload that is preferred to this one. Inlined, so that the shape of the row is a constant of the plan.';

create or replace function pgscore_models._predict(route pgscore_models._routing, features jsonb,
  out prediction pgscore_models._prediction, out version text, out task text, out class_labels text[])
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  label int;
  base text;
  near double precision;
  is_positive boolean;
begin
  if features is null or features = 'null' then
    return;
  end if;
  base := 'pgscore_models._v' || route.version_id;
  if not has_function_privilege(base || '_online(jsonb, name)', 'execute') then
    perform pgscore_models._refuse_ungranted(pgscore_models._version_name(route.version_id));
  end if;
  if not pgscore_models._execution(
    coalesce(current_setting('pgscore.execution', true), ''), route.version_id, route.native, route.reason)
  then
    -- (f($1)).* would call it for each of its columns.
    execute 'select p.* from ' || base || '_online($1) p' into prediction using features;
  else
    if 'score' = any (route.parts) then
      execute 'select ' || base || '_json($1)' into prediction.score using features;
    end if;
    if 'label' = any (route.parts) then
      execute 'select ' || base || '_label_json($1)' into label using features;
      prediction.label := route.class_labels[label + 1];
    end if;
    if 'probabilities' = any (route.parts) then
      execute 'select ' || base || '_probabilities_json($1)' into prediction.probabilities using features;
    end if;
    -- As the service has it: the probability of the label.
    if route.task = 'multiclass' then
      prediction.score := prediction.probabilities[label + 1];
    end if;
    -- Where there is no score nothing is said of the row. As float32, in which ONNX Runtime has it, five weights of 0.1 are 0.5.
    if route.task = 'binary' and route.probabilities and prediction.score is not null then
      near := case when prediction.score < 1e-37 then prediction.score else prediction.score::real end;
      -- Without the deployer's threshold the label is the more probable class, at a tie the first.
      is_positive := case
        when route.threshold is not null then near >= route.threshold
        when route.positive_class = 1 then near >= 0.5
        else near > 0.5
      end;
      prediction.label := route.class_labels[case when is_positive then route.positive_class else 3 - route.positive_class end];
      prediction.probabilities := case route.positive_class when 1 then array[prediction.score, 1 - prediction.score]
        else array[1 - prediction.score, prediction.score] end;
    end if;
  end if;
  task := route.task;
  class_labels := route.class_labels;
  version := pgscore_models._version_name(route.version_id);
end
$$;
comment on function pgscore_models._predict(pgscore_models._routing, jsonb) is 'All that a model says of one row.';

create or replace function pgscore_models._predict_json(asked pgscore_models._question) returns jsonb
language sql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
  select case
      when p.task is null then null
      when p.task = 'regression' then jsonb_build_object('value', (p.prediction).score, 'version', p.version)
      else jsonb_build_object('label', (p.prediction).label,
        'probabilities', (select jsonb_object_agg(c, x.probability)
          from unnest(p.class_labels, (p.prediction).probabilities) as x (c, probability) where (p.prediction).probabilities is not null),
        'version', p.version)
    end
    from pgscore_models._predict((asked).route, (asked).features) p
$$;
comment on function pgscore_models._predict_json(pgscore_models._question) is 'predict() of a row.';

create or replace function pgscore_models._classify(asked pgscore_models._question) returns text
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  p record;
begin
  select * into p from pgscore_models._predict(asked.route, asked.features);
  if p.task = 'regression' then
    raise exception 'model "%" is a regression: it has no labels', (asked.route).model using
      errcode = 'invalid_parameter_value', hint = format('score(%L, row) gives its value.', (asked.route).model);
  end if;
  return (p.prediction).label;
end
$$;
comment on function pgscore_models._classify(pgscore_models._question) is 'classify() of a row.';

create or replace function pgscore_models._score_class(asked pgscore_models._question, class text) returns double precision
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  p record;
begin
  select * into p from pgscore_models._predict(asked.route, asked.features);
  if p.task is not null then
    perform pgscore_models._refuse_class(asked.route, class);
  end if;
  return (p.prediction).probabilities[array_position(p.class_labels, class)];
end
$$;
comment on function pgscore_models._score_class(pgscore_models._question, text) is 'score() with class => ... of a row.';
