-- Comparing a whole source with its target: at the beginning, after a TRUNCATE, by the clock, and where nothing else tells of changes.

create or replace function pgscore_data._is_in_hand(w pgscore_data.watch) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select (w.busy_until > clock_timestamp() and exists (select from pg_stat_activity a where a.pid = w.busy_pid)) is true;
end;
comment on function pgscore_data._is_in_hand(pgscore_data.watch) is 'Whether a session that lives plans or compares a watch just now.';

create or replace function pgscore_data._have_ended(before xid8) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  -- Snapshots list transactions of all databases. A transaction holds the lock on its id from before its first row until it is seen.
  select not exists (
    select from pg_snapshot_xip(pg_current_snapshot()) x
     where x < before
       and not exists (
         select from pg_locks l join pg_stat_activity a using (pid)
          where l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and l.granted and l.transactionid = x::xid
            and a.datid <> (select d.oid from pg_database d where d.datname = current_database()))
       and not exists (
         select from pg_prepared_xacts p where p.transaction = x::xid and p.database <> current_database()));
end;
comment on function pgscore_data._have_ended(xid8) is
  'Whether all transactions before this one have ended, but for those that are known to be of another database.';

create or replace function pgscore_data._not_known_yet() returns xid8
language sql immutable
return '9223372036854775807'::xid8;
comment on function pgscore_data._not_known_yet() is
  'What watch.compare_until says until the request for a comparison is committed: it is not known which transactions may have left out a '
  'change.';

create or replace function pgscore_data._mark_watches_to_compare() returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  -- The row that asks for a comparison is deleted first. A transaction that saw it may have left out a change: the source is compared
  -- again until all of them have ended.
  with marked as (
    delete from pgscore_data.watch_to_compare m
     where m.watch_id in (select w.watch_id from pgscore_data.watch w for no key update skip locked)
        or not exists (select from pgscore_data.watch w where w.watch_id = m.watch_id)
    returning m.watch_id
  )
  update pgscore_data.watch w set compare_after = clock_timestamp(), compare_until = pgscore_data._not_known_yet()
   where w.watch_id in (select m.watch_id from marked m);
  if not found then
    update pgscore_data.watch w set compare_until = pg_snapshot_xmax(pg_current_snapshot())
     where w.watch_id in (
       select x.watch_id from pgscore_data.watch x where x.compare_until = pgscore_data._not_known_yet() for no key update skip locked);
  end if;
  return found;
end
$$;
comment on function pgscore_data._mark_watches_to_compare() is
  'Marks the watches for which triggers asked for a comparison. Takes two transactions: the first one deletes the requests, and the second '
  'one knows which transactions saw them. True where it wrote something.';

create or replace function pgscore_data._due_watches(
  busy_owners name[], out watch_id int, out work text, out handle name, out owner name, out guard_key text
) returns setof record
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  -- What marks them is itself a transaction that has not ended.
  if pgscore_data._mark_watches_to_compare() then
    work := 'look_again';
    return next;
    return;
  end if;
  return query
    with due as materialized (
      select w.watch_id, case when d.is_stale then 'renew' else 'compare' end as work
        from pgscore_data.watch w
       cross join lateral (
         select w.plan_id is null or w.scan_handle_id is null or w.error is not null
             or w.version_id is distinct from pgscore_data._version_of_watch(w) or not pgscore._may_score(w.owner, w.version_id)
             or to_regrole(quote_ident(w.owner)) is null
             or w.shape is distinct from (select x.digest from pgscore_data._source_digest(w) x) as is_stale offset 0) d
       where not w.paused and not pgscore_data._stands_by(w) and coalesce(w.retry_at <= clock_timestamp(), true)
         and (w.busy_until > clock_timestamp() is not true or not pgscore_data._is_in_hand(w))
         and w.owner <> all (busy_owners) and (d.is_stale or w.compare_after <= clock_timestamp())
       order by w.tried_at nulls first limit 1 for no key update of w skip locked
    )
    update pgscore_data.watch w
       set busy_until = clock_timestamp() + interval '10 minutes', busy_pid = pg_backend_pid(), tried_at = clock_timestamp(),
           compare_until = case when d.work = 'renew' or not pgscore_data._have_ended(w.compare_until) then w.compare_until end
      from due d where w.watch_id = d.watch_id
    returning w.watch_id, d.work, w.handle, w.owner, w.guard_key;
end
$$;
comment on function pgscore_data._due_watches(name[]) is
  'Takes a watch that is to be planned anew or compared, of an owner who has none in hand, with the function by which it is planned.';

create or replace function pgscore_data._watch_function(this_watch int) returns text
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select pgscore_data._owner_function(w.handle, w.owner,
                                      pgscore._renew_body(w.watch_id, encode(sha256(convert_to(w.guard_key, 'UTF8')), 'hex')))
    from pgscore_data.watch w where w.watch_id = this_watch
$$;
comment on function pgscore_data._watch_function(int) is
  'Which version of the function stands there by which a watch is planned; NULL where it is not as made.';

create or replace function pgscore_data._end_watch_work(this_watch int, code text, reason text, cure text) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
begin atomic
  select pgscore_data._fail_watch(w.watch_id, code, reason, cure, greatest(interval '5 seconds', clock_timestamp() - w.tried_at))
    from pgscore_data.watch w where w.watch_id = this_watch and reason is not null;
  update pgscore_data.watch w set busy_until = null where w.watch_id = this_watch;
end;
comment on function pgscore_data._end_watch_work(int, text, text, text) is
  'A service has done what a watch needed, or could not and says why.';

create or replace function pgscore_data._compare_watch(this_watch int) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
  w pgscore_data.watch;
  t pgscore_data.target;
  e pgscore_data.experiment;
  compared bigint;
begin
  select * into w from pgscore_data.watch x where x.watch_id = this_watch;
  select * into t from pgscore_data.target x where x.target_id = w.target_id;
  select x.* into e
    from pgscore_data.known_plan p join pgscore_data.experiment x on x.experiment_id = (p.plan ->> 'experiment')::int
   where p.plan_id = w.plan_id and x.stopped_at is null and x.kind <> 'shadow';
  analyze (skip_locked) pgscore_data.seen_row;
  -- What a scorer has in hand it may have read before, and publish after.
  insert into pgscore_data.watch_change (watch_id, keys, is_backlog)
  select this_watch, r.keys, true from pgscore_data.run r where r.watch_id = this_watch and r.keys is not null;
  execute format($q$
    insert into pgscore_data.watch_change (watch_id, keys, is_backlog)
    select $1, array_agg(x.key), true
      from (
        select coalesce(s.key, p.key) as key, row_number() over () as n
          from (select y.key, y.hash, y.split_key from pgscore_data.seen_row y where y.watch_id = $1) s
          full join (
            select (%s) collate "C" as key, p.pgscore_hash as hash, r.version_id
              from pgscore_predictions.%I p left join pgscore_data.run r on r.run_id = p.run_id) p on p.key = s.key
         where s.key is null or p.key is null or p.hash is distinct from s.hash
            or $2 = 'rescore' and p.version_id is distinct from %s) x
     group by x.n / 1000$q$,
    pgscore_data._key_text_sql(t.key_columns), format('target_%s_g%s', t.target_id, coalesce(w.generation, t.current_generation)),
    case when e.experiment_id is null then '$3' else
      'coalesce((select a.version_id from pgscore_data.experiment_arm a where a.experiment_id = $4 and a.buckets @> pgscore.bucket($5, '
      's.split_key)), $3)' end)
  using this_watch, w.on_promote, w.version_id, e.experiment_id, e.salt;
  delete from pgscore_data.seen_row y where y.watch_id = this_watch;
  get diagnostics compared = row_count;
  update pgscore_data.watch x
     set compared_at = clock_timestamp(), rows_compared = compared, is_complete = true,
         compare_after = clock_timestamp() + case
           when x.compare_until is not null then greatest(interval '1 second', 5 * (clock_timestamp() - x.tried_at)) else
           case x.capture when 'poll' then least(x.poll_every, x.rescore_every) else coalesce(x.rescore_every, interval '1 hour') end end
   where x.watch_id = this_watch;
  return compared;
end
$$;
comment on function pgscore_data._compare_watch(int) is
'Queues the keys of rows that are not in the target as they are in the source: new, changed, gone, or of another version. Returns how many
rows the source had.';

create or replace function pgscore_data._key_text_sql(key_columns jsonb) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select case count(*) when 1 then min(format('concat(p.%I)', k ->> 'name'))
           else format('array[%s]::text', string_agg(format('concat(p.%I)', k ->> 'name'), ', ' order by n)) end
    from jsonb_array_elements(key_columns) with ordinality as x (k, n)
$$;
comment on function pgscore_data._key_text_sql(jsonb) is 'The expression that makes one text of the key of a prediction p, as triggers do.';
