-- Planning a read: what identifies a row, when it was, which tables it is read from.

create or replace function pgscore._key_columns(source regclass, key text[]) returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  wanted text[] := key;
  planned jsonb := '[]';
  column_name text;
  found record;
  closed_schema name;
begin
  if key = '{}' then
    raise exception 'key => ''{}'' names no column' using
      errcode = 'invalid_parameter_value', hint = 'Say what identifies a row: key => ''id'', or key => array[''a'', ''b'']; without key '
                                                  'it is the primary key.';
  end if;
  if wanted is null then
    select array_agg(a.attname::text order by k.n) into wanted
      from pg_index i cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, n)
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
     where i.indrelid = source and i.indisprimary and k.n <= i.indnkeyatts;
  end if;
  if wanted is null then
    raise exception 'source % has no primary key', source using
      errcode = 'invalid_parameter_value', hint = 'Say what identifies a row: key => ''id'', or key => array[''a'', ''b''].';
  end if;
  if array_position(wanted, null) is not null then
    raise exception 'the key holds NULL' using errcode = 'null_value_not_allowed', hint = 'Say what identifies a row: key => ''id'', or '
      'key => array[''a'', ''b''].';
  end if;
  if (select count(distinct w) from unnest(wanted) w) < cardinality(wanted) then
    raise exception 'the key names a column twice: %', array_to_string(wanted, ', ')
      using errcode = 'duplicate_column', hint = 'Name each column once.';
  end if;
  -- An index takes 32 columns, and that of the history has the run beside the key.
  if cardinality(wanted) > 31 then
    raise exception 'the key of % has % columns; 31 is the limit', source, cardinality(wanted) using
      errcode = 'too_many_columns', hint = 'Name fewer that identify a row: key => array[''a'', ''b'']; or score a view that makes one of '
                                           'them, such as row(a, b)::text as id, and name that.';
  end if;
  foreach column_name in array wanted loop
    select a.attname, a.atttypid, pgscore._base_type(a.atttypid) as base, not l.collisdeterministic as is_nondeterministic into found
      from pg_attribute a left join pg_collation l on l.oid = a.attcollation
     where a.attrelid = source and a.attname = column_name and a.attnum > 0 and not a.attisdropped;
    if found.attname is null then
      raise exception 'key column "%" does not exist in %', column_name, source using
        errcode = 'undefined_column', hint = 'Name columns of the source as they are written there.';
    end if;
    if column_name in ('generation', 'event_time', 'score', 'label', 'error_code', 'model_version', 'run_id', 'scored_at',
                       'pgscore_segments', 'pgscore_hash') or column_name like 'probability\_%' or column_name = 'probabilities' then
      raise exception 'key column "%" has the name of a column of every prediction', column_name using
        errcode = 'duplicate_column',
        hint = format('Score a view that gives it another name: select %I as source_%s, ... .', column_name, column_name);
    end if;
    if not pgscore._key_type_allowed(found.base) then
      raise exception 'key column "%" is %, which cannot be a key', column_name, format_type(found.atttypid, null) using
        errcode = 'datatype_mismatch',
        detail = 'A key has a built-in or enum type with a btree order.',
        hint = format('Score a view that casts it: %I::text.', column_name);
    end if;
    -- Storage has a column of the type, which takes USAGE on its schema.
    select n.nspname into closed_schema from pg_type t join pg_namespace n on n.oid = t.typnamespace
     where t.oid = found.base and not (has_schema_privilege('pgscore_owner', n.oid, 'usage')
                                       and has_schema_privilege('pgscore_service', n.oid, 'usage'));
    if closed_schema is not null then
      raise exception 'key column "%" is %, a type that pgscore may not use', column_name, format_type(found.atttypid, null) using
        errcode = 'insufficient_privilege',
        hint = format('grant usage on schema %I to pgscore_owner, pgscore_service; or score a view that casts it: %I::text.', closed_schema,
                      column_name);
    end if;
    planned := planned || (jsonb_build_object('name', column_name, 'role', 'key', 'type', 'raw', 'width', 1, 'sql_type',
                                              format_type(found.base, -1))
      || case when found.is_nondeterministic then jsonb '{"nondeterministic": true}' else '{}' end);
  end loop;
  return planned;
end
$$;
comment on function pgscore._key_columns(regclass, text[]) is
  'The key of a source: as asked, else its primary key. Raises where there is none, or one that cannot identify predictions.';

create or replace function pgscore._key_type_allowed(base oid) returns boolean
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  -- Input of composite types, users' ranges and arrays of domains would run checks of their owners as the service.
  select (t.typtype in ('b', 'e') and (t.typelem = 0 or t.typcategory <> 'A' or e.typtype in ('b', 'e')) or t.typtype = 'r'
          and t.typnamespace = 'pg_catalog'::regnamespace)
     and exists (
       select from pg_opclass o join pg_am am on am.oid = o.opcmethod
        where am.amname = 'btree' and o.opcdefault
          and o.opcintype in (t.oid, case when t.typtype = 'e' then 'anyenum'::regtype when t.typtype = 'r' then 'anyrange'::regtype
                                       when t.typcategory = 'A' then 'anyarray'::regtype
            when t.oid = 'varchar'::regtype then 'text'::regtype else t.oid end))
    from pg_type t left join pg_type e on e.oid = t.typelem
   where t.oid = $1 and t.typnamespace <> pg_my_temp_schema()
$$;
comment on function pgscore._key_type_allowed(oid) is
  'Whether a base type can identify predictions: a btree order, no code of a user in its input, and not gone with the session.';

create or replace function pgscore._key_family(type oid) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
return case
  when type in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) then 'bigint'
  when type in ('text'::regtype, 'varchar'::regtype, 'name'::regtype) then 'text'
  when type in ('bpchar'::regtype, 'uuid'::regtype, 'date'::regtype, 'numeric'::regtype, 'timestamptz'::regtype, 'timestamp'::regtype,
                'bool'::regtype) then format_type(type, -1)
end;
comment on function pgscore._key_family(oid) is
  'The type that a key column of this type is compared in where labels meet predictions; NULL for a type that labels cannot be keyed by.';

create or replace function pgscore._event_time_column(source regclass, event_time text) returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  found record;
begin
  if event_time is null then
    return '[]';
  end if;
  select a.attname, a.atttypid, pgscore._base_type(a.atttypid) as base into found
    from pg_attribute a where a.attrelid = source and a.attname = event_time and a.attnum > 0 and not a.attisdropped;
  if found.attname is null then
    raise exception 'event_time column "%" does not exist in %', event_time, source using
      errcode = 'undefined_column', hint = 'Name the column that says what time a prediction is for, or leave event_time out.';
  end if;
  if found.base not in ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype) then
    raise exception 'event_time column "%" is %', event_time, format_type(found.atttypid, null) using
      errcode = 'datatype_mismatch', hint = 'It must be timestamptz, timestamp or date.';
  end if;
  -- A time without a zone is read in the requester's zone, whatever that of the reading session is.
  return jsonb_build_array(jsonb_build_object('name', event_time, 'role', 'event_time', 'type', 'raw', 'width', 1, 'sql_type',
                                              format_type(found.base, -1))
    || case when found.base = 'timestamptz'::regtype then '{}' else jsonb_build_object('time_zone', current_setting('TimeZone')) end);
end
$$;
comment on function pgscore._event_time_column(regclass, text) is 'The column that says what time a prediction is for.';

create or replace function pgscore._leaves(source regclass) returns setof regclass
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  with recursive tree (relid) as (
    select $1::oid union select i.inhrelid from tree join pg_inherits i on i.inhparent = tree.relid
  )
  select relid::regclass from tree join pg_class c on c.oid = relid where c.relkind <> 'p'
$$;
comment on function pgscore._leaves(regclass) is 'The relations that hold the rows of a source: itself, its partitions, its children.';

create or replace function pgscore._plan_source(source regclass, signature jsonb, key text[], event_time text, column_map jsonb,
                                                segments text[] default null) returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  relation record;
  leaves record;
  columns jsonb;
  forbidden text;
  on_citus constant boolean := pgscore._is_on_citus(source);
begin
  select c.oid, c.relname, n.nspname, c.relkind, c.relpersistence, c.relowner, c.relrowsecurity, c.relhassubclass into relation
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = source;
  if relation.oid is null then
    raise exception 'the source does not exist'
      using errcode = 'undefined_table', hint = 'Pass a table or view: source => ''schema.name''.';
  end if;
  if relation.relkind not in ('r', 'p', 'v', 'm', 'f') then
    raise exception 'source % is not a table or view', source
      using errcode = 'wrong_object_type', hint = 'Score a table, partitioned table, view, materialised view or foreign table.';
  end if;
  if relation.relpersistence = 't' then
    raise exception 'source % is a temporary table', source using
      errcode = 'wrong_object_type', hint = 'Only this session can see it. Make it an ordinary or unlogged table.';
  end if;
  if (select r.rolsuper from pg_roles r where r.rolname = current_user)
    and relation.relowner <> (select r.oid from pg_roles r where r.rolname = current_user) then
    raise exception 'a superuser may not score a source that belongs to %', relation.relowner::regrole using
      errcode = 'insufficient_privilege',
      detail = 'Its policies and views would run with a superuser''s rights.',
      hint = format('set role %s; then submit the run again.', relation.relowner::regrole);
  end if;
  columns := pgscore._key_columns(source, key) || pgscore._event_time_column(source, event_time)
    || pgscore._feature_columns(source, signature, pgscore._map_without_segments(column_map, signature, segments));
  select c ->> 'name' into forbidden from jsonb_array_elements(columns) c
   where not has_column_privilege(source, c ->> 'name', 'select') limit 1;
  if forbidden is not null then
    raise exception 'permission denied for column "%" of %', forbidden, source using
      errcode = 'insufficient_privilege', hint = format('grant select on %s to %I;', source, current_user);
  end if;
  columns := columns || pgscore._segment_columns(source, segments, column_map);
  if on_citus then
    perform pgscore._refuse_on_citus(source, columns);
  end if;
  -- A columnar table has no blocks that are read by ctid.
  select coalesce(bool_and(c.relkind in ('r', 'm') and m.amname = 'heap'), true) as hold_blocks,
         sum(c.reltuples) filter (where c.relkind in ('r', 'm')) as rows,
         coalesce(sum(pg_relation_size(c.oid)), 0) as bytes into leaves
    from pg_class c left join pg_am m on m.oid = c.relam
   where c.oid = any (case when relation.relhassubclass or relation.relkind = 'p' then array(select l from pgscore._leaves(source) l)
                           else array[source] end);
  return jsonb_build_object(
    'schema', relation.nspname, 'name', relation.relname, 'columns', columns,
    -- A grant on columns does not cover ctid, by which a table is split into shards.
    'kind', case when not has_table_privilege(source, 'select') then 'stream'
              when on_citus then case when pgscore._has_shards(source) then 'distributed' else 'stream' end
              when relation.relkind in ('r', 'm', 'p') and leaves.hold_blocks then 'ctid'
              else 'stream' end,
    'plain', relation.relkind in ('r', 'm', 'p') and not relation.relrowsecurity,
    'on_citus', on_citus,
    'rows', nullif(greatest(leaves.rows, -1), -1),
    'pages', (leaves.bytes / current_setting('block_size')::int)::bigint);
end
$$;
comment on function pgscore._plan_source(regclass, jsonb, text[], text, jsonb, text[]) is
'Everything a run must know of its source, checked as the caller: kind, size, and the columns to read in order, key first, then '
'event_time, features, segments.';
