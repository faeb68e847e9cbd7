-- Functions that only the service calls, to act as the owner: DDL on prediction storage.

create or replace function pgscore_data._add_generation(t pgscore_data.target, this_run bigint, this_attempt int) returns int
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  base text;
begin
  update pgscore_data.target x set next_generation = x.next_generation + 1 where x.target_id = t.target_id;
  base := 'target_' || t.target_id;
  execute format('create table pgscore_predictions.%I (like pgscore_predictions.%I including defaults)', base || '_g' || t.next_generation,
                 base);
  execute format('alter table pgscore_predictions.%I replica identity full, alter generation set default %s, alter run_id set default %s',
    base || '_g' || t.next_generation, t.next_generation, coalesce(this_run::text, 'null'));
  -- Attached while empty: readers would see half a run if a full partition was attached.
  execute format('alter table pgscore_predictions.%I attach partition pgscore_predictions.%I for values in (%s)', base, base || '_g'
                 || t.next_generation, t.next_generation);
  execute format('grant select, insert, update, delete on pgscore_predictions.%I to pgscore_service', base || '_g' || t.next_generation);
  insert into pgscore_data.generation (target_id, generation, run_id, attempt, state)
    values (t.target_id, t.next_generation, this_run, this_attempt, 'loading');
  return t.next_generation;
end
$$;
comment on function pgscore_data._add_generation(pgscore_data.target, bigint, int) is
  'Adds an empty partition to a target, for an attempt of a run or for a watch. Returns its number.';

create or replace function pgscore_data._create_generation(this_run bigint, this_attempt int) returns int
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  t pgscore_data.target;
begin
  select x.* into t from pgscore_data.target x join pgscore_data.run r using (target_id) where r.run_id = this_run for no key update of x;
  if not found then
    raise exception 'the target of run % was dropped', this_run using errcode = 'undefined_object';
  end if;
  return pgscore_data._add_generation(t, this_run, this_attempt);
end
$$;
comment on function pgscore_data._create_generation(bigint, int) is
  'Makes an empty partition for the predictions of one attempt of a run. Returns its number.';

create or replace function pgscore_data._index_generation(this_target int, this_generation int) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  keys text := (select string_agg(quote_ident(k ->> 'name'), ', ' order by n)
    from pgscore_data.target t cross join jsonb_array_elements(t.key_columns) with ordinality as x (k, n) where t.target_id = this_target);
begin
  execute format('create unique index on pgscore_predictions.%I (%s)', format('target_%s_g%s', this_target, this_generation), keys);
end
$$;
comment on function pgscore_data._index_generation(int, int) is
  'Builds the unique index over a loaded generation. A duplicate key raises unique_violation, which names the key.';

create or replace function pgscore_data._drop_generation(this_target int, this_generation int) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
as $$
declare
  base text := 'target_' || this_target;
  partition text := format('target_%s_g%s', this_target, this_generation);
begin
  if exists (select from pgscore_data.target t where t.target_id = this_target and t.current_generation = this_generation)
    or this_generation = 0 then
    return false;
  end if;
  -- New readers of the target wait behind a DROP that waits for a lock. A generation younger than an hour does not wait: it is tried again.
  if to_regclass(format('pgscore_predictions.%I', partition)) is not null
    and exists (select from pgscore_data.generation g
                 where g.target_id = this_target and g.generation = this_generation
                   and g.created_at > clock_timestamp() - interval '1 hour')
  then
    execute format('lock table only pgscore_predictions.%I, only pgscore_predictions.%I in access exclusive mode nowait', base, partition);
  end if;
  execute format('drop table if exists pgscore_predictions.%I', partition);
  delete from pgscore_data.generation g where g.target_id = this_target and g.generation = this_generation;
  return true;
exception
  when lock_not_available then
    return false;
end
$$;
comment on function pgscore_data._drop_generation(int, int) is
  'Drops a generation that is not current. False if readers hold it: tidying tries again.';

create or replace function pgscore_data._begin_publication(
  this_run bigint, this_attempt int, service uuid, snapshot timestamptz, expected_latest boolean, expected_generation int,
  out latest boolean, out current_generation int, out current_rows bigint
)
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  select coalesce(r.publish, exists (select from pgscore_data.alias a where a.version_id = r.version_id and a.alias = 'champion'))
           and (t.current_snapshot_at is null or t.current_snapshot_at <= snapshot),
         t.current_generation, t.current_rows
    into latest, _begin_publication.current_generation, _begin_publication.current_rows
    from pgscore_data.run r join pgscore_data.target t using (target_id)
   where r.run_id = this_run and r.attempt = this_attempt and r.claimed_by = service and r.state = 'running'
     and not exists (select from pgscore_data.cancellation c where c.run_id = r.run_id)
     for no key update of r, t;
  if not found then
    raise exception 'run % is not in these hands any more', this_run using errcode = 'PS001';
  elsif expected_latest <> latest or expected_generation <> _begin_publication.current_generation then
    raise exception 'the target of run % is not as it was', this_run using errcode = 'PS002';
  end if;
end
$$;
comment on function pgscore_data._begin_publication(bigint, int, uuid, timestamptz, boolean, int) is
  'First step of a publishing transaction: locks the run and its target. Raises PS001 if the run is not this service''s any more or was '
  'cancelled, PS002 if the target is not as expected. latest: whether the latest view will show the run. It does if its version is '
  'champion, or if publication was asked for, and if no newer snapshot was published before.';
