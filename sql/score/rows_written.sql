-- How the rows that score_rows() is given are written for the service, and whether a caller's function runs meanwhile.

create or replace function pgscore_models._write_rows(version_id int, rows anyarray, features text[], writer text) returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
-- It decides how JSON writes numbers.
set extra_float_digits = 1
as $$
declare
  written text;
  shape constant bigint := pgscore_models._shape(rows[1]);
begin
  if pgscore_models._is_row(pg_typeof(rows[1])) then
    perform pgscore_models._takes_row(version_id, rows[1], null);
  end if;
  if writer is not null then
    execute writer into written using rows;
    return written;
  end if;
  written := array_to_json(rows);
  if not pgscore_models._is_row(pg_typeof(rows[1])) then
    return written;
  end if;
  if not (to_jsonb(rows[1]) ?& features) then
    -- Raises where they lack a feature, whatever the case of its name. Of JSON rows the service checks each.
    perform pgscore_models._match_features(features, to_jsonb(rows[1]));
  end if;
  if shape & 1 = 1 or shape is null then
    return (select jsonb_agg(pgscore_models._features(_write_rows.version_id, x.r)) from (select unnest(_write_rows.rows) as r) x);
  end if;
  return written;
end
$$;
comment on function pgscore_models._write_rows(int, anyarray, text[], text) is
  'Rows as the service reads them: by the query that writes rows of their type, else as one JSON array.';

create or replace function pgscore_models._rows_writer(version_id int, row_type regtype) returns text
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case when features.fit and keys.fit then format(
      'select E''numbers\n'' || json_build_object(''about'', json_build_object(%s), ''reals'', %L::json)::text || E''\n'' || '
      'encode(array_send(array_agg(array[%s]::%s[])), ''base64'') from unnest($1) r',
      keys.columns, features.reals, features.columns, features.type) end
    from pgscore_data.version v
    join pg_type t on t.oid = row_type
   cross join lateral (
     select bool_and((m.width = 1 and m.candidates <= 1 and case m.tensor_type
                       when 'float32' then m.type in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'float4'::regtype,
                                                      'float8'::regtype)
                       -- A real that goes as JSON is read as the decimal that is written.
                       when 'float64' then m.type in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'float8'::regtype)
                       else m.tensor_type in ('int32', 'int64') and m.type in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
                     end) is true) as fit,
            string_agg('r.' || quote_ident(m.column_name), ', ' order by m.n) as columns,
            case when bool_and(m.type = 'float4'::regtype) then 'real' else 'double precision' end as type,
            coalesce(jsonb_agg(m.n - 1 order by m.n) filter (where m.type = 'float4'::regtype), '[]') as reals
       from pgscore._matched_features(t.typrelid, v.signature, null) m
   ) features
   cross join lateral (
     select coalesce(bool_and(a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'text'::regtype, 'varchar'::regtype,
                                             'uuid'::regtype, 'date'::regtype, 'bool'::regtype)
              or a.attname is not distinct from l.event_time and a.atttypid in ('timestamptz'::regtype, 'timestamp'::regtype)), true)
                as fit,
            string_agg(format('%1$L, array_agg(r.%1$I)', a.attname), ', ' order by a.attnum) as columns
       from pgscore_data.monitor m
       left join pgscore_data.call_log l using (model_id)
       join pg_attribute a on a.attrelid = t.typrelid and a.attname = any (coalesce(l.key, m.key_columns) || l.event_time) and a.attnum > 0
         and not a.attisdropped
      where m.model_id = v.model_id
   ) keys
   where v.version_id = _rows_writer.version_id and t.typrelid <> 0
$$;
comment on function pgscore_models._rows_writer(int, regtype) is
  'The query by which score_rows() writes rows $1 of a type as the service reads rows of numbers: columns of what labels find them by and '
  'for what time they are, which features are reals, and all features of row after row as array_send() gives them. In a third of the time '
  'that JSON takes. NULL where the features of the version, or the columns of the type, are not all numbers.';

create or replace function pgscore_models._columns_writer(version_id int, row_type regtype) returns text
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
  -- A cast to text drops the padding of char(n). x.* is the row even if a column is named x.
  select format('select json_agg(x.*)::text from (select %s from unnest($1) r) x',
           string_agg(format(case when pgscore._base_type(a.atttypid) = 'bpchar'::regtype then 'r.%1$I::text as %1$I' else 'r.%1$I' end,
                             a.attname), ', ' order by a.attnum))
    from pgscore_data.version v
    join pg_type t on t.oid = row_type
   cross join lateral (
     select array_agg(m.column_name) as columns, bool_and(m.column_name is not null and m.candidates <= 1) as fit
       from pgscore._matched_features(t.typrelid, v.signature, null) m
   ) features
    left join pgscore_data.monitor m on m.model_id = v.model_id
    left join pgscore_data.call_log l on l.model_id = v.model_id
    join pg_attribute a on a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
      and (a.attname = any (features.columns) or a.attname = any (coalesce(l.key, m.key_columns) || l.event_time))
   where v.version_id = _columns_writer.version_id and t.typrelid <> 0 and features.fit
  having count(*) > 0
$$;
comment on function pgscore_models._columns_writer(int, regtype) is
  'The query by which score_rows() writes rows $1 of a type as JSON: features, and columns of what labels find them by and for what time '
  'they are, but nothing that the service would pass over. NULL where the rows are not of a type that has all features.';

create or replace function pgscore_models._calls_no_user_code(row_type regtype) returns boolean
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  -- From 16384 on types are users', and a cast of theirs to JSON may be any function.
  select row_type in ('json'::regtype, 'jsonb'::regtype)
      or exists (select from pg_type r where r.oid = row_type and r.typrelid <> 0) and not exists (
           select from pg_type r
             join pg_attribute a on a.attrelid = r.typrelid and a.attnum > 0 and not a.attisdropped
             join pg_type t on t.oid = a.atttypid
             left join pg_type e on e.oid = t.typelem
            where r.oid = row_type and (t.oid >= 16384 or t.typtype <> 'b' or e.typtype <> 'b'))
$$;
comment on function pgscore_models._calls_no_user_code(regtype) is
  'Whether no function of a user can run while rows of a type are written as JSON.';
