-- What a service clears away of watches: replaced predictions, and changes that nobody takes.

create or replace function pgscore_data._prune_watch_history(most int) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  w record;
  pruned bigint;
  total bigint := 0;
begin
  for w in select x.watch_id, x.keep_history, t.target_id, t.key_columns, coalesce(x.generation, t.current_generation) as generation
    from pgscore_data.watch x join pgscore_data.target t using (target_id)
   where coalesce(x.prune_after <= clock_timestamp(), true) for no key update of x skip locked loop
    -- Without a time: what is counted, but for the last prediction of a row that is gone.
    execute format($q$
      delete from pgscore_predictions.%1$I p
       where p.ctid = any (array(
         select o.ctid
           from pgscore_data.run r join pgscore_predictions.%1$I o on o.run_id = r.run_id
          where r.watch_id = $1 and r.state = 'done' and r.kept and r.finished_at < clock_timestamp() - coalesce($2, interval '0')
            and ($2 is not null or exists (select from pgscore_predictions.%2$I c where (%3$s) = (%4$s))
              or exists (select from pgscore_predictions.%1$I n join pgscore_data.run y on y.run_id = n.run_id
                          where (%5$s) = (%4$s) and n.run_id > o.run_id and y.watch_id = r.watch_id))
          limit $3))$q$,
      format('target_%s_g0', w.target_id), format('target_%s_g%s', w.target_id, w.generation),
      pgscore_data._key_list(w.key_columns, 'c'), pgscore_data._key_list(w.key_columns, 'o'), pgscore_data._key_list(w.key_columns, 'n'))
    using w.watch_id, w.keep_history, most;
    get diagnostics pruned = row_count;
    total := total + pruned;
    if pruned < most then
      update pgscore_data.watch x set prune_after = clock_timestamp() + interval '1 minute' where x.watch_id = w.watch_id;
    end if;
  end loop;
  return total;
end
$$;
comment on function pgscore_data._prune_watch_history(int) is
  'Deletes replaced predictions of watches from the histories: those past keep_history, or, without it, those that are counted for labels.';

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

create or replace function pgscore_data._key_list(key_columns jsonb, alias text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format('%s.%I', alias, k ->> 'name'), ', ' order by n)
    from jsonb_array_elements(key_columns) with ordinality as x (k, n)
$$;
comment on function pgscore_data._key_list(jsonb, text) is 'The columns of the key of a target, of a table with this alias.';
