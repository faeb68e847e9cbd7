-- Where dblink is in a schema that others use too, a caller could use the session's connection to the service, or replace it. There the
-- service first signs a new number (nonce), which proves that it is at the other end. Then the request is signed together with the number
-- that it answered (challenge). Neither signature is worth anything in another session, or a second time.

create or replace function pgscore_data._signs_requests() returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$ select to_regprocedure('pgscore_dblink.dblink_connect(text, text)') is null $$;
comment on function pgscore_data._signs_requests() is 'Whether requests are signed: where pgscore does not have dblink for itself.';

create or replace function pgscore_data._backend() returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$ select pg_backend_pid() || '.' || (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint $$;
comment on function pgscore_data._backend() is
  'This session, among those of all servers that have the same keys. It has one connection of the name that signed requests use.';

create or replace function pgscore_data._authentication_code(message text) returns bytea
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Keys in variables would be constants of a plan, which debug_print_plan shows the caller.
  return (select sha256(k.outer_key || sha256(k.inner_key || convert_to(message, 'UTF8'))) from pgscore_data.signing_keys k);
end
$$;
comment on function pgscore_data._authentication_code(text) is
  'HMAC-SHA-256 (RFC 2104), with two keys of a block each in the place of one that is padded twice.';

create or replace function pgscore_data._signed(request text) returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  backend constant text := pgscore_data._backend();
  nonce constant text := gen_random_uuid();
  welcome text;
  challenge text;
begin
  begin
    welcome := pgscore_dblink._greet('hello ' || nonce);
  exception
    when others then
      raise exception 'the service does not answer on the connection of this session'
        using errcode = 'connection_failure', detail = sqlerrm;
  end;
  challenge := split_part(welcome, ' ', 1);
  if split_part(welcome, ' ', 2) is distinct
    from encode(substr(pgscore_data._authentication_code(format('welcome %s %s %s', backend, nonce, challenge)), 1, 16), 'base64') then
    raise exception 'the connection of this session is not to the service' using errcode = 'connection_failure';
  end if;
  return format('signed %s %s', encode(pgscore_data._authentication_code(format(E'request %s %s\n%s', backend, challenge, request)),
                                       'base64'), request);
end
$$;
comment on function pgscore_data._signed(text) is
  'A request with its signature, once it is proven that the service is at the other end. Raises connection_failure where it is not: then '
  'it is connected to anew.';

create or replace function pgscore_data._forward_dblink(open_schema name) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  forwarder text;
begin
  if exists (
    select from pg_proc p join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
     where p.pronamespace = quote_ident(open_schema)::regnamespace
       and p.proname in ('dblink_connect', 'dblink_disconnect', 'dblink_error_message', 'dblink_is_busy', 'dblink_get_result',
                         'dblink_send_query', 'dblink_exec')
       and not has_function_privilege(p.oid, 'execute')
  ) then
    raise exception 'role "%" may not call dblink in schema "%"', current_user, open_schema using errcode = 'insufficient_privilege',
      hint = format('grant execute on all functions in schema %I to %I;', open_schema, current_user);
  end if;
  -- Parsed bodies (BEGIN ATOMIC) depend on dblink: they are dropped with it, and never call another function of its name.
  -- They take varchar where dblink has text, which PostgreSQL prefers: so the extension can be moved here beside them.
  foreach forwarder in array array[
    'dblink_connect(name varchar, connection text) returns text language sql volatile begin atomic select %1$I.dblink_connect($1::text, '
    '$2); end',
    'dblink_disconnect(name varchar) returns text language sql volatile begin atomic select %1$I.dblink_disconnect($1::text); end',
    'dblink_error_message(name varchar) returns text language sql volatile begin atomic select %1$I.dblink_error_message($1::text); end',
    'dblink_is_busy(name varchar) returns int language sql volatile begin atomic select %1$I.dblink_is_busy($1::text); end',
    'dblink_get_result(name varchar) returns setof record language sql volatile begin atomic select r.score, r.label, r.probabilities '
    'from %1$I.dblink_get_result($1::text) as r (score double precision, label text, probabilities text); end',
    'dblink_send_query(name varchar, request text) returns int language sql volatile begin atomic select %1$I.dblink_send_query($1::text, '
    'pgscore_data._signed($2)); end',
    'dblink_exec(name varchar, request text) returns text language sql volatile begin atomic select %1$I.dblink_exec($1::text, '
    'pgscore_data._signed($2)); end',
    '_greet(greeting text) returns text language sql volatile begin atomic select case when %1$I.dblink_error_message(''pgscore''::text) '
    'is not null then %1$I.dblink_exec(''pgscore''::text, $1) end; end'
  ] loop
    execute format('create or replace function pgscore_dblink.' || forwarder, open_schema);
  end loop;
end
$$;
comment on function pgscore_data._forward_dblink(name) is
  'Makes functions in the place of those of dblink, which call those of an open schema, and sign what they send.';

create or replace function pgscore_data._drop_forwarders() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  forwarder regprocedure;
begin
  for forwarder in
    select p.oid from pg_proc p
     where p.pronamespace = 'pgscore_dblink'::regnamespace
       and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
  loop
    execute format('drop function %s', forwarder);
  end loop;
end
$$;
comment on function pgscore_data._drop_forwarders() is 'Drops what _forward_dblink() made.';
