-- The calls that nodes of Citus answer, and what they say of those that they cannot.

create or replace function pgscore_data._refused_on_nodes(what text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select format(E'begin\n  raise exception %L using errcode = ''feature_not_supported'', hint = %L;\nend', reason,
                hint || ' Or let score_table() score the table, and join its view.')
    from (values
      ('call', 'this call is for the coordinator of Citus, and the query sends it to the nodes',
       'Read the rows first: with c as materialized (select * from customers) select pgscore.predict(''churn'', c) from c.'),
      ('router', 'Citus sends this query to its nodes before pgscore has chosen a version',
       'Of rows by their key, and of a table with one shard: set citus.enable_router_execution = off, or read the row in a PL/pgSQL '
       'function and score it there. '
       'Else score all rows first: with s as materialized (select id, score(''churn'', c) as score from customers c) select * from s.'),
      ('unnamed', 'Citus sends rows of views and subqueries to its nodes without the names of their columns',
       'Pass jsonb_build_object(''age'', age, …), or read the rows first: '
       'with c as materialized (select * from view) select score(''churn'', c) from c.'),
      ('arms', 'the nodes of Citus cannot compute the arms of an experiment',
       'Name a version, such as churn@1. Or read the rows first: '
       'with c as materialized (select * from customers) select score(''churn'', c) from c.'),
      ('online', 'the nodes of Citus have no such native version',
       'Models that are not native are answered by the service. Read the rows first: '
       'with c as materialized (select * from customers) select score(''churn'', c) from c. '
       'A native version comes to a new node with the next look of the service.')) x (what, reason, hint)
   where x.what = $1
$$;
comment on function pgscore_data._refused_on_nodes(text) is 'The PL/pgSQL by which a node says what it cannot do, and what to do instead.';

create or replace function pgscore_data._node_features() returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select format(E'begin\nif pg_catalog.pg_typeof(features) operator(pg_catalog.=) ''pg_catalog.json''::pg_catalog.regtype then\n'
                '  return pg_catalog.to_jsonb(features);\n'
                'elsif pg_catalog.pg_typeof(features) operator(pg_catalog.<>) ''pg_catalog.record''::pg_catalog.regtype then\n'
                '  perform pgscore_models._refuse_value(pg_catalog.to_jsonb(features));\nend if;\n%s;\nend',
                pgscore_data._refused_on_nodes('unnamed'))
$$;
comment on function pgscore_data._node_features() is
  'The PL/pgSQL by which a node takes JSON for a row, and refuses a value, or a row whose columns have no names there.';

create or replace function pgscore_data._node_dispatch(versions int[], call text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select case cardinality(versions)
    when 0 then ''
    when 1 then format(E'if route[1] operator(pg_catalog.=) %1$s then\n  return pgscore_models._v%1$s_%2$s;\nend if;\n', versions[1], call)
    else format(E'if route[1] operator(pg_catalog.<) %s then\n%selse\n%send if;\n', versions[half + 1],
                pgscore_data._node_dispatch(versions[:half], call), pgscore_data._node_dispatch(versions[half + 1:], call))
  end
  from (select cardinality(versions) / 2) x (half)
$$;
comment on function pgscore_data._node_dispatch(int[], text) is
  'The PL/pgSQL that calls the function of one of some versions, by a binary search. The versions are in ascending order.';

create or replace function pgscore_data._node_calls(versions int[]) returns table (signature text, result text, source text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select f.signature, 'double precision',
         format(E'declare\n  answer double precision;\nbegin\nif pg_catalog.num_nulls(features) operator(pg_catalog.=) 1 then\n'
                '  return null;\nend if;\n%s\nif route[1] operator(pg_catalog.<) 0 then\n%s;\nend if;\n%s'
                -- Of a version that is not among the newest.
                'if pg_catalog.to_regprocedure(pg_catalog.format(''pgscore_models._v%%s_%s'', route[1])) is not null then\n'
                '  execute pg_catalog.format(''select pgscore_models._v%%s_%s'', route[1]) into answer using %s;\n'
                '  return answer;\nend if;\n%s;\nend',
                format(f.guard, pgscore_data._refused_on_nodes('unnamed')), pgscore_data._refused_on_nodes('arms'),
                pgscore_data._node_dispatch(versions, format('%s(%s)', f.form, f.given)), f.form || f.types, f.form || f.places, f.given,
                pgscore_data._refused_on_nodes('online'))
    from (values
      ('pgscore_models._score_shaped_row(route integer[], features anyelement, shape bigint)', 'row', 'features, shape',
       '(anyelement, bigint)', '($1, $2)',
       -- to_jsonb() rounds by what the session of the node has set.
       E'if shape operator(pg_catalog.=) 0 then\n%s;\nend if;\n'
       'if pg_catalog.current_setting(''extra_float_digits'') operator(pg_catalog.<>) all (array[''1'', ''2'', ''3'']) then\n'
       '  return pgscore_models._score_json(route, pgscore_models._exact_json(features));\nend if;'),
      -- Citus names the columns f1, f2, …; those of a model may have these names, in another order.
      ('pgscore_models._score_json(route integer[], features jsonb)', 'json', 'features', '(jsonb)', '($1)',
       E'if features operator(pg_catalog.?) ''f1'' and pg_catalog.jsonb_typeof(features) operator(pg_catalog.=) ''object'' then\n'
       'if not exists (select from pg_catalog.jsonb_object_keys(features) k where k operator(pg_catalog.!~) ''^f[0-9]+$'') then\n'
       '%s;\nend if;\nend if;')) f (signature, form, given, types, places, guard)
  union all
  -- A node plans each query anew, and inlines this: the shape is that of the shard now, whatever a function of the session remembers.
  select 'pgscore_models._score_row(route integer[], features anyelement, shape bigint, relation regclass)', 'double precision',
         'select pgscore_models._score_shaped_row($1, $2, pgscore_models._shape(case when false then $2 end))'
  union all
  -- Of queries that are sent as they are written.
  select s.signature, s.result, pgscore_data._refused_on_nodes('router')
    from (values
      ('pgscore.score(model text, features anyelement)', 'double precision'),
      ('pgscore.score(model text, features anyelement, class text)', 'double precision'),
      ('pgscore.score_or_null(model text, features anyelement)', 'double precision'),
      ('pgscore.score_or_null(model text, features anyelement, class text)', 'double precision'),
      ('pgscore.why_not(model text, features anyelement)', 'text'),
      ('pgscore.classify(model text, features anyelement)', 'text'),
      ('pgscore.embed(model text, features anyelement)', 'real[]'),
      ('pgscore.predict(model text, features anyelement)', 'jsonb'),
      ('pgscore.score_rows(model text, rows anyarray)', pg_get_function_result('pgscore.score_rows(text, anyarray)'::regprocedure)),
      ('pgscore.arm(model text, key anyelement)', 'text')) s (signature, result)
  union all
  select format('pgscore_models.%I(features anyelement)', p.proname), min(pg_get_function_result(p.oid)),
         pgscore_data._refused_on_nodes('router')
    from pg_proc p
   where p.pronamespace = 'pgscore_models'::regnamespace and p.prokind = 'f' and not starts_with(p.proname, '_') group by p.proname
$$;
comment on function pgscore_data._node_calls(int[]) is
  'The functions that queries on nodes of Citus call: of rows and jsonb, by these native versions, in ascending order; else refusals.';
