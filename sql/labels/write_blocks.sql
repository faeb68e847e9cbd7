-- Writes the predictions of a large run that is for one time as blocks: rows that hold some hundred predictions each.

create or replace function pgscore_data._belongs_in_blocks(this_run bigint) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  r record;
  is_timed boolean;
begin
  select x.target_id, x.generation, x.rows_done, x.snapshot_at, m.sealed_before,
         x.watch_id is not null or coalesce(x.rows_unchanged, 0) > 0 as is_partial,
         x.plan ? 'columns' and not x.plan @> '{"columns": [{"role": "event_time"}]}' as is_for_one_time into r
    from pgscore_data.run x join pgscore_data.version v using (version_id) join pgscore_data.monitor m using (model_id)
   where x.run_id = this_run;
  -- Blocks pay if a run has most entities of the run before. Runs over changed rows have other entities each time.
  if r.target_id is null or coalesce(r.generation, 0) = 0 or r.rows_done < 1000 or r.snapshot_at < r.sealed_before
    or r.is_partial
  then
    return false;
  end if;
  if not (select pgscore_data._can_have_labels(t) from pgscore_data.target t where t.target_id = r.target_id) then
    return false;
  end if;
  if r.is_for_one_time then
    return true;
  end if;
  execute format(
    'select exists (select from pgscore_predictions.%I p where p.run_id = $1 and p.generation in ($2, 0) and p.event_time is not null)',
    'target_' || r.target_id) into is_timed using this_run, r.generation;
  return not is_timed;
end
$$;
comment on function pgscore_data._belongs_in_blocks(bigint) is
'Whether a run is kept in blocks: it is large, no day of it is sealed, its key is there, and no prediction has an event_time of its own.';

create or replace function pgscore_data._write_blocks(this_run bigint) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_hashjoin = on
set work_mem = '256MB'
as $$
declare
  r record;
  kept bigint;
begin
  select x.version_id, x.generation, x.segments, v.model_id, t as target, k.n_buckets into r
    from pgscore_data.run x join pgscore_data.kept_run k using (run_id) join pgscore_data.version v on v.version_id = x.version_id
    join pgscore_data.target t using (target_id) where x.run_id = this_run;
  -- Sorted by key, so that blocks of the same entities are equal from run to run. Columns of fixed width come first, which sorts faster.
  execute format($q$
    with written as (
      insert into pgscore_data.kept_block (run_id, bucket, keys, scores, exact_scores, classes, probabilities, segments)
      select %8$s, b.bucket, b.keys, case when b.is_real then b.scores::real[] end, case when not b.is_real then b.scores end,
             case when %4$L then b.classes end, b.probabilities, b.segments
        from (select n.bucket, array_agg(n.code) as keys, array_agg(n.score) as scores,
                     bool_and(case when abs(n.score) between 1e-37 and 1e38
                       then n.score = n.score::real
                       else coalesce(n.score = 0, true) end) as is_real,
                     array_agg(n.predicted_class) as classes%5$s
                from (select hashtext(%1$s) & $6 as bucket, %6$s, %1$s as code, %2$s %3$s order by %7$s) n group by n.bucket) b
      returning cardinality(keys) as n
    )
    select coalesce(sum(w.n), 0) from written w$q$,
    pgscore_data._code_expression((r.target).key_columns), pgscore_data._kept_columns(r.target, r.segments is not null),
    pgscore_data._kept_rows(r.target, r.segments is not null), (r.target).task in ('binary', 'multiclass'),
    case when (r.target).task not in ('binary', 'regression') and (r.target).score_unit is null
        then ', array_agg(n.probabilities) as probabilities'
      else ', null::double precision[] as probabilities' end
      || case when r.segments is not null then ', array_agg(n.segments) as segments' else ', null::int[] as segments' end,
    (select string_agg(format('p.%I as key_%s', k ->> 'name', n), ', ' order by n)
     from jsonb_array_elements((r.target).key_columns) with ordinality x (k, n)),
    (select string_agg(n::text, ', ') from generate_series(1, 1 + jsonb_array_length((r.target).key_columns)) n), this_run)
  into kept using array[this_run], (r.target).class_labels, array[r.generation, 0], r.segments, r.model_id, r.n_buckets - 1;
  return kept;
end
$$;
comment on function pgscore_data._write_blocks(bigint) is 'Writes the predictions of a run as blocks. Returns the number of predictions.';

create or replace view pgscore_data.block_prediction as
select r.version_id, r.run_id, r.event_time, b.bucket, k.code,
       case when b.segments is not null then array(select unnest(b.segments[k.n : k.n])) end as segments
  from pgscore_data.kept_run r
  join pgscore_data.kept_block b using (run_id)
 cross join lateral unnest(b.keys) with ordinality as k (code, n);
comment on view pgscore_data.block_prediction is 'The predictions of blocks, one row each.';

create or replace function pgscore_data._block_rows(this_run bigint)
returns table (
  code text, key text[], event_time timestamptz, score double precision, predicted_class smallint,
  probabilities double precision[], segments int[]
)
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select k.code, pgscore_data._key_of(k.code, r.n_columns), r.event_time, coalesce(k.score, k.exact_score), k.class,
         case when b.probabilities is not null then array(select unnest(b.probabilities[k.position : k.position])) end,
         case when b.segments is not null then array(select unnest(b.segments[k.position : k.position])) end
    from pgscore_data.kept_run r
    join pgscore_data.kept_block b using (run_id)
   cross join lateral unnest(b.keys, b.scores, b.exact_scores, b.classes) with ordinality as k (code, score, exact_score, class, position)
   where r.run_id = this_run;
end;
comment on function pgscore_data._block_rows(bigint) is 'The predictions of a run that is kept in blocks, one row each.';
