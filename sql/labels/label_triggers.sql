-- What the triggers on a source of labels do: they queue the labels that a statement wrote, corrected or took away.
-- in: a label_source and a table of it. out: the body of a trigger function. It fails no writer: if a column is missing, or known_at has
-- another type, it asks for a comparison.

create or replace function pgscore_data._check_label_capture(this_source int, owner name) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  s pgscore_data.label_source;
begin
  select * into s from pgscore_data.label_source x where x.source_id = this_source and x.set_by = _check_label_capture.owner;
  if not found then
    raise exception 'the labels were set by another role' using
      errcode = 'insufficient_privilege', hint = 'Set labels with pgscore.set_labels().';
  end if;
  return array_remove(s.key_columns::text[] || s.label_columns::text[] || s.known_at_column::text, null);
end
$$;
comment on function pgscore_data._check_label_capture(int, name) is
  'Refuses triggers for labels that another role set; else returns the columns that they read: the key, the labels, known_at.';

create or replace function pgscore_data._label_rows(s pgscore_data.label_source, transition text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select pgscore_data._captured_rows(transition, x.columns, x.aliases, array_fill('null::tid'::text, array[cardinality(x.columns)]))
    from (select array_remove(s.key_columns::text[] || s.label_columns::text[] || s.known_at_column::text, null) as columns,
                 pgscore_data._column_aliases('k', s.key_columns::text[]) || pgscore_data._column_aliases('l', s.label_columns::text[])
                 || case when s.known_at_column is null then '{}'::text[] else '{t}' end as aliases) x
$$;
comment on function pgscore_data._label_rows(pgscore_data.label_source, text) is
  'The rows of a transition table as k1, k2 and so on for the key, l1 and so on for the labels and t for the time.';

create or replace function pgscore_data._label_columns_condition(s pgscore_data.label_source, relation regclass) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select format('''tid''::regtype not in (%s, %s)', pgscore_data._paired_columns('pg_typeof(r.k%)', cardinality(s.key_columns)),
                pgscore_data._paired_columns('pg_typeof(r.l%)', cardinality(s.label_columns)))
         || case when s.known_at_column is null then ''
              else format(' and pg_typeof(r.t)::text = %L', (
                select a.atttypid::regtype from pg_attribute a
                 where a.attrelid = relation and a.attname = s.known_at_column and not a.attisdropped)) end
$$;
comment on function pgscore_data._label_columns_condition(pgscore_data.label_source, regclass) is
  'The condition that no column of a source of labels is missing, and that known_at still has its type.';

create or replace function pgscore_data._label_expression(columns text[], names text[]) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return case
  when names is null then format('nullif(pg_catalog.concat(%s), '''')', columns[1])
  else (select format('case when pg_catalog.concat(%s) <> '''' then pg_catalog.jsonb_object(%L, array[%s])::pg_catalog.text end',
                      string_agg(c, ', ' order by n), names,
                      string_agg(format('nullif(pg_catalog.concat(%s), '''')', c), ', ' order by n))
          from unnest(columns) with ordinality as x (c, n)) end;
comment on function pgscore_data._label_expression(text[], text[]) is
  'The expression of a label: its text, or as jsonb those of several values by their names. NULL if there is none.';

create or replace function pgscore_data._captured_key(s pgscore_data.label_source, relation regclass) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  -- As trim_scale() has it, but of a text: a column of any type has one.
  select string_agg(case f.family
                      when 'numeric' then replace('case when strpos(concat(@), ''.'') > 0 then rtrim(rtrim(concat(@), ''0''), ''.'') '
                                                  'else concat(@) end', '@', 'r.k' || n)
                      else pgscore_data._spelled('r.k' || n, f.family) end, ', ' order by n)
    from unnest(s.key_columns::text[]) with ordinality as x (k, n)
    left join pg_attribute a on a.attrelid = relation and a.attname = k and not a.attisdropped
   cross join lateral (select pgscore._key_family(pgscore._base_type(a.atttypid)) as family) f
$$;
comment on function pgscore_data._captured_key(pgscore_data.label_source, regclass) is
  'The expressions of the key of a label. A column that gets another type is spelled by its text, so that no writer fails.';

create or replace function pgscore_data._captured_labels(s pgscore_data.label_source, relation regclass, transition text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  -- concat() calls no function of a type's owner. The condition keeps the cast from a text that is no time.
  -- The collation of a column may call the old and the new text equal.
  select format('(select array[%s] collate "C" as key, %s as known_at, case when num_nulls(%s) = 0 and %s then %s end collate "C" as label '
                'from %s r offset 0)',
    pgscore_data._captured_key(s, relation),
    case when s.known_at_column is null then 'null::timestamptz'
      else format('case when %s then nullif(concat(r.t), '''')::%s end', pgscore_data._label_columns_condition(s, relation),
                  case (select pgscore._base_type(a.atttypid) from pg_attribute a
                         where a.attrelid = relation and a.attname = s.known_at_column and not a.attisdropped)
                    when 'timestamptz'::regtype then 'timestamptz' else format('timestamp at time zone %L', s.time_zone) end) end,
    pgscore_data._paired_columns('r.k%', cardinality(s.key_columns)), pgscore_data._label_columns_condition(s, relation),
    pgscore_data._label_expression(array(select 'r.l' || n from generate_series(1, cardinality(s.label_columns)) n), s.label_names),
    pgscore_data._label_rows(s, transition))
$$;
comment on function pgscore_data._captured_labels(pgscore_data.label_source, regclass, text) is
  'A subquery that reads key, known_at and label out of the rows that a statement wrote; the label is NULL if there is none.';

create or replace function pgscore_data._queue_corrections(s pgscore_data.label_source, old text, new text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  -- EXCEPT is planned the same for one row and for many, and takes two NULL for equal.
  select format($s$perform from stale offset 1;
    if not found then
      insert into pgscore_data.label_change (model_id, source_id, key, known_at, label, retracted)
      select %1$s, %2$s, x.key, x.known_at, x.label, x.retracted
        from (select * from %3$s r limit 1) o left join (select * from %4$s r limit 1) n on true
       cross join lateral (
         values (o.key, o.known_at, null::text, true,
                 o.label is not null and (n.label is null or o.key <> n.key or o.known_at is distinct from n.known_at)),
           (n.key, n.known_at, n.label, false,
            n.label is not null
            and (o.label is null or o.label <> n.label or o.key <> n.key or o.known_at is distinct from n.known_at)))
         as x (key, known_at, label, retracted, is_change)
       where x.is_change;
      get diagnostics queued = row_count;
    else
      insert into pgscore_data.label_change (model_id, source_id, key, known_at, retracted)
      select %1$s, %2$s, x.key, x.known_at, true
        from (select o.key, o.known_at from %3$s o where o.label is not null
              except
              select n.key, n.known_at from %4$s n where n.label is not null) x;
      insert into pgscore_data.label_change (model_id, source_id, key, known_at, label)
      select %1$s, %2$s, x.key, x.known_at, x.label
        from (select n.key, n.known_at, n.label from %4$s n where n.label is not null
              except
              select o.key, o.known_at, o.label from %3$s o where o.label is not null) x;
      get diagnostics queued = row_count;
    end if;$s$, s.model_id, s.source_id, old, new)
$$;
comment on function pgscore_data._queue_corrections(pgscore_data.label_source, text, text) is
  'What the triggers on a source of labels do after UPDATE.';

create or replace function pgscore_data._elsewhere_condition(s pgscore_data.label_source, relation regclass) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select case when pgscore._relation_named(x.name) = relation
      then format('tg_table_name <> %L or tg_table_schema <> %L', s.source_name, s.source_schema)
      else format('(tg_relid in (select r from pgscore._relations_of(pgscore._relation_named(%L)) r)) is not true', x.name) end
    from (select format('%I.%I', s.source_schema, s.source_name) as name) x
$$;
comment on function pgscore_data._elsewhere_condition(pgscore_data.label_source, regclass) is
  'The condition that a table does not have the name of the source any more, and is no part of the table that has it.';

-- Example: set_labels('churn', 'truth', key => 'customer_id', label => 'churned') by alice is source 1 of model 1. Its body has:
--   if tg_table_name <> 'truth' or tg_table_schema <> 'alice' then   -- %1$s
--     return null;
--   elsif tg_op = 'INSERT' then
--     insert into pgscore_data.label_change (model_id, source_id, key, known_at, label)
--     select 1, 1, n.key, n.known_at, n.label
--       from (select array[pg_catalog.concat(r.k1)] collate "C" as key, null::timestamptz as known_at,   -- %4$s
--                    case when num_nulls(r.k1) = 0 and 'tid'::regtype not in (pg_typeof(r.k1), pg_typeof(r.l1))   -- %9$s
--                      then nullif(pg_catalog.concat(r.l1), '') end collate "C" as label
--               from (select named.*   -- %7$s
--                       from (select null::tid as churned, null::tid as customer_id) missing cross join fresh t
--                      cross join lateral (select customer_id as k1, churned as l1 from (select t.*) present) named) r offset 0) n
--      where n.label is not null;
-- %6$s and %8$s read the old rows, stale, in the same way.

create or replace function pgscore_data._label_capture(this_source int, relation regclass) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  s pgscore_data.label_source;
  old text;
  new text;
begin
  select * into s from pgscore_data.label_source x where x.source_id = this_source;
  old := pgscore_data._captured_labels(s, relation, 'stale');
  new := pgscore_data._captured_labels(s, relation, 'fresh');
  return format($body$
#variable_conflict use_column
declare
  is_lost boolean := false;
  queued bigint;
begin
  if pg_my_temp_schema() <> 0 and coalesce(to_regclass('pg_temp.fresh'), to_regclass('pg_temp.stale')) is not null then
    perform pgscore_data._refuse_other_trigger(tg_relid, tg_name, tg_op);
  end if;
  if %1$s then
    return null;
  elsif tg_op = 'INSERT' then
    insert into pgscore_data.label_change (model_id, source_id, key, known_at, label)
    select %2$s, %3$s, n.key, n.known_at, n.label from %4$s n where n.label is not null;
    get diagnostics queued = row_count;
  elsif tg_op = 'UPDATE' then
    %5$s
  elsif tg_op = 'DELETE' then
    insert into pgscore_data.label_change (model_id, source_id, key, known_at, retracted)
    select %2$s, %3$s, o.key, o.known_at, true from %6$s o where o.label is not null;
    get diagnostics queued = row_count;
  else
    is_lost := true;
  end if;
  -- No label was written, or a column is missing.
  if queued = 0 then
    if tg_op = 'INSERT' then
      perform from (select x.* from %7$s x limit 1) r where not (%9$s);
    else
      perform from (select x.* from %8$s x limit 1) r where not (%9$s);
    end if;
    is_lost := found;
  end if;
  if is_lost then
    insert into pgscore_data.comparison_request (source_id) values (%3$s);
  end if;
  return null;
end
$body$,
    pgscore_data._elsewhere_condition(s, relation), s.model_id, s.source_id, new, pgscore_data._queue_corrections(s, old, new), old,
    pgscore_data._label_rows(s, 'fresh'), pgscore_data._label_rows(s, 'stale'), pgscore_data._label_columns_condition(s, relation));
end
$$;
comment on function pgscore_data._label_capture(int, regclass) is
  'The body of the trigger function of a table that holds labels.';

create or replace function pgscore._capture_labels(source regclass, source_id int, columns text[]) returns boolean
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Writes through a parent fire no trigger of its parts, and writes to a table of Citus fire none on the coordinator.
  if pgscore._is_on_citus(source) or exists (select from pg_inherits i where i.inhrelid = source) or exists (
    select from pgscore._relations_of(source) r join pg_class c on c.oid = r
     where c.relkind not in ('r', 'p') or not has_table_privilege(c.oid, 'trigger')
        or exists (select from pg_attribute a where a.attrelid = c.oid and a.attgenerated = 'v' and a.attname = any (columns)))
  then
    return false;
  end if;
  perform pgscore._capture_table('labels', source_id, source, null);
  return true;
end
$$;
comment on function pgscore._capture_labels(regclass, int, text[]) is
  'Puts the triggers that capture labels on a table, as the caller. False if triggers cannot capture them.';

create or replace function pgscore_data._end_label_capture() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgscore_data._drop_captures('labels', old.source_id, '{}');
  return null;
end
$$;
comment on function pgscore_data._end_label_capture() is 'Takes the triggers off the table that labels came from.';

create or replace trigger end_label_capture after delete on pgscore_data.label_source
for each row execute function pgscore_data._end_label_capture();
