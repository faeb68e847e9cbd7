-- What the views of accuracy share: which models the caller sees, the counts of a window, and how many pairs are independent.

create or replace view pgscore_data.day_volume as
select v.version_id, v.segment_id, v.day, v.n_predictions, v.n_failed,
       coalesce((
         select sum(o.n) from pgscore_data.cell_open o
          where o.version_id = v.version_id and o.segment_id = v.segment_id and o.day = v.day
            and o.closes_at > now()), 0)::bigint as n_awaiting
  from pgscore_data.cell_volume v;
comment on view pgscore_data.day_volume is 'The predictions of each day, and how many of them wait for a label now.';

create or replace view pgscore_data.day_labels as
select v.*, coalesce((select sum(o.n) from pgscore_data.cell_outcome o
                       where o.version_id = v.version_id and o.segment_id = v.segment_id and o.day = v.day), 0)
          + coalesce((select sum(r.n) from pgscore_data.cell_regression r
                       where r.version_id = v.version_id and r.segment_id = v.segment_id and r.day = v.day), 0) as n_labeled
  from pgscore_data.day_volume v;
comment on view pgscore_data.day_labels is 'The predictions of each day, how many have a label and how many wait for one.';

create or replace view pgscore_data.visible_model with (security_barrier) as
select m.model_id, m.name from pgscore_data.model m
 where exists (select from pgscore_data.model_grant g join pg_roles r on r.rolname = g.grantee
                where g.model_id = m.model_id and pg_has_role(r.oid, 'usage'))
    or pg_has_role('pgscore_deployer', 'usage') or current_user in ('pgscore_owner', 'pgscore_service');
comment on view pgscore_data.visible_model is
  'The models granted to a role of the caller. Deployers, functions of pgscore and the service see all models.';

create or replace function pgscore_data._comment_columns(view regclass, meanings jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  a record;
begin
  for a in select x.attname from pg_attribute x where x.attrelid = view and x.attnum > 0 and not x.attisdropped loop
    if not meanings ? a.attname::text then
      raise exception 'column % of % has no comment', a.attname, view;
    end if;
    execute format('comment on column %s.%I is %L', view, a.attname, meanings ->> a.attname::text);
  end loop;
end
$$;
comment on function pgscore_data._comment_columns(regclass, jsonb) is
  'Comments every column of a view. Raises an error for a column without a meaning.';

create or replace function pgscore_data._coverage(n_labeled text, n_awaiting text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format('(%1$s)::float8 / nullif((%1$s) + (%2$s), 0)', n_labeled, n_awaiting);
comment on function pgscore_data._coverage(text, text) is 'The expression of label_coverage.';

create or replace function pgscore_data._is_mature(n_labeled text, n_awaiting text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format('((%1$s) > 0 and (%1$s) >= mo.min_label_coverage * ((%1$s) + (%2$s)))', n_labeled, n_awaiting);
comment on function pgscore_data._is_mature(text, text) is 'The expression of is_mature; mo is the monitor.';

create or replace function pgscore_data._counted_columns() returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return $q$, w.n_awaiting, w.n_predictions - coalesce(c.n, 0)::bigint - w.n_awaiting as n_superseded, v.state = 'dropped' as is_dropped$q$;
comment on function pgscore_data._counted_columns() is
  'Columns of every performance view: places that wait for a label, superseded ones, and whether the version was dropped.';

create or replace function pgscore_data._window_columns() returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return $q$
  m.name as model_name, v.number::bigint as model_version, s.segment_key, s.segment_value,
  (w.window_start at time zone mo.time_zone)::date as window_date, w.window_start, w.window_end,
  w.n_predictions, coalesce(c.n, 0)::bigint as n_labeled, $q$
  || pgscore_data._coverage('coalesce(c.n, 0)', 'w.n_awaiting') || ' as label_coverage, '
  || pgscore_data._is_mature('coalesce(c.n, 0)', 'w.n_awaiting') || ' as is_mature';
comment on function pgscore_data._window_columns() is 'The first columns of every performance view.';

create or replace function pgscore_data._labeled_on(version text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format($q$(
  coalesce((select sum(o.n) from pgscore_data.cell_outcome o
             where o.version_id = %1$s and o.segment_id = x.segment_id and o.day = x.day), 0)
  + coalesce((select sum(r.n) from pgscore_data.cell_regression r
               where r.version_id = %1$s and r.segment_id = x.segment_id and r.day = x.day), 0))$q$, version);
comment on function pgscore_data._labeled_on(text) is
  'The expression of how many predictions of day x are labelled. A row may have the truth of one target, and wait for that of another.';

create or replace function pgscore_data._windows_from(grain text, task text, cells text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format($q$
  from pgscore_data.visible_model m
  join pgscore_data.monitor mo using (model_id)
  join pgscore_data.counted_version v using (model_id)
  join pgscore_data.scored_version e on e.version_id = v.version_id and e.task = %2$L
  join pgscore_data.slice s using (model_id)
  cross join lateral (
    select y.*, (date_trunc(%1$L, y.window_start at time zone mo.time_zone) + interval '1 %1$s') at time zone mo.time_zone as window_end
      from (select date_trunc(%1$L, x.day, mo.time_zone) as window_start, sum(x.n_predictions)::bigint as n_predictions,
                   sum(x.n_awaiting + case when v.place is null then 0 else %4$s end)::bigint as n_awaiting
              from pgscore_data.day_volume x
             where x.version_id = v.of_version and x.segment_id = s.segment_id and x.n_predictions <> 0 group by 1) y) w
  left join lateral (%3$s) c on true$q$, grain, task, cells,
  pgscore_data._labeled_on('v.of_version') || ' - ' || pgscore_data._labeled_on('v.version_id'));
comment on function pgscore_data._windows_from(text, text, text) is
'The FROM clause for windows with predictions of models of a task. The query cells sums up the cells of window w of version v.
The end is computed from local midnight: on a day whose midnight the clock skips, the window begins at one.';

create or replace function pgscore_data._repeats_from(grain text, segment text, window_start text, n_effective text default 'null::float8')
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format($q$
  cross join lateral (
    select coalesce(max(x.pairs2), 0)::float8 as pairs2, coalesce(max(x.hits_pairs), 0)::float8 as hits_pairs,
           coalesce(max(x.hits2), 0)::float8 as hits2
      from pgscore_data.cell_repeat x
     where x.version_id = v.version_id and x.segment_id = %2$s and x.grain = %1$L and x.window_start = %3$s) r2
  cross join lateral (select r2.pairs2, %4$s as n_effective) i$q$, grain, segment, window_start, n_effective);
comment on function pgscore_data._repeats_from(text, text, text, text) is
  'Joins, as i, how many pairs of a window of version v are independent. An entity may be judged several times in a window.';

create or replace function pgscore_data._share(hits text, part text, side text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return pgscore_data._wilson(hits, part,
  format('case when i.pairs2 = 0 then %1$s else %2$s end', part,
         pgscore_data._n_effective_of(part, format('((%s) + i.pairs2)', part), 'null')), side);
comment on function pgscore_data._share(text, text, text) is
  'A bound of the interval of hits in a part of a window. No entity has more pairs in the part than in the window.';
