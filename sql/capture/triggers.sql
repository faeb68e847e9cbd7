-- Triggers that queue what a statement changed. Each table has a function of its own, whose statements are planned once a session.

create or replace function pgscore._relation_named(name text) returns oid
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select c.oid
    from parse_ident(name) p join pg_namespace n on n.nspname = p[1] join pg_class c on c.relnamespace = n.oid and c.relname = p[2]
$$;
comment on function pgscore._relation_named(text) is
  'The table or view of a qualified name, also in a schema that the caller may not use; NULL where there is none.';

create or replace function pgscore._relations_of(source regclass) returns setof regclass
language sql stable security invoker
begin atomic
  with recursive tree (relid) as (
    select source::oid union select i.inhrelid from tree join pg_inherits i on i.inhparent = tree.relid
  )
  select t.relid::regclass from tree t;
end;
comment on function pgscore._relations_of(regclass) is
  'A table with its partitions and children: a write straight into one of these fires its own triggers only.';

-- Put into the query that calls it, as its path is not pinned: calls of functions took most of the time of a look at all watches.
create or replace function pgscore._table_digest(source regclass, triggers text) returns table (digest text)
language sql stable security invoker
begin atomic
  select md5(string_agg(concat_ws(' ', c.oid, c.relfilenode, (
             select md5(string_agg(concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod), ' ' order by a.attnum))
               from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), (
             select string_agg(t.xmin::text, ' ' order by t.oid)
               from pg_trigger t where t.tgrelid = c.oid and t.tgenabled <> 'D' and starts_with(t.tgname::text, triggers))),
           ' ' order by c.oid))
    from pgscore._relations_of(source) r join pg_class c on c.oid = r;
end;
comment on function pgscore._table_digest(regclass, text) is
  'A digest of what the catalogue says of a table, its parts and its triggers of a purpose: where it changes, they may have missed rows.';

create or replace view pgscore._capture_request as
select null::text as purpose, null::int as id, null::regclass as relation, null::text[] as key_columns, null::name as function_name,
       null::name as requested_by
 where false;
comment on view pgscore._capture_request is
  'Where the function of a table''s triggers is asked for, for a watch or for labels: requested_by is the caller, and nobody can write it.';
alter view pgscore._capture_request alter column requested_by set default current_user;

create or replace function pgscore_data._capture_name(purpose text, id int, relation regclass) returns name
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  -- Others may make functions in this schema: they cannot guess the name.
  select coalesce(
    (select min(p.proname) from pg_proc p
      where p.pronamespace = 'pgscore_sources'::regnamespace and p.proowner = 'pgscore_owner'::regrole
        and p.proname ~ format('^capture_%s_%s_%s_', purpose, id, relation::oid)),
    format('capture_%s_%s_%s_%s', purpose, id, relation::oid, left(replace(gen_random_uuid()::text, '-', ''), 16)))
$$;
comment on function pgscore_data._capture_name(text, int, regclass) is
  'The name of the trigger function of a table, for the watch or label source with this id: the one that is there, or a new one.';

create or replace function pgscore_data._refuse_other_trigger(relation oid, trigger_name name, event text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (
    select from pg_trigger t
     where t.tgrelid = relation and t.tgname = trigger_name
       and t.tgnewtable is not distinct from case when event in ('INSERT', 'UPDATE') then 'fresh' end::name
       and t.tgoldtable is not distinct from case when event in ('UPDATE', 'DELETE') then 'stale' end::name)
  then
    raise exception 'trigger "%" on % is not as pgscore made it', trigger_name, relation::regclass
      using errcode = 'insufficient_privilege', hint = format('Drop it: drop trigger %I on %s;', trigger_name, relation::regclass);
  end if;
end
$$;
comment on function pgscore_data._refuse_other_trigger(oid, name, text) is
'Raises where a trigger without their transition tables calls a capture function: that would read, as the owner, relations of '
'these names that the caller has in pg_temp.';

create or replace function pgscore_data._define_capture() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  body text;
  columns text[];
  settings text;
  former text;
begin
  case new.purpose
    when 'watch' then
      columns := pgscore_data._check_watch_capture(new.id, new.requested_by, new.relation, new.key_columns);
      body := pgscore_data._watch_capture(new.id, new.relation, columns);
    when 'labels' then
      columns := pgscore_data._check_label_capture(new.id, new.requested_by);
      body := pgscore_data._label_capture(new.id, new.relation);
  end case;
  new.function_name := pgscore_data._capture_name(new.purpose, new.id, new.relation);
  settings := pgscore_data._capture_settings(new.relation, columns);
  -- Its settings are part of what it does, and change with the types of the columns.
  body := format('-- with search_path%s', settings) || body;
  select p.prosrc into former from pg_proc p
   where p.pronamespace = 'pgscore_sources'::regnamespace and p.proname = new.function_name and p.pronargs = 0
     and p.proowner = 'pgscore_owner'::regrole;
  if former is distinct from body then
    execute format('create or replace function pgscore_sources.%I() returns trigger language plpgsql security definer '
                   'set search_path = pg_catalog, pg_temp%s as %L', new.function_name,
                   settings, body);
    -- Who writes just now may do so by the former body: the comparison waits for them.
    if former is not null and new.purpose = 'watch' then
      insert into pgscore_data.watch_to_compare (watch_id) values (new.id);
    end if;
    execute format('comment on function pgscore_sources.%I() is %L', new.function_name,
                   format('Queues what a statement changed in %s, for %s %s.', new.relation, new.purpose, new.id));
    execute format('revoke execute on function pgscore_sources.%I() from public', new.function_name);
  end if;
  execute format('grant execute on function pgscore_sources.%I() to %I', new.function_name, new.requested_by);
  return new;
end
$$;
comment on function pgscore_data._define_capture() is
  'Makes the function of a table''s triggers. It runs as pgscore_owner in the session of whoever writes, and reads the changed rows only.';

create or replace trigger define instead of insert on pgscore._capture_request
for each row execute function pgscore_data._define_capture();

create or replace function pgscore._put_triggers(purpose text, id int, relation regclass, key_columns text[]) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  function_name name;
  event record;
begin
  insert into pgscore._capture_request (purpose, id, relation, key_columns) values (purpose, id, relation, key_columns)
  returning _capture_request.function_name into function_name;
  for event in
    select * from (values ('insert', 'referencing new table as fresh'), ('update', 'referencing old table as stale new table as fresh'),
      ('delete', 'referencing old table as stale'), ('truncate', '')) e (name, transition)
     where not exists (
       select from pg_trigger t join pg_proc p on p.oid = t.tgfoid
        where t.tgrelid = relation and t.tgname = format('pgscore_%s_%s_%s', purpose, id, e.name) and t.tgenabled <> 'D'
          and p.proname = function_name and p.pronamespace = 'pgscore_sources'::regnamespace)
  loop
    execute format('create or replace trigger %I after %s on %s %s for each statement execute function pgscore_sources.%I()',
      format('pgscore_%s_%s_%s', purpose, id, event.name), event.name, relation, event.transition, function_name);
  end loop;
end
$$;
comment on function pgscore._put_triggers(text, int, regclass, text[]) is
  'Puts the triggers of a watch or of labels on a table, as the caller. One that stands there already takes no lock.';

create or replace function pgscore._capture_table(purpose text, id int, relation regclass, key_columns text[]) returns void
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
        perform pgscore._put_triggers(purpose, id, part, key_columns);
        exit;
      exception
        when lock_not_available then
          -- Whoever writes waits behind this for its lock: let them pass, and try again.
          if try = 20 then
            raise exception 'the triggers could not be put on %: others hold it locked', part using
              errcode = 'lock_not_available', hint = 'Try again when their transactions have ended.';
          end if;
          perform pg_sleep(0.2);
      end;
    end loop;
  end loop;
end
$$;
comment on function pgscore._capture_table(text, int, regclass, text[]) is
  'Puts triggers on a table, its partitions and children. It waits for locks a tenth of a second at a time.';

create or replace function pgscore_data._drop_captures(purpose text, id int, needed regclass[]) returns void
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
       and p.proname ~ format('^capture_%s_%s_', purpose, id)
       and split_part(p.proname, '_', 4) <> all (array(select r::oid::text from unnest(coalesce(needed, '{}')) r))
  loop
    begin
      execute format('drop function %s cascade', capture.name);
    exception
      when lock_not_available then
        raise exception 'the triggers could not be taken off %: others hold it locked', capture.relation using
          errcode = 'lock_not_available', hint = 'Try again when their transactions have ended.' || case purpose when 'watch' then
            ' If a run of the watch reads it, pause the watch and cancel the run first: pgscore.cancel_run().' else '' end;
    end;
  end loop;
end
$$;
comment on function pgscore_data._drop_captures(text, int, regclass[]) is
  'Drops the trigger functions of a watch or of labels, but for those of the tables that it needs.';
