-- When a refresh fails: the same work model by model, so that one that cannot be counted holds up no other.

create or replace function pgscore_data._refresh_apart() returns table (model text, failure text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  labels pgscore_data.label_change[];
  runs pgscore_data.run[];
  batches pgscore_data.online_batch[];
  failed int[] := '{}';
  this_model int;
begin
  if not pgscore_data._take_turn('cells') then
    return;
  end if;
  with held as (delete from pgscore_data.label_change c returning c) select array_agg(h.c) into labels from held h;
  runs := array(select r from pgscore_data.run r where r.state = 'done' and not (r.paired and r.kept));
  update pgscore_data.run r set paired = true, kept = true from unnest(runs) x where r.run_id = x.run_id;
  with held as (update pgscore_data.online_batch b set counted = true where not b.counted returning b) select array_agg(h.b) into batches
    from held h;
  for this_model in
    select l.model_id from unnest(labels) l union select v.model_id from unnest(runs) r
      join pgscore_data.version v on v.version_id = r.version_id
    union select v.model_id from unnest(batches) b join pgscore_data.version v on v.version_id = b.version_id order by 1
  loop
    begin
      perform pgscore_data._release_work(array[this_model], labels, runs, batches);
      while pgscore_data._refresh() loop
      end loop;
    exception when others then
      failed := failed || this_model;
      model := (select m.name from pgscore_data.model m where m.model_id = this_model);
      failure := sqlerrm;
      return next;
    end;
  end loop;
  perform pgscore_data._release_work(failed, labels, runs, batches);
end
$$;
comment on function pgscore_data._refresh_apart() is
  'Refreshes as _refresh() does, each model in a subtransaction of its own, with the work of the others held back. What a model that '
  'fails had to do stays to be done. Which failed, and why.';

create or replace function pgscore_data._release_work(models int[], labels pgscore_data.label_change[], runs pgscore_data.run[],
                                                      batches pgscore_data.online_batch[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.label_change overriding system value select l.* from unnest(labels) l where l.model_id = any (models);
  update pgscore_data.run r set paired = x.paired, kept = x.kept
    from unnest(runs) x join pgscore_data.version v on v.version_id = x.version_id where r.run_id = x.run_id and v.model_id = any (models);
  update pgscore_data.online_batch b set counted = false
    from unnest(batches) x join pgscore_data.version v on v.version_id = x.version_id
   where b.batch_id = x.batch_id and v.model_id = any (models);
end;
comment on function pgscore_data._release_work(int[], pgscore_data.label_change[], pgscore_data.run[], pgscore_data.online_batch[]) is
  'Puts back into their queues those labels, runs and batches of calls, of what was held, that are of these models.';

create or replace function pgscore_data._compute_apart(step text) returns table (model text, failure text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  queue constant text := case step when 'metrics' then 'touched' when 'drift' then 'touched_feature'
                           when 'estimates' then 'estimate_due' end;
  version_of constant text := case step when 'drift' then '(select f.version_id from pgscore_data.feature_set f where f.set_id = h.set_id)'
                                else 'h.version_id' end;
  put_back constant text := format('insert into pgscore_data.%1$I select h.* from jsonb_populate_recordset(null::pgscore_data.%1$I, $1) h '
                                   'where %2$s = any ($2) on conflict do nothing', queue, version_of);
  held jsonb;
  versions int[];
  failed int[] := '{}';
  this_version int;
  more boolean;
begin
  if not pgscore_data._take_turn('cells') then
    return;
  end if;
  execute format('with held as (delete from pgscore_data.%I h returning h.*, %s as of_version) select coalesce(jsonb_agg(to_jsonb(h)), '
                 '''[]''), array_agg(distinct h.of_version) from held h', queue, version_of) into held, versions;
  foreach this_version in array coalesce(versions, '{}') loop
    begin
      execute put_back using held, array[this_version];
      loop
        more := case step when 'metrics' then pgscore_data._compute_metrics() when 'drift' then pgscore_data._compute_drift()
                  else pgscore_data._estimate() end;
        exit when not more;
      end loop;
    exception when others then
      failed := failed || this_version;
      model := (select format('%s@%s', m.name, v.number) from pgscore_data.version v join pgscore_data.model m using (model_id)
                 where v.version_id = this_version);
      failure := sqlerrm;
      return next;
    end;
  end loop;
  execute put_back using held, failed;
end
$$;
comment on function pgscore_data._compute_apart(text) is
  'Computes metrics, drift or estimates as _compute_metrics(), _compute_drift() and _estimate() do, each version in a subtransaction of '
  'its own. The days of one that fails stay to be done. Which failed, and why.';

grant execute on function pgscore_data._refresh_apart(), pgscore_data._compute_apart(text) to pgscore_service;
