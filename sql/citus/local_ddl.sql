-- What pgscore creates on a coordinator of Citus is local to it. Citus would repeat each CREATE on the other nodes as pgscore_owner,
-- which may not log in. It comes last, when all functions are there.

do $$
declare
  this regprocedure;
begin
  if not exists (select from pg_extension where extname = 'citus') then
    return;
  end if;
  for this in
    select p.oid::regprocedure
      from pg_proc p join pg_language l on l.oid = p.prolang
     where p.pronamespace in ('pgscore'::regnamespace, 'pgscore_data'::regnamespace) and p.provolatile = 'v' and l.lanname = 'plpgsql'
       and p.proconfig is not null and p.prosrc ~* '\m(execute|create|alter|drop|grant|revoke)\M'
  loop
    execute format('alter function %s set citus.enable_ddl_propagation = off', this);
  end loop;
end
$$;
