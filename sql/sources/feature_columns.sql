-- Which columns of a source feed which features, decided by name and type before anything runs.

create or replace view pgscore.feature_casts as
select * from (values
  ('boolean', 'float32, float64, int32, int64, bool', 'false is 0, true is 1'),
  ('smallint, integer', 'float32, float64, int32, int64', 'exact, but for float32 beyond 2^24, which rounds'),
  ('bigint', 'float32, float64, int64', 'exact in int64; float64 rounds beyond 2^53, float32 beyond 2^24'),
  ('real', 'float32, float64', 'exact'),
  ('double precision', 'float32, float64', 'float32 rounds to nearest; a value beyond its range makes a failed row'),
  ('numeric', 'float32, float64', 'rounds to nearest; a value beyond the range makes a failed row'),
  ('text, varchar, char, name, enum', 'string', 'the text as it is; char(n) without its padding'),
  ('real[], double precision[], vector', 'float32, float64', 'one array is one matrix input; a wrong length makes a failed row'),
  ('smallint[], integer[]', 'float32, float64, int32, int64', 'the same'),
  ('bigint[]', 'float32, float64, int64', 'the same'),
  ('text[], varchar[]', 'string', 'the same')
) as c (sql_type, tensor_types, rule);
comment on view pgscore.feature_casts is
  'Which SQL types a feature may have for each tensor type. Decided once a column; all other pairs are refused before a run starts. A '
  'domain counts as its base type.';
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
    when t.oid in ('bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'float4'::regtype, 'float8'::regtype,
                   'numeric'::regtype) then t.typname::text
    when t.oid in ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'name'::regtype) then 'text'
    when t.typtype = 'e' then 'enum'
    when t.oid = 'float4[]'::regtype then '_float4'
    when t.oid = 'float8[]'::regtype then '_float8'
    when t.oid in ('int2[]'::regtype, 'int4[]'::regtype, 'int8[]'::regtype) then t.typname::text
    when t.oid in ('text[]'::regtype, 'varchar[]'::regtype) then '_text'
    when t.typname = 'vector' and t.typtype = 'b'
      and exists (select from pg_depend d where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e') then 'vector'
  end
  from pg_type t where t.oid = $1
$$;
comment on function pgscore._wire_type(oid) is
  'How a feature of this base type arrives through binary COPY; NULL for a type that cannot be a feature.';

create or replace function pgscore._cast_allowed(wire_type text, tensor_type text, width int) returns boolean
language sql immutable security invoker
return case
    when width <> 1 then case
      when wire_type in ('_float4', '_float8', 'vector') then tensor_type in ('float32', 'float64')
      when wire_type in ('_int2', '_int4') then tensor_type in ('int32', 'int64', 'float32', 'float64')
      when wire_type = '_int8' then tensor_type in ('int64', 'float32', 'float64')
      else wire_type = '_text' and tensor_type = 'string'
    end
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
    when width <> 1 and t.typcategory = 'A' then format('%I as %s[]: %I::%s[] as %I', wanted, x.type, column_name, x.type, wanted)
    when width <> 1 then format('%I as an array: array[...]::%s[] as %I', wanted, x.type, wanted)
    when t.typname in ('json', 'jsonb') then format('one field: (%I ->> ''field'')::%s as %I', column_name, x.type, wanted)
    when tensor_type = 'string' then format('%I::text as %I', column_name, wanted)
    when t.typcategory = 'A' then format('one element: %I[1] as %I', column_name, wanted)
    when t.typname in ('date', 'timestamp', 'timestamptz')
      then format('the part the model was trained on: extract(month from %I)%s as %I', column_name, x.conversion, wanted)
    when t.typname in ('interval', 'time', 'timetz')
      then format('seconds: extract(epoch from %I)%s as %I', column_name, x.conversion, wanted)
    when t.typcategory = 'N' then format('%I%s%s as %I', column_name,
      -- None of these has a cast to a float: money has one to numeric, oid and its like have one to bigint.
      case when t.oid = 'money'::regtype then '::numeric' when t.typname ~ '^(oid|reg.*)$' then '::bigint' end, x.conversion, wanted)
    when t.typcategory = 'S' then format('%I::%s as %I', column_name, x.type, wanted)
    else format('%I as the number that the model was trained on', wanted)
  end || '; select * from pgscore.feature_casts; lists what is taken.'
  from pg_type t
  cross join lateral (select case when tensor_type = 'string' then 'text' when tensor_type = 'bool' then 'boolean'
                               when tensor_type in ('int64', 'uint32', 'uint64') then 'bigint' when tensor_type ~ 'int' then 'integer'
                               when tensor_type = 'float64' then 'double precision' else 'real' end) y (type)
  cross join lateral (select y.type, case tensor_type when 'bool' then ' <> 0' else '::' || y.type end) x (type, conversion)
  where t.oid = base
$$;
comment on function pgscore._cast_remedy(text, text, text, int, oid) is
  'The expression to write where a column cannot be a feature as it is.';

create or replace function pgscore._matched_features(
  source regclass, signature jsonb, column_map jsonb,
  out n bigint, out feature text, out tensor_type text, out width int, out shape jsonb, out wanted text, out column_name name, out type oid,
  out candidates int
) returns setof record
language sql stable security invoker
begin atomic
  select f.n, f.name, f.type, f.width, f.shape, w.wanted, coalesce(exact.attname, loose.attname), coalesce(exact.atttypid, loose.atttypid),
         coalesce(loose.candidates, 0)
    from rows from (jsonb_to_recordset(signature -> 'features') as (name text, type text, width int, shape jsonb))
                   with ordinality as f (name, type, width, shape, n)
    cross join lateral (select coalesce(column_map ->> f.name, f.name) as wanted) w
    left join pg_attribute exact
      on exact.attrelid = source and exact.attname = w.wanted and exact.attnum > 0 and not exact.attisdropped
    left join lateral (
      select min(x.attname)::name as attname, min(x.atttypid::bigint)::oid as atttypid, count(*)::int as candidates
        from (select a.attname::text, a.atttypid, lower(a.attname) <> lower(w.wanted) as rewritten,
                     bool_and(lower(a.attname) <> lower(w.wanted)) over () as all_rewritten
                from pg_attribute a
               where exact.attname is null and a.attrelid = source and a.attnum > 0 and not a.attisdropped
                 and (lower(a.attname) = lower(w.wanted) or length(a.attname) = length(w.wanted)
                      and not jsonb_path_exists(signature, '$.features[*] ? (@.name == $name)', jsonb_build_object('name', a.attname))
                      and lower(regexp_replace(a.attname::text collate "default", '[^\w+]', '_', 'g')) = lower(w.wanted))) x
       where x.rewritten = x.all_rewritten
    ) loose on true;
end;
comment on function pgscore._matched_features(regclass, jsonb, jsonb) is
'The column of a source for each feature of a signature: by column_map, else by exact name, else by name without regard to case, '
'else as skl2onnx rewrites it, Weight in (lbs) as Weight_in__lbs_; candidates says how many columns are so called then.';

create or replace function pgscore._refuse_columns(source regclass, signature jsonb, column_map jsonb) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  m record;
  missing text[];
  features text[];
  alike jsonb;
  columns constant text := 'Its columns: ' || (select string_agg(a.attname, ', ' order by a.attnum) from pg_attribute a
                                                where a.attrelid = source and a.attnum > 0 and not a.attisdropped);
begin
  for m in
    select x.*, pgscore._base_type(x.type) as base from pgscore._matched_features(source, signature, column_map) x order by x.n
  loop
    if m.candidates > 1 then
      raise exception 'feature "%" matches more than one column of %', m.wanted, source using
        errcode = 'ambiguous_column', hint = format('Name it: column_map => ''{"%s": "<column>"}''.', m.feature);
    elsif m.column_name is null and column_map ? m.feature then
      raise exception 'column_map: % has no column "%" for feature "%"', source, m.wanted, m.feature using
        errcode = 'undefined_column', detail = columns,
        hint = 'Name another column, or leave the feature out: a column of its own name is then taken.';
    elsif m.column_name is null then
      missing := missing || m.wanted;
      features := features || m.feature;
    elsif not coalesce(pgscore._cast_allowed(pgscore._wire_type(m.base), m.tensor_type, m.width), false) then
      raise exception 'column "%" of % is %, and feature "%" is %', m.column_name, source, format_type(m.type, null), m.feature,
        case m.width when 1 then m.tensor_type when 0 then format('an array of any length (%s)', m.tensor_type)
          else format('%s %s (%s)', m.width, case m.tensor_type when 'string' then 'texts' else 'numbers' end, m.tensor_type) end using
        errcode = 'datatype_mismatch', hint = pgscore._cast_remedy(m.wanted, m.column_name, m.tensor_type, m.width, m.base);
    end if;
  end loop;
  if missing is not null then
    -- By case and underscores only: monthly_charges for MonthlyCharges.
    select coalesce(column_map, '{}') || jsonb_object_agg(x.feature, x.attname) into alike
      from (select f.feature, min(a.attname) as attname
              from unnest(features) f (feature)
              join pg_attribute a on lower(replace(a.attname, '_', '')) = lower(replace(f.feature, '_', ''))
             where a.attrelid = source and a.attnum > 0 and not a.attisdropped group by f.feature having count(*) = 1) x;
    raise exception 'source % lacks % of the model: %', source,
      case cardinality(missing) when 1 then 'a feature' else cardinality(missing) || ' features' end,
      (select string_agg(format('"%s"', x), ', ') from unnest(missing) x) using
      errcode = 'undefined_column',
      detail = columns,
      hint = format('Where a column has another name: column_map => ''%s''; else score a view that has it.',
                    coalesce(alike::text, format('{"%s": "<column>"}', features[1])));
  end if;
end
$$;
comment on function pgscore._refuse_columns(regclass, jsonb, jsonb) is
  'Says which feature has no column, more than one, or one that it cannot be read from.';

create or replace function pgscore._feature_columns(source regclass, signature jsonb, column_map jsonb) returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  stranger text;
  planned jsonb;
begin
  if (case jsonb_typeof(column_map) when 'object' then exists (select from jsonb_each(column_map) m where jsonb_typeof(m.value) <> 'string')
        else column_map is not null end) then
    raise exception 'column_map => % does not map features to columns', quote_literal(column_map) using
      errcode = 'invalid_parameter_value', hint = 'The keys are features, the values columns: {"feature": "column"}.';
  end if;
  select k into stranger from jsonb_object_keys(column_map) k
   where not exists (select from jsonb_array_elements(signature -> 'features') f where f ->> 'name' = k) limit 1;
  if stranger is not null then
    raise exception 'column_map names "%", which is not a feature of the model', stranger using
      errcode = 'invalid_parameter_value', hint = 'The keys are features, the values columns: {"feature": "column"}.';
  end if;
  -- Many columns share a type, and to look at a type takes most of the time.
  with matched as materialized (
    select m.* from pgscore._matched_features(source, signature, column_map) m
  ), kinds as (
    select k.type, b.base, format_type(b.base, -1) as sql_type, pgscore._wire_type(b.base) as wire
      from (select distinct m.type from matched m) k cross join lateral (select pgscore._base_type(k.type) as base offset 0) b
  )
  select jsonb_agg(jsonb_build_object('name', m.column_name, 'role', 'feature', 'feature', m.feature, 'type', k.wire, 'width', m.width,
                                      'sql_type', k.sql_type)
                   || case when m.shape is null then '{}' else jsonb_build_object('shape', m.shape) end order by m.n)
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
'Matches the features of a signature to columns of a source: by column_map, else by exact name, else by name without regard to case where '
'that is unique; raises for a missing, ambiguous or mistyped one.';
