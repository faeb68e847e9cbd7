-- The functions that users call to follow a source, and to end that.

create or replace view pgscore._watch_command as
select null::text as action, null::int as watch_id, null::name as requested_by where false;
comment on view pgscore._watch_command is
  'Where the functions that change watches hand their request over: requested_by is the caller, and nobody can write it.';
alter view pgscore._watch_command alter column requested_by set default current_user;

-- Put into the query that calls it, as _table_digest() is.
create or replace function pgscore_data._source_digest(w pgscore_data.watch) returns table (digest text)
language sql stable
begin atomic
  select md5(string_agg(concat_ws(' ', x.name, x.relation, (
           select string_agg(concat(r.oid, ' ', r.xmin), ' ' order by r.oid)
             from pgscore._relations_below(x.relation) b
             join pg_rewrite r on r.ev_class = b and r.rulename = '_RETURN'),
           case when w.arguments ->> 'rls' = 'filter' then (
             select string_agg(concat(c.oid, ' ', c.relrowsecurity, ' ', c.relforcerowsecurity, ' ', p.oid, ' ', p.xmin), ' '
                               order by c.oid, p.oid)
               from pgscore._relations_below(x.relation) b join pg_class c on c.oid = b left join pg_policy p on p.polrelid = c.oid) end, (
           select d.digest from pgscore._table_digest(x.relation, format('pgscore_watch_%s_', w.watch_id)) d)), ' ' order by x.name))
    from (select n.name, pgscore._relation_named(n.name) as relation
            from (select w.source as name union select t ->> 'table' from jsonb_array_elements(w.tables) t) n offset 0) x;
end;
comment on function pgscore_data._source_digest(pgscore_data.watch) is
  'A digest of what the catalogue says of source, views below it, tables and triggers of a watch, and of policies that filter its rows: '
  'where it changes, the watch is planned anew.';

create or replace function pgscore_data._control_watch() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  w pgscore_data.watch;
begin
  select * into w from pgscore_data.watch x
   where x.watch_id = new.watch_id
     and case new.action when 'planned' then new.requested_by = x.owner else pgscore_data._acts_for(new.requested_by, x.owner) end
     for no key update;
  if not found then
    raise exception 'the watch does not exist, or is not yours'
      using errcode = 'undefined_object', hint = 'select target from pgscore.watches; lists yours.';
  end if;
  case new.action
    when 'pause' then
      update pgscore_data.watch x set paused = true where x.watch_id = w.watch_id;
    when 'resume' then
      update pgscore_data.watch x set paused = false, failures = 0, retry_at = null where x.watch_id = w.watch_id;
    when 'planned' then
      perform pgscore_data._drop_captures('watch', w.watch_id, array(
        select r from jsonb_array_elements(w.tables) t
         cross join lateral pgscore._relations_of(pgscore._relation_named(t ->> 'table')) r));
      update pgscore_data.watch x set shape = (select d.digest from pgscore_data._source_digest(w) d) where x.watch_id = w.watch_id;
    when 'drop' then
      if w.generation is null and exists (
        select from pgscore_data.watch x where x.target_id = w.target_id and x.watch_id <> w.watch_id)
      then
        raise exception 'other versions are watched beside this watch, which the target shows' using
          errcode = 'object_in_use', hint = 'End theirs first: select pgscore.unwatch(target, model => …).';
      end if;
      perform pgscore_data._drop_captures('watch', w.watch_id, '{}');
      insert into pgscore_data.cancellation (run_id, requested_by)
      select r.run_id, new.requested_by from pgscore_data.run r where r.watch_id = w.watch_id and r.keys is not null;
      delete from pgscore_data.watch x where x.watch_id = w.watch_id;
      delete from pgscore_data.watch_change c where c.watch_id = w.watch_id;
      delete from pgscore_data.watch_to_compare m where m.watch_id = w.watch_id;
  end case;
  perform pgscore_data._wake('watch');
  return new;
end
$$;
comment on function pgscore_data._control_watch() is
  'Pauses, resumes or drops a watch of the caller, for a deployer anybody''s, or notes that it was planned.';

create or replace trigger control instead of insert on pgscore._watch_command
for each row execute function pgscore_data._control_watch();

create or replace function pgscore._start_watch(
  model text, source regclass, target name, target_schema name, key text[], event_time text, column_map jsonb, on_change_of jsonb,
  capture text, poll_every interval, rescore_every interval, on_promote text, keep_history interval, notify text, rls text
) returns text
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  version record := pgscore._ready_version(model);
  plan jsonb;
  keys jsonb;
  key_names text[];
  tables jsonb;
  refused text;
  w record;
begin
  perform pgscore._check_watch(capture, poll_every, rescore_every, on_promote, keep_history, notify, rls);
  perform pgscore._refuse_watched(source);
  plan := pgscore._plan_arms(
    pgscore._plan_source(source, version.signature, key, event_time, column_map, pgscore._segments_of(version.version_id)),
    source, model, version.version_id, column_map, true);
  keys := jsonb_path_query_array(plan -> 'columns', '$[*] ? (@.role == "key")');
  key_names := array(select k ->> 'name' from jsonb_array_elements(keys) with ordinality as x (k, n) order by n);
  tables := pgscore._watched_tables(source, key_names, on_change_of);
  refused := pgscore._may_capture(tables);
  if on_change_of is not null and exists (
    select from pgscore._relations_below(source) r join pg_class c on c.oid = r where c.relkind = 'm') then
    refused := format('%s reads a materialized view, whose refresh fires no trigger', source);
  end if;
  if capture = 'triggers' and refused is not null then
    raise exception 'changes cannot be captured by triggers: %', refused using errcode = 'invalid_parameter_value',
      hint = 'Name tables of yours: on_change_of => ''{"table": "key column"}'', or poll: capture => ''poll''.';
  end if;
  if capture = 'auto' then
    capture := case when refused is null then 'triggers' else 'poll' end;
  end if;
  perform pgscore._refuse_clock(source, capture, rescore_every);
  insert into pgscore._watch_request (model, target_id, source, arguments, tables, capture, poll_every, rescore_every, on_promote,
                                      keep_history, notify)
  values (model,
    pgscore._ensure_target(coalesce(target_schema, 'public'), coalesce(target, (plan ->> 'name') || '_scores'), version.signature,
                           keys),
    format('%I.%I', plan ->> 'schema', plan ->> 'name'),
    jsonb_build_object('key', key_names, 'event_time', event_time, 'column_map', column_map, 'rls', rls,
                       'time_zone', current_setting('TimeZone')),
    case capture when 'triggers' then tables else '[]' end, capture, poll_every, rescore_every, on_promote, keep_history, notify)
  returning watch_id, handle, guard_hash into w;
  execute format(
    'create or replace function pgscore_sources.%I(fire_at timestamp with time zone) returns bigint language sql volatile '
    'security definer set search_path = pg_catalog, pg_temp as %L', w.handle, pgscore._renew_body(w.watch_id, w.guard_hash));
  execute format('revoke execute on function pgscore_sources.%I(timestamp with time zone) from public', w.handle);
  execute format('grant execute on function pgscore_sources.%I(timestamp with time zone) to pgscore_reader', w.handle);
  perform pgscore._renew_watch(w.watch_id);
  return capture;
end
$$;
comment on function pgscore._start_watch(text, regclass, name, name, text[], text, jsonb, jsonb, text, interval, interval, text, interval,
                                         text, text) is
  'Checks a watch by planning it, stores it, and makes the function by which the service plans it again, owned by the caller.';

create or replace function pgscore.watch(
  model text,
  source regclass,
  target name default null,
  target_schema name default current_schema(),
  key text default null,
  event_time text default null,
  column_map jsonb default null,
  on_change_of jsonb default null,
  capture text default 'auto',
  poll_every interval default '30 seconds',
  rescore_every interval default null,
  on_promote text default 'rescore',
  keep_history interval default null,
  notify text default null,
  rls text default 'error'
) returns text
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  select pgscore._start_watch($1, $2, $3, $4, case when $5 is not null then array[$5] end, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
$$;
comment on function pgscore.watch(text, regclass, name, name, text, text, jsonb, jsonb, text, interval, interval, text, interval, text,
                                  text) is
'Follows a source: rows are scored as they are written, and removed from the target as they are deleted. Rows that are there already are '
'scored, too. Returns how changes arrive: triggers or poll. Called again for the same target it changes the watch: give all arguments
again, as one that is left out gets its default.
model: churn (its champion), churn@3 or churn@challenger. Beside the champion''s watch of a target the others go to its history alone.
source: a table or view of yours.  target, target_schema, key, event_time, column_map, rls: as in score_table(). Nothing else may write to '
'the target.
on_change_of: of a view, the tables below it whose changes matter, with the column of each that holds the key: {"orders": "customer_id"}.
capture: triggers queue changes in the writer''s transaction; poll reads the source every poll_every and compares; auto takes triggers '
'where you may put them.
rescore_every: how often the whole source is compared whatever triggers say (default: hourly); for a view that uses now() or the like.
on_promote: rescore scores all rows again with a new champion; keep leaves them until they change.
keep_history: how long replaced predictions stay in <target>_history (default: until they are counted for labels).
notify: a channel that hears of each publication: {"target": …, "rows": …, "run": …}.';

create or replace function pgscore.watch(
  model text,
  source regclass,
  key text[],
  target name default null,
  target_schema name default current_schema(),
  event_time text default null,
  column_map jsonb default null,
  on_change_of jsonb default null,
  capture text default 'auto',
  poll_every interval default '30 seconds',
  rescore_every interval default null,
  on_promote text default 'rescore',
  keep_history interval default null,
  notify text default null,
  rls text default 'error'
) returns text
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ select pgscore._start_watch($1, $2, $4, $5, $3, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) $$;
comment on function pgscore.watch(text, regclass, text[], name, name, text, jsonb, jsonb, text, interval, interval, text, interval, text,
                                  text) is
'As watch with a key of one column, for a key of several: key => array[''a'', ''b''].';

create or replace view pgscore._watch_control with (security_barrier) as
select w.watch_id, t.view_schema, t.view_name,
       m.name || case when w.alias = 'champion' then '' else '@' || coalesce(w.alias, w.version_number::text) end as model
  from pgscore_data.watch w join pgscore_data.model m using (model_id) join pgscore_data.target t using (target_id)
 where pg_has_role(to_regrole(quote_ident(w.owner)), 'usage') or pg_has_role('pgscore_deployer', 'usage');
comment on view pgscore._watch_control is 'The caller''s watches, by the names of their targets and models; for deployers everybody''s.';

create or replace function pgscore._command_watch(action text, target text, target_schema name, wanted text) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  meant pgscore._watch_control[] := array(
    select x.c
      from (select c, r.rank, min(r.rank) over () as best
              from pgscore._watch_control c
             cross join lateral pgscore._name_rank(btrim(target), target_schema, c.view_schema, c.view_name) r (rank)) x
     where x.rank = x.best and (wanted is null or (x.c).model = regexp_replace(wanted, '@champion$', ''))
     order by (x.c).model);
begin
  if meant = '{}' then
    raise exception 'target % is not watched%, or not by you', coalesce('"' || target || '"', 'NULL'),
      coalesce(' with ' || wanted, '')
      using errcode = 'undefined_object', hint = 'select target, model from pgscore.watches; lists your watches.';
  elsif cardinality(meant) > 1 then
    raise exception 'target "%" has several watches: %', target, (select string_agg(w.model, ', ') from unnest(meant) w) using
      errcode = 'ambiguous_function', hint = format('Say which one, such as model => %L.', meant[cardinality(meant)].model);
  end if;
  insert into pgscore._watch_command (action, watch_id) values (action, meant[1].watch_id);
end
$$;
comment on function pgscore._command_watch(text, text, name, text) is 'Hands a change of a watch over as the caller.';

create or replace function pgscore.pause_watch(target text, target_schema name default current_schema(), model text default null)
returns void language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ select pgscore._command_watch('pause', $1, $2, $3) $$;
comment on function pgscore.pause_watch(text, name, text) is
'Stops a watch from scoring until resume_watch(). Changes are still captured.
target: churn_live or schema.churn_live.  model: which, where the target has several watches: churn or churn@2.';

create or replace function pgscore.resume_watch(target text, target_schema name default current_schema(), model text default null)
returns void language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ select pgscore._command_watch('resume', $1, $2, $3) $$;
comment on function pgscore.resume_watch(text, name, text) is
'Lets a paused watch go on: what changed meanwhile is scored.
target: churn_live or schema.churn_live.  model: which, where the target has several watches: churn or churn@2.';

create or replace function pgscore.unwatch(target text, target_schema name default current_schema(), model text default null)
returns void language sql volatile security invoker set search_path = pg_catalog, pg_temp
as $$ select pgscore._command_watch('drop', $1, $2, $3) $$;
comment on function pgscore.unwatch(text, name, text) is
'Ends a watch and takes its triggers away. The target stays with its predictions.
target: churn_live or schema.churn_live.  model: which, where the target has several watches: churn or churn@2.';
