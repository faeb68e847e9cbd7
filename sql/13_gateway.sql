-- The online way: score() of a model that is not native asks a gateway of the service, through dblink.

create or replace function pgscore_data._connect_gateway() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  hosts text;
  ports text;
  tls boolean;
  secret text := (select s.password from pgscore_data.gateway_secret s);
begin
  if to_regprocedure('pgscore_dblink.dblink_connect(text, text)') is null then
    raise exception 'this model is scored by the service, and the extension dblink is missing in schema pgscore_dblink' using
      errcode = 'feature_not_supported', hint = 'As a superuser: create extension dblink schema pgscore_dblink; or, where it is elsewhere: alter extension dblink set schema pgscore_dblink; Native models, score_table() and schedules work without it.';
  end if;
  if not exists (select from pgscore_data.installation i
      where i.system_identifier = (select c.system_identifier from pg_control_system() c)
        and i.database_oid = (select d.oid from pg_database d where d.datname = current_database())) then
    raise exception 'this database is a restored copy of another and asks no service yet' using
      errcode = 'object_not_in_prerequisite_state', hint = 'pgscore adopt makes it an installation of its own.';
  end if;
  select string_agg(g.host, ',' order by g.started_at desc), string_agg(g.port::text, ',' order by g.started_at desc), bool_or(g.tls)
    into hosts, ports, tls
    from pgscore_data.gateway g join pgscore_data.worker w using (worker_id)
   where w.state = 'running' and w.heartbeat_at > clock_timestamp() - interval '30 seconds';
  if hosts is null then
    raise exception 'no service is running that could score' using
      errcode = 'sqlclient_unable_to_establish_sqlconnection', hint = 'Start one with pgscore serve; select * from pgscore.workers shows which there are. Native models need none.';
  end if;
  perform pgscore_dblink.dblink_connect('pgscore', format(
    'host=%s port=%s user=pgscore dbname=pgscore password=%s sslmode=%s connect_timeout=2 keepalives=1 keepalives_idle=2 keepalives_interval=1 keepalives_count=2 tcp_user_timeout=3000 application_name=pgscore client_encoding=UTF8',
    hosts, ports, secret, case when tls then 'require' else 'disable' end));
end
$$;
comment on function pgscore_data._connect_gateway() is 'Connects this session to a gateway of a service that is alive.';

create or replace function pgscore_data._ask(request text) returns pgscore_models._prediction[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  answer pgscore_models._prediction[];
begin
  for attempt in 1 .. 2 loop
    begin
      if attempt = 2 then
        perform pgscore_data._connect_gateway();
      end if;
      if pgscore_dblink.dblink_send_query('pgscore', request) = 0 then
        raise exception 'the service is gone' using errcode = 'connection_failure';
      end if;
      answer := array(select (r.score, r.label, translate(r.probabilities, '[]"', '{}')::double precision[])::pgscore_models._prediction
        from pgscore_dblink.dblink_get_result('pgscore') as r (score double precision, label text, probabilities text));
      perform from pgscore_dblink.dblink_get_result('pgscore') as r (score double precision, label text, probabilities text);
      return answer;
    exception
      -- The first call of a session, a service that was restarted, or none: once more on a new connection.
      when connection_exception or connection_does_not_exist or connection_failure or sqlclient_unable_to_establish_sqlconnection then
        perform pgscore_data._leave_gateway();
        if attempt = 2 then
          raise;
        end if;
      when query_canceled then
        -- The answer may still come, and would be taken for the next one's.
        perform pgscore_data._leave_gateway();
        raise;
      when others then
        perform pgscore_data._drain_gateway();
        raise;
    end;
  end loop;
end
$$;
comment on function pgscore_data._ask(text) is 'Sends one request to the gateway and returns its answer, one element for each of the request''s rows. Connects where it must, once more where the connection was lost.';

create or replace function pgscore_data._drain_gateway() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from pgscore_dblink.dblink_get_result('pgscore') as r (score double precision, label text, probabilities text);
exception
  when others then
    perform pgscore_data._leave_gateway();
end
$$;
comment on function pgscore_data._drain_gateway() is 'Makes the connection ready for the next request after one that was refused.';

create or replace function pgscore_data._leave_gateway() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if 'pgscore' = any (pgscore_dblink.dblink_get_connections()) then
    perform pgscore_dblink.dblink_disconnect('pgscore');
  end if;
exception
  when undefined_function or invalid_schema_name then
    null;
end
$$;
comment on function pgscore_data._leave_gateway() is 'Ends this session''s connection to the gateway, if there is one.';

create or replace function pgscore_data._online_deadline() returns int
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce(nullif(current_setting('pgscore.deadline_ms', true), ''), '5000')::int;
end
$$;
comment on function pgscore_data._online_deadline() is 'Milliseconds after which the gateway gives a call up: the setting pgscore.deadline_ms, by default 5000.';

create or replace function pgscore_data._ask_rows(this_version int, rows jsonb, asked_by name) returns pgscore_models._prediction[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  return pgscore_data._ask(
    'score {"version":' || this_version || ',"role":' || to_json(asked_by::text) || ',"deadline":' || pgscore_data._online_deadline()
    || ',"id":' || coalesce(to_json(nullif(current_setting('pgscore.request_id', true), ''))::text, 'null') || ',"rows":' || rows || '}');
end
$$;
comment on function pgscore_data._ask_rows(int, jsonb, name) is 'Asks the gateway for the predictions of rows, an array of objects with a key for each feature.';

create or replace function pgscore_data._create_online(this_version int) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  names text := (select string_agg(quote_literal(f), ', ' order by n) from pgscore_data.execution e cross join unnest(e.features) with ordinality as x (f, n) where e.version_id = this_version);
  base text := format('_v%s_online', this_version);
begin
  execute format('create or replace function pgscore_models.%I(f jsonb, asked_by name default current_user) returns pgscore_models._prediction language plpgsql volatile parallel restricted security definer cost 100000 set search_path = pg_catalog, pg_temp as %L',
    base, format(E'begin\n  if not f operator(pg_catalog.?&) array[%1$s] then\n    f := pgscore_models._match_features(array[%1$s], f);\n  end if;\n  return (pgscore_data._ask_rows(%2$s, jsonb_build_array(f), asked_by))[1];\nend', names, this_version));
  execute format('comment on function pgscore_models.%I(jsonb, name) is %L', base, 'Asks the service for the prediction of a row. EXECUTE on it is the right to use the model; asked_by is what the log says of who asked.');
end
$$;
comment on function pgscore_data._create_online(int) is 'Creates _v<id>_online, by which a version is asked of the service.';

select pgscore_data._create_online(e.version_id) from pgscore_data.execution e;
select pgscore_data._renew_grants(m.model_id) from pgscore_data.model m;
