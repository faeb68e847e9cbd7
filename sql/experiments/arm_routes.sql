-- To which version a row of a model in an experiment goes.
--
-- The route of such a model is an array, as the statement sees it: minus the number of the experiment, then the champion. For each range of
-- buckets follow its end and its version, in order. Versions have positive numbers, so a negative first element tells that there are arms.

create or replace function pgscore_data._renew_route(this_model int) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  with e as (
    select x.* from pgscore_data.experiment x where x.model_id = this_model and x.stopped_at is null and x.kind <> 'shadow'
  ), taken as (
    select a.version_id, a.buckets from e join pgscore_data.experiment_arm a using (experiment_id)
  ), part as (
    select upper(r) as bound, version_id from taken cross join unnest(buckets) r
    union all
    select upper(r), e.champion_version_id
      from e cross join unnest('{[0,10000)}'::int4multirange - (select range_agg(b) from taken cross join unnest(buckets) b)) r
  )
  update pgscore_data.alias a
     set route = (select array[- e.experiment_id, e.champion_version_id] || array_agg(x.value order by x.bound, x.n)
                    from e cross join (select bound, value, n from part, unnest(array[bound, version_id]) with ordinality u (value, n)) x
                   group by e.experiment_id, e.champion_version_id)
   where a.model_id = this_model and a.alias = 'champion';
end;
comment on function pgscore_data._renew_route(int) is 'Writes where the arms of a model are, if an experiment is open.';

create or replace function pgscore_models._arm_versions(experiment int) returns int[]
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(a.version_id) || min(e.champion_version_id)
    from pgscore_data.experiment e join pgscore_data.experiment_arm a using (experiment_id) where e.experiment_id = $1
$$;
comment on function pgscore_models._arm_versions(int) is 'The versions that answer in an experiment.';

create or replace function pgscore_models._arm(route int[], features jsonb) returns int[]
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  this record;
  bucket int;
  at int := 3;
begin
  -- These never change: only the ranges of buckets must be those of the statement.
  select e.salt, e.split_by into this from pgscore_data.experiment e where e.experiment_id = - route[1];
  if cardinality(this.split_by) = 1 then
    bucket := pgscore.bucket(this.salt, features ->> this.split_by[1]);
  else
    bucket := pgscore.bucket(this.salt, array(select features ->> c from unnest(this.split_by) with ordinality x (c, n) order by n));
  end if;
  if bucket is null then
    return route[2:2];
  end if;
  while bucket >= route[at] loop
    at := at + 2;
  end loop;
  return route[at + 1 : at + 1];
end
$$;
comment on function pgscore_models._arm(int[], jsonb) is
  'The route to the version that answers for a row, out of a route of several; to the champion where the row has no key.';
