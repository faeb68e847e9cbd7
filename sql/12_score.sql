-- score(), predict() and classify(): one row, inside any query.

do $$
begin
  if to_regtype('pgscore_models._routing') is null then
    create type pgscore_models._routing as (
      version_id int, task text, class_labels text[], positive_class int, threshold double precision, probabilities boolean, native boolean, parts text[], reason text
    );
  end if;
end
$$;
comment on type pgscore_models._routing is 'A version, and what score() must know of it at every call.';

create or replace function pgscore_models._route(model text) returns pgscore_models._routing
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  route pgscore_models._routing;
begin
  -- Each notation by one look-up; where it finds nothing, the general way says why.
  if position('@' in model) = 0 then
    select e.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.native, e.parts, e.reason
      into route
      from pgscore_data.model m
      join pgscore_data.alias a on a.model_id = m.model_id and a.alias = 'champion'
      join pgscore_data.execution e on e.version_id = a.version_id
     where m.name = model;
  else
    select e.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.native, e.parts, e.reason
      into route
      from pgscore_data.model m
      join pgscore_data.version v on v.model_id = m.model_id
      join pgscore_data.execution e on e.version_id = v.version_id
     where m.name = split_part(model, '@', 1) and v.number::text = split_part(model, '@', 2) and split_part(model, '@', 3) = '';
  end if;
  if not found then
    select e.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.native, e.parts, e.reason
      into route
      from pgscore_data.execution e where e.version_id = (pgscore._ready_version(model)).version_id;
  end if;
  return route;
end
$$;
comment on function pgscore_models._route(text) is 'Which version a notation means, and how it is executed. To be called in the query itself: as it is STABLE, it then sees what the query sees, and a promotion in the middle of a statement leaves it with one version.';

create or replace view pgscore._champions as
select a.model_name, a.version_id from pgscore_data.alias a where a.alias = 'champion';
comment on view pgscore._champions is 'Which version a bare model name means; read by everybody who calls score(), as pgscore.models is.';

-- As the caller, and with every name qualified: to change to the owner and the search path, and back, would cost as much as the look-up.
create or replace function pgscore_models._version_only(model text) returns pgscore_models._routing
language plpgsql stable parallel safe
as $$
declare
  route pgscore_models._routing;
begin
  select c.version_id into route.version_id from pgscore._champions c where c.model_name operator(pg_catalog.=) model;
  if route.version_id is null then
    return pgscore_models._route(model);
  end if;
  return route;
end
$$;
comment on function pgscore_models._version_only(text) is 'The same as _route() in a third of its time: of a champion, nothing but which version it is. A native model needs no more.';

create or replace function pgscore_models._whole_route(route pgscore_models._routing) returns pgscore_models._routing
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select row(e.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.native, e.parts, e.reason)::pgscore_models._routing
    from pgscore_data.execution e where e.version_id = route.version_id
$$;
comment on function pgscore_models._whole_route(pgscore_models._routing) is 'What _version_only() left out.';

create or replace function pgscore_models._execution(wanted text, version_id int, native boolean, reason text) returns boolean
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if wanted not in ('', 'auto', 'native', 'online') then
    raise exception 'pgscore.execution = % is not known', quote_literal(wanted) using errcode = 'invalid_parameter_value', hint = 'Set it to auto, native or online.';
  elsif wanted = 'native' and not native then
    raise exception 'version "%" is not native: %', pgscore_models._version_name(version_id), reason using
      errcode = 'object_not_in_prerequisite_state', hint = 'set pgscore.execution = auto; lets the service answer.';
  end if;
  return native and wanted <> 'online';
end
$$;
comment on function pgscore_models._execution(text, int, boolean, text) is 'Whether the setting pgscore.execution (auto, native, online) and the version let a compiled function answer.';

create or replace function pgscore_models._version_name(version_id int) returns text
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$ select m.name || '@' || v.number from pgscore_data.version v join pgscore_data.model m using (model_id) where v.version_id = $1 $$;
comment on function pgscore_models._version_name(int) is 'A version in its one notation, such as churn@3.';

create or replace function pgscore_models._features(features anyelement) returns jsonb
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
set extra_float_digits = 1
as $$
declare
  -- A row of nothing but NULL IS NULL as well, and is a row.
  given constant jsonb := case when num_nulls(features) = 0 then to_jsonb(features) end;
begin
  if pg_typeof(features) <> 'jsonb'::regtype and given @? '$.* ? (@ like_regex " $")' and pgscore_models._is_row(pg_typeof(features)) then
    return pgscore_models._without_padding(features, given);
  end if;
  return given;
end
$$;
comment on function pgscore_models._features(anyelement) is 'A row as jsonb, the same whatever the session has set; NULL for the row that an outer join did not find.';

create or replace function pgscore_models._refuse_ungranted(model text) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'model "%" is not granted to "%"', model, current_user using errcode = 'insufficient_privilege',
    hint = format('A pgscore_deployer can grant it: select pgscore.grant_model(%L, %L);', split_part(model, '@', 1), current_user);
end
$$;
comment on function pgscore_models._refuse_ungranted(text) is 'Raises that the caller may not use a model, which PostgreSQL would only say of a function that she never heard of.';

create or replace function pgscore_models._score_any(route pgscore_models._routing, model text, features jsonb) returns double precision
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  answer double precision;
  setting text := current_setting('pgscore.execution', true);
begin
  if route.task is null then
    route := pgscore_models._whole_route(route);
  end if;
  if not has_function_privilege('pgscore_models._v' || route.version_id || '_online(jsonb, name)', 'execute') then
    perform pgscore_models._refuse_ungranted(model);
  end if;
  if route.task = 'multiclass' then
    raise exception 'model "%" has % classes: score() needs to know which one', model, cardinality(route.class_labels) using
      errcode = 'invalid_parameter_value', detail = 'Its classes are ' || array_to_string(route.class_labels, ', ') || '.',
      hint = format('score(%L, row, class => %L), or pgscore.classify(%L, row) for the label.', model, route.class_labels[1], model);
  end if;
  if route.task = 'binary' and not route.probabilities then
    raise exception 'model "%" gives labels without probabilities: it has no score', model using
      errcode = 'invalid_parameter_value', hint = format('pgscore.classify(%L, row) gives the label.', model);
  end if;
  if setting is null and route.native or pgscore_models._execution(coalesce(setting, ''), route.version_id, route.native, route.reason) then
    execute 'select pgscore_models._v' || route.version_id || '_json($1)' into answer using features;
  else
    execute 'select (pgscore_models._v' || route.version_id || '_online($1)).score' into answer using features;
  end if;
  return answer;
end
$$;
comment on function pgscore_models._score_any(pgscore_models._routing, text, jsonb) is 'score() of a row as jsonb by any version, native or not; says why where it cannot.';

create or replace function pgscore_models._shape(features anyelement) returns bigint
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return (select hashtextextended(string_agg(format('%I %s', a.attname, a.atttypid), ', ' order by a.attnum), 0) & -2 | max((pgscore._base_type(a.atttypid) = 'bpchar'::regtype)::int)
            from pg_type t join pg_attribute a on a.attrelid = t.typrelid
           where t.oid = pg_typeof(features) and t.typtype = 'c' and a.attnum > 0 and not a.attisdropped);
end
$$;
comment on function pgscore_models._shape(anyelement) is 'A number that stands for the columns of a row type and their types, odd where one of them is char(n), whose padding no model sees; NULL for a row without one. Called IMMUTABLE so that the planner computes it: ALTER TABLE makes plans that read the table anew.';

drop function if exists pgscore_models._score(pgscore_models._routing, text, record);
-- score() gives the model as varchar. A row of a table is a record, too, and where its table is not bound PostgreSQL has to choose
-- between the next two: text, the preferred type of its kind, decides for the first; a record as such, for the second, which 18_native_forms.sql makes.
create or replace function pgscore_models._score(route pgscore_models._routing, model text, features anyelement) returns double precision
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._score_row($1, $2, $3, pgscore_models._shape(case when false then $3 end)) $$;
comment on function pgscore_models._score(pgscore_models._routing, text, anyelement) is 'score() of a row of a table that is not bound: matched by name. Each bound table has an overload that is preferred to this one. Inlined, so that the shape of the row is a constant of the plan.';

create or replace function pgscore_models._refuse_scalar(value text) returns double precision
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'the model takes a row, not the value %', quote_literal(left(value, 80)) using errcode = 'datatype_mismatch',
    hint = 'Pass the whole row by its table''s name or alias: select score(''model'', c) from customers c. Where the alias is also the name of a column, SQL takes the column: choose another alias.';
end
$$;
comment on function pgscore_models._refuse_scalar(text) is 'Raises that score() was given a value instead of a row, and how to write the row.';

create or replace function pgscore_models._refuse_array(value text) returns double precision
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'the model takes a row, not the array %', left(value, 80) using errcode = 'datatype_mismatch',
    hint = 'pgscore.score_rows(''model'', array(select c from customers c)) scores many rows; score(''model'', c) from customers c, each of them.';
end
$$;
comment on function pgscore_models._refuse_array(text) is 'Raises that score() was given an array instead of a row, and what takes one.';

-- To an array of records without a type PL/pgSQL says that it takes none: both of these are inlined before it is called. varchar,
-- which score() gives, decides between this and the one for anyelement.
create or replace function pgscore_models._score(route pgscore_models._routing, model varchar, features anyarray) returns double precision
language sql stable
as $$ select pgscore_models._refuse_array(pg_catalog.to_json($3)::pg_catalog.text) $$;
comment on function pgscore_models._score(pgscore_models._routing, varchar, anyarray) is 'Raises: score() takes a row, not an array.';

create or replace function pgscore_models._given(features anyelement) returns jsonb
language sql stable parallel safe
as $$
  select case when pg_catalog.pg_typeof($1) operator(pg_catalog.=) 'pg_catalog.record[]'::pg_catalog.regtype
      then pg_catalog.to_jsonb(pgscore_models._refuse_array(pg_catalog.to_json($1)::pg_catalog.text))
      else pgscore_models._features($1)
    end
$$;
comment on function pgscore_models._given(anyelement) is 'A row as jsonb; raises for an array of records without a type.';

create or replace function pgscore_models._json_row(value text) returns jsonb
language plpgsql stable parallel restricted
set search_path = pg_catalog, pg_temp
as $$
declare
  detail text;
begin
  if value !~ '^\s*(\{|null\s*$)' then
    perform pgscore_models._refuse_scalar(value);
  end if;
  return value::jsonb;
exception
  when invalid_text_representation then
    get stacked diagnostics detail = pg_exception_detail;
    raise exception 'the row is not JSON: %', left(value, 80) using errcode = 'invalid_text_representation', detail = detail,
      hint = 'Write it as {"feature": value, …}, its names in double quotes; jsonb_build_object(''feature'', value, …) writes it so.';
end
$$;
comment on function pgscore_models._json_row(text) is 'A row that was written as JSON in a text; raises where it is no object. Not for workers, which begin no subtransaction before PostgreSQL 17.';

do $$
declare
  scalar text;
begin
  foreach scalar in array '{boolean,double precision,date,timestamp with time zone,uuid}'::text[] loop
    execute format('create or replace function pgscore_models._score(route pgscore_models._routing, model text, features %s) returns double precision language sql stable set search_path = pg_catalog, pg_temp as %L',
      scalar, 'select pgscore_models._refuse_scalar($3::text)');
    execute format('comment on function pgscore_models._score(pgscore_models._routing, text, %s) is %L', scalar, 'Raises: score() takes a row, not a value.');
  end loop;
end
$$;

create or replace function pgscore_models._predict(route pgscore_models._routing, features jsonb, out prediction pgscore_models._prediction, out version text, out task text, out class_labels text[])
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  label int;
  base text;
begin
  if features is null or features = 'null' then
    return;
  end if;
  base := 'pgscore_models._v' || route.version_id;
  if not has_function_privilege(base || '_online(jsonb, name)', 'execute') then
    perform pgscore_models._refuse_ungranted(pgscore_models._version_name(route.version_id));
  end if;
  if not pgscore_models._execution(coalesce(current_setting('pgscore.execution', true), ''), route.version_id, route.native, route.reason) then
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
    -- Where there is no score nothing is said of the row.
    if route.task = 'binary' and route.probabilities and prediction.score is not null then
      prediction.label := route.class_labels[case when prediction.score >= route.threshold then route.positive_class else 3 - route.positive_class end];
      prediction.probabilities := case route.positive_class when 1 then array[prediction.score, 1 - prediction.score] else array[1 - prediction.score, prediction.score] end;
    end if;
  end if;
  task := route.task;
  class_labels := route.class_labels;
  version := pgscore_models._version_name(route.version_id);
end
$$;
comment on function pgscore_models._predict(pgscore_models._routing, jsonb) is 'All that a model says of one row.';

create or replace function pgscore_models._predict_json(route pgscore_models._routing, features jsonb) returns jsonb
language sql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
  select case
      when p.task is null then null
      when p.task = 'regression' then jsonb_build_object('value', (p.prediction).score, 'version', p.version)
      else jsonb_build_object('label', (p.prediction).label,
        'probabilities', (select jsonb_object_agg(c, x.probability) from unnest(p.class_labels, (p.prediction).probabilities) as x (c, probability) where (p.prediction).probabilities is not null),
        'version', p.version)
    end
    from pgscore_models._predict(route, features) p
$$;
comment on function pgscore_models._predict_json(pgscore_models._routing, jsonb) is 'predict() of a row as jsonb.';

create or replace function pgscore_models._classify(route pgscore_models._routing, model text, features jsonb) returns text
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  p record;
begin
  select * into p from pgscore_models._predict(route, features);
  if p.task = 'regression' then
    raise exception 'model "%" is a regression: it has no labels', model using
      errcode = 'invalid_parameter_value', hint = format('score(%L, row) gives its value.', model);
  end if;
  return (p.prediction).label;
end
$$;
comment on function pgscore_models._classify(pgscore_models._routing, text, jsonb) is 'classify() of a row as jsonb.';

create or replace function pgscore_models._score_class(route pgscore_models._routing, model text, features jsonb, class text) returns double precision
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  p record;
begin
  select * into p from pgscore_models._predict(route, features);
  if p.task is not null and array_position(p.class_labels, class) is null then
    raise exception 'model "%" has no class "%"', model, class using errcode = 'invalid_parameter_value',
      hint = case when p.task = 'regression' then 'It is a regression: leave class out.' else 'Its classes are ' || array_to_string(p.class_labels, ', ') || '.' end;
  end if;
  return (p.prediction).probabilities[array_position(p.class_labels, class)];
end
$$;
comment on function pgscore_models._score_class(pgscore_models._routing, text, jsonb, text) is 'score() with class => ... of a row as jsonb.';

-- These inline into the query: that is what makes a constant model on a bound table cost no more than the model. Hence no
-- SET and every name qualified. VOLATILE, so that a filter, an ORDER BY and EXPLAIN don't call the service again and again.
-- RESTRICTED, since the connection to it is that of the session, which workers do not share. The cost, 25 times that of reading a
-- page, has every other condition of a WHERE tried first.

create or replace function pgscore.score(model text, features anyelement) returns double precision
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._score(pgscore_models._version_only($1), $1::pg_catalog.varchar, $2) $$;
comment on function pgscore.score(text, anyelement) is
'What a model says of one row: the probability of the positive class of a classifier, the value of a regression.
model: churn (its champion), churn@3 or churn@challenger.  features: a row (select score(''churn'', c) from customers c), a row of a subquery, or jsonb; matched to the model''s features by name, further columns are ignored. The NULL row of an outer join gives NULL.
Native models are computed in the query, others by the service (pgscore.models.execution); set pgscore.execution = native or online to insist. On a bound table a native model is always native.';

create or replace function pgscore.score(model text, features text) returns double precision
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._score(pgscore_models._version_only($1), $1, pgscore_models._json_row($2)) $$;
comment on function pgscore.score(text, text) is 'score() of a row written as JSON: select score(''churn'', ''{"age": 41}'').';

create or replace function pgscore.score(model text, features anyelement, class text) returns double precision
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._score_class(pgscore_models._route($1), $1, pgscore_models._given($2), $3) $$;
comment on function pgscore.score(text, anyelement, text) is 'The probability of one class of a row: select score(''species'', i, class => ''setosa'') from iris i.';

create or replace function pgscore.predict(model text, features anyelement) returns jsonb
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._predict_json(pgscore_models._route($1), pgscore_models._given($2)) $$;
comment on function pgscore.predict(text, anyelement) is 'All that a model says of one row, as jsonb: label, probabilities by class and version of a classifier; value and version of a regression. Arguments as of score().';

create or replace function pgscore.classify(model text, features anyelement) returns text
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._classify(pgscore_models._route($1), $1, pgscore_models._given($2)) $$;
comment on function pgscore.classify(text, anyelement) is 'The label of one row, by the version''s threshold. Arguments as of score().';

create or replace function pgscore.score(model text, features text, class text) returns double precision
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._score_class(pgscore_models._route($1), $1, pgscore_models._json_row($2), $3) $$;
comment on function pgscore.score(text, text, text) is 'The probability of one class of a row written as JSON.';

create or replace function pgscore.predict(model text, features text) returns jsonb
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._predict_json(pgscore_models._route($1), pgscore_models._json_row($2)) $$;
comment on function pgscore.predict(text, text) is 'predict() of a row written as JSON.';

create or replace function pgscore.classify(model text, features text) returns text
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._classify(pgscore_models._route($1), $1, pgscore_models._json_row($2)) $$;
comment on function pgscore.classify(text, text) is 'classify() of a row written as JSON.';

create or replace function pgscore_data._create_public_score() returns boolean
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  this record;
begin
  if exists (
    select from pg_proc theirs join pg_proc ours on ours.proargtypes = theirs.proargtypes and ours.proname = theirs.proname
     where ours.pronamespace = 'pgscore'::regnamespace and ours.proname = 'score'
       and theirs.pronamespace = 'public'::regnamespace and theirs.proowner <> 'pgscore_owner'::regrole
  ) then
    return false;
  end if;
  for this in
    select p.pronargs, pg_get_function_arguments(p.oid) as arguments, pg_get_function_identity_arguments(p.oid) as identity, obj_description(p.oid, 'pg_proc') as comment,
           case p.proparallel when 'u' then 'unsafe' else 'restricted' end as parallel
      from pg_proc p where p.pronamespace = 'pgscore'::regnamespace and p.proname = 'score'
  loop
    execute format('create or replace function public.score(%s) returns double precision language sql volatile parallel %s cost 10000 as %L',
      this.arguments, this.parallel, format('select pgscore.score(%s)', (select string_agg('$' || n, ', ' order by n) from generate_series(1, this.pronargs) n)));
    execute format('comment on function public.score(%s) is %L', this.identity, this.comment);
    execute format('revoke all on function public.score(%s) from public', this.identity);
    execute format('grant execute on function public.score(%s) to pgscore_user', this.identity);
  end loop;
  return true;
end
$$;
comment on function pgscore_data._create_public_score() is 'Makes public.score(), so that score() is found without a schema; false where somebody else has one.';
