-- Before PostgreSQL 17 a query with workers may not begin a subtransaction, and the service is asked in one.

do $$
declare
  this regprocedure;
begin
  if current_setting('server_version_num')::int < 170000 then
    for this in select p.oid::regprocedure from pg_proc p where p.pronamespace = 'pgscore'::regnamespace and p.proparallel = 'r' loop
      execute format('alter function %s parallel unsafe', this);
    end loop;
  end if;
end
$$;
