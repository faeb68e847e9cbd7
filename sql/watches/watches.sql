-- Following a source: what a user asks for, and who may.

create or replace view pgscore._watch_request with (security_barrier) as
select w.watch_id, w.target_id, w.source, w.arguments, w.tables, w.capture, w.poll_every, w.rescore_every, w.on_promote, w.keep_history,
       w.notify, w.handle, encode(sha256(convert_to(w.guard_key, 'UTF8')), 'hex') as guard_hash, w.owner as requested_by,
       m.name || case when w.alias = 'champion' then '' else '@' || coalesce(w.alias, w.version_number::text) end as model
  from pgscore_data.watch w join pgscore_data.model m using (model_id) where w.owner = current_user;
comment on view pgscore._watch_request is
  'The caller''s own watches; inserting one makes it, or changes the one of its target. requested_by is the caller, and nobody can '
  'write it.';
alter view pgscore._watch_request alter column requested_by set default current_user;

create or replace function pgscore_data._own_generation(t pgscore_data.target) returns int
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  added constant int := pgscore_data._add_generation(t, null, null);
begin
  perform pgscore_data._index_generation(t.target_id, added);
  update pgscore_data.generation g set state = 'published' where g.target_id = t.target_id and g.generation = added;
  return added;
end
$$;
comment on function pgscore_data._own_generation(pgscore_data.target) is
  'Adds a generation to a target for the newest predictions of a challenger''s watch. The history shows it, the latest view does not.';

create or replace function pgscore_data._accept_watch() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  version record := pgscore._find_version(new.model);
  wanted text := nullif(substr(new.model, length(version.model_name) + 2), '');
  new_alias constant text := case when wanted ~ '^[0-9]+$' then null else coalesce(wanted, 'champion') end;
  new_number constant int := case when wanted ~ '^[0-9]+$' then wanted::int end;
  stored pgscore_data.target;
  writer text;
  published pgscore_data.watch;
  known pgscore_data.watch;
  storage name;
  key text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
begin
  -- Nobody need come by watch(), and what cannot be read here would stop the watches of all.
  perform pgscore._check_watch(new.capture, new.poll_every, new.rescore_every, new.on_promote, new.keep_history, new.notify,
                               new.arguments ->> 'rls');
  if exists (
    select from (select new.source union all select t ->> 'table' from jsonb_array_elements(new.tables) t) x (name)
     where x.name is distinct from (select format('%I.%I', p[1], p[2]) from parse_ident(x.name) p))
    or jsonb_array_length(new.tables) > 32 or (select count(*) > count(distinct t ->> 'table') from jsonb_array_elements(new.tables) t)
  then
    raise exception 'source and tables are not named once, with their schemas, or are more than 32'
      using errcode = 'invalid_parameter_value', hint = 'Watch with pgscore.watch().';
  elsif (
    -- The service looks at each of them, of all watches, each second.
    select count(*) > 5000
      from (select new.source union select t ->> 'table' from jsonb_array_elements(new.tables) t) x (name)
     cross join lateral pgscore._relations_of(pgscore._relation_named(x.name)))
  then
    raise exception 'source and tables have more than 5000 partitions' using
      errcode = 'program_limit_exceeded', hint = 'Watch some of the partitions, or score the table by a schedule: pgscore.schedule().';
  elsif not pgscore._may_score(new.requested_by, version.version_id) then
    raise exception 'model "%" is not granted to "%"', version.model_name, new.requested_by using errcode = 'insufficient_privilege',
      hint = format('A pgscore_deployer can grant it: select pgscore.grant_model(%L, %L);', version.model_name, new.requested_by);
  end if;
  select * into stored from pgscore_data.target x where x.target_id = new.target_id and x.owner = new.requested_by
  for no key update;
  if not found then
    raise exception 'the target belongs to another role' using errcode = 'insufficient_privilege', hint = 'Watch with pgscore.watch().';
  end if;
  select r.run_id::text into writer from pgscore_data.run r
   where r.target_id = new.target_id and r.watch_id is null and r.state in ('queued', 'running') limit 1;
  if found then
    raise exception 'run % writes to target %.% just now', writer, stored.view_schema, stored.view_name using
      errcode = 'object_in_use', hint = format('Wait for it, call pgscore.wait_for_run(%s), or choose another target.', writer);
  end if;
  select s.owner || '.' || s.name into writer from pgscore_data.schedule s
   where s.arguments ->> 'target' = stored.view_name and s.arguments ->> 'target_schema' = stored.view_schema limit 1;
  if found then
    raise exception 'schedule "%" writes to target %.%', writer, stored.view_schema, stored.view_name using
      errcode = 'object_in_use', hint = format('Choose another target, or end the schedule: select pgscore.unschedule(%L);', writer);
  end if;
  select * into published from pgscore_data.watch w where w.target_id = stored.target_id and w.generation is null for update;
  select * into known from pgscore_data.watch w
   where w.target_id = stored.target_id and w.model_id = version.model_id and w.alias is not distinct from new_alias
     and w.version_number is not distinct from new_number for update;
  if known.watch_id is null and (
    published.model_id = version.model_id and published.alias = 'champion' and new_alias is distinct from 'champion') is not true
  then
    -- The target goes on with another model or version.
    known := published;
    if known.watch_id is not null then
      raise notice 'the watch of %.% goes on with %', stored.view_schema, stored.view_name, new.model;
    end if;
  end if;
  if known.watch_id is null then
    insert into pgscore_data.watch (owner, model_id, alias, version_number, target_id, source, arguments, capture, poll_every, on_promote,
                                    handle, guard_key, generation)
    values (new.requested_by, version.model_id, new_alias, new_number, stored.target_id, new.source, new.arguments, new.capture,
            new.poll_every, new.on_promote, 'w_' || replace(gen_random_uuid()::text, '-', ''), key,
            case when published.watch_id is not null then pgscore_data._own_generation(stored) end)
    returning * into known;
  end if;
  update pgscore_data.watch w set
    model_id = version.model_id, alias = new_alias, version_number = new_number, source = new.source, arguments = new.arguments,
    tables = new.tables, capture = new.capture, poll_every = new.poll_every, rescore_every = new.rescore_every,
    on_promote = new.on_promote, keep_history = new.keep_history, notify = new.notify, compare_after = clock_timestamp(),
    failures = 0, retry_at = null, error_code = null, error = null, remedy = null
   where w.watch_id = known.watch_id;
  new.watch_id := known.watch_id;
  new.handle := known.handle;
  new.guard_hash := encode(sha256(convert_to(known.guard_key, 'UTF8')), 'hex');
  storage := format('target_%s_g%s', stored.target_id, coalesce(known.generation, stored.current_generation));
  if to_regclass(format('pgscore_predictions.%I', storage || '_run')) is null then
    -- Its runs are many and small, and each is looked for when it is counted.
    execute format('create index %I on pgscore_predictions.%I (run_id)', storage || '_run', storage);
  end if;
  return new;
end
$$;
comment on function pgscore_data._accept_watch() is
'Stores a watch, or changes that of its target: the source is compared then, and only rows that differ are scored again. Another version
beside the champion''s watch is a watch of its own, whose predictions the history alone shows.';

create or replace trigger accept instead of insert on pgscore._watch_request
for each row execute function pgscore_data._accept_watch();

create or replace function pgscore._renew_body(watch_id int, guard_hash text) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$ select pgscore._guarded_body(format('pgscore._renew_watch(%s)', watch_id), guard_hash) $$;
comment on function pgscore._renew_body(int, text) is 'The body of the function by which the service plans a watch as its owner.';

create or replace function pgscore._check_watch(capture text, poll_every interval, rescore_every interval, on_promote text,
                                                keep_history interval, notify text, rls text) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  given record;
begin
  if capture is null or capture not in ('auto', 'triggers', 'poll') then
    raise exception 'capture => % is not known', coalesce(quote_literal(capture), 'NULL') using errcode = 'invalid_parameter_value',
      hint = '''triggers'' queues changes as they are written, ''poll'' reads the source again and again, ''auto'' takes triggers where '
             'you may put them.';
  elsif on_promote is null or on_promote not in ('rescore', 'keep') then
    raise exception 'on_promote => % is not known', coalesce(quote_literal(on_promote), 'NULL') using errcode = 'invalid_parameter_value',
      hint = '''rescore'' scores all rows again with the new champion; ''keep'' leaves them until they change.';
  elsif rls is null or rls not in ('error', 'filter') then
    raise exception 'rls => % is not known', coalesce(quote_literal(rls), 'NULL') using errcode = 'invalid_parameter_value',
      hint = '''error'' stops the watch if a policy would hide rows; ''filter'' scores the rows that you may see.';
  elsif starts_with(lower(notify), 'pgscore') or octet_length(notify) not between 1 and 63 then
    raise exception 'notify => % cannot be a channel', quote_literal(notify) using
      errcode = 'invalid_name', hint = 'Any name of 1 to 63 bytes that does not begin with pgscore.';
  end if;
  for given in
    select * from (values ('poll_every', poll_every, interval '1 second'), ('rescore_every', rescore_every, interval '1 minute'),
      ('keep_history', keep_history, interval '0')) x (name, value, least)
     where x.value < x.least or not pgscore._is_duration(x.value)
  loop
    raise exception '% => % is too %', given.name, quote_literal(given.value),
      case when given.value < given.least then 'short' else 'long' end using
      errcode = 'invalid_parameter_value', hint = format('At least %s, at most 100 years.', given.least);
  end loop;
  if poll_every is null then
    raise exception 'poll_every is NULL' using errcode = 'null_value_not_allowed', hint = 'Give an interval: poll_every => ''30 s''.';
  end if;
end
$$;
comment on function pgscore._check_watch(text, interval, interval, text, interval, text, text) is 'Refuses options of a watch.';

create or replace function pgscore._relations_below(source regclass) returns setof regclass
language sql stable security invoker
begin atomic
  with recursive read (relid) as (
    select source::oid
    union
    select d.refobjid from read join pg_rewrite r on r.ev_class = read.relid
      join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
  )
  select r.relid::regclass from read r;
end;
comment on function pgscore._relations_below(regclass) is 'A source with all that it reads, through views of views too.';

create or replace function pgscore._refuse_watched(source regclass) returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from pgscore._relations_below(source) r join pg_class c on c.oid = r
              where c.relnamespace = 'pgscore_predictions'::regnamespace)
  then
    raise exception 'source % reads predictions of pgscore', source using
      errcode = 'wrong_object_type', hint = 'Watch what the predictions are made from, or score this with a schedule.';
  end if;
end
$$;
comment on function pgscore._refuse_watched(regclass) is 'Refuses to watch predictions: one watch would follow another.';

create or replace function pgscore._clock_expression(source regclass) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select concat(x.called || ', which uses ', m[1])
    from (
      select pg_get_viewdef(c.oid) as text, null as called
        from pgscore._relations_below(source) b join pg_class c on c.oid = b and c.relkind = 'v'
      union all
      select pg_get_functiondef(p.oid), p.oid::regprocedure::text
        from pgscore._relations_below(source) b join pg_rewrite r on r.ev_class = b
        join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_proc'::regclass
        join pg_proc p on p.oid = d.refobjid and p.prokind = 'f') x
   cross join lateral regexp_match(regexp_replace(x.text, '--[^\n]*|''[^'']*''|"[^"]*"', '''''', 'g'),
     '\m(now\(\)|(?:clock|statement|transaction)_timestamp\(\)|timeofday\(\)|current_(?:date|time|timestamp)|local(?:time|timestamp)|'
     || 'age\((?:[^,()]|\((?:[^()]|\([^()]*\))*\))*\)|random\(\))', 'i') m
   where m is not null order by x.called nulls first, 1 limit 1
$$;
comment on function pgscore._clock_expression(regclass) is
  'An expression in a view, in one below it, or in a function that these call, whose value changes without a change of a table; else NULL.';

create or replace function pgscore._table_below(source regclass, name text) returns regclass
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select coalesce((select case when count(*) = 1 then min(c.oid)::regclass end
                     from pgscore._relations_below(source) r join pg_class c on c.oid = r join pg_namespace n on n.oid = c.relnamespace
                    cross join lateral pgscore._name_rank($2, n.nspname, n.nspname, c.relname) x (rank)
                    where x.rank > 0 group by x.rank order by x.rank limit 1), case when strpos($2, '.') > 0 then to_regclass($2) end)
$$;
comment on function pgscore._table_below(regclass, text) is
  'The table of a name: without its schema, the one of those that the source reads; NULL where there is none, or several.';

create or replace function pgscore._watched_tables(source regclass, key text[], on_change_of jsonb) returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  given record;
  relation regclass;
  columns text[];
  tables jsonb := '[]';
begin
  if on_change_of is null then
    return jsonb_build_array(jsonb_build_object('table', (select format('%I.%I', n.nspname, c.relname) from pg_class c
      join pg_namespace n on n.oid = c.relnamespace where c.oid = source), 'key', key));
  elsif jsonb_typeof(on_change_of) <> 'object' or on_change_of = '{}' then
    raise exception 'on_change_of => % does not map tables to key columns', quote_literal(on_change_of) using
      errcode = 'invalid_parameter_value', hint = 'Write on_change_of => ''{"customers": "customer_id", "orders": "customer_id"}''.';
  end if;
  for given in select * from jsonb_each(on_change_of) loop
    relation := pgscore._table_below(source, given.key);
    columns := case jsonb_typeof(given.value) when 'string' then array[given.value #>> '{}']
                 when 'array' then array(select jsonb_array_elements_text(given.value)) end;
    if relation is null then
      raise exception 'on_change_of names "%", which % does not read', given.key, source using
        errcode = 'undefined_table', hint = 'Name the tables that it reads, or any other with its schema.';
    elsif cardinality(columns) is distinct from cardinality(key) or exists (
      select from unnest(columns, key) as x (here, there)
        left join pg_attribute h on h.attrelid = relation and h.attname = x.here and h.attnum > 0 and not h.attisdropped
        left join pg_attribute t on t.attrelid = source and t.attname = x.there and t.attnum > 0
       where pgscore._key_family(pgscore._base_type(h.atttypid)) is distinct from pgscore._key_family(pgscore._base_type(t.atttypid)))
    then
      raise exception 'on_change_of => %: % is not the key (%) of %', quote_literal(on_change_of), given.value,
        array_to_string(key, ', '), source
        using errcode = 'datatype_mismatch',
          hint = format('Name the columns of %s that hold it, with the same types. It has %s.', given.key,
                        (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
                          where a.attrelid = relation and a.attnum between 1 and 30 and not a.attisdropped));
    end if;
    tables := tables || jsonb_build_object('table', (select format('%I.%I', n.nspname, c.relname) from pg_class c
      join pg_namespace n on n.oid = c.relnamespace where c.oid = relation), 'key', columns);
  end loop;
  return tables;
end
$$;
comment on function pgscore._watched_tables(regclass, text[], jsonb) is
  'The tables whose changes are changes of the source, with the columns that hold its key: the source itself, or those that a user names.';

create or replace function pgscore._may_capture(tables jsonb) returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
  select case
      when c.oid is null then format('%s does not exist', t ->> 'table')
      when c.relkind not in ('r', 'p') then format('%s is no table', t ->> 'table')
      when pgscore._is_on_citus(c.oid) then format('%s is a table of Citus, whose writes fire no trigger on the coordinator', t ->> 'table')
      when not has_table_privilege(r, 'trigger') then format('you may put no trigger on %s', r::regclass)
      when i.inhparent is not null then format('%s is a part of %s, and what is written through that fires no trigger of a part',
        t ->> 'table', i.inhparent::regclass)
      else format('a column of the key of %s is computed as it is read', t ->> 'table') end
    from jsonb_array_elements(tables) t
    left join pg_class c on c.oid = to_regclass(t ->> 'table')
    left join lateral pgscore._relations_of(c.oid) r on true
    left join pg_inherits i on i.inhrelid = c.oid
   where c.oid is null or i.inhparent is not null or c.relkind not in ('r', 'p') or not has_table_privilege(r, 'trigger')
     or pgscore._is_on_citus(c.oid)
     or exists (select from pg_attribute a where a.attrelid = c.oid and a.attgenerated = 'v' and t -> 'key' ? a.attname::text)
   limit 1
$$;
comment on function pgscore._may_capture(jsonb) is 'Why triggers cannot capture the changes of these tables; NULL where they can.';
