-- Planning a read: which columns of a source feed which features, decided by name and type before anything runs.

create or replace view pgscore.feature_casts as
select * from (values
  ('boolean', 'float32, float64, int32, int64, bool', 'false is 0, true is 1'),
  ('smallint, integer', 'float32, float64, int32, int64', 'exact, but for float32 beyond 2^24, which rounds'),
  ('bigint', 'float32, float64, int64', 'exact in int64; float64 rounds beyond 2^53, float32 beyond 2^24'),
  ('real', 'float32, float64', 'exact'),
  ('double precision', 'float32, float64', 'float32 rounds to nearest; a value beyond its range makes a failed row'),
  ('numeric', 'float32, float64', 'rounds to nearest; a value beyond the range makes a failed row'),
  ('text, varchar, char, name, enum', 'string', 'the text as it is; char(n) without its padding'),
  ('real[], double precision[], vector', 'float32, float64', 'one array is one matrix input; a wrong length makes a failed row')
) as c (sql_type, tensor_types, rule);
comment on view pgscore.feature_casts is 'Which SQL types a feature may have for each tensor type. Decided once a column; all other pairs are refused before a run starts. A domain counts as its base type.';
comment on column pgscore.feature_casts.sql_type is 'Types of the source column.';
comment on column pgscore.feature_casts.tensor_types is 'Tensor types that it may feed.';
comment on column pgscore.feature_casts.rule is 'What happens to the value.';

create or replace function pgscore._base_type(type oid) returns oid
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  with recursive chain (oid, base) as (
    select t.oid, t.typbasetype from pg_type t where t.oid = $1
    union all
    select t.oid, t.typbasetype from chain join pg_type t on t.oid = chain.base
  )
  select oid from chain where base = 0
$$;
comment on function pgscore._base_type(oid) is 'The type under a domain, however deep; any other type is its own.';

create or replace function pgscore._wire_type(base oid) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
    when t.oid in ('bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'float4'::regtype, 'float8'::regtype, 'numeric'::regtype) then t.typname::text
    when t.oid in ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'name'::regtype) then 'text'
    when t.typtype = 'e' then 'enum'
    when t.oid = 'float4[]'::regtype then '_float4'
    when t.oid = 'float8[]'::regtype then '_float8'
    when t.typname = 'vector' and t.typtype = 'b' and exists (select from pg_depend d where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e') then 'vector'
  end
  from pg_type t where t.oid = $1
$$;
comment on function pgscore._wire_type(oid) is 'How a feature of this base type arrives through binary COPY; NULL for a type that cannot be a feature.';

create or replace function pgscore._cast_allowed(wire_type text, tensor_type text, width int) returns boolean
language sql immutable security invoker
return case
    when width > 1 then wire_type in ('_float4', '_float8', 'vector') and tensor_type in ('float32', 'float64')
    when wire_type = 'bool' then tensor_type in ('bool', 'int32', 'int64', 'float32', 'float64')
    when wire_type in ('int2', 'int4') then tensor_type in ('int32', 'int64', 'float32', 'float64')
    when wire_type = 'int8' then tensor_type in ('int64', 'float32', 'float64')
    when wire_type in ('float4', 'float8', 'numeric') then tensor_type in ('float32', 'float64')
    when wire_type in ('text', 'enum') then tensor_type = 'string'
    else false
  end;
comment on function pgscore._cast_allowed(text, text, int) is 'The cast table of pgscore.feature_casts as a rule.';

create or replace function pgscore._cast_remedy(wanted text, column_name text, tensor_type text, width int, base oid) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select 'Score a view that gives ' || case
    when width > 1 and t.typcategory = 'A' then format('%I as real[]: %I::real[] as %I', wanted, column_name, wanted)
    when width > 1 then format('%I as an array: array[...]::real[] as %I', wanted, wanted)
    when t.typname in ('json', 'jsonb') then format('one field: (%I ->> ''field'')::%s as %I', column_name, x.type, wanted)
    when tensor_type = 'string' then format('%I::text as %I', column_name, wanted)
    when t.typcategory = 'A' then format('one element: %I[1] as %I', column_name, wanted)
    when t.typname in ('date', 'timestamp', 'timestamptz') then format('the part the model was trained on: extract(month from %I)%s as %I', column_name, x.conversion, wanted)
    when t.typname in ('interval', 'time', 'timetz') then format('seconds: extract(epoch from %I)%s as %I', column_name, x.conversion, wanted)
    when t.typcategory = 'N' then format('%I%s%s as %I', column_name,
      -- Neither has a cast to a float; that of money to numeric is its only one, and oid and its like have one to bigint.
      case when t.oid = 'money'::regtype then '::numeric' when t.typname ~ '^(oid|reg.*)$' then '::bigint' end, x.conversion, wanted)
    when t.typcategory = 'S' then format('%I::%s as %I', column_name, x.type, wanted)
    else format('%I as the number that the model was trained on', wanted)
  end || '; select * from pgscore.feature_casts; lists what is taken.'
  from pg_type t
  cross join lateral (select case tensor_type when 'string' then 'text' when 'bool' then 'boolean' when 'int32' then 'integer' when 'int64' then 'bigint' when 'float64' then 'double precision' else 'real' end) y (type)
  cross join lateral (select y.type, case tensor_type when 'bool' then ' <> 0' else '::' || y.type end) x (type, conversion)
  where t.oid = base
$$;
comment on function pgscore._cast_remedy(text, text, text, int, oid) is 'The expression to write where a column cannot be a feature as it is.';

create or replace function pgscore._matched_features(
  source regclass, signature jsonb, column_map jsonb,
  out n bigint, out feature text, out tensor_type text, out width int, out wanted text, out column_name name, out type oid, out candidates int
) returns setof record
language sql stable security invoker
begin atomic
  select f.n, f.name, f.type, f.width, w.wanted, coalesce(exact.attname, loose.attname), coalesce(exact.atttypid, loose.atttypid), coalesce(loose.candidates, 0)
    from rows from (jsonb_to_recordset(signature -> 'features') as (name text, type text, width int)) with ordinality as f (name, type, width, n)
    cross join lateral (select coalesce(column_map ->> f.name, f.name) as wanted) w
    left join pg_attribute exact
      on exact.attrelid = source and exact.attname = w.wanted and exact.attnum > 0 and not exact.attisdropped
    left join lateral (
      select min(a.attname::text)::name as attname, min(a.atttypid::bigint)::oid as atttypid, count(*)::int as candidates
        from pg_attribute a where exact.attname is null and a.attrelid = source and lower(a.attname) = lower(w.wanted) and a.attnum > 0 and not a.attisdropped
    ) loose on true;
end;
comment on function pgscore._matched_features(regclass, jsonb, jsonb) is
'The column of a source for each feature of a signature: by column_map, else by exact name, else by name without regard to case; candidates says how many columns are so called then.';

create or replace function pgscore._refuse_columns(source regclass, signature jsonb, column_map jsonb) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  m record;
  missing text[];
begin
  for m in
    select x.*, pgscore._base_type(x.type) as base from pgscore._matched_features(source, signature, column_map) x order by x.n
  loop
    if m.candidates > 1 then
      raise exception 'feature "%" matches more than one column of %', m.wanted, source using
        errcode = 'ambiguous_column', hint = format('Name it: column_map => ''{"%s": "<column>"}''.', m.feature);
    elsif m.column_name is null then
      missing := missing || m.wanted;
    elsif not coalesce(pgscore._cast_allowed(pgscore._wire_type(m.base), m.tensor_type, m.width), false) then
      raise exception 'column "%" of % is %, and feature "%" is %', m.column_name, source, format_type(m.type, null), m.feature,
        case when m.width > 1 then format('%s numbers (%s)', m.width, m.tensor_type) else m.tensor_type end using
        errcode = 'datatype_mismatch', hint = pgscore._cast_remedy(m.wanted, m.column_name, m.tensor_type, m.width, m.base);
    end if;
  end loop;
  if missing is not null then
    raise exception 'source % lacks % of the model: %', source,
      case cardinality(missing) when 1 then 'a feature' else cardinality(missing) || ' features' end,
      (select string_agg(format('"%s"', x), ', ') from unnest(missing) x) using
      errcode = 'undefined_column',
      detail = 'Its columns: ' || (select string_agg(a.attname, ', ' order by a.attnum) from pg_attribute a where a.attrelid = source and a.attnum > 0 and not a.attisdropped),
      hint = format('Where a column has another name: column_map => ''{"%s": "<column>"}''; else score a view that has it.', missing[1]);
  end if;
end
$$;
comment on function pgscore._refuse_columns(regclass, jsonb, jsonb) is 'Says which feature has no column, more than one, or one that it cannot be read from.';

create or replace function pgscore._feature_columns(source regclass, signature jsonb, column_map jsonb) returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  stranger text;
  planned jsonb;
begin
  if (case jsonb_typeof(column_map) when 'object' then exists (select from jsonb_each(column_map) m where jsonb_typeof(m.value) <> 'string') else column_map is not null end) then
    raise exception 'column_map => % does not map features to columns', quote_literal(column_map) using
      errcode = 'invalid_parameter_value', hint = 'The keys are features, the values columns: {"feature": "column"}.';
  end if;
  select k into stranger from jsonb_object_keys(column_map) k
   where not exists (select from jsonb_array_elements(signature -> 'features') f where f ->> 'name' = k) limit 1;
  if stranger is not null then
    raise exception 'column_map names "%", which is not a feature of the model', stranger using
      errcode = 'invalid_parameter_value', hint = 'The keys are features, the values columns: {"feature": "column"}.';
  end if;
  -- Many columns have one type, and looking into it is what takes the time.
  with matched as materialized (
    select m.* from pgscore._matched_features(source, signature, column_map) m
  ), kinds as (
    select k.type, b.base, format_type(b.base, -1) as sql_type, pgscore._wire_type(b.base) as wire
      from (select distinct m.type from matched m) k cross join lateral (select pgscore._base_type(k.type) as base offset 0) b
  )
  select jsonb_agg(jsonb_build_object('name', m.column_name, 'role', 'feature', 'feature', m.feature, 'type', k.wire, 'width', m.width, 'sql_type', k.sql_type) order by m.n)
    into planned
    from matched m left join kinds k on k.type = m.type
  having bool_and(m.candidates <= 1 and coalesce(pgscore._cast_allowed(k.wire, m.tensor_type, m.width), false));
  if planned is null then
    perform pgscore._refuse_columns(source, signature, column_map);
  end if;
  return coalesce(planned, '[]');
end
$$;
comment on function pgscore._feature_columns(regclass, jsonb, jsonb) is
'Matches the features of a signature to columns of a source: by column_map, else by exact name, else by name without regard to case where that is unique; raises for a missing, ambiguous or mistyped one.';

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
      errcode = 'invalid_parameter_value', hint = 'Say what identifies a row: key => ''id'', or key => array[''a'', ''b'']; without key it is the primary key.';
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
    raise exception 'the key holds NULL' using errcode = 'null_value_not_allowed', hint = 'Say what identifies a row: key => ''id'', or key => array[''a'', ''b''].';
  end if;
  if (select count(distinct w) from unnest(wanted) w) < cardinality(wanted) then
    raise exception 'the key names a column twice: %', array_to_string(wanted, ', ') using errcode = 'duplicate_column', hint = 'Name each column once.';
  end if;
  -- An index takes 32, and that of the history has the run beside the key.
  if cardinality(wanted) > 31 then
    raise exception 'the key of % has % columns; 31 is the limit', source, cardinality(wanted) using
      errcode = 'too_many_columns', hint = 'Name fewer that identify a row: key => array[''a'', ''b'']; or score a view that makes one of them, such as row(a, b)::text as id, and name that.';
  end if;
  foreach column_name in array wanted loop
    select a.attname, a.atttypid, pgscore._base_type(a.atttypid) as base into found
      from pg_attribute a where a.attrelid = source and a.attname = column_name and a.attnum > 0 and not a.attisdropped;
    if found.attname is null then
      raise exception 'key column "%" does not exist in %', column_name, source using
        errcode = 'undefined_column', hint = 'Name columns of the source as they are written there.';
    end if;
    if column_name in ('generation', 'event_time', 'score', 'label', 'error_code', 'model_version', 'run_id', 'scored_at', 'pgscore_segments') or column_name like 'probability\_%' or column_name = 'probabilities' then
      raise exception 'key column "%" has the name of a column of every prediction', column_name using
        errcode = 'duplicate_column', hint = format('Score a view that gives it another name: select %I as source_%s, ... .', column_name, column_name);
    end if;
    if not pgscore._key_type_allowed(found.base) then
      raise exception 'key column "%" is %, which cannot be a key', column_name, format_type(found.atttypid, null) using
        errcode = 'datatype_mismatch',
        detail = 'A key has a built-in or enum type with a btree order.',
        hint = format('Score a view that casts it: %I::text.', column_name);
    end if;
    -- Storage has a column of the type, and naming a type takes USAGE on its schema.
    select n.nspname into closed_schema from pg_type t join pg_namespace n on n.oid = t.typnamespace
     where t.oid = found.base and not (has_schema_privilege('pgscore_owner', n.oid, 'usage') and has_schema_privilege('pgscore_service', n.oid, 'usage'));
    if closed_schema is not null then
      raise exception 'key column "%" is %, a type that pgscore may not use', column_name, format_type(found.atttypid, null) using
        errcode = 'insufficient_privilege',
        hint = format('grant usage on schema %I to pgscore_owner, pgscore_service; or score a view that casts it: %I::text.', closed_schema, column_name);
    end if;
    planned := planned || jsonb_build_object('name', column_name, 'role', 'key', 'type', 'raw', 'width', 1, 'sql_type', format_type(found.base, -1));
  end loop;
  return planned;
end
$$;
comment on function pgscore._key_columns(regclass, text[]) is 'The key of a source: as asked, else its primary key. Raises where there is none, or one that cannot identify predictions.';

create or replace function pgscore._key_type_allowed(base oid) returns boolean
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  -- Composite types and user-made ranges or arrays of domains would run their makers' checks as the service on the way in.
  select (t.typtype in ('b', 'e') and (t.typelem = 0 or t.typcategory <> 'A' or e.typtype in ('b', 'e')) or t.typtype = 'r' and t.typnamespace = 'pg_catalog'::regnamespace)
     and exists (
       select from pg_opclass o join pg_am am on am.oid = o.opcmethod
        where am.amname = 'btree' and o.opcdefault
          and o.opcintype in (t.oid, case when t.typtype = 'e' then 'anyenum'::regtype when t.typtype = 'r' then 'anyrange'::regtype when t.typcategory = 'A' then 'anyarray'::regtype
            when t.oid = 'varchar'::regtype then 'text'::regtype else t.oid end))
    from pg_type t left join pg_type e on e.oid = t.typelem
   where t.oid = $1 and t.typnamespace <> pg_my_temp_schema()
$$;
comment on function pgscore._key_type_allowed(oid) is 'Whether a base type can identify predictions: a btree order, no code of a user in its input, and not gone with the session.';

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
  -- A time without a zone is the requester's, whatever zone the session has that reads it.
  return jsonb_build_array(jsonb_build_object('name', event_time, 'role', 'event_time', 'type', 'raw', 'width', 1, 'sql_type', format_type(found.base, -1))
    || case when found.base = 'timestamptz'::regtype then '{}' else jsonb_build_object('time_zone', current_setting('TimeZone')) end);
end
$$;
comment on function pgscore._event_time_column(regclass, text) is 'The column that says what time a prediction is for.';

create or replace function pgscore._leaves(source regclass) returns setof regclass
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  with recursive tree (relid) as (
    select $1::oid union all select i.inhrelid from tree join pg_inherits i on i.inhparent = tree.relid
  )
  select relid::regclass from tree join pg_class c on c.oid = relid where c.relkind <> 'p'
$$;
comment on function pgscore._leaves(regclass) is 'The relations that hold the rows of a source: itself, its partitions, its children.';

drop function if exists pgscore._plan_source(regclass, jsonb, text[], text, jsonb);
create or replace function pgscore._plan_source(source regclass, signature jsonb, key text[], event_time text, column_map jsonb, segments text[] default null) returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  relation record;
  leaves record;
  columns jsonb;
  forbidden text;
begin
  select c.oid, c.relname, n.nspname, c.relkind, c.relpersistence, c.relowner, c.relrowsecurity, c.relhassubclass into relation
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = source;
  if relation.oid is null then
    raise exception 'the source does not exist' using errcode = 'undefined_table', hint = 'Pass a table or view: source => ''schema.name''.';
  end if;
  if relation.relkind not in ('r', 'p', 'v', 'm', 'f') then
    raise exception 'source % is not a table or view', source using errcode = 'wrong_object_type', hint = 'Score a table, partitioned table, view, materialised view or foreign table.';
  end if;
  if relation.relpersistence = 't' then
    raise exception 'source % is a temporary table', source using
      errcode = 'wrong_object_type', hint = 'Only this session can see it. Make it an ordinary or unlogged table.';
  end if;
  if (select r.rolsuper from pg_roles r where r.rolname = current_user) and relation.relowner <> (select r.oid from pg_roles r where r.rolname = current_user) then
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
  select coalesce(bool_and(c.relkind in ('r', 'm')), true) as hold_blocks, sum(c.reltuples) filter (where c.relkind in ('r', 'm')) as rows, coalesce(sum(pg_relation_size(c.oid)), 0) as bytes into leaves
    from pg_class c where c.oid = any (case when relation.relhassubclass or relation.relkind = 'p' then array(select l from pgscore._leaves(source) l) else array[source] end);
  return jsonb_build_object(
    'schema', relation.nspname, 'name', relation.relname, 'columns', columns,
    -- A grant on columns does not cover ctid, by which a table is cut into shards.
    'kind', case when relation.relkind in ('r', 'm', 'p') and leaves.hold_blocks and has_table_privilege(source, 'select') then 'ctid' else 'stream' end,
    'plain', relation.relkind in ('r', 'm', 'p') and not relation.relrowsecurity,
    'rows', nullif(greatest(leaves.rows, -1), -1),
    'pages', (leaves.bytes / current_setting('block_size')::int)::bigint);
end
$$;
comment on function pgscore._plan_source(regclass, jsonb, text[], text, jsonb, text[]) is
'Everything a run must know of its source, checked as the caller: kind, size, and the columns to read in order, key first, then event_time, features, segments.';
