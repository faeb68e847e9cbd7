-- Triggers that queue the keys of changed rows. Each table has a function of its own, whose statements are planned once a session.

create or replace function pgscore._relations_of(source regclass) returns setof regclass
language sql stable security invoker
begin atomic
  with recursive tree (relid) as (
    select source::oid union all select i.inhrelid from tree join pg_inherits i on i.inhparent = tree.relid
  )
  select t.relid::regclass from tree t;
end;
comment on function pgscore._relations_of(regclass) is
  'A table with its partitions and children: a write straight into one of these fires its own triggers only.';

create or replace function pgscore_data._compared_columns(w pgscore_data.watch, relation regclass, key_columns text[]) returns int[]
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  -- Of a table under a view all: what the view makes of a row, no catalogue says. Of the source, what its plan reads.
  with recursive tree (relid) as (
    select relation::oid union all select i.inhparent from tree join pg_inherits i on i.inhrelid = tree.relid
  ), read as (
    select c ->> 'name' as name
      from pgscore_data.known_plan p cross join jsonb_array_elements(p.plan -> 'columns') c
     where p.plan_id = w.plan_id and pgscore._relation_named(w.source) in (select t.relid from tree t)
  )
  select array_agg(a.attnum::int order by a.attnum)
    from pg_attribute a
   where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
     -- What is computed as it is read stands in no changed row: whatever it may be computed from is compared.
     and a.attgenerated <> 'v'
     and (not exists (select from read)
          or exists (select from read r join pg_attribute v on v.attrelid = relation and v.attname = r.name and v.attgenerated = 'v')
          or a.attname in (select r.name from read r) or a.attname = any (key_columns));
end;
comment on function pgscore_data._compared_columns(pgscore_data.watch, regclass, text[]) is
  'The columns of a table whose change is a change of a row that is watched.';

create or replace function pgscore_data._capture_body(w pgscore_data.watch, relation regclass, key_columns text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  compared int[] := pgscore_data._compared_columns(w, relation, key_columns);
  key int[];
  joined int[];
  names text;
  key_names text;
  keys text;
  has_key text;
  has_all text;
begin
  select array_agg(a.attnum::int order by k.n) into key
    from unnest(key_columns) with ordinality as k (name, n)
    join pg_attribute a on a.attrelid = relation and a.attname = k.name and not a.attisdropped;
  select array_agg(k.attnum::int) into joined from pg_index i cross join unnest(i.indkey::int2[]) as k (attnum)
   where i.indrelid = relation and i.indisprimary;
  joined := coalesce(joined, key);
  -- By their places, so that a renamed column changes nothing. has_column_privilege() is NULL for a dropped column: a mark is left then.
  select string_agg('a' || a.attnum, ', ' order by a.attnum),
         string_agg('a' || a.attnum, ', ' order by a.attnum) filter (where a.attnum <= (select max(k) from unnest(key) k)),
         string_agg(format('has_column_privilege(tg_relid, %s::int2, ''select'')', a.attnum), ', ' order by a.attnum)
           filter (where a.attnum <= (select max(k) from unnest(key) k)),
         string_agg(format('has_column_privilege(tg_relid, %s::int2, ''select'')', a.attnum), ', ' order by a.attnum)
    into names, key_names, has_key, has_all
    from pg_attribute a where a.attrelid = relation and a.attnum between 1 and (select max(c) from unnest(compared || key || joined) c)
     and not a.attisdropped;
  keys := case cardinality(key)
    when 1 then format('case when %%1$s.a%s is not null then left(concat(%%1$s.a%s) collate "C", 2701) end', key[1], key[1])
    else format('case when num_nulls(%s) = 0 then left(array[%s]::text collate "C", 2701) end',
      (select string_agg(format('%%1$s.a%s', k), ', ') from unnest(key) k),
      (select string_agg(format('concat(%%1$s.a%s)', k), ', ') from unnest(key) k)) end;
  return format($body$
begin
  if tg_op = 'TRUNCATE' or num_nulls(%1$s) > 0 or tg_op = 'UPDATE' and num_nulls(%10$s) > 0
    or pg_relation_size('pgscore_data.watch_change') > %2$s
  then
    if not exists (select from pgscore_data.watch_mark m where m.watch_id = %3$s) then
      insert into pgscore_data.watch_mark (watch_id) values (%3$s);
    end if;
    return null;
  end if;
  -- Cutting into blocks of a hundred costs more than to write a row: few rows are one block.
  if tg_op = 'INSERT' then
    perform from fresh offset 10 limit 1;
    if not found then
      insert into pgscore_data.watch_change (watch_id, keys)
      select %3$s, array[x.key] from (select %4$s as key from fresh as n (%11$s)) x where x.key is not null;
      return null;
    end if;
    insert into pgscore_data.watch_change (watch_id, keys)
    select %3$s, array_agg(x.key)
      from (select %4$s as key, row_number() over () as n from fresh as n (%11$s)) x
     where x.key is not null group by x.n / 100;
  elsif tg_op = 'DELETE' then
    insert into pgscore_data.watch_change (watch_id, keys)
    select %3$s, array_agg(x.key)
      from (select %6$s as key, row_number() over () as n from stale as o (%11$s)) x
     where x.key is not null group by x.n / 100;
  else
    perform from fresh offset 10 limit 1;
    if not found then
      insert into pgscore_data.watch_change (watch_id, keys)
      select %3$s, array_agg(k.key)
        from stale as o (%5$s) full join fresh as n (%5$s) on %7$s
       cross join unnest(case when %6$s = %4$s then array[%4$s] else array[%6$s, %4$s] end) as k (key)
       where row(%8$s)::record operator(pg_catalog.*<>) row(%9$s)::record and k.key is not null having count(*) > 0;
      return null;
    end if;
    insert into pgscore_data.watch_change (watch_id, keys)
    select %3$s, array_agg(x.key)
      from (
        select y.key, row_number() over () as n
          from (
            select distinct k.key
              from stale as o (%5$s) full join fresh as n (%5$s) on %7$s
             cross join unnest(case when %6$s = %4$s then array[%4$s] else array[%6$s, %4$s] end) as k (key)
             where row(%8$s)::record operator(pg_catalog.*<>) row(%9$s)::record) y
         where y.key is not null) x
     group by x.n / 100;
  end if;
  return null;
end
$body$,
    has_key, pgscore_data._watch_queue_limit(), w.watch_id, format(keys, 'n'), names, format(keys, 'o'),
    (select string_agg(format('concat(o.a%1$s) collate "C" = concat(n.a%1$s) collate "C"', j), ' and ') from unnest(joined) j),
    (select string_agg('o.a' || c, ', ') from unnest(compared) c), (select string_agg('n.a' || c, ', ') from unnest(compared) c), has_all,
    key_names);
end
$$;
comment on function pgscore_data._capture_body(pgscore_data.watch, regclass, text[]) is
  'The body of the trigger function of a table. Old and new rows are compared as bytes, which calls no function of a user.';

create or replace function pgscore_data._watch_queue_limit() returns bigint
language sql stable
set search_path = pg_catalog, pg_temp
return least(coalesce(pg_size_bytes(nullif(current_setting('pgscore.watch_queue_bytes', true), '')), 268435456), 1073741824);
comment on function pgscore_data._watch_queue_limit() is
  'Bytes of queued changes, of all watches, past which a table no longer queues keys but a mark: the whole source is compared then.';

create or replace view pgscore._capture_request as
select null::int as watch_id, null::regclass as relation, null::text[] as key_columns, null::name as function_name, null::name as owner
 where false;
comment on view pgscore._capture_request is
  'Where the function of a table''s triggers is asked for: owner is the caller, and nobody can write it.';
alter view pgscore._capture_request alter column owner set default current_user;

create or replace function pgscore_data._define_capture() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  w pgscore_data.watch;
  body text;
  former text;
  missing text;
begin
  select * into w from pgscore_data.watch x where x.watch_id = new.watch_id and x.owner = new.owner;
  if not found then
    raise exception 'the watch belongs to another role' using errcode = 'insufficient_privilege', hint = 'Watch with pgscore.watch().';
  elsif cardinality(new.key_columns) is distinct from
    (select jsonb_array_length(t.key_columns) from pgscore_data.target t where t.target_id = w.target_id)
  then
    raise exception 'the key of the target has another number of columns' using
      errcode = 'invalid_parameter_value', hint = 'Watch with pgscore.watch().';
  end if;
  select k into missing from unnest(new.key_columns) k
   where not exists (select from pg_attribute a where a.attrelid = new.relation and a.attname = k and a.attnum > 0 and not a.attisdropped);
  if found then
    raise exception '% has no column "%", which is to hold the key', new.relation, missing using errcode = 'undefined_column',
      hint = 'Name the column that holds it: watch again with on_change_of => ''{"table": "key column"}''.';
  end if;
  -- Others may make functions in this schema: they cannot guess the name.
  new.function_name := format('capture_%s_%s_%s', w.watch_id, new.relation::oid, left(md5(w.guard_key || new.relation::oid), 16));
  body := pgscore_data._capture_body(w, new.relation, new.key_columns);
  select p.prosrc into former from pg_proc p where p.pronamespace = 'pgscore_sources'::regnamespace and p.proname = new.function_name
     and p.pronargs = 0 and p.proowner = 'pgscore_owner'::regrole;
  if former is distinct from body then
    -- Texts of dates and times must not depend on the session of the writer.
    execute format('create or replace function pgscore_sources.%I() returns trigger language plpgsql security definer '
                   'set search_path = pg_catalog, pg_temp%s as %L', new.function_name,
      case when exists (select from pg_attribute a where a.attrelid = new.relation and a.attname = any (new.key_columns)
                           and pgscore._base_type(a.atttypid) in ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype))
        then ' set timezone = ''UTC'' set datestyle = ''ISO''' else '' end, body);
    -- Who writes just now may do so by the former body: the comparison waits for them.
    if former is not null then
      insert into pgscore_data.watch_mark (watch_id) values (w.watch_id);
    end if;
    execute format('comment on function pgscore_sources.%I() is %L', new.function_name,
                   format('Trigger of a watched table: queues the keys of the rows that a statement changed, for watch %s.', w.watch_id));
    execute format('revoke execute on function pgscore_sources.%I() from public', new.function_name);
  end if;
  execute format('grant execute on function pgscore_sources.%I() to %I', new.function_name, new.owner);
  return new;
end
$$;
comment on function pgscore_data._define_capture() is
  'Makes the function of a table''s triggers. It runs as pgscore_owner in the session of whoever writes, and reads the changed rows only.';

create or replace trigger define instead of insert on pgscore._capture_request
for each row execute function pgscore_data._define_capture();

create or replace function pgscore._put_triggers(watch_id int, relation regclass, key_columns text[]) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  function_name name;
  event record;
begin
  insert into pgscore._capture_request (watch_id, relation, key_columns) values (watch_id, relation, key_columns)
  returning _capture_request.function_name into function_name;
  for event in
    select * from (values ('insert', 'referencing new table as fresh'), ('update', 'referencing old table as stale new table as fresh'),
      ('delete', 'referencing old table as stale'), ('truncate', '')) e (name, transition)
     where not exists (
       select from pg_trigger t join pg_proc p on p.oid = t.tgfoid
        where t.tgrelid = relation and t.tgname = format('pgscore_watch_%s_%s', watch_id, e.name) and t.tgenabled <> 'D'
          and p.proname = function_name and p.pronamespace = 'pgscore_sources'::regnamespace)
  loop
    execute format('create or replace trigger %I after %s on %s %s for each statement execute function pgscore_sources.%I()',
      format('pgscore_watch_%s_%s', watch_id, event.name), event.name, relation, event.transition, function_name);
  end loop;
end
$$;
comment on function pgscore._put_triggers(int, regclass, text[]) is
  'Puts the triggers of a watch on a table, as the caller. One that stands there already takes no lock.';

create or replace function pgscore._capture_table(watch_id int, relation regclass, key_columns text[]) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $$
declare
  part regclass;
begin
  for part in select r from pgscore._relations_of(relation) r loop
    for try in 1..20 loop
      begin
        perform pgscore._put_triggers(watch_id, part, key_columns);
        exit;
      exception
        when lock_not_available then
          -- Whoever writes waits behind this for its lock: let them pass, and try again.
          if try = 20 then
            raise exception 'the triggers of the watch could not be put on %: others hold it locked', part using
              errcode = 'lock_not_available', hint = 'Try again when their transactions have ended.';
          end if;
          perform pg_sleep(0.2);
      end;
    end loop;
  end loop;
end
$$;
comment on function pgscore._capture_table(int, regclass, text[]) is
  'Puts the triggers of a watch on a table, its partitions and children. It waits for locks a tenth of a second at a time.';

create or replace function pgscore_data._drop_captures(watch_id int, needed regclass[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
set client_min_messages = warning
as $$
declare
  capture record;
begin
  -- Takes the triggers along, also those on tables that the caller does not own, and waits for who writes there.
  for capture in
    select p.oid::regprocedure as name, t.tgrelid::regclass as relation
      from pg_proc p
      left join lateral (select x.tgrelid from pg_trigger x where x.tgfoid = p.oid limit 1) t on true
     where p.pronamespace = 'pgscore_sources'::regnamespace and p.proowner = 'pgscore_owner'::regrole
       and p.proname ~ format('^capture_%s_', watch_id)
       and split_part(p.proname, '_', 3) <> all (array(select r::oid::text from unnest(needed) r))
  loop
    begin
      execute format('drop function %s cascade', capture.name);
    exception
      when lock_not_available then
        raise exception 'the triggers of the watch could not be taken off %: others hold it locked', capture.relation using
          errcode = 'lock_not_available', hint = 'Try again when their transactions have ended.';
    end;
  end loop;
end
$$;
comment on function pgscore_data._drop_captures(int, regclass[]) is
  'Drops the trigger functions of a watch, but for those of the tables that it needs.';
