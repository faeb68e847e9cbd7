-- Which columns of a table the triggers of a watch compare.

create or replace function pgscore_data._compared_columns(this_watch int, relation regclass, key_columns text[]) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  -- Of the source, what its plan reads; of a table under a view, what the catalogue says that the view reads. All columns count where that
  -- is not all: whole rows stand in the query alone, and a function or a policy may read anything.
  with recursive tree (relid) as (
    select relation::oid union select i.inhparent from tree join pg_inherits i on i.inhrelid = tree.relid
  ), source as (
    select w.plan_id, w.arguments, pgscore._relation_named(w.source) as relid from pgscore_data.watch w where w.watch_id = this_watch
  ), rule as (
    select r.oid, strpos(r.ev_action::text, ':varattno 0 ') > 0 as reads_rows
      from source s cross join lateral pgscore._relations_below(s.relid) b join pg_rewrite r on r.ev_class = b and r.rulename = '_RETURN'
  ), used as (
    select d.refclassid::regclass::text as kind, d.refobjid, d.refobjsubid
      from rule r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
  ), read as (
    select c ->> 'name' as name
      from source s join pgscore_data.known_plan p using (plan_id) cross join jsonb_array_elements(p.plan -> 'columns') c
     where s.relid in (select t.relid from tree t)
    union
    select a.attname::text from used u join tree t on u.kind = 'pg_class' and u.refobjid = t.relid
      join pg_attribute a on a.attrelid = t.relid and a.attnum = u.refobjsubid
  ), whole as (
    select from source s where s.arguments ->> 'rls' = 'filter'
    union all select from rule r where r.reads_rows
    union all select from used u where u.kind in ('pg_proc', 'pg_operator')
    union all select from used u join tree t on u.kind = 'pg_class' and u.refobjid = t.relid where u.refobjsubid < 0
    union all select from read r join pg_attribute v on v.attrelid = relation and v.attname = r.name and v.attgenerated = 'v'
  )
  select coalesce(array_agg(a.attname::text order by a.attnum), '{}')
    from pg_attribute a
   where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
     -- What is computed as it is read stands in no changed row: whatever it may be computed from is compared.
     and a.attgenerated <> 'v' and a.attname <> all (key_columns)
     and (not exists (select from read) or exists (select from whole) or a.attname in (select r.name from read r));
end;
comment on function pgscore_data._compared_columns(int, regclass, text[]) is
  'The columns of a table, beside the key, whose change is a change of a row that is watched.';

create or replace function pgscore_data._is_compared_whole(relation regclass, columns text[]) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select not exists (
    select from pg_attribute a
     where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
       and (a.attgenerated <> 'v' and a.attname <> all (columns) or a.attname = 'pgscore_row'));
end;
comment on function pgscore_data._is_compared_whole(regclass, text[]) is
  'Whether these are all columns of a table that a changed row holds, so that rows are compared whole, in a third of the time.';
