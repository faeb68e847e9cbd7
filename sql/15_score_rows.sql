-- score_rows(): many rows in few round trips, inside a transaction.

create or replace function pgscore_models._rows_as_json(rows anyarray, features text[]) returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
-- What a number is in JSON depends on it.
set extra_float_digits = 1
as $$
declare
  first jsonb := to_jsonb(rows[array_lower(rows, 1)]);
  padded text[];
begin
  if not (first ?& features) then
    -- Raises where they are no rows, or lack a feature by any case; the service matches the names of each.
    perform pgscore_models._match_features(features, first);
  end if;
  if pgscore_models._is_row(pg_typeof(rows[array_lower(rows, 1)])) then
    padded := pgscore_models._padded_columns(rows[array_lower(rows, 1)]);
  end if;
  return case when padded is null then array_to_json(rows)::text else (select jsonb_agg(pgscore_models._trim_columns(to_jsonb(r), padded))::text from unnest(rows) r) end;
end
$$;
comment on function pgscore_models._rows_as_json(anyarray, text[]) is 'Rows as one JSON array.';

create or replace function pgscore_data._written_numbers(version_id int, row_type regtype) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select case when features.fit and keys.fit then format(
      'select E''numbers\n'' || json_build_object(''about'', json_build_object(%s), ''reals'', %L::json)::text || E''\n'' || encode(array_send(array_agg(array[%s]::%s[])), ''base64'') from unnest($1) r',
      keys.columns, features.reals, features.columns, features.type) end
    from pgscore_data.version v
    join pg_type t on t.oid = row_type
   cross join lateral (
     select bool_and((m.width = 1 and m.candidates <= 1 and case m.tensor_type
                       when 'float32' then m.type in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'float4'::regtype, 'float8'::regtype)
                       -- A real that is read as JSON is the decimal that it is written as.
                       when 'float64' then m.type in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'float8'::regtype)
                       else m.tensor_type in ('int32', 'int64') and m.type in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
                     end) is true) as fit,
            string_agg('r.' || quote_ident(m.column_name), ', ' order by m.n) as columns, case when bool_and(m.type = 'float4'::regtype) then 'real' else 'double precision' end as type,
            coalesce(jsonb_agg(m.n - 1 order by m.n) filter (where m.type = 'float4'::regtype), '[]') as reals
       from pgscore._matched_features(t.typrelid, v.signature, null) m
   ) features
   cross join lateral (
     select coalesce(bool_and(a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'text'::regtype, 'varchar'::regtype, 'uuid'::regtype, 'date'::regtype, 'bool'::regtype)), true) as fit,
            string_agg(format('%1$L, array_agg(r.%1$I)', a.attname), ', ' order by a.attnum) as columns
       from pgscore_data.monitor m
       left join pgscore_data.call_log l using (model_id)
       join pg_attribute a on a.attrelid = t.typrelid and a.attname = any (coalesce(l.key, m.key_columns)) and a.attnum > 0 and not a.attisdropped
      where m.model_id = v.model_id
   ) keys
   where v.version_id = _written_numbers.version_id and t.typrelid <> 0
$$;
comment on function pgscore_data._written_numbers(int, regtype) is 'The query that writes rows $1 of a type as the service reads rows of numbers: columns of what labels find them by, which features are reals, and all features of row after row as array_send() gives them. In a third of the time that JSON takes. NULL where the features of the version, or the columns of the type, are not all numbers.';

create or replace function pgscore_models._rows_writer(version_id int, row_type regtype) returns text
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$ select pgscore_data._written_numbers($1, $2) $$;
comment on function pgscore_models._rows_writer(int, regtype) is 'The query by which score_rows() writes rows of a type for the service; NULL where they go as JSON.';

create or replace function pgscore_models._feature_names(version_id int) returns text[]
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$ select e.features from pgscore_data.execution e where e.version_id = $1 $$;
comment on function pgscore_models._feature_names(int) is 'The features of a version, in order.';

drop function if exists pgscore_models._score_rows_native(pgscore_models._routing, anyarray);
create or replace function pgscore_models._columns_native(route pgscore_models._routing, rows anyarray) returns pgscore_models._columns
language sql volatile parallel restricted
set search_path = pg_catalog, pg_temp
as $$
  select pgscore_models._as_columns(array_agg(p.prediction order by x.n), route.class_labels)
    from (select r, row_number() over () as n from unnest(rows) r) x
    cross join lateral pgscore_models._predict(route, pgscore_models._features(x.r)) p
$$;
comment on function pgscore_models._columns_native(pgscore_models._routing, anyarray) is 'The predictions of rows by the compiled functions of a version.';

create or replace function pgscore.score_rows(model text, rows anyarray)
returns table (features anyelement, score double precision, label text, probabilities double precision[], version text)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  route pgscore_models._routing := pgscore_models._route(model);
  version_name text := pgscore_models._version_name(route.version_id);
  names text[] := pgscore_models._feature_names(route.version_id);
  send text := format('select pgscore_models._v%s_online_send($1)', route.version_id);
  receive text := format('select * from pgscore_models._v%s_online_columns($1, $2)', route.version_id);
  native boolean := coalesce(current_setting('pgscore.execution', true), '') = 'native' and pgscore_models._execution('native', route.version_id, route.native, route.reason);
  first int := array_lower(rows, 1);
  writer text := case when not native and cardinality(rows) >= 100 then pgscore_models._rows_writer(route.version_id, pg_typeof(rows[first])) end;
  -- Several sessions must find room in the gateway's queue at once; more rows at a time were no faster. Of numbers, which take
  -- up to 17 bytes each, so many that a message is far from the 16 MB that the service takes.
  most constant int := case when writer is null then 1000 else least(1000, 600000 / cardinality(names)) end;
  chunk rows%type;
  sent rows%type;
  request text;
  sent_request text;
  answer pgscore_models._columns;
  classes int := cardinality(route.class_labels);
begin
  if not has_function_privilege('pgscore_models._v' || route.version_id || '_online(jsonb, name)', 'execute') then
    perform pgscore_models._refuse_ungranted(model);
  end if;
  if array_position(rows, null) is not null then
    raise exception 'row % of the array is NULL', array_position(rows, null) using errcode = 'null_value_not_allowed',
      hint = 'Leave it out: array(select c from … where c is distinct from null).';
  end if;
  -- Each chunk is sent before the rows of the last are handed out and the next are written: the service works meanwhile.
  loop
    chunk := rows[first : first + most - 1];
    if native then
      sent := chunk;
      answer := pgscore_models._columns_native(route, chunk);
    else
      request := null;
      if cardinality(chunk) > 0 and writer is not null then
        execute writer into request using chunk;
      elsif cardinality(chunk) > 0 then
        request := pgscore_models._rows_as_json(chunk, names);
      end if;
      if sent is not null then
        execute receive into answer using sent_request, cardinality(sent);
      end if;
      if request is not null then
        execute send using request;
      end if;
    end if;
    if cardinality(sent) > 0 then
      -- Set-returning functions of one list go in step; a join of their numbers would cost as much as the rows themselves.
      return query select x.r, x.score, route.class_labels[x.place], case when answer.probabilities is not null and x.place is not null then answer.probabilities[x.n * classes - classes + 1 : x.n * classes] end, version_name
        from (select unnest(sent) as r, unnest(answer.scores) as score, unnest(answer.labels) as place, generate_series(1, cardinality(sent)) as n) x;
    end if;
    exit when coalesce(cardinality(chunk), 0) = 0;
    sent := chunk;
    sent_request := request;
    first := first + most;
  end loop;
end
$$;
comment on function pgscore.score_rows(text, anyarray) is
'Scores many rows by way of the service, thousands in a round trip, inside of the transaction, uncommitted rows included; each prediction is logged (pgscore.online_predictions). With pgscore.execution = native they are computed here, and not logged.
select (s.features).id, s.score, s.label from pgscore.score_rows(''churn'', array(select c from customers c where …)) s;
For whole tables score_table() is faster and isolates rows that cannot be scored; here one such row fails the call.';
