-- Cancellations apart from their runs, and generations that only old snapshots see.

create table pgscore_data.cancellation (
  run_id bigint not null,
  requested_by name not null,
  requested_at timestamptz not null default clock_timestamp()
);
comment on table pgscore_data.cancellation is
'Who asked for which run to be stopped; rows are only ever added. Neither key nor reference, which would lock what others need for as long as the transaction that asks stays open.';
create index cancellation_of_run on pgscore_data.cancellation (run_id);
insert into pgscore_data.cancellation (run_id, requested_by, requested_at)
select r.run_id, r.requested_by, r.cancel_requested_at from pgscore_data.run r where r.cancel_requested_at is not null;

-- What a database has from before: sql/ makes them anew, without the rights that let users lock what is below.
drop trigger if exists cancel on pgscore_data.run;
drop function if exists pgscore_data._cancel_queued();
drop function if exists pgscore._my_schedule(text);
drop view if exists pgscore._run_control, pgscore._schedule_control, pgscore._target_drop, pgscore._target_request;
drop function if exists pgscore_data._drop_storage();
drop trigger if exists control on pgscore_data.schedule;
drop function if exists pgscore_data._control_schedule();
alter table pgscore_data.run drop column cancel_requested_at;

alter table pgscore_data.generation drop constraint generation_state_check;
alter table pgscore_data.generation add constraint generation_state_check check (state in ('loading', 'published', 'retired', 'discarded'));
alter table pgscore_data.generation add column retired_xid xid8;
comment on column pgscore_data.generation.retired_xid is 'The transaction that took it out of the history; snapshots from before that still see it.';

-- The key of a run that goes to the history only must be found where it is there twice, as in any other generation.
do $$
declare
  t pgscore_data.target;
  base text;
  keys text;
  former regclass;
  newest bigint := (select coalesce(max(r.run_id), 0) from pgscore_data.run r);
begin
  for t in select x.* from pgscore_data.target x loop
    base := format('pgscore_predictions.%I', format('target_%s_g0', t.target_id));
    select string_agg(quote_ident(k ->> 'name'), ', ' order by n) into keys from jsonb_array_elements(t.key_columns) with ordinality as x (k, n);
    select i.indexrelid into former from pg_index i where i.indrelid = base::regclass;
    begin
      execute format('create unique index on %s (%s, run_id)', base, keys);
      execute format('drop index %s', former);
    exception
      when unique_violation then
        execute format('create unique index on %s (%s, run_id) where run_id > %s', base, keys, newest);
    end;
  end loop;
end
$$;
