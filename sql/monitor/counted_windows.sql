-- What the views of accuracy share: which models the caller sees, the counts of a window, and how many pairs are independent.
--
-- in: cells of days. out: views of days and of visible models, and texts of which queries of views are made: columns, and parts of FROM.
-- performance_views.sql shows how they are put together.

create or replace view pgscore_data.grain as
select * from (values ('day', 'daily', interval '1 day'), ('week', 'weekly', interval '1 week'), ('month', 'monthly', interval '1 month'))
  x (grain, suffix, length);
comment on view pgscore_data.grain is 'How long windows are, and what the names of their views end with.';

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
select m.model_id, m.name, mo.time_zone, mo.min_label_coverage, mo.label_maturity, mo.quantile, mo.psi_floor, mo.psi_warning, mo.psi_alert
  from pgscore_data.model m join pgscore_data.monitor mo using (model_id)
 where exists (select from pgscore_data.model_grant g join pg_roles r on r.rolname = g.grantee
                where g.model_id = m.model_id and pg_has_role(r.oid, 'usage'))
    or pg_has_role('pgscore_deployer', 'usage') or current_user in ('pgscore_owner', 'pgscore_service');
comment on view pgscore_data.visible_model is
  'The models granted to a role of the caller, with settings of their monitors. Deployers, functions of pgscore and the service see all '
  'models.';

create or replace function pgscore_data._coverage(n_labeled text, n_awaiting text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format('(%1$s)::float8 / nullif((%1$s) + (%2$s), 0)', n_labeled, n_awaiting);
comment on function pgscore_data._coverage(text, text) is 'The expression of label_coverage.';

create or replace function pgscore_data._is_mature(n_labeled text, n_awaiting text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format('((%1$s) > 0 and (%1$s) >= m.min_label_coverage * ((%1$s) + (%2$s)))', n_labeled, n_awaiting);
comment on function pgscore_data._is_mature(text, text) is 'The expression of is_mature; m is a row of visible_model.';

create or replace function pgscore_data._counted_columns() returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return $q$, w.n_awaiting, w.n_predictions - coalesce(c.n, 0)::bigint - w.n_awaiting as n_superseded, v.state = 'dropped' as is_dropped$q$;
comment on function pgscore_data._counted_columns() is
  'Columns of performance views: places that wait for a label, superseded ones, and whether the version was dropped.';

create or replace function pgscore_data._window_columns() returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return $q$
  g.grain, v.version_id, m.name as model_name, v.number::bigint as model_version, s.segment_key, s.segment_value,
  (w.window_start at time zone m.time_zone)::date as window_date, w.window_start, w.window_end,
  w.n_predictions, coalesce(c.n, 0)::bigint as n_labeled, $q$
  || pgscore_data._coverage('coalesce(c.n, 0)', 'w.n_awaiting') || ' as label_coverage, '
  || pgscore_data._is_mature('coalesce(c.n, 0)', 'w.n_awaiting') || ' as is_mature';
comment on function pgscore_data._window_columns() is 'The first columns of every view of the windows of a task.';

create or replace function pgscore_data._training_column(since text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format(', case when %1$s < tr.trained_until then true when (%1$s < tr.maybe_trained_until) is not true then false end '
              'as in_training', since);
comment on function pgscore_data._training_column(text) is
  'The last column of every view of accuracy: whether a window or prediction begins before the training data of tr end; NULL: it may.';

create or replace function pgscore_data._join_training(version text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
-- Once a version: what it says of its training is in jsonb.
return format($q$
  cross join lateral (
    select t.trained_until, t.maybe_trained_until from pgscore_data.trained_version t where t.version_id = %s offset 0) tr$q$, version);
comment on function pgscore_data._join_training(text) is 'Joins, as tr, until when a version was trained.';

create or replace function pgscore_data._count_labeled(version text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format($q$(
  coalesce((select sum(o.n) from pgscore_data.cell_outcome o
             where o.version_id = %1$s and o.segment_id = x.segment_id and o.day = x.day), 0)
  + coalesce((select sum(r.n) from pgscore_data.cell_regression r
               where r.version_id = %1$s and r.segment_id = x.segment_id and r.day = x.day), 0))$q$, version);
comment on function pgscore_data._count_labeled(text) is
  'The expression of how many predictions of day x are labelled. A row may have the truth of one target, and wait for that of another.';

create or replace function pgscore_data._from_windows(task text, cells text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format($q$
  from pgscore_data.visible_model m
  join pgscore_data.counted_version v using (model_id)
  join pgscore_data.scored_version e on e.version_id = v.version_id and e.task = %1$L
  join pgscore_data.slice s using (model_id)
  cross join pgscore_data.grain g
  cross join lateral (
    select y.*, (date_trunc(g.grain, y.window_start at time zone m.time_zone) + g.length) at time zone m.time_zone as window_end
      from (select date_trunc(g.grain, x.day, m.time_zone) as window_start, sum(x.n_predictions)::bigint as n_predictions,
                   sum(x.n_awaiting + case when v.position is null then 0 else %3$s end)::bigint as n_awaiting
              from pgscore_data.day_volume x
             where x.version_id = v.of_version and x.segment_id = s.segment_id and x.n_predictions <> 0 group by 1) y) w
  left join lateral (
    %2$s
     where x.version_id = v.version_id and x.segment_id = s.segment_id and x.day >= w.window_start and x.day < w.window_end) c on true$q$,
  task, cells,
  pgscore_data._count_labeled('v.of_version') || ' - ' || pgscore_data._count_labeled('v.version_id'));
comment on function pgscore_data._from_windows(text, text) is
'The FROM clause for windows with predictions of models of a task. cells selects sums of a table x of cells: of those of window w.
The end is computed from local midnight: on a day whose midnight the clock skips, the window begins at one.';

create or replace function pgscore_data._join_bounds(pairs text, shares text[]) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
-- "offset 0" keeps the levels apart. Else the planner copies each expression into all that are made of it, and plans each copy.
return format($q$
  cross join lateral (
    select i.*%s
      from (select i.*%s from %s offset 0) i
    offset 0) i$q$, (
  select string_agg(format(', %s as %s_low, %s as %2$s_high', pgscore_data._wilson_bound(x.hits, x.misses, x.n, '-'), x.name,
           pgscore_data._wilson_bound(x.hits, x.misses, x.n, '+')), '' order by k)
    from generate_subscripts(shares, 1) k
   cross join lateral (select shares[k][1] as name) y
   cross join lateral (select y.name, format('i.%s_hits', y.name) as hits, format('i.%s_misses', y.name) as misses,
                              format('i.%s_n', y.name) as n) x), (
  select string_agg(format(', (%2$s)::float8 / nullif(%3$s, 0) * %4$s as %1$s_hits, '
                           '((%3$s) - (%2$s))::float8 / nullif(%3$s, 0) * %4$s as %1$s_misses, (%4$s)::float8 as %1$s_n',
           shares[k][1], shares[k][2], shares[k][3],
           coalesce(shares[k][4], pgscore_data._least_n_effective(format('(%s)', shares[k][3]), 'i.pairs2'))), '' order by k)
    from generate_subscripts(shares, 1) k), pairs);
comment on function pgscore_data._join_bounds(text, text[]) is
'Joins, as i, the row i of pairs with the bounds name_low and name_high of shares. Each is a name, hits, what they are part of, and how '
'many independent pairs that part is worth. Where the last is NULL, _least_n_effective() gives the least that it can be.';

create or replace function pgscore_data._join_repeats(grain text, segment text, window_start text, n_effective text, shares text[])
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return pgscore_data._join_bounds(format($q$(
    select r2.pairs2, %4$s as n_effective
      from (select coalesce(max(x.pairs2), 0)::float8 as pairs2, coalesce(max(x.hits_pairs), 0)::float8 as hits_pairs,
                   coalesce(max(x.hits2), 0)::float8 as hits2
              from pgscore_data.cell_repeat x
             where x.version_id = v.version_id and x.segment_id = %2$s and x.grain = %1$s and x.window_start = %3$s) r2 offset 0) i$q$,
  grain, segment, window_start, n_effective), shares);
comment on function pgscore_data._join_repeats(text, text, text, text, text[]) is
'Joins, as i, how many pairs of a window of version v are independent, and bounds of shares as _join_bounds() has them. '
'n_effective is an expression over r2: pairs2, hits_pairs and hits2, the sums of cell_repeat for entities judged several times.';

create or replace function pgscore_data._bound_columns(name text, condition text default null) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format(case when condition is null then ', i.%1$s_low as %1$s_ci_low, i.%1$s_high as %1$s_ci_high'
    else ', case when %2$s then i.%1$s_low end as %1$s_ci_low, case when %2$s then i.%1$s_high end as %1$s_ci_high' end, name, condition);
comment on function pgscore_data._bound_columns(text, text) is
  'The columns for the bounds of a share; where condition does not hold they are NULL.';

create or replace function pgscore_data._join_metrics(columns text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return format($q$
  cross join lateral (
    select %s
      from pgscore_data.metric_value x
     where s.segment_id = 0 and x.version_id = v.version_id and x.grain = g.grain and x.window_start = w.window_start) a$q$, columns);
comment on function pgscore_data._join_metrics(text) is
  'Joins, as a, metrics that are stored for windows, of all predictions only: columns are made of those of x.';

create or replace function pgscore_data._binary_cells() returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return $q$
  select sum(x.n)::float8 as n, coalesce(sum(x.n) filter (where x.actual_class = e.positive_class - 1
                                                            and x.predicted_class = e.positive_class - 1), 0)::float8 as tp,
         coalesce(sum(x.n) filter (where x.actual_class <> e.positive_class - 1 and x.predicted_class = e.positive_class - 1),
                  0)::float8 as fp,
         coalesce(sum(x.n) filter (where x.actual_class = e.positive_class - 1 and x.predicted_class <> e.positive_class - 1),
                  0)::float8 as fn,
         coalesce(sum(x.n) filter (where x.actual_class <> e.positive_class - 1 and x.predicted_class <> e.positive_class - 1),
                  0)::float8 as tn,
         sum(x.sum_brier)::float8 as brier, sum(x.sum_log_loss)::float8 as log_loss
    from pgscore_data.cell_outcome x$q$;
comment on function pgscore_data._binary_cells() is 'The cells of a binary classifier, for _from_windows(): right and wrong, by class.';
