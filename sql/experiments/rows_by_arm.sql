-- score_rows() of a model in an experiment: each arm scores its rows, and all are returned in the order of the input.

create or replace function pgscore_models._score_rows_of_arm(arm int, part anyarray, numbers int[], total int)
returns table (number int, features anyelement, score double precision, label text, probabilities double precision[], version text,
               outputs jsonb)
language plpgsql stable cost 10000000 rows 1000
set search_path = pg_catalog, pg_temp
as $$
declare
  problem text;
  detail text;
  remedy text;
begin
  return query
    select numbers[s.n], s.features, s.score, s.label, s.probabilities, s.version, s.outputs
      from (select t.*, row_number() over () as n from pgscore.score_rows(pgscore_models._version_name(arm), part) t) s;
exception
  when others then
    get stacked diagnostics problem = message_text, detail = pg_exception_detail, remedy = pg_exception_hint;
    -- NULL where it names no row.
    detail := coalesce(replace(detail, substring(detail from 'Row [0-9]+ of [0-9]+\.'),
                               format('Row %s of %s.', numbers[substring(detail from 'Row ([0-9]+) of [0-9]+\.')::int], total)), detail);
    raise exception '%', problem using errcode = sqlstate, detail = coalesce(detail, ''), hint = coalesce(remedy, '');
end
$$;
comment on function pgscore_models._score_rows_of_arm(int, anyarray, int[], int) is
  'score_rows() of the rows of one arm; numbers: theirs among all rows, by which an error names the row.';

create or replace function pgscore_models._score_rows_by_arm(route int[], given anyarray)
returns table (features anyelement, score double precision, label text, probabilities double precision[], version text, outputs jsonb)
language plpgsql stable cost 10000000 rows 1000
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    with row_of_arm as materialized (
      select x.r, x.n, (pgscore_models._arm(route, pgscore_models._features(route[1], x.r)))[1] as arm
        from (select unnest(given) as r, generate_series(1, cardinality(given)) as n) x
    ), part as (
      select o.arm, array_agg(o.r order by o.n) as rows, array_agg(o.n order by o.n) as numbers from row_of_arm o group by o.arm
    )
    select s.features, s.score, s.label, s.probabilities, s.version, s.outputs
      from part p cross join lateral pgscore_models._score_rows_of_arm(p.arm, p.rows, p.numbers, cardinality(given)) s
     order by s.number;
end
$$;
comment on function pgscore_models._score_rows_by_arm(int[], anyarray) is 'score_rows() by the arms of a route.';
