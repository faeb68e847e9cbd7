-- How a session connects to a gateway, and the error where there is none.

-- Inlined: in a function with a plan of its own, the password would be a constant of that plan.
create or replace function pgscore_data._quoted(value text) returns text
language sql immutable
return '''' || replace(replace(value, E'\\', E'\\\\'), '''', E'\\''') || '''';
comment on function pgscore_data._quoted(text) is 'A value as it stands in a connection string.';

create or replace function pgscore_data._check_asking() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if pgscore_data._signs_requests() and to_regprocedure('pgscore_dblink.dblink_connect(varchar, text)') is null then
    raise exception 'this call asks the service, and the extension dblink is missing in schema pgscore_dblink' using
      errcode = 'feature_not_supported', hint = 'As a superuser: create extension dblink schema pgscore_dblink; or, where it is '
                                                'elsewhere: alter extension dblink set schema pgscore_dblink; or, where others use it '
                                                'there: pgscore migrate. Without it work score_table(), schedules and native versions, '
                                                'these in score_rows() after: set pgscore.execution = native;';
  end if;
  if not exists (select from pgscore_data.installation i
      where i.system_identifier = (select c.system_identifier from pg_control_system() c)
        and i.database_oid = (select d.oid from pg_database d where d.datname = current_database())) then
    raise exception 'this database is a restored copy of another and asks no service yet' using
      errcode = 'object_not_in_prerequisite_state', hint = 'pgscore adopt makes it an installation of its own.';
  end if;
end
$$;
comment on function pgscore_data._check_asking() is 'Raises where this database can not ask a service.';

create or replace function pgscore_data._sees_no_changes() returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$ select current_setting('transaction_isolation') in ('repeatable read', 'serializable') $$;
comment on function pgscore_data._sees_no_changes() is 'Whether this transaction sees everything as it was when it began.';

create or replace function pgscore_data._running_services() returns table (service_id uuid, is_late boolean, heartbeat_at timestamptz)
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  select w.service_id, w.heartbeat_at < max(w.heartbeat_at) over () - interval '30 seconds', w.heartbeat_at
    from pgscore_data.service w
   where w.state = 'running'
     -- A standby may lag by any time. A transaction that sees no changes sees no heartbeat younger than itself.
     and (pg_is_in_recovery() or w.heartbeat_at > case when pgscore_data._sees_no_changes() then transaction_timestamp()
                                                    else clock_timestamp() end - interval '30 seconds')
$$;
comment on function pgscore_data._running_services() is
  'The services that are alive, as far as can be seen here; is_late: another was heard of much later.';

create or replace function pgscore_data._try_gateways(out connected boolean, out problem text)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  gateway record;
  signs constant boolean := pgscore_data._signs_requests();
  -- Whoever took the port of a dead service could ask for the password itself. Only from PostgreSQL 16 on can that be refused.
  proof constant text := case when current_setting('server_version_num')::int >= 160000 then 'require_auth=scram-sha-256' end;
begin
  connected := false;
  for gateway in
    select g.service_id, a.address
      from (select x.*, s.is_late, case when s.is_late then s.heartbeat_at end as heard, random() as turn
              from pgscore_data.gateway x join pgscore_data._running_services() s using (service_id)) g
     -- On another machine there is no such socket, or it has another owner.
     cross join lateral (values
       (1, case when g.socket_folder is not null then format('host=%s port=%s requirepeer=%s sslmode=disable',
                                                             pgscore_data._quoted(g.socket_folder), g.port,
                                                             pgscore_data._quoted(g.socket_owner)) end),
       (2, format('host=%s port=%s sslmode=%s keepalives=1 keepalives_idle=2 keepalives_interval=1 keepalives_count=2 '
                  'tcp_user_timeout=3000', g.host, g.port, case when g.tls then 'require' else 'disable' end))
     ) a (position, address)
     where a.address is not null
     order by g.is_late, g.heard desc, g.turn, a.position
  loop
    begin
      -- In a variable, the password would be a constant of the plan, which debug_print_plan shows the caller.
      perform pgscore_dblink.dblink_connect('pgscore',
                                            format('%s user=%s dbname=pgscore password=%s %s connect_timeout=2 application_name=pgscore '
                                                   'client_encoding=UTF8',
        gateway.address, g.login || case when signs then '/' || pgscore_data._backend() else '' end, pgscore_data._quoted(g.password),
        proof))
         from pgscore_data.gateway g where g.service_id = gateway.service_id;
      connected := found;
      exit when connected;
    exception
      when sqlclient_unable_to_establish_sqlconnection then
        get stacked diagnostics problem = pg_exception_detail;
    end;
  end loop;
end
$$;
comment on function pgscore_data._try_gateways() is
  'Connects this session to the gateway of a service that is alive. problem: why the last that was tried could not be; NULL where none is '
  'known.';

create or replace function pgscore_data._is_full(problem text) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
-- By its text, as dblink passes on no SQLSTATE.
as $$ select problem like '%too many connections to the gateway%' $$;
comment on function pgscore_data._is_full(text) is 'Whether a gateway could not be connected to as it has no room for another connection.';

create or replace function pgscore_data._refuse_unconnected(problem text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  native constant text := 'Native versions need none, in score_rows() after: set pgscore.execution = native;';
  seen constant text := case when pgscore_data._sees_no_changes()
                          then 'This transaction sees the services as they were when it began, and none that came since: call again in '
                               'another. ' end;
begin
  if not exists (select from pgscore_data._running_services()) then
    raise exception 'no service is running that could score' using errcode = 'sqlclient_unable_to_establish_sqlconnection',
      hint = concat(seen, 'Start one with pgscore serve; select * from pgscore.services shows which there are. ', native);
  end if;
  if pgscore_data._is_full(problem) then
    raise exception 'too many sessions ask the service at once' using errcode = 'too_many_connections', detail = problem,
      hint = concat('Call again later, or raise what --gateway-max-connections of the service says. ', native,
                    ' score_table() waits for it.');
  end if;
  raise exception 'the service does not answer' using errcode = 'sqlclient_unable_to_establish_sqlconnection',
    detail = coalesce(problem, 'It runs, but its gateway does not.'),
    hint = concat(seen, 'Look at its log. ', native, ' score_table() waits for it.');
end
$$;
comment on function pgscore_data._refuse_unconnected(text) is 'Raises that no gateway could be connected to.';

create or replace function pgscore_data._connect_gateway(until timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  tried record;
  pause double precision := 0.02;
begin
  perform pgscore_data._check_asking();
  -- A gateway that died has a successor in about a second.
  loop
    tried := pgscore_data._try_gateways();
    if tried.connected then
      return;
    end if;
    exit when clock_timestamp() >= until
      -- Further tries would take the room that it has.
      or pgscore_data._is_full(tried.problem)
      or tried.problem is null and pgscore_data._sees_no_changes()
      or not exists (select from pgscore_data._running_services());
    perform pg_sleep(least(pause * (0.5 + random()), extract(epoch from until - clock_timestamp())));
    pause := least(2 * pause, 0.2);
  end loop;
  perform pgscore_data._refuse_unconnected(tried.problem);
end
$$;
comment on function pgscore_data._connect_gateway(timestamptz) is
  'Connects this session to the gateway of a service that is alive; while it has none, waits for one until then.';

create or replace function pgscore_data._drain_gateway() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from pgscore_dblink.dblink_get_result('pgscore') as r (score double precision, label text, probabilities text);
exception
  when others then
    perform pgscore_data._disconnect_gateway();
end
$$;
comment on function pgscore_data._drain_gateway() is 'Makes the connection ready for the next request after one that was refused.';

create or replace function pgscore_data._disconnect_gateway() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgscore_dblink.dblink_disconnect('pgscore');
exception
  when connection_does_not_exist or undefined_function or invalid_schema_name then
    null;
end
$$;
comment on function pgscore_data._disconnect_gateway() is 'Ends this session''s connection to the gateway, if there is one.';
