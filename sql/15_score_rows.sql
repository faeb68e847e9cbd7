-- score_rows(): many rows in few round trips, inside a transaction.

drop function if exists pgscore_models._rows_as_json(anyarray, text[]);
create or replace function pgscore_models._write_rows(rows anyarray, features text[], writer text) returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
-- What a number is in JSON depends on it.
set extra_float_digits = 1
as $$
declare
  written text;
  padded text[];
begin
  if writer is not null then
    execute writer into written using rows;
    return written;
  end if;
  if pgscore_models._is_row(pg_typeof(rows[1])) then
    if not (to_jsonb(rows[1]) ?& features) then
      -- Raises where they lack a feature by any case; of JSON the service looks at each, and says which.
      perform pgscore_models._match_features(features, to_jsonb(rows[1]));
    end if;
    padded := pgscore_models._padded_columns(rows[1]);
  end if;
  return case when padded is null then array_to_json(rows)::text else (select jsonb_agg(pgscore_models._trim_columns(to_jsonb(r), padded))::text from unnest(rows) r) end;
end
$$;
comment on function pgscore_models._write_rows(anyarray, text[], text) is 'Rows as the service reads them: by the query that writes rows of their type, else as one JSON array.';

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

create or replace function pgscore_data._written_columns(version_id int, row_type regtype) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  -- char(n) as a text is without its padding. x.* is the row also where a column is called x.
  select format('select json_agg(x.*)::text from (select %s from unnest($1) r) x',
           string_agg(format(case when pgscore._base_type(a.atttypid) = 'bpchar'::regtype then 'r.%1$I::text as %1$I' else 'r.%1$I' end, a.attname), ', ' order by a.attnum))
    from pgscore_data.version v
    join pg_type t on t.oid = row_type
   cross join lateral (
     select array_agg(m.column_name) as columns, bool_and(m.column_name is not null and m.candidates <= 1) as fit from pgscore._matched_features(t.typrelid, v.signature, null) m
   ) features
    left join pgscore_data.monitor m on m.model_id = v.model_id
    left join pgscore_data.call_log l on l.model_id = v.model_id
    join pg_attribute a on a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped and (a.attname = any (features.columns) or a.attname = any (coalesce(l.key, m.key_columns)))
   where v.version_id = _written_columns.version_id and t.typrelid <> 0 and features.fit
  having count(*) > 0
$$;
comment on function pgscore_data._written_columns(int, regtype) is 'The query that writes rows $1 of a type as JSON: features, and columns of what labels find them by, but nothing that the service would pass over. NULL where the rows are not of a type that has all features.';

create or replace function pgscore_models._rows_writer(version_id int, row_type regtype) returns text
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$ select pgscore_data._written_numbers($1, $2) $$;
comment on function pgscore_models._rows_writer(int, regtype) is 'The query by which score_rows() writes rows of a type for the service; NULL where they go as JSON.';

create or replace function pgscore_models._columns_writer(version_id int, row_type regtype) returns text
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$ select pgscore_data._written_columns($1, $2) $$;
comment on function pgscore_models._columns_writer(int, regtype) is 'The query by which score_rows() writes rows of a type as JSON; NULL where they go as they are.';

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

create or replace function pgscore_models._answer_native(route pgscore_models._routing, rows anyarray, before int, total int) returns pgscore_models._columns
language plpgsql volatile parallel restricted
set search_path = pg_catalog, pg_temp
as $$
declare
  at int := 0;
  problem text;
  detail text;
  remedy text;
begin
  begin
    return pgscore_models._columns_native(route, rows);
  exception
    when others then
      if total = 1 then
        raise;
      end if;
  end;
  -- Some row fails: one by one it is found.
  while at < cardinality(rows) loop
    at := at + 1;
    perform pgscore_models._columns_native(route, rows[at : at]);
  end loop;
  return pgscore_models._columns_native(route, rows);
exception
  when others then
    if total = 1 then
      raise;
    end if;
    get stacked diagnostics problem = message_text, detail = pg_exception_detail, remedy = pg_exception_hint;
    raise exception '%', problem using errcode = sqlstate, hint = remedy, detail = concat_ws(' ', nullif(detail, ''), format('Row %s of %s.', before + at, total));
end
$$;
comment on function pgscore_models._answer_native(pgscore_models._routing, anyarray, int, int) is 'The same, of rows that others came before; the error says which of all of them could not be scored.';

create or replace function pgscore_models._answer_online(route pgscore_models._routing, request text, rows int) returns pgscore_models._columns
language plpgsql volatile parallel restricted
set search_path = pg_catalog, pg_temp
as $$
declare
  answer pgscore_models._columns;
  problem text;
  detail text;
  remedy text;
begin
  execute format('select * from pgscore_models._v%s_online_columns($1, $2)', route.version_id) into answer using request, rows;
  return answer;
exception
  when feature_not_supported or sqlclient_unable_to_establish_sqlconnection or connection_failure or too_many_connections or object_not_in_prerequisite_state then
    if not route.native then
      raise;
    end if;
    get stacked diagnostics problem = message_text, detail = pg_exception_detail, remedy = pg_exception_hint;
    raise exception '%', problem using errcode = sqlstate, detail = concat_ws(' ', nullif(detail, ''), remedy),
      hint = 'score_rows() asks the service, so that predictions are kept. This version is native: after set pgscore.execution = native; it is computed here, without the service, and not kept.';
end
$$;
comment on function pgscore_models._answer_online(pgscore_models._routing, text, int) is 'The predictions of rows that were sent to the service; where there is none, the error says what else could give them.';

create or replace function pgscore_models._check_rows(rows anyarray) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  first constant int := array_lower(rows, 1);
begin
  if array_ndims(rows) > 1 then
    raise exception 'score_rows() takes an array of one dimension, not of %', array_ndims(rows) using errcode = 'array_subscript_error',
      hint = 'array(select unnest(…)) has all rows in one.';
  end if;
  if array_position(rows, null) is not null then
    raise exception 'row % of the array is NULL', array_position(rows, null) - first + 1 using errcode = 'null_value_not_allowed',
      hint = 'Leave it out: array(select c from … where c is distinct from null).';
  end if;
  if jsonb_typeof(to_jsonb(rows[first])) <> 'object' then
    raise exception 'score_rows() takes an array of rows, not of %', case when pg_typeof(rows[first]) in ('jsonb'::regtype, 'json'::regtype) then left(rows[first]::text, 80) else pg_typeof(rows[first])::text end using errcode = 'datatype_mismatch',
      hint = 'Pass rows by the table''s name or alias: array(select c from customers c); or jsonb: array(select jsonb_build_object(''name'', value, …) from …).';
  end if;
end
$$;
comment on function pgscore_models._check_rows(anyarray) is 'Raises where an array is not one of rows.';

create or replace function pgscore_models._written_alone(row_type regtype) returns boolean
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  -- 16384: types from there on are not PostgreSQL's own, and of these a cast to JSON may be anybody's function.
  select row_type in ('json'::regtype, 'jsonb'::regtype)
      or exists (select from pg_type r where r.oid = row_type and r.typrelid <> 0) and not exists (
           select from pg_type r
             join pg_attribute a on a.attrelid = r.typrelid and a.attnum > 0 and not a.attisdropped
             join pg_type t on t.oid = a.atttypid
             left join pg_type e on e.oid = t.typelem
            where r.oid = row_type and (t.oid >= 16384 or t.typtype <> 'b' or e.typtype <> 'b'))
$$;
comment on function pgscore_models._written_alone(regtype) is 'Whether no function of a user can run while rows of a type are written as JSON.';

-- A view may use the one that was there before: it is given that by another name, as PostgreSQL could not tell the two apart.
do $$
begin
  if to_regprocedure('pgscore.score_rows(text, anyarray)') is not null then
    begin
      drop function pgscore.score_rows(text, anyarray);
    exception
      when dependent_objects_still_exist then
        alter function pgscore.score_rows(text, anyarray) rename to _score_rows;
        create or replace function pgscore._score_rows(model text, rows anyarray)
        returns table (features anyelement, score double precision, label text, probabilities double precision[], version text)
        language sql stable cost 10000000 rows 1000
        set search_path = pg_catalog, pg_temp
        as 'select * from pgscore.score_rows(model, rows)';
        comment on function pgscore._score_rows(text, anyarray) is 'score_rows() of views that were made when it had two arguments.';
    end;
  end if;
end
$$;

-- It has the version of all that stands in the same statement, however often it is called: by its last argument, which is that of the caller's plan.
-- Not inlined: an argument that is array(select …) forbids it. How many rows an array has, the planner does not say before it calls
-- a function for that, which only one written in C can be: so they are the thousand that it takes for granted, each at the cost of score().
create or replace function pgscore.score_rows(model text, rows anyarray, as_of pgscore_models._as_of default pgscore_models._as_of())
returns table (features anyelement, score double precision, label text, probabilities double precision[], version text)
language plpgsql stable cost 10000000 rows 1000
set search_path = pg_catalog, pg_temp
as $$
declare
  route pgscore_models._routing := pgscore_models._route(pgscore_models._asked(model, as_of));
  version_name text := pgscore_models._version_name(route.version_id);
  names text[] := pgscore_models._feature_names(route.version_id);
  send text := format('select pgscore_models._v%s_online_send($1)', route.version_id);
  native boolean := coalesce(current_setting('pgscore.execution', true), '') = 'native' and pgscore_models._execution('native', route.version_id, route.native, route.reason);
  total int := cardinality(rows);
  before int := array_lower(rows, 1) - 1;
  element regtype := pg_typeof(rows[before + 1]);
  -- To look for it takes as long as to write some dozens of rows.
  worth boolean := not native and (total >= 100 or pg_column_size(rows) > 1000000);
  numbers text := case when worth then pgscore_models._rows_writer(route.version_id, element) end;
  writer text := case when worth then coalesce(numbers, pgscore_models._columns_writer(route.version_id, element)) end;
  -- Else a function of the caller's may ask the service while rows are written, and take the answer that is awaited, or leave another in its place.
  alone constant boolean := numbers is not null or worth and pgscore_models._written_alone(element);
  -- So many of each session the service takes however many there are; more rows at a time were no faster. Of numbers, which take
  -- up to 17 bytes each, so many that a message is far from the 16 MB that the service takes.
  most int := case when numbers is null then 1000 else least(1000, 600000 / cardinality(names)) end;
  -- To take a slice costs as much as to copy all that it is taken from: so chunks are taken from pieces, of a size that copies the least.
  most_of_piece constant int := most * greatest(1, round(sqrt(total::double precision / most)));
  piece rows%type;
  taken_of_piece int := 0;
  -- Of a message, so that of any others it is as far; it may grow where the database is not in UTF-8.
  most_bytes constant int := 4000000;
  taken int := 0;
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
  perform pgscore_models._check_rows(rows);
  -- Each chunk is sent before the rows of the last are handed out and, where it may be, the next are written: the service works meanwhile.
  loop
    if taken_of_piece >= coalesce(cardinality(piece), 0) then
      piece := rows[before + taken + 1 : before + taken + most_of_piece];
      taken_of_piece := 0;
    end if;
    chunk := piece[taken_of_piece + 1 : taken_of_piece + most];
    if native then
      sent := chunk;
      answer := pgscore_models._answer_native(route, chunk, taken, total);
    else
      if sent is not null and not alone then
        answer := pgscore_models._answer_online(route, sent_request, cardinality(sent));
      end if;
      request := null;
      if cardinality(chunk) > 0 then
        request := pgscore_models._write_rows(chunk, names, writer);
        while octet_length(request) > most_bytes and cardinality(chunk) > 1 loop
          most := greatest(1, floor(0.9 * cardinality(chunk) * most_bytes / octet_length(request)));
          chunk := chunk[1 : most];
          request := pgscore_models._write_rows(chunk, names, writer);
        end loop;
        request := format(E'from %s of %s\n', taken + 1, total) || request;
      end if;
      if sent is not null and alone then
        answer := pgscore_models._answer_online(route, sent_request, cardinality(sent));
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
    taken := taken + cardinality(chunk);
    taken_of_piece := taken_of_piece + cardinality(chunk);
  end loop;
end
$$;
comment on function pgscore.score_rows(text, anyarray, pgscore_models._as_of) is
'Scores many rows by way of the service, a thousand in a round trip, each sent before the answer to the last is handed out; inside of the transaction, uncommitted rows included. Each prediction is logged (pgscore.online_predictions). With pgscore.execution = native they are computed here, and not logged.
select (s.features).id, s.score, s.label from pgscore.score_rows(''churn'', array(select c from customers c where …)) s;
Leave the last argument out: it has all of a statement go by one version of the model.
For whole tables score_table() is faster and isolates rows that cannot be scored; here one such row fails the call.';
