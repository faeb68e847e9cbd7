-- The typed functions of a model over the rows of a table, which the planner sees through.

create or replace function pgscore_data._compiled_call(this_version int, part text, columns jsonb) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select format('pgscore_models.%I(%s)', '_v' || this_version || part,
    string_agg(format('pgscore_models.%I($1.%I, %L::varchar)', pgscore_data._column_function(y.type, y.width), c ->> 'name',
                      concat_ws(' ', c ->> 'binding', c ->> 'name'))
      || case part when '_real' then '' else '::' || pgscore_data._argument_type(y.type, y.width) end, ', ' order by n))
  from jsonb_array_elements(columns) with ordinality as x (c, n)
 cross join lateral (select c ->> 'tensor_type', (c ->> 'width')::int) y (type, width)
$$;
comment on function pgscore_data._compiled_call(int, text, jsonb) is
  'The SQL that calls a compiled function with the columns of a row $1: with casts, unless it takes real columns as they are. A column '
  'whose type its feature cannot have is refused.';

create or replace function pgscore_data._native_expression(this_version int, columns jsonb) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  -- The NULL row of an outer join has no score. The test of one column spares other rows the test of all.
  select case
      when quick then format('coalesce(%s, case when %s then null else %s end)',
                             pgscore_data._compiled_call(this_version, case when real then '_real' else '_quick' end, columns), missing,
                             pgscore_data._compiled_call(this_version, '_checked', columns))
      else format('case when %s then null else %s end', missing,
                  pgscore_data._compiled_call(this_version, case when real then '_real' else '' end, columns))
    end
    from (select exists (select from pg_proc p
                          where p.pronamespace = 'pgscore_models'::regnamespace and p.proname = format('_v%s_quick', this_version)),
                 bool_and(c ->> 'sql_type' = 'real')
                   and to_regprocedure(format('pgscore_models._v%s_real(%s)', this_version,
                                              string_agg(c ->> 'sql_type', ', '))) is not null,
                 format('($1.%I) is null and pg_catalog.num_nulls($1) = 1', columns -> 0 ->> 'name')
            from jsonb_array_elements(columns) c) x (quick, real, missing)
$$;
comment on function pgscore_data._native_expression(int, jsonb) is
  'The SQL for the score of a row $1 by the compiled functions of a version that take its columns soonest.';

create or replace function pgscore_data._online_attributes() returns text
language sql stable
set search_path = pg_catalog, pg_temp
-- Before PostgreSQL 17 a query with workers may not begin a subtransaction, and the service is asked in one.
as $$ select format('volatile parallel %s cost 100000',
                    case when current_setting('server_version_num')::int < 170000 then 'unsafe' else 'restricted' end) $$;
comment on function pgscore_data._online_attributes() is 'The attributes of a typed function that asks the service.';

create or replace function pgscore_data._typed_result_type(task text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select case when task = 'multiclass' then 'text' when task = 'embedding' then 'real[]'
           when task in ('multi_target', 'multilabel') then 'jsonb' else 'double precision' end
$$;
comment on function pgscore_data._typed_result_type(text) is
  'What a typed function returns: the score, the label of several classes, all of several values, or the vector.';

create or replace function pgscore_data._typed_result(e pgscore_data.execution, call text, label_call text, otherwise text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when e.native and e.task = 'multiclass' then format('(%L::text[])[1 + %s]', e.class_labels, label_call)
    when e.native then call
    when e.task = 'multiclass' then asked || '.label'
    when e.task = 'embedding' then asked || '.probabilities::real[]'
    when e.task in ('multi_target', 'multilabel')
      then format('pgscore_models._values_json(%L, %L::text[], %s.probabilities)', e.task, e.class_labels, asked)
    else asked || '.score'
  end
  from format('(pgscore_models.%I(%s))', format('_v%s_online', e.version_id), otherwise) as asked
$$;
comment on function pgscore_data._typed_result(pgscore_data.execution, text, text, text) is
  'What a typed function of a version computes: by the compiled function or through the service.';

create or replace function pgscore_data._columns_in(body text) returns text[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $$ select array(select distinct replace(m[1], '''''', '''')
                     from regexp_matches(body, '''[0-9]+ ((?:[^'']|'''')*)''::varchar', 'g') m order by 1) $$;
comment on function pgscore_data._columns_in(text) is
  'The columns that a typed function of a version takes, out of its body as _compiled_call() writes it.';

create or replace function pgscore_data._refuse_other_columns(name name, relation regclass, body text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  indexed record;
begin
  select i.indexrelid::regclass as index, p.proname, pgscore_data._columns_in(p.prosrc) as columns into indexed
    from pg_proc p
    join pg_depend d on d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid and d.classid = 'pg_class'::regclass
    join pg_index i on i.indexrelid = d.objid
   where p.oid = to_regprocedure(format('pgscore_models.%I(%s)', name, relation))
     and pgscore_data._columns_in(p.prosrc) not in ('{}', pgscore_data._columns_in(body))
   order by 1 limit 1;
  if found then
    raise exception 'index % keeps scores of its column%', indexed.index,
      (select coalesce(' ' || string_agg(format('"%s"', c), ', '), 's') || ', and ' || indexed.proname || '() would take '
           || (select string_agg(format('"%s"', n), ', ') from unnest(pgscore_data._columns_in(body)) n where n <> all (indexed.columns))
             || ' instead'
         from unnest(indexed.columns) c where c <> all (pgscore_data._columns_in(body))) using
      errcode = 'dependent_objects_still_exist',
      hint = format('Drop index %s, bind again, and make it anew; or give the column its name back.', indexed.index);
  end if;
end
$$;
comment on function pgscore_data._refuse_other_columns(name, regclass, text) is
  'Raises where an index goes by a typed function of a version that would take other columns than it did: it never changes.';

create or replace function pgscore_data._unindexable(call text, result text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
-- PostgreSQL inlines functions before it checks that an index or a stored column is immutable. Without now() it would accept one by the
-- champion, which would hold scores of two versions after a promotion. Only a row without a score gets to now(): evaluated for every
-- row, it would cost a logistic model 7 %. A row of constants alone is accepted still.
as $$ select format('coalesce(%s, case when pg_catalog.now() is null then null::%s end)', call, result) $$;
comment on function pgscore_data._unindexable(text, text) is
  'The SQL of a call that PostgreSQL takes into no index and no generated column.';

create or replace function pgscore_data._refuse_kept(function regprocedure) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  kept text := (select string_agg(pg_describe_object(d.classid, d.objid, d.objsubid), ', ') from pg_depend d
                  left join pg_index i on d.classid = 'pg_class'::regclass and i.indexrelid = d.objid
                 where d.refclassid = 'pg_proc'::regclass and d.refobjid = function
                  and (i.indexrelid is not null or d.classid = 'pg_attrdef'::regclass or d.classid = 'pg_class'::regclass
                       and d.objid in (select t.partrelid from pg_partitioned_table t)));
begin
  if kept is not null then
    raise exception '% keeps scores by the texts of an enum, which may be renamed', kept using errcode = 'dependent_objects_still_exist',
      hint = 'Drop it and bind again; an index can go by the features instead, with a column that is a text.';
  end if;
end
$$;
comment on function pgscore_data._refuse_kept(regprocedure) is
  'Raises where an index or a column keeps what a function gives that can be kept no more.';

create or replace function pgscore_data._bind_version(e pgscore_data.execution, name name, relation regclass, columns jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  result text := pgscore_data._typed_result_type(e.task);
  -- A version reads nothing and never changes, so it serves in indexes, generated columns and workers. The cost, that of reading five
  -- pages, puts other conditions first and makes workers worth while.
  kind text := case when e.native then 'immutable parallel safe cost 2000' else pgscore_data._online_attributes() end;
  body text := case
    when e.native and e.task <> 'multiclass' then pgscore_data._native_expression(e.version_id, columns)
    else format('case when ($1.%I) is null and pg_catalog.num_nulls($1) = 1 then null else %s end', columns -> 0 ->> 'name',
      pgscore_data._typed_result(e, null, pgscore_data._compiled_call(e.version_id, '_label', columns),
                                 format('pgscore_models._features(%s, $1)', e.version_id)))
  end;
begin
  -- The texts of an enum may be renamed.
  if e.native and exists (select from jsonb_array_elements(columns) c
                            join pg_attribute a on a.attrelid = relation and a.attname = c ->> 'name'
                           where pgscore_models._is_enum(a.atttypid)) then
    kind := 'stable parallel safe cost 2000';
    body := pgscore_data._unindexable(body, result);
    perform pgscore_data._refuse_kept(to_regprocedure(format('pgscore_models.%I(%s)', name, relation)));
  end if;
  perform pgscore_data._refuse_other_columns(name, relation, body);
  perform pgscore_data._create_function(name, relation::text, result, 'sql', kind, 'select ' || body,
    format('%s of a row of %s. Never changes.', case when e.task = 'multiclass' then 'The label' when e.task = 'regression' then 'The value'
      when result = 'jsonb' then 'All values' when e.task = 'embedding' then 'The vector'
      when e.score_unit is null then 'The probability of the positive class' else 'The margin of the positive class' end, relation));
end
$$;
comment on function pgscore_data._bind_version(pgscore_data.execution, name, regclass, jsonb) is
  'Creates the typed function of a version for the rows of a table.';

create or replace function pgscore_data._bind_scalars(e pgscore_data.execution, name name, features jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  -- A longer name would be cut, and could be that of another argument. $1 and its like are PL/pgSQL's.
  named boolean := (select bool_and(octet_length(f.name) between 1 and 63 and f.name !~ '^\$[0-9]+$')
                      from pgscore_data._features_of(features) f);
  taken text := (select string_agg(case when named then quote_ident(f.name) || ' ' else '' end || f.argument, ', ' order by f.n)
                   from pgscore_data._features_of(features) f);
  given text := (select string_agg('$' || n, ', ' order by n) from generate_series(1, jsonb_array_length(features)) n);
begin
  -- In PL/pgSQL, which takes 0.3 µs more: pg_dump may write a table with a generated column before the function that one in SQL would
  -- call, for which PostgreSQL looks when it makes the column.
  if e.native and jsonb_array_length(features) <= 100 then
    perform pgscore_data._create_function(name, taken, pgscore_data._typed_result_type(e.task), 'plpgsql',
                                          'immutable parallel safe cost 2000',
      format(E'begin\n  return %s;\nend', pgscore_data._typed_result(e, format('pgscore_models.%I(%s)', '_v' || e.version_id, given),
          format('pgscore_models.%I(%s)', '_v' || e.version_id || '_label', given), null)),
      'By its features: for generated columns, which take no rows. Never changes.');
  end if;
end
$$;
comment on function pgscore_data._bind_scalars(pgscore_data.execution, name, jsonb) is
  'Creates the typed function of a compiled version that takes its features one by one.';
