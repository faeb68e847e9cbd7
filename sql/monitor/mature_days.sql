-- Which days have their labels: what is learned from labels is learned from these.

create or replace function pgscore_data._mature_days(this_version int) returns table (day timestamptz, n_labeled bigint)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  -- Without statistics the planner would add the cells up once a day.
  with c as materialized (
    select o.day, sum(o.n)::bigint as n from pgscore_data.cell_outcome o where o.version_id = this_version and o.segment_id = 0
      group by o.day
    union all
    select r.day, sum(r.n)::bigint from pgscore_data.cell_regression r where r.version_id = this_version and r.segment_id = 0 group by r.day
  )
  select w.day, c.n
    from pgscore_data.day_volume w
    join c using (day)
   where w.version_id = this_version and w.segment_id = 0 and c.n > 0
     and c.n >= (c.n + w.n_awaiting) * (select m.min_label_coverage from pgscore_data.monitor m join pgscore_data.version v using (model_id)
                                         where v.version_id = this_version);
end;
comment on function pgscore_data._mature_days(int) is 'The days of a version whose labels are there, by its monitor.';
