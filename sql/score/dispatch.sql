-- How score() gets from a version and a row to the function that computes it.
--
-- score() calls _score(), whose overload is chosen by the type of the row: jsonb, an array, a bound table (_renew_score() writes that one),
-- or any other. jsonb goes to _score_json(), other rows through _score_routed() to _score_row() or _score_json(). These two are generated,
-- with a branch for each version: a call that is written out costs a twentieth of one by EXECUTE, which _score_any() makes.
--
-- The last argument decides where two overloads fit. Being varchar, it prefers the one for arrays; that of a bound table takes a name, so
-- that rows of its partitions, of another type, prefer the first.

create or replace function pgscore_models._score(model text, features anyelement, choice text) returns double precision
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._score_routed(pgscore_models._route($1), $2) $$;
comment on function pgscore_models._score(text, anyelement, text) is 'score() of a row of a table that is not bound, or of a subquery.';

create or replace function pgscore_models._score(model text, features jsonb, choice text) returns double precision
language sql volatile parallel restricted cost 10000
as $$ select pgscore_models._score_json(pgscore_models._route($1), $2) $$;
comment on function pgscore_models._score(text, jsonb, text) is 'score() of a row as jsonb.';

-- By itself, as _shape() is PL/pgSQL, which does not take record[].
create or replace function pgscore_models._score(model text, features anyarray, choice varchar) returns double precision
language sql stable
as $$ select pgscore_models._refuse_value(pg_catalog.to_jsonb($2)) $$;
comment on function pgscore_models._score(text, anyarray, varchar) is 'Raises: score() takes a row, not an array.';

create or replace function pgscore_models._score_routed(route int[], features anyelement) returns double precision
language sql volatile parallel restricted cost 10000
as $$
  select case when pgscore_models._shape(case when false then $2 end) operator(pg_catalog.<>) 0 then
    pgscore_models._score_row($1, $2, pgscore_models._shape(case when false then $2 end),
      pgscore_models._relation(case when false then $2 end))
    else pgscore_models._score_json($1, pgscore_models._features(($1)[1], $2)) end
$$;
comment on function pgscore_models._score_routed(int[], anyelement) is
  'score() of a row of a table or a subquery, by the version of a route: matched by name. Inlined, so that the shape of the row is a '
  'constant of the plan.';

create or replace function pgscore_models._score_any(route int[], features jsonb) returns double precision
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  answer double precision;
  version constant pgscore_models._version := pgscore_models._version(route);
  setting constant text := current_setting('pgscore.execution', true);
begin
  if not has_function_privilege('pgscore_models._v' || version.version_id || '_online(jsonb, name)', 'execute') then
    perform pgscore_models._refuse_ungranted(pgscore_models._model_name(version.version_id));
  end if;
  perform pgscore_models._refuse_scoreless(version);
  if setting is null and version.native
    or pgscore_models._execution(coalesce(setting, ''), version.version_id, version.native, version.reason) then
    execute 'select pgscore_models._v' || version.version_id || '_json($1)' into answer using features;
  else
    execute 'select (pgscore_models._v' || version.version_id || '_online($1)).score' into answer using features;
  end if;
  return answer;
end
$$;
comment on function pgscore_models._score_any(int[], jsonb) is
'score() of a row as jsonb by any version, native or not; says why where it cannot.';

create or replace function pgscore_data._score_call(this_version int, native boolean, native_call text, native_condition text,
                                                    online_conditions text[], online_rows text[]) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  -- PL/pgSQL prepares each expression anew in every transaction, so they are few, with few functions. Sessions with fewer digits of numbers
  -- go the general way.
  with mine (is_mine, mode) as (
    select format($mine$version_id operator(pg_catalog.=) %1$s
      and pg_catalog.has_function_privilege('pgscore_models._v%1$s_online(pg_catalog.jsonb, pg_catalog.name)'::pg_catalog.regprocedure,
        'execute')
      and pg_catalog.current_setting('extra_float_digits') operator(pg_catalog.=) any (array['1', '2', '3'])$mine$, this_version),
           $mode$coalesce(pg_catalog.current_setting('pgscore.execution', true),
                          '') operator(pg_catalog.=) any (array['', 'auto', '%s'])$mode$
  ), calls (n, condition, call) as (
    select n, format('%s and %s and %s', case when native then $only$pg_catalog.current_setting('pgscore.execution',
        true) operator(pg_catalog.=) 'online'$only$ else format(mode, 'online') end, is_mine, format(s.condition, this_version)),
           format('pgscore_models._v%s_online_score(%s)', this_version, s.text)
      from mine cross join unnest(online_conditions, online_rows) with ordinality as s (condition, text, n)
    union all
    -- After the online ones.
    select 10, format('%s and %s and %s', format(mode, 'native'), is_mine, format(native_condition, this_version)),
           format('pgscore_models._v%s_%s', this_version, native_call) from mine where native
  )
  select E'\nif ' || string_agg(format(E'%s then\n  return %s;', condition, call), E'\nelsif ' order by n) || E'\nend if;' from calls
$$;
comment on function pgscore_data._score_call(int, boolean, text, text, text[], text[]) is
'The lines of PL/pgSQL that call the functions of a version.
native_call: the end of the name of its compiled function, and its arguments.
native_condition: which rows this takes.
online_conditions: which rows the gateway is sent, the usual ones first. %1$s in a condition is the version.
online_rows: for each of them, the row as the text of a JSON object.';

create or replace function pgscore_data._score_calls(versions int[], natives int[], native_call text, native_condition text,
                                                     online_conditions text[], online_rows text[]) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  -- A hundred versions take seven comparisons. A version leaves these functions before its own are dropped.
  select case cardinality(versions)
    when 0 then ''
    when 1 then pgscore_data._score_call(versions[1], versions[1] = any (natives), native_call, native_condition, online_conditions,
                                         online_rows)
    else format(E'\nif version_id operator(pg_catalog.<) %s then%s\nelse%s\nend if;', versions[half + 1],
                pgscore_data._score_calls(versions[:half], natives, native_call, native_condition, online_conditions,
                                          online_rows),
                pgscore_data._score_calls(versions[half + 1:], natives, native_call, native_condition, online_conditions,
                                          online_rows))
  end
  from (select cardinality(versions) / 2) x (half)
$$;
comment on function pgscore_data._score_calls(int[], int[], text, text, text[], text[]) is
  'The PL/pgSQL by which score() comes to the functions of one of some versions, in ascending order, of which these are native. The rest '
  'as of _score_call().';

create or replace function pgscore_data._write_score_calls(versions int[], natives int[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  -- Found once for a row type and a version in a session, unless the table is altered.
  is_row constant text := 'pg_catalog.num_nulls(features) operator(pg_catalog.=) 0 and (shape '
                          'operator(pg_catalog.=) pgscore_models._taken_shape(%1$s, case when false then features end) or '
                          'pgscore_models._takes_row(%1$s, features, pgscore_models._relation(case when false then features end)))';
begin
  -- Not STRICT: with a row that is a constant NULL, an unknown model would not be refused.
  -- Under the caller's search_path: to switch it costs each call more than the rest of this.
  execute format('create or replace function pgscore_models._score_json(route int[], features jsonb) returns double '
                 'precision language plpgsql volatile parallel restricted cost 10000 as %L',
    format(E'declare\n  version_id constant int := route[1];\nbegin\n  if features is null or features '
           'operator(pg_catalog.=) ''null''::pg_catalog.jsonb then\n    return null;\n  end if;%s\n'
           '  if version_id operator(pg_catalog.<) 0 then\n'
           '    return pgscore_models._score_json(pgscore_models._arm(route, features), features);\n  end if;\n'
           '  return pgscore_models._score_any(route, features);\nend',
      pgscore_data._score_calls(versions, natives, 'json(features)', 'true',
                                '{pg_catalog.jsonb_typeof(features) operator(pg_catalog.=) ''object''}', '{features::pg_catalog.text}')));
  -- Every name is qualified, as those in _score_call() are: to switch two settings took 3 % of the database's time of a call.
  execute format('create or replace function pgscore_models._score_row(route int[], features anyelement, shape bigint, '
                 'relation regclass) returns double precision
    language plpgsql volatile parallel restricted cost 10000 as %L',
    format(E'declare\n  version_id constant int := route[1];\nbegin%s\n  if pg_catalog.num_nulls(features) '
           'operator(pg_catalog.=) 1 then\n    return null;\n  end if;\n  if version_id operator(pg_catalog.<) 0 then\n    return '
           'pgscore_models._score_row(pgscore_models._arm(route, pgscore_models._features(version_id, features)), features, shape, '
           'relation);\n  end if;\n  return pgscore_models._score_any(route, pgscore_models._features(version_id, features));\nend',
      pgscore_data._score_calls(versions, natives, 'row(features, shape)', is_row,
                                array[is_row || ' and shape operator(pg_catalog.&) 1 operator(pg_catalog.=) 0', is_row],
        array['pg_catalog.row_to_json(features)::pg_catalog.text',
              'pgscore_models._without_padding(features, pg_catalog.to_jsonb(features))::pg_catalog.text'])));
end
$$;
comment on function pgscore_data._write_score_calls(int[], int[]) is
  'Writes some versions, in ascending order, into score() of a row and of jsonb.';

create or replace function pgscore_data._renew_score_calls() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  -- Of two sessions that replace a function at once, one fails.
  select from pgscore_data.turn t where t.work = 'calls' for update;
  -- Each version costs the first call of a session some microseconds.
  select pgscore_data._write_score_calls(coalesce(array_agg(x.version_id order by x.version_id), '{}'),
                                         array_agg(x.version_id) filter (where x.native))
    from (select e.version_id, e.native from pgscore_data.execution e where pgscore_data._has_score(e)
           order by e.version_id desc limit 300) x;
$$;
comment on function pgscore_data._renew_score_calls() is
  'Writes the newest versions into score(). One that is not among them is called all the same.';

select pgscore_data._renew_score_calls();
comment on function pgscore_models._score_json(int[], jsonb) is
  'score() of a row as jsonb, by the version of a route. EXECUTE on its functions is the right to use a model. Made anew whenever a '
  'version becomes ready.';
comment on function pgscore_models._score_row(int[], anyelement, bigint, regclass) is
  'score() of a row, by the version of a route; shape and relation: of its type, as the query saw it. Made anew whenever a version '
  'becomes ready.';
