-- One refresh: labels are taken, pairs follow, and then the cells.
-- in: label_change; runs and batches of calls that are not counted or not kept. out: evaluation, kept predictions, cells.
-- The work tables between the steps are listed in CONTRIBUTING.md.

create or replace function pgscore_data._clear_work() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  work regclass;
begin
  foreach work in array array[
    'pgscore_data.refresh_label', 'pgscore_data.refresh_key', 'pgscore_data.refresh_truth', 'pgscore_data.refresh_pair',
    'pgscore_data.refresh_old_pair', 'pgscore_data.refresh_delta', 'pgscore_data.refresh_prediction', 'pgscore_data.refresh_open',
    'pgscore_data.refresh_special', 'pgscore_data.refresh_left']::regclass[] loop
    if pg_relation_size(work) > 1048576 then
      execute format('truncate %s', work);
    else
      execute format('delete from %s', work);
    end if;
  end loop;
end
$$;
comment on function pgscore_data._clear_work() is
  'Empties the work tables of the last refresh. To truncate one makes new files, which takes longer than a small refresh.';

create or replace function pgscore_data._note_feed(this_feed text, this_model int, happened_at timestamptz) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.feed_day as f (model_id, feed, day, last_at)
  select m.model_id, this_feed, date_trunc('day', happened_at, m.time_zone), happened_at from pgscore_data.monitor m
   where m.model_id = this_model
  on conflict (model_id, feed, day) do update set last_at = greatest(f.last_at, excluded.last_at);
end;
comment on function pgscore_data._note_feed(text, int, timestamptz) is
  'Notes that a model was scored, or that its labels changed: alerts know silence by that.';

create or replace function pgscore_data._count_scored(runs bigint[], batches bigint[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  scored bigint[] := runs || batches;
begin
  perform pgscore_data._count_predictions(scored);
  perform pgscore_data._count_features(scored);
  if cardinality(runs) > 0 then
    perform pgscore_data._count_segments(runs);
    update pgscore_data.run r set counted = true where r.run_id = any (runs);
    perform pgscore_data._note_key(runs);
  end if;
  if cardinality(batches) > 0 then
    perform pgscore_data._note_counted_calls(batches);
  end if;
  perform pgscore_data._note_feed('scoring', v.model_id, max(s.finished_at)) from pgscore_data.scored s
    join pgscore_data.version v using (version_id)
    where s.run_id = any (scored) and s.finished_at is not null group by v.model_id, date_trunc('day', s.finished_at);
  insert into pgscore_data.alert_due (version_id) select distinct s.version_id from pgscore_data.scored s where s.run_id = any (scored);
end
$$;
comment on function pgscore_data._count_scored(bigint[], bigint[]) is 'Counts runs that are done and batches of calls.';

create or replace function pgscore_data._pair_noted(out removed bigint, out added bigint)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this_model int;
begin
  removed := 0;
  added := 0;
  if exists (select from pgscore_data.refresh_key) then
    for this_model in select distinct k.model_id from pgscore_data.refresh_key k loop
      perform pgscore_data._pair(this_model);
    end loop;
    perform pgscore_data._note_labeled_places();
    perform pgscore_data._note_repeats();
    select s.removed, s.added into removed, added from pgscore_data._replace_pairs() s;
    perform pgscore_data._apply_open();
  end if;
  perform pgscore_data._add_deltas();
end
$$;
comment on function pgscore_data._pair_noted() is
  'Pairs the entities anew that are noted, and brings the cells up to date. How many pairs went and came.';

create or replace function pgscore_data._refresh(most int default 100000, only_model int default null) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
set extra_float_digits = 1
set jit = off
-- Look-ups are by key, in pages that are cached.
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
set random_page_cost = 0.1
set work_mem = '64MB'
as $$
declare
  began timestamptz := clock_timestamp();
  versions constant int[] := array(select v.version_id from pgscore_data.version v where v.model_id = only_model);
  taken record;
  runs bigint[];
  unkept bigint[];
  batches bigint[];
  held constant int[] := pgscore_data._held_targets();
  removed bigint := 0;
  added bigint := 0;
  entities bigint;
begin
  if not exists (select from pgscore_data.label_change)
    and not exists (select from pgscore_data.run r where r.state = 'done' and not r.kept)
    and not exists (select from pgscore_data.online_batch b where not b.counted)
    or not pgscore_data._take_turn('cells') then
    return false;
  end if;
  perform pgscore_data._clear_work();
  taken := pgscore_data._take_labels(most, only_model);
  perform pgscore_data._note_feed('labels', m.model_id, clock_timestamp()) from unnest(taken.models) m (model_id);
  if exists (select from pgscore_data.refresh_label) then
    perform pgscore_data._note_changed_labels();
  end if;
  runs := array(
    select r.run_id from pgscore_data.run r
     where r.state = 'done' and not r.counted and (only_model is null or r.version_id = any (versions)) order by r.run_id limit 1000);
  batches := array(
    select b.batch_id from pgscore_data.online_batch b
     where not b.counted and (only_model is null or b.version_id = any (versions)) order by b.batch_id limit 1000);
  if cardinality(runs) + cardinality(batches) > 0 then
    perform pgscore_data._count_scored(runs, batches);
  end if;
  -- A run that ended since is not counted yet, and its segments have no names.
  unkept := array(
    select x.run_id
      from (select r.run_id, r.snapshot_at, sum(r.rows_done) over (order by r.snapshot_at, r.run_id) - r.rows_done as before
              from pgscore_data.run r
             where r.state = 'done' and r.counted and not r.kept and (only_model is null or r.version_id = any (versions))
               and coalesce(r.target_id <> all (held), true)
             order by r.snapshot_at, r.run_id limit 1000) x
     where x.before < most / 4 order by x.snapshot_at);
  if cardinality(unkept) + cardinality(batches) > 0 then
    perform pgscore_data._keep_scored(unkept, batches);
  end if;
  select count(*) into entities from pgscore_data.refresh_key;
  select p.removed, p.added into removed, added from pgscore_data._pair_noted() p;
  insert into pgscore_data.refresh_log (started_at, labels_changed, entities, pairs_removed, pairs_added, runs_seen, duration_ms)
  values (began, taken.changed, taken.corrected + entities, taken.pairs + removed, taken.pairs + added, cardinality(runs),
          extract(epoch from clock_timestamp() - began) * 1000);
  -- A plan that was made while a table was small reads it whole.
  if clock_timestamp() > began + interval '0.5 seconds' then
    discard plans;
  end if;
  -- What came meanwhile waits for the next time: where runs end all the time there would always be more.
  return exists (select from pgscore_data.label_change c
                  where c.change_id > taken.last_change and c.captured_at < began and (only_model is null or c.model_id = only_model))
      or exists (select from pgscore_data.run r
                  where r.state = 'done' and not r.kept and r.finished_at < began and (only_model is null or r.version_id = any (versions))
                    and coalesce(r.target_id <> all (held), true))
      or exists (select from pgscore_data.online_batch b
                  where not b.counted and b.kept_at < began and (only_model is null or b.version_id = any (versions)));
end
$$;
comment on function pgscore_data._refresh(int, int) is
  'One refresh, of all models or of one: takes at most so many changed labels, and keeps runs until they have a fourth '
  'as many rows. It pairs again what they are about, and brings the cells up to date. True where more was waiting when it began.';

create or replace function pgscore_data._move_recent(most int default 20000, from_bytes bigint default 134217728) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
set random_page_cost = 1.1
as $$
declare
  moved bigint;
begin
  -- Rows that are gone take room until somebody's old snapshot has ended, and to pass them again and again takes long.
  if pg_relation_size('pgscore_data.evaluation_recent') < from_bytes or from_bytes > 0
    and pg_stat_get_live_tuples('pgscore_data.evaluation_recent'::regclass) < most
    or not pgscore_data._take_turn('cells') then
    return false;
  end if;
  update pgscore_data.evaluation e set is_recent = false
   where e.is_recent and e.ctid = any (array(
     select r.ctid from pgscore_data.evaluation_recent r order by r.model_id, hash_array(r.key) limit most));
  get diagnostics moved = row_count;
  return moved = most;
end
$$;
comment on function pgscore_data._move_recent(int, bigint) is
  'Moves labels that arrived lately to the others, when they take so many bytes: neighbours in the index of entities, so that many of '
  'them share a page there. True where more are waiting.';

-- When a step fails: the same work one by one, so that one which cannot be counted holds up no other. The service calls _refresh() for
-- each model, so that each has a timeout of its own.

create or replace function pgscore_data._models_to_refresh() returns table (model_id int, name text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
begin atomic
  select m.model_id, m.name from pgscore_data.model m
   where m.model_id in (
     select c.model_id from pgscore_data.label_change c
     union
     select v.model_id from pgscore_data.run r join pgscore_data.version v using (version_id) where r.state = 'done' and not r.kept
     union
     select v.model_id from pgscore_data.online_batch b join pgscore_data.version v using (version_id) where not b.counted)
   order by m.model_id;
end;
comment on function pgscore_data._models_to_refresh() is 'Models that a refresh has something to do for.';

create or replace function pgscore_data._compute_by_version(step text) returns table (model text, failure text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  due record;
begin
  if not pgscore_data._take_turn('cells') then
    return;
  end if;
  for due in
    select t.version_id, null::int as set_id from pgscore_data.touched t where step = 'metrics'
    union
    select f.version_id, t.set_id from pgscore_data.touched_feature t join pgscore_data.feature_set f using (set_id) where step = 'drift'
    union
    select e.version_id, null from pgscore_data.estimate_due e where step = 'estimates'
    order by 1
  loop
    begin
      while case step
          when 'metrics' then pgscore_data._compute_metrics(only_version => due.version_id)
          when 'drift' then pgscore_data._compute_drift(only_set => due.set_id)
          when 'estimates' then pgscore_data._estimate(only_version => due.version_id) end loop
      end loop;
    exception when others then
      model := (select format('%s@%s', m.name, v.number) from pgscore_data.counted_version v join pgscore_data.model m using (model_id)
                 where v.version_id = due.version_id);
      failure := sqlerrm;
      return next;
    end;
  end loop;
end
$$;
comment on function pgscore_data._compute_by_version(text) is
  'Computes metrics, drift or estimates as _compute_metrics(), _compute_drift() and _estimate() do, each version in a subtransaction of '
  'its own. The days of one that fails stay to be done. Which failed, and why.';
