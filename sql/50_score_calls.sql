-- How score() of a row that is not bound comes to the functions of a version: in calls that are written out, which cost a twentieth of one that is put together.

create or replace function pgscore_data._score_call(this_version int, native boolean, form text, sendable text, sent text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  -- Few expressions: PL/pgSQL prepares each anew in every transaction. Who asks for fewer digits of numbers is answered the general way.
  select format(case when native then $native$
if route.version_id operator(pg_catalog.=) %1$s then
  if pg_catalog.current_setting('pgscore.execution', true) operator(pg_catalog.=) 'online' and %4$s and %3$s then
    return pgscore_models._v%1$s_online_score(%5$s);
  elsif coalesce(pg_catalog.current_setting('pgscore.execution', true), '') operator(pg_catalog.=) any (array['', 'auto', 'native']) and %4$s then
    return pgscore_models._v%1$s_%2$s;
  end if;
end if;$native$ else $online$
if route.version_id operator(pg_catalog.=) %1$s then
  if coalesce(pg_catalog.current_setting('pgscore.execution', true), '') operator(pg_catalog.=) any (array['', 'auto', 'online']) and %4$s and %3$s then
    return pgscore_models._v%1$s_online_score(%5$s);
  end if;
end if;$online$ end, this_version, form, sendable, format('pg_catalog.has_function_privilege(''pgscore_models._v%s_online(pg_catalog.jsonb, pg_catalog.name)''::pg_catalog.regprocedure, ''execute'') and pg_catalog.current_setting(''extra_float_digits'')::pg_catalog.int4 operator(pg_catalog.>) 0', this_version), sent)
$$;
comment on function pgscore_data._score_call(int, boolean, text, text, text) is 'The lines of PL/pgSQL that call the functions of a version. form: the end of the name of its compiled function, and its arguments.  sendable: a condition of rows that the service can be sent.  sent: such a row, as the text of a JSON object.';

create or replace function pgscore_data._score_calls(versions int[], natives int[], form text, sendable text, sent text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  -- Halved again and again: a hundred versions are seven comparisons. In an IF of its own, what names the version's functions is read for that version alone, which is there.
  select case cardinality(versions)
    when 0 then ''
    when 1 then pgscore_data._score_call(versions[1], versions[1] = any (natives), form, sendable, sent)
    else format(E'\nif route.version_id operator(pg_catalog.<) %s then%s\nelse%s\nend if;', versions[half + 1], pgscore_data._score_calls(versions[:half], natives, form, sendable, sent), pgscore_data._score_calls(versions[half + 1:], natives, form, sendable, sent))
  end
  from (select cardinality(versions) / 2) x (half)
$$;
comment on function pgscore_data._score_calls(int[], int[], text, text, text) is 'The PL/pgSQL by which score() comes to the functions of one of some versions, in ascending order, of which these are native. form, sendable, sent: as of _score_call().';

create or replace function pgscore_data._write_score_calls(versions int[], natives int[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  called constant text := E'begin\n  if %1$s then\n    return null;\n  end if;%2$s\n  return pgscore_models._score_any(route, model, %3$s);\nend';
begin
  -- Under the caller's search_path, as the functions of a bound table are called: under another, the plan of a large model is made anew.
  execute format('create or replace function pgscore_models._score(route pgscore_models._routing, model text, features jsonb) returns double precision
    language plpgsql volatile parallel restricted cost 10000 as %L',
    format(called, 'features is null or features operator(pg_catalog.=) ''null''::pg_catalog.jsonb', pgscore_data._score_calls(versions, natives, 'json(features)', 'pg_catalog.jsonb_typeof(features) operator(pg_catalog.=) ''object''', 'features::pg_catalog.text'), 'features'));
  -- What is no row of a table, such as an array, has no shape, and is for the general way to refuse. Every name in it is
  -- qualified, as those in _score_call() are: to change two settings and back took a thirtieth of the database's time of a call.
  execute format('create or replace function pgscore_models._score_row(route pgscore_models._routing, model text, features anyelement, shape bigint) returns double precision
    language plpgsql volatile parallel restricted cost 10000 as %L',
    format(called, 'pg_catalog.num_nulls(features) operator(pg_catalog.=) 1', pgscore_data._score_calls(versions, natives, 'row(features, shape)', 'shape is not null',
      'case when shape operator(pg_catalog.&) 1 operator(pg_catalog.=) 0 then pg_catalog.row_to_json(features)::pg_catalog.text else pgscore_models._without_padding(features, pg_catalog.to_jsonb(features))::pg_catalog.text end'), 'pgscore_models._features(features)'));
  execute format('create or replace function pgscore_models._score(route pgscore_models._routing, model bpchar, features record) returns double precision
    language plpgsql volatile parallel restricted cost 10000 set search_path = pg_catalog, pg_temp set extra_float_digits = 1 as %L',
    format(called, 'num_nulls(features) = 1', pgscore_data._score_calls(versions, natives, 'record(features)', 'true', 'pgscore_models._features(features)::text'), 'pgscore_models._features(features)'));
end
$$;
comment on function pgscore_data._write_score_calls(int[], int[]) is 'Writes some versions, in ascending order, into score() of a row, of one of a subquery and of jsonb.';

create or replace function pgscore_data._renew_score_calls() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  -- Of two that replace a function at once, one fails.
  select from pgscore_data.turn t where t.work = 'calls' for update;
  -- Each costs the first call of a session some microseconds.
  select pgscore_data._write_score_calls(coalesce(array_agg(x.version_id order by x.version_id), '{}'), array_agg(x.version_id) filter (where x.native))
    from (select e.version_id, e.native from pgscore_data.execution e
           where (e.task = 'regression' or e.task = 'binary' and e.probabilities)
             and (select count(*) from unnest(array['online(jsonb, name)', 'online_score(text, name)'] || case when e.native then array['json(jsonb)', 'row(anyelement, bigint)', 'record(record)'] end) f
                   where to_regprocedure(format('pgscore_models._v%s_%s', e.version_id, f)) is null) = 0
           order by e.version_id desc limit 300) x;
$$;
comment on function pgscore_data._renew_score_calls() is 'Writes the newest versions into score(). One that is not among them is called all the same.';

select pgscore_data._renew_score_calls();
comment on function pgscore_models._score(pgscore_models._routing, text, jsonb) is 'score() of a row as jsonb, by one version. EXECUTE on its functions is the right to use a model. Made anew whenever a version becomes ready.';
comment on function pgscore_models._score(pgscore_models._routing, bpchar, record) is 'score() of a row without a type of its own, as of a subquery. Made anew whenever a version becomes ready.';
comment on function pgscore_models._score_row(pgscore_models._routing, text, anyelement, bigint) is 'score() of a row, by one version; shape: of its type, as the query saw it. Made anew whenever a version becomes ready.';

drop function if exists pgscore_models._online_score(pgscore_models._routing, text, text), pgscore_models._without_padding(record, text), pgscore_data._renew_online_score(), pgscore_data._online_calls(int[], text),
  pgscore_data._renew_native_calls(), pgscore_data._write_native_calls(int[]), pgscore_data._native_calls(int[], text);
