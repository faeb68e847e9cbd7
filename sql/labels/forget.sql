-- Removes the predictions that a deployer names: those about an entity, or those of a run made in error.
-- in: forget(). out: fewer rows of kept predictions, evaluation, targets and the log of calls; days counted again that are not sealed.

create or replace function pgscore_data._take_kept(this_model int, this_key text[], this_run bigint) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
as $$
declare
  versions constant int[] := array(select v.version_id from pgscore_data.version v where v.model_id = this_model);
  b record;
  taken bigint;
begin
  with gone as (
    delete from pgscore_data.kept_prediction p
     where p.version_id = any (versions)
       and case when this_run is not null then p.run_id = this_run
             else hash_array(p.key) = hash_array(this_key) and p.key = this_key end
    returning p.*
  )
  insert into pgscore_data.refresh_prediction select g.* from gone g;
  insert into pgscore_data.refresh_prediction (version_id, key, event_time, made_at, run_id, score, predicted_class, probabilities,
    segments)
  select r.version_id, u.key, u.event_time, u.event_time, r.run_id, u.score, u.predicted_class, u.probabilities, u.segments
    from pgscore_data.kept_run r cross join lateral pgscore_data._block_rows(r.run_id) u
   where this_run is not null and r.run_id = this_run and r.version_id = any (versions)
  union all
  select r.version_id, this_key, r.event_time, r.event_time, r.run_id, x.score, x.predicted_class, x.probabilities, x.segments
    from pgscore_data.kept_run r cross join lateral pgscore_data._predictions_at(r.version_id, this_key, r.event_time) x
   where this_run is null and r.version_id = any (versions) and x.run_id = r.run_id;
  if this_run is not null then
    delete from pgscore_data.kept_block k using pgscore_data.kept_run r
     where k.run_id = this_run and r.run_id = this_run and r.version_id = any (versions);
    delete from pgscore_data.kept_run r where r.run_id = this_run and r.version_id = any (versions);
    update pgscore_data.kept_run r set is_head = true, retired_by = null where r.retired_by = this_run and r.version_id = any (versions);
  else
    for b in
      select r.run_id, x.bucket, x.n
        from pgscore_data.kept_run r cross join lateral pgscore_data._prediction_in_block(r.run_id, r.n_buckets, this_key) x
       where r.version_id = any (versions)
    loop
      update pgscore_data.kept_block k set
        keys = k.keys[: b.n - 1] || k.keys[b.n + 1 :], scores = k.scores[: b.n - 1] || k.scores[b.n + 1 :],
        exact_scores = k.exact_scores[: b.n - 1] || k.exact_scores[b.n + 1 :], classes = k.classes[: b.n - 1] || k.classes[b.n + 1 :],
        probabilities = k.probabilities[: b.n - 1] || k.probabilities[b.n + 1 :], segments = k.segments[: b.n - 1] || k.segments[b.n + 1 :]
       where k.run_id = b.run_id and k.bucket = b.bucket;
    end loop;
  end if;
  select count(*) into taken from (select distinct a.version_id, a.key, a.event_time, a.run_id from pgscore_data.refresh_prediction a) x;
  return taken;
end
$$;
comment on function pgscore_data._take_kept(int, text[], bigint) is
  'Moves what is kept of a run or of an entity into refresh_prediction. Returns the number of predictions.';

create or replace function pgscore_data._uncount_taken() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
begin atomic
  with taken as (
    select distinct on (a.version_id, a.key, a.event_time, a.run_id)
           a.version_id, date_trunc('day', a.event_time, m.time_zone) as day, a.segments,
           (a.score is not null)::int as is_scored
      from pgscore_data.refresh_prediction a join pgscore_data.version v using (version_id) join pgscore_data.monitor m using (model_id)
     where a.event_time >= m.sealed_before
     order by a.version_id, a.key, a.event_time, a.run_id
  ), counted as (
    select t.version_id, s.id as segment_id, t.day, count(*) as n, sum(t.is_scored) as n_scored
      from taken t cross join lateral unnest(0 || t.segments) s (id) group by t.version_id, s.id, t.day
  )
  update pgscore_data.cell_volume c set n_predictions = greatest(0, c.n_predictions - x.n), n_scored = greatest(0, c.n_scored - x.n_scored)
    from counted x where (c.version_id, c.segment_id, c.day) = (x.version_id, x.segment_id, x.day);
end;
comment on function pgscore_data._uncount_taken() is 'Subtracts removed predictions from the volume of days that are not sealed.';

create or replace function pgscore_data._take_stored(this_model int, this_key text[], this_run bigint) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  t pgscore_data.target;
begin
  for t in
    select distinct x.* from pgscore_data.target x join pgscore_data.run r using (target_id) join pgscore_data.version v using (version_id)
     where v.model_id = this_model and (this_run is null or r.run_id = this_run)
       and (this_run is not null or pgscore_data._has_key(x))
  loop
    -- Locked, because rows that a publication or a fold is moving would be found in neither generation.
    perform from pgscore_data.target x where x.target_id = t.target_id for no key update;
    execute format('lock table pgscore_predictions.%I in row exclusive mode', 'target_' || t.target_id);
    execute format($q$
      with gone as (
        delete from pgscore_predictions.%I p using pgscore_data.run r join pgscore_data.version v using (version_id)
         where r.run_id = p.run_id and v.model_id = $1 and %s
        returning r.version_id, r.is_replay, r.segments, coalesce(p.event_time, r.snapshot_at) as at, p.error_code, p.pgscore_segments
      ), failed as (
        select g.version_id, s.segment_id, date_trunc('day', g.at, m.time_zone) as day, count(*) as n
          from gone g join pgscore_data.monitor m on m.model_id = $1
         cross join lateral unnest(0 || pgscore_data._segment_ids($1, g.segments, g.pgscore_segments)) s (segment_id)
         where g.error_code is not null and not g.is_replay and g.at >= m.sealed_before group by 1, 2, 3
      )
      update pgscore_data.cell_volume c set n_failed = greatest(0, c.n_failed - f.n)
        from failed f where (c.version_id, c.segment_id, c.day) = (f.version_id, f.segment_id, f.day)$q$, 'target_' || t.target_id,
      case when this_run is not null then 'p.run_id = $3'
        else format('%s = $2', pgscore_data._entity_expression(
          t, (select m.key_columns from pgscore_data.monitor m where m.model_id = $1))) end)
    using this_model, this_key, this_run;
    update pgscore_data.replay r set compared_at = null
      from pgscore_data.run x where x.run_id = r.run_id and x.target_id = t.target_id and x.run_id = coalesce(this_run, x.run_id);
  end loop;
  if this_run is null then
    -- Compares the parts of the key, as labels spell them, in any order: the target, which has their order, may be gone.
    delete from pgscore_data.run_error e
     using pgscore_data.run r join pgscore_data.version v using (version_id)
     where r.run_id = e.run_id and v.model_id = this_model
       and exists (
         select from (select array_agg(case jsonb_typeof(k.value) when 'boolean' then left(k.value::text, 1)
                                          when 'number' then trim_scale((k.value #>> '{}')::numeric)::text else k.value #>> '{}' end)
                        from jsonb_each(e.key) k) x (parts)
          where x.parts @> this_key and (r.is_replay or x.parts <@ this_key));
    -- Repeated, because a shadow that scored these calls locks them until it commits, and then has blocks of its own.
    loop
      -- The values of all calls of a block are stored together: the block is deleted whole.
      delete from pgscore_data.online_block b using pgscore_data.version v
       where v.model_id = this_model and b.version_id = v.version_id and b.keys is not null
         and exists (select from pgscore_data._key_rows(b.keys) k (key) where k.key = this_key);
      exit when not found;
    end loop;
  end if;
end
$$;
comment on function pgscore_data._take_stored(int, text[], bigint) is
  'Deletes the predictions of a run or of an entity from targets, those of an entity from the call log and from the rows that failed. '
  'Subtracts failed rows from their counts. A block of calls with one of the entity is deleted whole.';

create or replace function pgscore_data._forget(this_model int, base text, this_key text[], this_run bigint) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '10s'
set timezone = 'UTC'
set datestyle = 'ISO'
set extra_float_digits = 1
set jit = off
as $$
declare
  canonical constant text[] := case when this_key is not null then pgscore_data._canonical_key(this_model, base, this_key) end;
  taken bigint;
  of_arms bigint := 0;
  arm bigint;
begin
  if (canonical is null) = (this_run is null) then
    raise exception 'give the key of an entity or a run of model "%"', base using
      errcode = 'invalid_parameter_value',
      hint = format('select pgscore.forget(%L, key => ''42''); or select pgscore.forget(%L, run => 7);', base, base);
  end if;
  if this_run is not null and not exists (
    select from pgscore_data.run r join pgscore_data.version v using (version_id)
     where r.run_id = this_run and v.model_id = this_model and r.state = 'done')
  then
    raise exception 'run % of model "%" does not exist, or is not done', this_run, base using
      errcode = 'undefined_object', hint = 'select run, model, state from pgscore.runs; lists the runs.';
  end if;
  for arm in select r.run_id from pgscore_data.run r where r.arm_of = this_run and r.experiment_id is not null loop
    of_arms := of_arms + pgscore_data._forget(this_model, base, null, arm);
  end loop;
  while pgscore_data._refresh() loop
  end loop;
  perform pgscore_data._clear_work();
  taken := pgscore_data._take_kept(this_model, canonical, this_run);
  perform pgscore_data._uncount_taken();
  insert into pgscore_data.refresh_key (model_id, key, entity)
  select this_model, x.key, row_number() over ()
    from (select distinct a.key from pgscore_data.refresh_prediction a
           where exists (select from pgscore_data.evaluation e
                          where e.model_id = this_model and hash_array(e.key) = hash_array(a.key) and e.key = a.key)) x;
  perform pgscore_data._recall_labels(0);
  delete from pgscore_data.refresh_prediction;
  if this_run is not null then
    -- Later runs did not keep predictions equal to those of this run: they are kept now.
    perform pgscore_data._stage_runs(array(
      select r.run_id
        from pgscore_data.run x join pgscore_data.run r on r.version_id = x.version_id and r.run_id > x.run_id and r.state = 'done'
       where x.run_id = this_run and not exists (select from pgscore_data.kept_run k where k.run_id = r.run_id)));
    delete from pgscore_data.refresh_prediction a using pgscore_data.monitor m
     where m.model_id = this_model and a.event_time < m.sealed_before;
    perform pgscore_data._keep_arrivals();
  end if;
  perform pgscore_data._pair_noted();
  -- The cells of sealed days stay; the pairs of the entities are deleted.
  delete from pgscore_data.evaluation e
   where e.model_id = this_model and pgscore_data._is_sealed(e.model_id, e.event_time)
     and case when this_run is not null then e.run_id = this_run else hash_array(e.key) = hash_array(canonical) and e.key = canonical end;
  delete from pgscore_data.recorded_label r
   where r.model_id = this_model and hash_array(r.key) = hash_array(canonical) and r.key = canonical;
  perform pgscore_data._recount_open(v.version_id) from pgscore_data.version v where v.model_id = this_model;
  perform pgscore_data._take_stored(this_model, canonical, this_run);
  return taken + of_arms;
end
$$;
comment on function pgscore_data._forget(int, text, text[], bigint) is
  'Forgets the predictions of an entity, or of a run with those of its arms. Returns how many were kept.';
