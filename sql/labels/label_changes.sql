-- What changes where labels come from: queued by triggers as it is written, or found by comparison.

create or replace function pgscore_data._label_select(s pgscore_data.label_source, relation oid, transition text) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  families text[] := (select m.key_types from pgscore_data.monitor m where m.model_id = s.model_id);
  found text[] := (
    select array_agg(pgscore._label_key(pgscore._base_type(a.atttypid)) order by k.n)
      from unnest(s.key_columns) with ordinality as k (name, n)
      left join pg_attribute a on a.attrelid = relation and a.attname = k.name and not a.attisdropped);
  moment oid := (select pgscore._base_type(a.atttypid) from pg_attribute a
                  where a.attrelid = relation and a.attname = s.known_at_column and not a.attisdropped);
begin
  if found is distinct from families
    or not exists (select from pg_attribute a where a.attrelid = relation and a.attname = s.label_column and not a.attisdropped)
    or s.known_at_column is not null and coalesce(moment not in ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype), true)
  then
    return null;
  end if;
  return format('select array[%s] as key, %s as known_at, nullif(concat(t.%I), '''') as label from %s t',
    (select string_agg(format('concat(t.%I)', k), ', ' order by n) from unnest(s.key_columns) with ordinality as x (k, n)),
    case when s.known_at_column is null then 'null::timestamptz' when moment = 'timestamptz'::regtype then format('t.%I', s.known_at_column)
      else format('t.%I::timestamp at time zone %L', s.known_at_column, s.time_zone) end,
    s.label_column, transition)
    || (select string_agg(format(' %s t.%I is not null', case n when 1 then 'where' else 'and' end, k), '' order by n)
          from unnest(s.key_columns) with ordinality as x (k, n));
end
$$;
comment on function pgscore_data._label_select(pgscore_data.label_source, oid, text) is
  'The query that reads labels out of the rows that a statement wrote; NULL where the columns are not what they were. concat() calls no '
  'function of a type''s owner.';

create or replace function pgscore._capture_labels() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
set extra_float_digits = 1
as $$
declare
  s pgscore_data.label_source;
  fresh text;
  stale text;
begin
  select * into s from pgscore_data.label_source x
   where x.source_id::text = tg_argv[0] and x.source_schema = tg_table_schema and x.source_name = tg_table_name;
  if not found then
    return null;
  end if;
  if tg_op <> 'TRUNCATE' then
    fresh := pgscore_data._label_select(s, tg_relid, 'fresh');
    stale := pgscore_data._label_select(s, tg_relid, 'stale');
  end if;
  if fresh is null then
    insert into pgscore_data.comparison_request (source_id) values (s.source_id);
    return null;
  end if;
  if tg_op <> 'INSERT' then
    execute format('insert into pgscore_data.label_change (model_id, source_id, key, known_at, retracted) select $1, $2, o.key, '
                   'o.known_at, true from (%s) o where o.label is not null', stale)
      || case tg_op when 'UPDATE' then format(' and not exists (select from (%s) n where n.key = o.key and n.known_at is not distinct '
                                              'from o.known_at and n.label is not null)', fresh) else '' end
    using s.model_id, s.source_id;
  end if;
  if tg_op <> 'DELETE' then
    execute format('insert into pgscore_data.label_change (model_id, source_id, key, known_at, label) select $1, $2, n.key, n.known_at, '
                   'n.label from (%s) n where n.label is not null', fresh)
      || case tg_op when 'UPDATE' then format(' and not exists (select from (%s) o where o.key = n.key and o.known_at is not distinct '
                                              'from n.known_at and o.label = n.label)', stale) else '' end
    using s.model_id, s.source_id;
  end if;
  return null;
end
$$;
comment on function pgscore._capture_labels() is
  'Trigger of a table that holds labels: queues what a statement wrote, in its transaction. On a table that no model takes its labels '
  'from it does nothing.';

create or replace function pgscore._capture_by_triggers(source regclass, source_id int) returns boolean
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  event record;
begin
  if (select c.relkind from pg_class c where c.oid = source) not in ('r', 'p') or not has_table_privilege(source, 'trigger') then
    return false;
  end if;
  for event in
    select * from (values ('insert', 'referencing new table as fresh'), ('update', 'referencing old table as stale new table as fresh'),
      ('delete', 'referencing old table as stale'), ('truncate', '')) e (name, transition)
  loop
    execute format('create or replace trigger %I after %s on %s %s for each statement execute function pgscore._capture_labels(%s)',
      'pgscore_labels_' || source_id || '_' || event.name, event.name, source, event.transition, source_id);
  end loop;
  return true;
exception
  when insufficient_privilege or wrong_object_type or feature_not_supported then
    return false;
end
$$;
comment on function pgscore._capture_by_triggers(regclass, int) is
  'Puts the triggers that capture labels on a table, as the caller; false where she may not, or where it is no table.';

create or replace function pgscore_data._compare_labels(this_source int, seen pg_snapshot, seen_at timestamptz) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- In a loop the queue is read again for each label, with all that is being put into it.
set enable_nestloop = off
as $$
declare
  this_model int;
  timed boolean;
  has_undated boolean;
  sealed timestamptz;
  compared bigint;
begin
  select s.model_id, s.known_at_column is not null, m.sealed_before into this_model, timed, sealed
    from pgscore_data.label_source s join pgscore_data.monitor m using (model_id) where s.source_id = this_source;
  if not found then
    return 0;
  end if;
  has_undated := not timed or exists (
    select from pgscore_data.compared_label c where c.source_id = this_source and c.known_at is null);
  analyze pgscore_data.compared_label;
  analyze pgscore_data.label_change;
  with queued as materialized (
    -- The last change of each label; without a time an entity has one label.
    select distinct on (hash_array(c.key), c.key, w.at) c.key, w.at, c.known_at, c.label, c.source_id, c.read_in is not null as was_read,
           c.read_in is null and not pg_visible_in_snapshot(c.captured_in, seen) as is_newer
      from pgscore_data.label_change c cross join lateral (select case when timed then c.known_at end as at) w
     where c.model_id = this_model
     order by hash_array(c.key), c.key, w.at, c.change_id desc
  ), evaluated as (
    -- Labels are joined by equality of key and time, so that many labels of one entity are no loop over each other.
    select e.key, e.known_at as at, e.label, e.source_id, e.event_time from pgscore_data.evaluation e
     where e.model_id = this_model and timed
    union all
    select e.key, null, e.label, e.source_id, e.event_time from pgscore_data.evaluation e
     where e.model_id = this_model and has_undated
  ), found as (
    select c.key, c.known_at, c.label
      from pgscore_data.compared_label c
      left join queued q on q.key = c.key and q.at is not distinct from c.known_at
            and coalesce(q.at, '-infinity') = coalesce(c.known_at, '-infinity')
      left join evaluated e on e.key = c.key and e.at is not distinct from c.known_at
            and coalesce(e.at, '-infinity') = coalesce(c.known_at, '-infinity')
      left join pgscore_data.recorded_label r on r.model_id = this_model and r.key = c.key and r.overrules
            and r.source_known_at is not distinct from c.known_at and r.source_label = c.label
     where c.source_id = this_source
       and not (r.overrules is not null and case when q.key is null then e.source_id else q.source_id end is null)
       and e.event_time >= sealed is not false
       and case when q.key is null then e.label is distinct from c.label
             else not q.is_newer and (q.was_read or q.label is distinct from c.label) end
  ), no_longer_overruled as (
    delete from pgscore_data.recorded_label r
     where r.model_id = this_model and r.overrules
       and not exists (
         select from pgscore_data.compared_label c
          where c.source_id = this_source and c.key = r.key and c.known_at is not distinct from r.source_known_at)
       and not exists (select from queued q where q.key = r.key and q.at is not distinct from r.source_known_at and q.is_newer)
    returning r.key, r.source_known_at
  ), said as (
    select distinct e.key, e.known_at
      from pgscore_data.evaluation e
      left join queued q on q.key = e.key and coalesce(q.at, '-infinity') = case when timed then e.known_at else '-infinity' end
     where e.model_id = this_model and e.source_id = this_source and q.key is null and e.event_time >= sealed is not false
    union all
    select q.key, q.known_at from queued q where q.source_id = this_source and not q.is_newer and (q.was_read or q.label is not null)
  ), gone as (
    select s.key, s.known_at from said s
     where not exists (
         select from pgscore_data.compared_label c where c.source_id = this_source and c.key = s.key and c.known_at = s.known_at)
       and not exists (
         select from pgscore_data.compared_label c where c.source_id = this_source and c.key = s.key and c.known_at is null)
    union
    select o.key, o.source_known_at from no_longer_overruled o
  )
  insert into pgscore_data.label_change (model_id, source_id, key, known_at, label, retracted, captured_at, read_in)
  select this_model, this_source, f.key, f.known_at, f.label, false, seen_at, seen from found f
  union all
  select this_model, this_source, g.key, g.known_at, null, true, seen_at, seen from gone g;
  -- A source that came to agree may change its mind again.
  update pgscore_data.recorded_label r set source_label = c.label
    from pgscore_data.compared_label c
   where c.source_id = this_source and r.model_id = this_model and r.overrules and r.key = c.key
     and r.source_known_at is not distinct from c.known_at and r.source_label <> c.label;
  delete from pgscore_data.compared_label c where c.source_id = this_source;
  get diagnostics compared = row_count;
  return compared;
end
$$;
comment on function pgscore_data._compare_labels(int, pg_snapshot, timestamptz) is
'Queues the differences between a source of labels, as a snapshot saw it, and what is known and queued, and forgets what was read.
Returns how many labels it held. What that snapshot did not see is newer and stays.';
