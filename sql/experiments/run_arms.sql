-- The arms of a run: from its claim, when they are set, to its end, when the rows of each become a run of its version.

create or replace function pgscore_data._bucket_ranges(buckets int4multirange) returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
begin atomic
  select coalesce(jsonb_agg(jsonb_build_array(lower(r), upper(r)) order by r), '[]') from unnest(buckets) r;
end;
comment on function pgscore_data._bucket_ranges(int4multirange) is 'Buckets as pairs of the first one and the one behind the last.';

create or replace function pgscore_data._arms_of_run(this_experiment int, this_version int) returns jsonb
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('salt', e.salt,
           'arms', jsonb_agg(jsonb_build_object('version_id', a.version_id, 'buckets', pgscore_data._bucket_ranges(a.buckets))
                             order by a.version_id),
           'runs', jsonb_agg(nextval(pg_get_serial_sequence('pgscore_data.run', 'run_id')) order by a.version_id))
    from pgscore_data.experiment e join pgscore_data.experiment_arm a using (experiment_id)
   where e.experiment_id = this_experiment and e.champion_version_id = this_version and e.kind <> 'shadow' and e.stopped_at is null
   group by e.salt
$$;
comment on function pgscore_data._arms_of_run(int, int) is
  'The arms that an experiment has now, with the number of a run for each; NULL where it was stopped, or is a shadow.';

create or replace function pgscore_data._begin_shadows(this_run bigint) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  insert into pgscore_data.run (requested_by, version_id, target_id, source_schema, source_name, source_kind, handle_id, plan, plan_id,
    pages, rls, publish, error_limit, rows_expected, segments, watch_id, keys, arms, arm_of)
  select r.requested_by, a.version_id, r.target_id, r.source_schema, r.source_name, r.source_kind, r.handle_id, r.plan, r.plan_id,
         r.pages, r.rls, false, r.error_limit, r.rows_expected, r.segments, r.watch_id, r.keys,
         jsonb_build_object('salt', e.salt, 'sample', jsonb_build_array(jsonb_build_array(0, ceil(10000 * e.sampling)::int))), r.run_id
    from pgscore_data.run r
    join pgscore_data.experiment e using (experiment_id)
    join pgscore_data.experiment_arm a using (experiment_id)
   where r.run_id = this_run and e.kind = 'shadow' and e.stopped_at is null
$$;
comment on function pgscore_data._begin_shadows(bigint) is
  'Queues the runs of a shadow beside a run: the same rows with its versions, for the history alone.';

create or replace function pgscore_data._finish_arms(this_run bigint) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  r pgscore_data.run;
  without_key bigint;
begin
  select * into r from pgscore_data.run x where x.run_id = this_run;
  with tally as materialized (
    select t.arm_run_id, sum(t.rows_done) as rows_done, sum(t.rows_failed) as rows_failed
      from pgscore_data.arm_tally t where t.run_id = r.run_id and t.attempt = r.attempt group by t.arm_run_id
  ), arm as (
    select x.arm, x.run::bigint as run_id
      from rows from (jsonb_array_elements(r.arms -> 'arms'), jsonb_array_elements_text(r.arms -> 'runs')) as x (arm, run)
  )
  insert into pgscore_data.run (run_id, requested_by, requested_at, submitted_xid, version_id, target_id, source_schema, source_name,
    source_kind, pages, plan, plan_id, rls, segments, publish, error_limit, state, attempt, snapshot_at, generation, rows_expected,
    rows_done, rows_failed, started_at, finished_at, published, watch_id, experiment_id, arm_of)
  overriding system value
  select a.run_id, r.requested_by, r.requested_at, r.submitted_xid, (a.arm ->> 'version_id')::int, r.target_id, r.source_schema,
         r.source_name, r.source_kind, r.pages, r.plan, r.plan_id, r.rls, r.segments, r.publish, r.error_limit, 'done', r.attempt,
         r.snapshot_at, r.generation, t.rows_done, t.rows_done, t.rows_failed, r.started_at, r.finished_at, r.published, r.watch_id,
         r.experiment_id, r.run_id
    from arm a join tally t on t.arm_run_id = a.run_id;
  without_key := (select sum(t.rows_done) from pgscore_data.arm_tally t
                   where t.run_id = r.run_id and t.attempt = r.attempt and t.arm_run_id is null);
  update pgscore_data.run x
     set rows_done = x.rows_done - a.rows_done, rows_failed = x.rows_failed - a.rows_failed, rows_without_key = coalesce(without_key, 0)
    from (select coalesce(sum(y.rows_done), 0) as rows_done, coalesce(sum(y.rows_failed), 0) as rows_failed
            from pgscore_data.run y where y.arm_of = r.run_id and y.state = 'done' and y.experiment_id is not null) a
   where x.run_id = r.run_id;
  delete from pgscore_data.arm_tally t where t.run_id = r.run_id;
  return this_run;
end
$$;
comment on function pgscore_data._finish_arms(bigint) is
  'Last step of the publication of a run with arms: the rows of each arm become those of a run of its version, which is done.';

create or replace function pgscore_data._delete_arm_tallies() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  tally text;
begin
  foreach tally in array '{day_tally,class_tally,feature_tally,segment_tally,feature_sample}'::text[] loop
    execute format(
      'with open as materialized (
         select e::bigint as run_id from pgscore_data.run r cross join jsonb_array_elements_text(r.arms -> ''runs'') e
          where r.state in (''queued'', ''running'')
       )
       delete from pgscore_data.%I t where t.run_id > 0 and t.run_id not in (select o.run_id from open o)
          and not exists (select from pgscore_data.run r where r.run_id = t.run_id)', tally);
  end loop;
  delete from pgscore_data.arm_tally t using pgscore_data.run r
   where r.run_id = t.run_id and (r.state in ('failed', 'cancelled') or r.attempt <> t.attempt);
end
$$;
comment on function pgscore_data._delete_arm_tallies() is
  'Deletes counts of arms that belong to no run: those of attempts that failed or were tried again.';
