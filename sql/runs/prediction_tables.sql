-- Where the predictions of a target are: a typed table, partitioned by generation, and its views.

create or replace function pgscore_data._prediction_columns(task text, value_columns text[])
returns table (name text, type text, n bigint)
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select c.name, case when c.name = any (value_columns) and task = 'embedding' then 'real[]'
           when c.name = any (value_columns) and task = 'multilabel' and c.name like 'label\_%' then 'boolean'
           when c.name in ('label', 'error_code') then 'text' when c.name = 'probabilities' then 'jsonb' else 'double precision' end, c.n
    from unnest(case when task in ('multi_target', 'multilabel', 'embedding') then '{}'
                  when task in ('regression', 'quantiles') then '{score}'
                  when value_columns is null then '{score,label,probabilities}' else '{score,label}'::text[] end
                || value_columns || array['error_code']) with ordinality as c (name, n)
$$;
comment on function pgscore_data._prediction_columns(text, text[]) is
  'The columns that hold a prediction; the encoder writes them in this order.';

create or replace function pgscore_data._storage_view(t pgscore_data.target, view_suffix text, filter text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  base text := 'target_' || t.target_id;
begin
  -- Left joins: the planner drops them from a query that asks for no column of the run.
  execute format(
    'create view pgscore_predictions.%I as
     select %s, %s, m.name || ''@'' || v.number as model_version, p.run_id, coalesce(p.event_time, r.snapshot_at) as '
'event_time, r.snapshot_at as scored_at
       from pgscore_predictions.%I p
       left join pgscore_data.run r on r.run_id = p.run_id
       left join pgscore_data.version v on v.version_id = r.version_id
       left join pgscore_data.model m on m.model_id = v.model_id
      where %s',
    base || view_suffix,
    (select string_agg(format('p.%I', k ->> 'name'), ', ' order by n) from jsonb_array_elements(t.key_columns) with ordinality as x (k, n)),
    (select string_agg(format('p.%I', c.name), ', ' order by c.n) from pgscore_data._prediction_columns(t.task, t.value_columns) c),
    base, filter);
  execute format('grant select on pgscore_predictions.%I to %I', base || view_suffix, t.owner);
end
$$;
comment on function pgscore_data._storage_view(pgscore_data.target, text, text) is
  'Makes one of the two views over a target''s storage and lets its owner read it.';

create or replace function pgscore_data._create_predictions(t pgscore_data.target) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  base constant text := 'target_' || t.target_id;
  keys text;
  key_names text;
begin
  select string_agg(format('%I %s not null', k ->> 'name', k ->> 'sql_type'), ', ' order by n),
         string_agg(quote_ident(k ->> 'name'), ', ' order by n)
    into keys, key_names from jsonb_array_elements(t.key_columns) with ordinality as x (k, n);
  execute format('create table pgscore_predictions.%I (generation int not null, %s, event_time timestamptz, %s, run_id bigint not null, '
                 'pgscore_segments text[], pgscore_hash bigint) partition by list (generation)',
    base, keys, (select string_agg(format('%I %s', c.name, c.type), ', ' order by c.n)
                   from pgscore_data._prediction_columns(t.task, t.value_columns) c));
  execute format('comment on table pgscore_predictions.%I is %L', base,
                 format('Predictions of target %I.%I, one partition a generation. Read them through its views.', t.view_schema,
                        t.view_name));
  execute format('create table pgscore_predictions.%I partition of pgscore_predictions.%I for values in (0)', base || '_g0', base);
  execute format('create unique index on pgscore_predictions.%I (%s, run_id)', base || '_g0', key_names);
  execute format('create index on pgscore_predictions.%I (run_id)', base || '_g0');
  execute format('create table pgscore_predictions.%I partition of pgscore_predictions.%I for values in (1)', base || '_g1', base);
  execute format('create unique index on pgscore_predictions.%I (%s)', base || '_g1', key_names);
  execute format('alter table pgscore_predictions.%I replica identity full', base || '_g0');
  execute format('alter table pgscore_predictions.%I replica identity full', base || '_g1');
  execute format('grant select, insert, update, delete on pgscore_predictions.%I, pgscore_predictions.%I, pgscore_predictions.%I to '
                 'pgscore_service', base, base || '_g0', base || '_g1');
  insert into pgscore_data.generation (target_id, generation, state) values (t.target_id, 0, 'published'), (t.target_id, 1, 'published');
end
$$;
comment on function pgscore_data._create_predictions(pgscore_data.target) is
  'Creates the table of the predictions of a target, its superseded and its first generation.';
