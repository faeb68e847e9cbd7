-- The online way: score() of a model that is not native asks a gateway of the service, through dblink.

create or replace function pgscore_data._refuse_lost(state text, reason text, asked_at timestamptz default '-infinity') returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Where none could be made (08001), the error says why. That a connection was lost before is known at once; a call that was at work for
  -- longer may be what ended the gateway.
  if state <> '08001' and clock_timestamp() > asked_at + interval '1 second' then
    raise exception 'the service went away in the middle of the call' using errcode = 'connection_failure', detail = reason,
      hint = 'The log of the service says why. The call is not repeated, as it may have caused this: a model that takes too long. '
             'If it did not, call again; pgscore reconnects.';
  end if;
end
$$;
comment on function pgscore_data._refuse_lost(text, text, timestamptz) is
  'Raises that a connection to the gateway was lost before its answer came. asked_at: when it was asked, where it may be asked once more.';

create or replace function pgscore_data._refuse_other_release(state text, reason text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  -- A service of the same release reads every request.
  if state in ('22P02', '0A000') then
    raise exception 'the service is of another release than the functions in the database'
      using errcode = 'object_not_in_prerequisite_state', detail = format('It says: %s.', reason),
      hint = 'Run pgscore migrate, and restart the service.';
  end if;
end
$$;
comment on function pgscore_data._refuse_other_release(text, text) is 'Raises where the service did not know how to read a request.';

create or replace function pgscore_data._check_length(request text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  -- As it is sent, in UTF-8: a character of another encoding takes up to four bytes.
  megabytes constant numeric := case when octet_length(request) > 2000000 then octet_length(convert_to(request, 'UTF8')) / 1e6 end;
begin
  if megabytes > 8 then
    raise exception '% is % MB long as JSON, more than the 8 MB that the service takes',
      coalesce('row ' || substring(left(request, 1000) from E'^[^\n]*\nfrom (\\d+ of \\d+)\n'), 'the row'), round(megabytes, 1)
      using errcode = 'program_limit_exceeded',
        hint = 'Pass only the columns that the model takes, as in score(…, r) from (select a, b from …) r.';
  end if;
end
$$;
comment on function pgscore_data._check_length(text) is
  'Raises where a row is longer than the gateway takes. More than one row is never sent that is as long.';

create or replace function pgscore_data._take_answer() returns pgscore_models._prediction[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  answer pgscore_models._prediction[];
begin
  answer := array(select (r.score, r.label, translate(r.probabilities, '[]"', '{}')::double precision[])::pgscore_models._prediction
    from pgscore_dblink.dblink_get_result('pgscore') as r (score double precision, label text, probabilities text));
  -- dblink_is_busy() makes the connection ready. To ask for a next result that is not there costs as much as to take one.
  if pgscore_dblink.dblink_is_busy('pgscore') = 1 then
    perform from pgscore_dblink.dblink_get_result('pgscore') as r (score double precision, label text, probabilities text);
  end if;
  return answer;
end
$$;
comment on function pgscore_data._take_answer() is 'Waits for the answer to what was sent to the gateway; none where nothing was.';

create or replace function pgscore_data._ask(request text) returns pgscore_models._prediction[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  began constant timestamptz := clock_timestamp();
  until timestamptz;
  asked boolean := false;
begin
  perform pgscore_data._check_length(request);
  for attempt in 1 .. 2 loop
    begin
      if attempt = 2 then
        asked := false;
        -- The service may have a default of its own.
        until := began + coalesce(nullif(current_setting('pgscore.deadline', true), '')::int, 5000) * interval '1 millisecond';
        perform pgscore_data._connect_gateway(until);
        request := regexp_replace(request, '^(score [^\n]*,"deadline":)\d+', '\1'
                                  || greatest(1, ceil(extract(epoch from until - clock_timestamp()) * 1000)::int));
      end if;
      if pgscore_dblink.dblink_send_query('pgscore', request) = 0 then
        raise exception 'the service hung up on the request' using
          errcode = 'connection_failure', hint = 'It was stopped just now: call again.';
      end if;
      asked := true;
      return pgscore_data._take_answer();
    exception
      -- The first call of a session, or the service was restarted: once more on a new connection. If dblink is missing, connecting says so.
      when connection_exception or admin_shutdown or idle_session_timeout or undefined_function or invalid_schema_name then
        perform pgscore_data._disconnect_gateway();
        perform pgscore_data._refuse_lost(sqlstate, sqlerrm, case attempt when 1 then began else '-infinity' end);
        if attempt = 2 then
          raise;
        end if;
      when query_canceled then
        -- The answer may still come, and would be taken for that of the next request.
        perform pgscore_data._disconnect_gateway();
        raise;
      when others then
        perform pgscore_data._drain_gateway();
        if asked then
          perform pgscore_data._refuse_other_release(sqlstate, sqlerrm);
        end if;
        raise;
    end;
  end loop;
end
$$;
comment on function pgscore_data._ask(text) is
  'Sends one request to the gateway and returns its answer, one element for each of the request''s rows. Connects where it must, and asks '
  'once more where the connection was lost soon.';

create or replace function pgscore_data._acts_as_owner(relation pg_class) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$ select relation.relkind = 'm' or relation.relhastriggers
  and exists (select from pg_constraint k where k.conrelid = relation.oid and k.contype = 'f') $$;
comment on function pgscore_data._acts_as_owner(pg_class) is
  'Whether PostgreSQL itself executes queries on a relation as its owner: to refresh it, or as a foreign key cascades.';

create or replace function pgscore_data._request_in_name_of(asked_by name, request text) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- The roles of the session and of SET ROLE are known. That PostgreSQL acts as an owner, in a function, a refresh or a cascade of a
  -- foreign key, cannot be proven. But it never acts as a role that owns none of these.
  if not exists (
    -- Materialized, or the planner would look at what every role owns, for 40 ms.
    with owned as materialized (
      select d.classid, d.objid from pg_shdepend d
       where d.refclassid = 'pg_authid'::regclass and d.refobjid = to_regrole(quote_ident(asked_by)) and d.deptype = 'o'
         and d.dbid = (select x.oid from pg_database x where x.datname = current_database())
    )
    select from owned o where o.classid = 'pg_proc'::regclass and (select p.prosecdef from pg_proc p where p.oid = o.objid)
    union all
    select from owned o
     where o.classid = 'pg_class'::regclass and (select pgscore_data._acts_as_owner(c) from pg_class c where c.oid = o.objid)
    union all
    select from pg_roles r
     where r.rolname = asked_by and r.rolsuper
       and (exists (select from pg_proc p where p.proowner = r.oid and p.prosecdef)
         or exists (select from pg_class c where c.relowner = r.oid and pgscore_data._acts_as_owner(c)))
  ) then
    raise exception 'role "%" cannot ask in the name of "%"', session_user, asked_by using errcode = 'insufficient_privilege',
      detail = format('"%s" owns no SECURITY DEFINER function, no materialized view and no table with a foreign key: PostgreSQL cannot '
                      'have been acting as that role.', asked_by),
      hint = 'Leave asked_by out: score() sets it.';
  end if;
  return regexp_replace(request, '^score \{', '\&"alone":true,');
end
$$;
comment on function pgscore_data._request_in_name_of(name, text) is
'A request in the name of another role than the session''s, such as a function''s owner: the service runs it with no other call,
as the caller may only say so. Raises where it cannot be.';

create or replace function pgscore_data._send(request text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgscore_data._check_length(request);
  -- Until the answer is taken, functions of the caller may run, and could replace the connection.
  if pgscore_data._signs_requests() then
    return;
  end if;
  -- 0: an earlier answer was left behind, and would be taken for this request's.
  if pgscore_dblink.dblink_send_query('pgscore', request) = 0 then
    perform pgscore_data._disconnect_gateway();
  end if;
exception
  -- _receive() will find no answer, and the request is sent again.
  when connection_exception or undefined_function then
    null;
end
$$;
comment on function pgscore_data._send(text) is 'Sends a request ahead, if there is a connection: _receive() takes its answer.';

create or replace function pgscore_data._receive(rows int) returns pgscore_models._columns
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- A model of vectors or of several values has no scores.
set array_nulls = on
as $$
declare
  answer pgscore_models._columns;
  began constant timestamptz := clock_timestamp();
begin
  if pgscore_data._signs_requests() then
    return null;
  end if;
  select r.* into answer from pgscore_dblink.dblink_get_result('pgscore')
      as r (scores double precision[], labels int[], probabilities double precision[]);
  if pgscore_dblink.dblink_is_busy('pgscore') = 1 then
    perform from pgscore_dblink.dblink_get_result('pgscore') as r (scores text, labels text, probabilities text);
  end if;
  return case when cardinality(answer.scores) = rows then answer end;
exception
  when connection_exception or admin_shutdown or idle_session_timeout or undefined_function then
    perform pgscore_data._refuse_lost(sqlstate, sqlerrm, began);
    return null;
  when query_canceled then
    perform pgscore_data._disconnect_gateway();
    raise;
  when others then
    perform pgscore_data._drain_gateway();
    perform pgscore_data._refuse_other_release(sqlstate, sqlerrm);
    raise;
end
$$;
comment on function pgscore_data._receive(int) is
  'The answer to a request for that many rows that was sent ahead; NULL where it did not arrive.';

create or replace function pgscore_models._as_columns(answers pgscore_models._prediction[], class_labels text[])
  returns pgscore_models._columns
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(a.score order by a.n), case when class_labels <> '{}'
                                            then array_agg(array_position(class_labels, a.label) order by a.n) end,
         case when bool_or(a.probabilities is not null) then
           (select array_agg(p order by b.n, m)
              from unnest(answers) with ordinality b (score, label, probabilities, n),
                   unnest(coalesce(b.probabilities, array_fill(null::double precision,
                                                               array[cardinality(class_labels)]))) with ordinality x (p, m))
         end
    from unnest(answers) with ordinality a (score, label, probabilities, n)
$$;
comment on function pgscore_models._as_columns(pgscore_models._prediction[], text[]) is
  'Predictions of one row after the other as columns.';

create or replace function pgscore._may_score(role name, version_id int) returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select has_function_privilege(r.oid, p.oid, 'execute')
    from pg_roles r, pg_proc p where r.rolname = role and p.pronamespace = 'pgscore_models'::regnamespace
      and p.proname = format('_v%s_online', version_id)
$$;
comment on function pgscore._may_score(name, int) is
  'Whether a role may score with a version: the gateway asks it for every caller. NULL where there is no such role or version.';
