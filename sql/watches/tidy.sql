-- What a service clears away of watches: replaced predictions, runs that have none any more, and changes that nobody takes.

create or replace function pgscore_data._prune_predictions(w record, most int) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  pruned bigint;
begin
  -- Without a time: what is counted, but for the last prediction of a row that is gone.
  execute format($q$
    delete from pgscore_predictions.%1$I p
     where p.ctid = any (array(
       select o.ctid
         from (select x.* from pgscore_data.run x where x.watch_id = $1 and x.run_id > $2 order by x.run_id limit $3) r
         join pgscore_predictions.%1$I o on o.run_id = r.run_id
        where r.state = 'done' and r.kept and r.finished_at < clock_timestamp() - coalesce($4, interval '0')
          and ($4 is not null or exists (select from pgscore_predictions.%2$I c where (%3$s) = (%4$s))
            or exists (select from pgscore_predictions.%1$I n join pgscore_data.run y on y.run_id = n.run_id
                        where (%5$s) = (%4$s) and n.run_id > o.run_id and y.watch_id = r.watch_id))
        limit $3))$q$,
    w.superseded, w.newest,
    pgscore_data._key_columns_sql(w.key_columns, 'c'), pgscore_data._key_columns_sql(w.key_columns, 'o'),
    pgscore_data._key_columns_sql(w.key_columns, 'n'))
  using w.watch_id, coalesce(w.pruned_run, 0), most, w.keep_history;
  get diagnostics pruned = row_count;
  return pruned;
end
$$;
comment on function pgscore_data._prune_predictions(record, int) is
'Deletes replaced predictions of some runs of a watch from the history: those past keep_history, or, without it, those that are counted for
labels.';

create or replace function pgscore_data._prune_runs(w record, most int, out pruned bigint, out last_run bigint, out last_end timestamptz)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  execute format($q$
    with batch as materialized (
      select x.* from pgscore_data.run x where x.watch_id = $1 and x.run_id > $2 order by x.run_id limit $3
    ), spare as (
      select s.*, max(s.run_id) over (partition by s.version_id) as newest_of_version from batch s
    ), gone as (
      delete from pgscore_data.run r using spare s
       where r.run_id = s.run_id and s.run_id < s.newest_of_version
         and s.run_id < (select min(x.run_id) from (
           select y.run_id from pgscore_data.run y where y.watch_id = $1 order by y.run_id desc limit 100) x)
         and case s.state when 'done' then s.kept and s.finished_at < clock_timestamp() - interval '25 hours'
               when 'queued' then false when 'running' then false else s.finished_at < clock_timestamp() - interval '7 days' end
         and not exists (select from pgscore_predictions.%I p where p.run_id = s.run_id)
         and not exists (select from pgscore_predictions.%I p where p.run_id = s.run_id)
         and not exists (select from pgscore_data.feature_sample f where f.version_id = s.version_id and f.run_id = s.run_id)
      returning r.run_id
    )
    select (select count(*) from gone), case when count(*) = $3 then max(s.run_id) end, max(s.finished_at) from batch s$q$,
    w.superseded, w.newest)
  into pruned, last_run, last_end using w.watch_id, coalesce(w.pruned_run, 0), most;
end
$$;
comment on function pgscore_data._prune_runs(record, int) is
'Deletes runs of a watch that have no prediction any more, of those after the one that was looked at last; the last run of these, unless
there is none after it. What views show of runs goes back a day; of those that failed a week; the last hundred stay, and one a version.';

create or replace function pgscore_data._prune_watches(most int, but_for int[]) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  w record;
  predictions bigint;
  runs record;
begin
  select x.watch_id, x.keep_history, x.pruned_run, t.key_columns, format('target_%s_g0', t.target_id) as superseded,
         format('target_%s_g%s', t.target_id, coalesce(x.generation, t.current_generation)) as newest into w
    from pgscore_data.watch x join pgscore_data.target t using (target_id)
   where coalesce(x.prune_after <= clock_timestamp(), true) and x.target_id <> all ((select pgscore_data._held_targets())::int[])
     and x.watch_id <> all (but_for)
   -- So that one which its owner holds does not keep the others from their turn.
   order by random() limit 1;
  if not found then
    return null;
  end if;
  predictions := pgscore_data._prune_predictions(w, most);
  runs := pgscore_data._prune_runs(w, most);
  -- Locked last, as no keys of a watch are claimed while it is locked. Two services may do the same twice. A watch that an open
  -- transaction holds is looked at again the next time.
  update pgscore_data.watch x
     set pruned_run = case when predictions = most then x.pruned_run
           when runs.last_end < clock_timestamp() - least(coalesce(w.keep_history, interval '0'), interval '25 hours')
             then runs.last_run end,
         prune_after = clock_timestamp()
           + case when predictions + runs.pruned < most / 2 then interval '1 minute' else interval '5 seconds' end
   where x.watch_id = (select h.watch_id from pgscore_data.watch h where h.watch_id = w.watch_id for no key update skip locked);
  return w.watch_id;
end
$$;
comment on function pgscore_data._prune_watches(int, int[]) is
'Deletes what is kept no longer of a watch whose turn it is, but for these: replaced predictions, and runs without any. It looks at some
runs at a time. Returns the watch; NULL where none is due.';

create or replace function pgscore_data._drop_idle_changes() returns bigint
language sql volatile security definer
set search_path = pg_catalog, pg_temp
begin atomic
  with idle as (
    update pgscore_data.watch w set compare_after = least(w.compare_after, clock_timestamp())
     where w.watch_id in (
       select x.watch_id from pgscore_data.watch x
        where (x.paused or x.error is not null or pgscore_data._stands_by(x)) and not pgscore_data._is_in_hand(x)
          -- A last eighth would be too late: the table shrinks only where its end is free.
          and pg_relation_size('pgscore_data.watch_change') > pgscore_data._watch_queue_limit() / 8
          for no key update skip locked)
    returning w.watch_id
  ), gone as (
    delete from pgscore_data.watch_change c using idle i where c.watch_id = i.watch_id returning c.watch_id
  )
  select count(*) from gone;
end;
comment on function pgscore_data._drop_idle_changes() is
'Once the queue is an eighth full, deletes the changes of watches that rest or fail: a comparison of their whole source finds them
when they go on. Else one of them would fill the queue for all.';

create or replace function pgscore_data._key_columns_sql(key_columns jsonb, alias text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format('%s.%I', alias, k ->> 'name'), ', ' order by n)
    from jsonb_array_elements(key_columns) with ordinality as x (k, n)
$$;
comment on function pgscore_data._key_columns_sql(jsonb, text) is 'The columns of the key of a target, of a table with this alias.';
