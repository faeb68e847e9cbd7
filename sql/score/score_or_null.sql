-- score_or_null() gives NULL for a row that cannot be scored, and why_not() the reason. score() raises for such a row.
-- Natively _v<id>_problem checks the row, as an EXCEPTION block keeps a query from workers. Online the refusal is caught.

create or replace function pgscore_models._number_problem(number numeric, feature text, type text) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case
      -- Doubles from here on round to infinity as float32: OVERFLOWS of src/lib/float32.ts.
      when type = 'float32' and abs(number) < 3.4028235677973366e38 then null
      when type = 'float64' and abs(number) < 1.797693134862315808e308 then null
      when type = 'int32' and number between -2147483648 and 2147483647 then null
      when type = 'int64' and number between -9223372036854775808 and 9223372036854775807 then null
      else format('%s is a number that %s can not hold', feature, type)
    end
$$;
comment on function pgscore_models._number_problem(numeric, text, text) is
'Why a number is past the range of a feature; NULL where it is not.';

create or replace function pgscore_models._value_problem(value jsonb, feature text, type text, width int, nulls text) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  kind constant text := jsonb_typeof(value);
  wanted constant text := case
    when width <> 1 then format('an array of %s numbers', width)
    when type in ('float32', 'float64') then 'a number'
    when type in ('int32', 'int64') then 'a whole number'
    when type = 'bool' then 'a boolean'
    else 'a text'
  end;
begin
  return case
    when value is null or kind = 'null' then case when nulls = 'error' then feature || ' is NULL' end
    when width <> 1 and kind = 'string' and jsonb_typeof(pgscore_models._vector_array(value)) = 'array' then
      pgscore_models._value_problem(pgscore_models._vector_array(value), feature, type, width, nulls)
    when width <> 1 and kind = 'array' and jsonb_array_length(value) = width then (
      select min(pgscore_models._value_problem(e, feature, type, 1, case when e = 'null' then 'error' else nulls end))
        from jsonb_array_elements(value) e)
    when kind = 'string' and wanted = 'a text' or kind = 'boolean' and width = 1 and wanted <> 'a text' then null
    when wanted = 'a number' and value = '"NaN"' then case when nulls = 'error' then feature || ' is NaN' end
    when wanted = 'a number' and value in ('"Infinity"', '"-Infinity"') then null
    when kind = 'number' and (wanted = 'a number' or wanted = 'a whole number' and mod(value::numeric, 1) = 0) then
      pgscore_models._number_problem(value::numeric, feature, type)
    else format('feature %s is %s, not %s', feature, left(value::text, 80), wanted)
  end;
end
$$;
comment on function pgscore_models._value_problem(jsonb, text, text, int, text) is
'Why a value cannot be a feature, in the words of the service; NULL where it can. nulls: as in the signature.';

create or replace function pgscore_data._plain_value(value text, type text, width int) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select format(case
      when width <> 1 then 'false'
      when type = 'string' then 'jsonb_typeof(%s) = ''string'''
      when type = 'bool' then 'jsonb_typeof(%s) = ''boolean'''
      when type in ('float32', 'float64') then 'jsonb_typeof(%1$s) = ''number'' and abs((%1$s)::numeric) < ''1e38'''
      else 'jsonb_typeof(%1$s) = ''number'' and abs((%1$s)::numeric) < ''1e9'' and mod((%1$s)::numeric, ''1'') = ''0'''
    end, value)
$$;
comment on function pgscore_data._plain_value(text, text, int) is
'SQL that is true for a usual value of a feature, for which _value_problem() need not be called.';

create or replace function pgscore_data._create_row_checks(this_version int, features jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  names text;
  problems text;
begin
  select string_agg(quote_literal(f.name), ', ' order by f.n),
         string_agg(
           format('case when not (%s) then pgscore_models._value_problem(%s, %L, %L, %s, %L) end',
             pgscore_data._plain_value(v, f.type, f.width), v, f.name, f.type, f.width, f.nulls), E',\n    ' order by f.n)
    into names, problems
    from pgscore_data._features_of(features) f cross join format('f -> %L', f.name) v;
  perform pgscore_data._create_function(format('_v%s_problem', this_version)::name, 'f jsonb', 'text', 'plpgsql',
    'immutable parallel safe cost 2000 ' || pgscore_data._pinned(),
    format(E'begin\n  if not f ?& array[%1$s] then\n    f := pgscore_models._match_features(array[%1$s], f);\n  end if;\n'
      || E'  return coalesce(%2$s);\nend', names, problems),
    format('Why %s cannot score a row; NULL where it takes its features.', pgscore_models._version_name(this_version)));
  -- Both in one expression of _predict_or_problem() took 9 of 80 µs more.
  if to_regprocedure(format('pgscore_models._v%s_json(jsonb)', this_version)) is not null then
    perform pgscore_data._create_function(format('_v%s_or_null', this_version)::name, 'f jsonb', 'double precision', 'plpgsql',
      'immutable parallel safe cost 7000 ' || pgscore_data._pinned(),
      format(E'begin\n  return case when pgscore_models._v%1$s_problem(f) is null then pgscore_models._v%1$s_json(f) end;\nend',
        this_version),
      format('The score of %s for a row as jsonb; NULL where it cannot score it.', pgscore_models._version_name(this_version)));
  end if;
end
$$;
comment on function pgscore_data._create_row_checks(int, jsonb) is
'Creates _v<id>_problem, which says why the version cannot score a row.
If the version has a score, creates _v<id>_or_null too, which workers can run: it has no EXCEPTION block.';

create or replace function pgscore_models._predict_or_problem(
  asked pgscore_models._call, only_score boolean, out prediction pgscore_models._prediction, out problem text)
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  version constant pgscore_models._version := asked.version;
  features constant jsonb := asked.features;
  base constant text := 'pgscore_models._v' || version.version_id;
begin
  if features is null or features = 'null' then
    problem := 'the row is NULL';
    return;
  elsif jsonb_typeof(features) <> 'object' then
    perform pgscore_models._refuse_value(features);
  elsif not has_function_privilege(base || '_online(jsonb, name)', 'execute') then
    perform pgscore_models._refuse_ungranted(pgscore_models._version_name(version.version_id));
  end if;
  if pgscore_models._execution(
    coalesce(current_setting('pgscore.execution', true), ''), version.version_id, version.native, version.reason)
  then
    if only_score then
      execute 'select ' || base || '_or_null($1)' into prediction.score using features;
      return;
    end if;
    execute 'select ' || base || '_problem($1)' into problem using features;
    if problem is null then
      prediction := pgscore_models._predict(version, features);
    end if;
  else
    begin
      prediction := pgscore_models._predict(version, features);
    exception
      when data_exception or datatype_mismatch then
        -- A wrong setting (22023) and a service of another release (22P02) are no problems of the row.
        if sqlstate in ('22023', '22P02') then
          raise;
        end if;
        problem := sqlerrm;
    end;
  end if;
  if problem is null and prediction.score is null and prediction.label is null and prediction.probabilities is null then
    problem := 'the model has no answer: it refuses a value, or its answer is not finite';
  end if;
end
$$;
comment on function pgscore_models._predict_or_problem(pgscore_models._call, boolean) is
'What a model says of a row, or why it cannot score the row. With only_score a compiled version gives its score alone, without a problem.
Raises what is not about the row: no grant, no column for a feature, no service.';

create or replace function pgscore_models._score_or_null(asked pgscore_models._call, class text) returns double precision
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  version constant pgscore_models._version := asked.version;
  prediction pgscore_models._prediction;
begin
  if class is null then
    perform pgscore_models._refuse_scoreless(version);
  else
    perform pgscore_models._refuse_class(version, class);
  end if;
  prediction := (pgscore_models._predict_or_problem(asked, only_score => class is null)).prediction;
  return case when class is null then prediction.score else prediction.probabilities[array_position(version.class_labels, class)] end;
end
$$;
comment on function pgscore_models._score_or_null(pgscore_models._call, text) is 'score_or_null() of a row.';

-- These inline into the query, as score() does: no SET, every name qualified, the model once in each body.
create or replace function pgscore.score_or_null(model text, features anyelement, class text default null) returns double precision
language sql volatile parallel restricted cost 10000
as $$
  select pgscore_models._score_or_null(
    pgscore_models._call(pgscore_models._route($1), $2), $3)
$$;
comment on function pgscore.score_or_null(text, anyelement, text) is
'score(), but NULL for a row that cannot be scored, as a feature is missing or has a value that the model cannot take.
select id, pgscore.why_not(''churn'', c) from customers c where score_or_null(''churn'', c) is null says why.
What is not of the row is an error as ever: no grant, no column for a feature, a column of another type, no service.';

create or replace function pgscore.score_or_null(model text, features text, class text default null) returns double precision
language sql volatile parallel restricted cost 10000
as $$
  select pgscore_models._score_or_null(
    pgscore_models._call(pgscore_models._route($1), pgscore_models._json_row($2)), $3)
$$;
comment on function pgscore.score_or_null(text, text, text) is 'score_or_null() of a row written as JSON.';

create or replace function pgscore.why_not(model text, features anyelement) returns text
language sql volatile parallel restricted cost 10000
as $$
  select (pgscore_models._predict_or_problem(
    pgscore_models._call(pgscore_models._route($1), $2), false)).problem
$$;
comment on function pgscore.why_not(text, anyelement) is
'Why a row cannot be scored, where score_or_null() is NULL; NULL where it can. Online it is a call like any other, and kept.';

create or replace function pgscore.why_not(model text, features text) returns text
language sql volatile parallel restricted cost 10000
as $$
  select (pgscore_models._predict_or_problem(
    pgscore_models._call(pgscore_models._route($1), pgscore_models._json_row($2)), false)).problem
$$;
comment on function pgscore.why_not(text, text) is 'why_not() of a row written as JSON.';
