-- What a run of a model in an experiment reads besides: the columns that say which arm a row is in, and the features of the arms.

create or replace function pgscore._experiment_of(model text, version_id int, out experiment_id int, out kind text, out split_by text[],
                                                  out signatures jsonb)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select e.experiment_id, e.kind, e.split_by,
         (select jsonb_agg(v.signature order by v.version_id)
            from pgscore_data.experiment_arm a join pgscore_data.version v using (version_id) where a.experiment_id = e.experiment_id)
    from pgscore_data.experiment e
   where e.champion_version_id = $2 and e.stopped_at is null and coalesce(nullif(split_part($1, '@', 2), ''), 'champion') = 'champion'
$$;
comment on function pgscore._experiment_of(text, int) is
  'The running experiment of a model that a run is asked of, with the signatures of its arms. A run of a named version is in none.';

create or replace function pgscore._split_columns(source regclass, names text[], kind text) returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  c record;
  planned jsonb := '[]';
begin
  for c in
    select w.name as wanted, a.attname, a.atttypid, b.base, pgscore._wire_type(b.base) as wire
      from unnest(names) with ordinality as w (name, n)
      left join pg_attribute a on a.attrelid = source and a.attname = w.name and a.attnum > 0 and not a.attisdropped
     cross join lateral (select pgscore._base_type(a.atttypid) as base) b order by w.n
  loop
    if c.attname is null then
      raise exception 'source % lacks column "%", by which the experiment splits', source, c.wanted using
        errcode = 'undefined_column',
        hint = 'Score a view that has it, or a version by its number: no experiment splits its runs.';
    elsif not has_column_privilege(source, c.attname, 'select') then
      raise exception 'permission denied for column "%" of %, by which the experiment splits', c.attname, source using
        errcode = 'insufficient_privilege', hint = format('grant select on %s to %I;', source, current_user);
    elsif kind <> 'shadow' and not coalesce(c.wire in ('int2', 'int4', 'int8', 'text') or c.base = 'uuid'::regtype, false) then
      raise exception 'column "%" of % is %, and the experiment splits by it', c.attname, source, format_type(c.atttypid, null) using
        errcode = 'datatype_mismatch',
        detail = 'Experiments split by texts, integers and uuids.',
        hint = format('Score a view that casts it: %1$I::text as %1$I.', c.attname);
    end if;
    planned := planned || jsonb_build_object('name', c.attname, 'role', 'split', 'type', coalesce(c.wire, 'raw'), 'width', 1,
                                             'sql_type', format_type(c.base, -1));
  end loop;
  return planned;
end
$$;
comment on function pgscore._split_columns(regclass, text[], text) is
  'The columns of a source by which an experiment splits; raises for one that is not there, or of another type.';

create or replace function pgscore._arm_features(source regclass, columns jsonb, signature jsonb, column_map jsonb) returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  given jsonb := case when jsonb_typeof(column_map) = 'object' then (
    select jsonb_object_agg(m.key, m.value) from jsonb_each(column_map) m
     where signature -> 'features' @> jsonb_build_array(jsonb_build_object('name', m.key))) end;
  f jsonb;
  same jsonb;
  added jsonb := '[]';
begin
  for f in select x from jsonb_array_elements(pgscore._feature_columns(source, signature, given)) x loop
    same := jsonb_path_query_first(columns, '$[*] ? (@.role == "feature" && @.feature == $f)', jsonb_build_object('f', f -> 'feature'));
    if same is null then
      if not has_column_privilege(source, f ->> 'name', 'select') then
        raise exception 'permission denied for column "%" of %', f ->> 'name', source using
          errcode = 'insufficient_privilege', hint = format('grant select on %s to %I;', source, current_user);
      end if;
      added := added || (f || '{"of_arm": true}');
    elsif same - 'of_arm' <> f then
      raise exception 'feature "%" has another shape in an arm of the experiment than in its champion', f ->> 'feature' using
        errcode = 'datatype_mismatch',
        hint = 'Runs cannot be split between the two: stop the experiment, or give the feature another name.';
    end if;
  end loop;
  return added;
end
$$;
comment on function pgscore._arm_features(regclass, jsonb, jsonb, jsonb) is
  'The columns for features that only an arm of an experiment has.';

create or replace function pgscore._add_arms(plan jsonb, source regclass, e record, column_map jsonb) returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  columns jsonb := plan -> 'columns';
  signature jsonb;
begin
  columns := columns || pgscore._split_columns(source, case when e.kind = 'shadow'
    then array(select c ->> 'name' from jsonb_array_elements(columns) with ordinality as x (c, n) where c ->> 'role' = 'key' order by n)
    else e.split_by end, e.kind);
  for signature in select s from jsonb_array_elements(e.signatures) s loop
    columns := columns || pgscore._arm_features(source, columns, signature, column_map);
  end loop;
  return plan || jsonb_build_object('columns', columns, 'experiment', e.experiment_id);
end
$$;
comment on function pgscore._add_arms(jsonb, regclass, record, jsonb) is 'A plan with what the arms of an experiment read besides.';

create or replace function pgscore._plan_arms(plan jsonb, source regclass, model text, version_id int, column_map jsonb, is_asked boolean)
returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  e record;
  reason text;
begin
  select * into e from pgscore._experiment_of(model, version_id);
  if e.experiment_id is null then
    return plan;
  elsif is_asked and e.kind <> 'shadow' then
    return pgscore._add_arms(plan, source, e, column_map);
  end if;
  begin
    return pgscore._add_arms(plan, source, e, column_map);
  exception
    when others then
      get stacked diagnostics reason = message_text;
      raise notice 'the experiment of the model is left out: %', reason;
      return plan || jsonb_build_object('arm_error', reason);
  end;
end
$$;
comment on function pgscore._plan_arms(jsonb, regclass, text, int, jsonb, boolean) is
'A plan with what the running experiment of the model reads besides. Where its source cannot be split, it raises if somebody asks for a run
just now. A schedule, a watch and a shadow go on without: arm_error says why.';

create or replace function pgscore_data._arms_fit(plan jsonb, this_version int) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select case when not plan ? 'experiment' then not jsonb_path_exists(plan, '$.columns[*] ? (@.role == "split" || exists (@.of_arm))')
    else jsonb_path_exists(plan, '$.columns[*] ? (@.role == "split")') and (
      select coalesce(bool_and(jsonb_path_exists(plan, '$.columns[*] ? (@.role == "feature" && @.feature == $f && @.width == $w)',
                                                 jsonb_build_object('f', f -> 'name', 'w', f -> 'width'))
                               and pgscore._cast_allowed(c.col ->> 'type', f ->> 'type', (f ->> 'width')::int)
                               and c.col -> 'shape' is not distinct from f -> 'shape'), false)
        from pgscore_data.experiment e
        join pgscore_data.experiment_arm a using (experiment_id)
        join pgscore_data.version v on v.version_id = a.version_id
       cross join jsonb_array_elements(v.signature -> 'features') f
       cross join lateral (select jsonb_path_query_first(plan, '$.columns[*] ? (@.role == "feature" && @.feature == $f)',
                                                         jsonb_build_object('f', f -> 'name')) as col) c
       where e.experiment_id = (plan ->> 'experiment')::int and e.champion_version_id = this_version)
  end
$$;
comment on function pgscore_data._arms_fit(jsonb, int) is
  'Whether a plan reads what the arms of its experiment need, and a plan without experiment no more than its version.';
