-- score() by way of the service on its shortest path: one exchange over the session's connection, whose answer is one number.
-- Everything else, errors included, is left to the general way of online/gateway.sql.

create or replace function pgscore_data._exec_heeds_cancel() returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$ select v >= 170000 or v / 10000 = 16 and v >= 160014 or v / 10000 = 15 and v >= 150018
  from (select current_setting('server_version_num')::int) x (v) $$;
comment on function pgscore_data._exec_heeds_cancel() is
  'Whether dblink_exec() heeds a cancel and statement_timeout on this server, as was tried; minor releases before these waited for the '
  'answer.';

create or replace function pgscore_data._settings(deadline text, id text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if deadline <> '' and deadline !~ '^[0-9]{1,9}$' then
    raise exception 'pgscore.deadline = % is no number of milliseconds', quote_literal(deadline)
      using errcode = 'invalid_parameter_value', hint = 'set pgscore.deadline = 2000;';
  end if;
  return coalesce(',"deadline":' || nullif(deadline, '')::int, '') || coalesce(',"id":' || to_json(left(nullif(id, ''), 200)), '');
end
$$;
comment on function pgscore_data._settings(text, text) is 'What the settings pgscore.deadline and pgscore.request_id add to a request.';

create or replace function pgscore_data._message_expression(this_version int, reply text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select format($request$%L || to_json(asked_by::text)
    || case when current_setting('pgscore.deadline', true) <> '' or current_setting('pgscore.request_id', true) <> '' then
         pgscore_data._settings(current_setting('pgscore.deadline', true), current_setting('pgscore.request_id', true)) else '' end%s
    || E'}\n' || rows$request$,
    format('score {"version":%s,"reply":"%s"%s,"role":', this_version, reply, case when log.sampling = 1 then logged end),
    case when log.sampling > 0 and log.sampling < 1
      then format(' || case when random() < %L::double precision then %L else '''' end', log.sampling, logged) end)
    from (select coalesce(l.sampling, 1), coalesce(l.inputs, true)
            from pgscore_data.version v left join pgscore_data.call_log l using (model_id)
           where v.version_id = this_version) log (sampling, inputs)
   cross join lateral (select ',"log":true' || case when log.inputs then '' else ',"inputs":false' end) x (logged)
$$;
comment on function pgscore_data._message_expression(int, text) is
  'The expression by which a generated function makes the message for its rows: who asks for which version, what the session has set, and '
  'whether the model keeps the call. Written into the function, since to look it up would cost each call as much as the rest; one '
  'expression, as PL/pgSQL prepares each anew in every transaction.';

create or replace function pgscore_data._create_online_score(this_version int) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  name text := format('_v%s_online_score', this_version);
  general text := format('return (pgscore_models._v%s_online(rows::jsonb, asked_by)).score;', this_version);
begin
  execute format('create or replace function pgscore_models.%I(rows text, asked_by name default current_user) returns double precision '
                 'language plpgsql volatile parallel restricted security definer cost 100000 set search_path = pg_catalog, pg_temp as %L',
    name, case when pgscore_data._exec_heeds_cancel() then format($body$declare
  began constant timestamptz := clock_timestamp();
begin
  begin
    -- dblink_error_message() raises where there is no such connection. dblink_exec() would look for a foreign server of that name, which
    -- anybody may make.
    if (asked_by is not distinct from session_user or asked_by is not distinct from current_setting('role'))
      and pgscore_dblink.dblink_error_message('pgscore') is not null then
      return pgscore_dblink.dblink_exec('pgscore', %s)::double precision;
    end if;
  exception
    when query_canceled then
      perform pgscore_data._disconnect_gateway();
      raise;
    when connection_exception or admin_shutdown or idle_session_timeout or undefined_function or invalid_schema_name then
      perform pgscore_data._disconnect_gateway();
      perform pgscore_data._refuse_lost(sqlstate, sqlerrm, began);
    when undefined_column or invalid_text_representation or feature_not_supported or program_limit_exceeded then
      null;
  end;
  %s
end$body$, pgscore_data._message_expression(this_version, 'score'), general) else format('begin %s end', general) end);
  execute format('comment on function pgscore_models.%I(text, name) is %L', name,
                 'Asks the service for the score of a row, a JSON object, and for nothing else of it.');
end
$$;
comment on function pgscore_data._create_online_score(int) is 'Creates _v<id>_online_score, by which score() asks the service.';

create or replace function pgscore_data._create_asking(name text, arguments text, result text, this_version int, reply text, work text,
                                                       comment text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('create or replace function pgscore_models.%I(%s, asked_by name default current_user) returns %s language plpgsql '
                 'volatile parallel restricted security definer cost 100000 set search_path = pg_catalog, pg_temp as %L',
    name, arguments, result, format(work, E'declare\n  request text;', format(E'
  request := %s;
  if asked_by is distinct from session_user and asked_by is distinct from current_setting(''role'') then
    request := pgscore_data._request_in_name_of(asked_by, request);
  end if;', pgscore_data._message_expression(this_version, reply))));
  execute format('comment on function pgscore_models.%I(%s, name) is %L', name, regexp_replace(arguments, '\w+ (\w+)', '\1', 'g'), comment);
end
$$;
comment on function pgscore_data._create_asking(text, text, text, int, text, text, text) is
  'Creates a function that asks the service. work: its body, where %1$s declares and %2$s makes the request of its rows.';

create or replace function pgscore_data._create_online(this_version int) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  names text := (select string_agg(quote_literal(f), ', ' order by n) from pgscore_data.execution e
                  cross join unnest(e.features) with ordinality as x (f, n) where e.version_id = this_version);
  base text := format('_v%s_online', this_version);
begin
  -- Locked, so that a change by log_calls() meanwhile is seen, there or here.
  perform from pgscore_data.model m join pgscore_data.version v using (model_id) where v.version_id = this_version for no key update of m;
  perform pgscore_data._create_asking(base, 'f jsonb', 'pgscore_models._prediction', this_version, 'rows',
    format(E'%%1$s\n  rows text;\nbegin\n  if not f ?& array[%1$s] then\n    f := f || pgscore_models._match_features(array[%1$s], f);\n'
           '  end if;\n  rows := ''['' || f::text || '']'';%%2$s\n  return (pgscore_data._ask(request))[1];\nend',
           replace(names, '%', '%%')),
    'Asks the service for the prediction of a row. EXECUTE on it is the right to use the model; asked_by is the caller, for the log.');
  perform pgscore_data._create_asking(base || '_send', 'rows text', 'void', this_version, 'columns',
                                      E'%1$s\nbegin%2$s\n  perform pgscore_data._send(request);\nend',
    'Sends many rows, a JSON array or as _rows_writer() has them written, to the service ahead of _columns().');
  perform pgscore_data._create_asking(base || '_columns', 'rows text, count int', 'pgscore_models._columns', this_version, 'rows',
    format(E'%%1$s\n  answer pgscore_models._columns := pgscore_data._receive(count);\nbegin\n  if answer.scores is not null then\n    '
           'return answer;\n  end if;%%2$s\n  return pgscore_models._as_columns(pgscore_data._ask(request), %1$s);\nend',
      (select replace(quote_literal(e.class_labels), '%', '%%') from pgscore_data.execution e where e.version_id = this_version)),
    'The predictions of rows that were sent; asks for them again where no answer arrived.');
  perform pgscore_data._create_online_score(this_version);
end
$$;
comment on function pgscore_data._create_online(int) is 'Creates _v<id>_online and its like, by which a version is asked of the service.';

select pgscore_data._create_online(e.version_id) from pgscore_data.execution e;
select pgscore_data._renew_grants(m.model_id) from pgscore_data.model m;
