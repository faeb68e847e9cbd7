-- What features are compared with: the first runs by default, or what a deployer says.
-- in: set_baseline(), which counts a table as its caller, in the bins of _baseline_plan(). out: feature_baseline, touched_feature.

create or replace view pgscore._baseline_request as
select null::text as model, null::text as action, null::jsonb as settings, null::jsonb as outcome, null::name as requested_by where false;
comment on view pgscore._baseline_request is
  'Where set_baseline() hands its request over: requested_by is the caller, and nobody can write it.';
alter view pgscore._baseline_request alter column requested_by set default current_user;

create or replace function pgscore_data._baseline_plan(this_version int, samples jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select jsonb_agg(jsonb_build_object('feature', w.feature, 'name', w.name, 'kind', w.kind, 'frozen', coalesce(b.is_frozen, false),
           'low', b.low, 'high', b.high, 'edges', b.edges::text, 'categories', b.categories::text, 'others', b.others::text)
           order by w.feature)
    from pgscore_data._watched(this_version) w
    left join lateral (
      select true as is_frozen, k.low, k.high, k.edges, k.categories, k.others
        from pgscore_data.feature_set s join pgscore_data.feature_bins k using (set_id)
       where samples is null and s.version_id = this_version and k.feature = w.feature
      union all
      select false, n.low, n.high, n.edges, c.categories, c.others
        from (select x from jsonb_array_elements(samples) x where (x ->> 'feature')::smallint = w.feature) y (s)
       cross join lateral pgscore_data._number_bins(
         array(select x::float8 from jsonb_array_elements_text(coalesce(nullif(s -> 'numbers', 'null'), '[]')) x)) n
       cross join lateral pgscore_data._category_bins(
         array(select jsonb_array_elements_text(coalesce(nullif(s -> 'texts', 'null'), '[]')))) c) b on true;
end;
comment on function pgscore_data._baseline_plan(int, jsonb) is
  'The features of a version with the bins that they are counted in, for whoever counts a table: the frozen ones, or those that '
  '_freeze_bins would make of samples.';

create or replace function pgscore_data._touch_set(this_set int) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  insert into pgscore_data.touched_feature (set_id, day) select distinct c.set_id, c.day from pgscore_data.cell_feature c
    where c.set_id = this_set on conflict do nothing;
end;
comment on function pgscore_data._touch_set(int) is 'Has the drift of all days of a version computed again.';

create or replace function pgscore_data._put_baseline(this_set int, origin text, feature_rows bigint) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  update pgscore_data.feature_set s set baseline = origin, baseline_rows = feature_rows, baseline_complete = true where s.set_id = this_set;
  select pgscore_data._touch_set(this_set);
end;
comment on function pgscore_data._put_baseline(int, text, bigint) is 'Declares the baseline of a version complete.';

create or replace function pgscore_data._baseline_of_history(this_version int, base text, settings jsonb) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this_set int := (select s.set_id from pgscore_data.feature_set s where s.version_id = this_version);
  from_time timestamptz := coalesce((settings ->> 'from_time')::timestamptz, '-infinity');
  to_time timestamptz := coalesce((settings ->> 'to_time')::timestamptz, 'infinity');
  held bigint;
begin
  select sum(n) into held
    from pgscore_data.cell_feature c cross join lateral unnest(c.counts) n
   where c.set_id = this_set and c.day >= from_time and c.day < to_time
     and c.feature = (select min(b.feature) from pgscore_data.feature_bins b where b.set_id = this_set);
  if held is null then
    raise exception 'no day of "%" in that time has features that were counted', base using
      errcode = 'no_data_found', hint = format('select window_date, n from pgscore_bi.feature_drift_daily where model_name = %L; has the '
                                               'days that there are.', split_part(base, '@', 1));
  end if;
  delete from pgscore_data.feature_baseline b where b.set_id = this_set;
  insert into pgscore_data.feature_baseline (set_id, feature, counts, n_measured, sum)
  select this_set, b.feature, pgscore_data._dense(b.n_bins + 3, x.slots, x.counts), y.n_measured, y.sum
    from pgscore_data.feature_bins b
   cross join lateral (
     select array_agg(u.slot::smallint) as slots, array_agg(u.n) as counts from pgscore_data.cell_feature c
      cross join lateral unnest(c.counts) with ordinality u (n, slot)
      where c.set_id = this_set and c.feature = b.feature and c.day >= from_time and c.day < to_time) x
   cross join lateral (
     select sum(c.n_measured) as n_measured, sum(c.sum) as sum from pgscore_data.cell_feature c
      where c.set_id = this_set and c.feature = b.feature and c.day >= from_time and c.day < to_time) y
   where b.set_id = this_set;
  perform pgscore_data._put_baseline(this_set, 'history', held);
  return held;
end
$$;
comment on function pgscore_data._baseline_of_history(int, text, jsonb) is
  'Makes the days that begin in a time the baseline of a version; how many rows they hold.';

create or replace function pgscore_data._baseline_of_counts(this_version int, base text, counted jsonb, samples jsonb) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this_set int := (select s.set_id from pgscore_data.feature_set s where s.version_id = this_version);
  held bigint;
begin
  if (this_set is null) <> (samples is not null) then
    raise exception 'the bins of "%" were frozen or forgotten meanwhile', base
      using errcode = 'serialization_failure', hint = 'Call pgscore.set_baseline() again.';
  end if;
  if exists (select from jsonb_to_recordset(counted) c (n numeric, measured numeric, sum float8)
              where c.n not between 0 and 9007199254740991 or c.measured not between 0 and c.n or not abs(c.sum) < 1e80
                 or num_nulls(c.n, c.measured, c.sum) > 0) then
    raise exception 'these are no counts' using errcode = 'invalid_parameter_value', hint = 'Call pgscore.set_baseline().';
  end if;
  if samples is not null then
    perform pgscore_data._freeze_bins(this_version, samples);
    select s.set_id into this_set from pgscore_data.feature_set s where s.version_id = this_version;
  end if;
  delete from pgscore_data.feature_baseline b where b.set_id = this_set;
  insert into pgscore_data.feature_baseline (set_id, feature, counts, n_measured, sum)
  select this_set, b.feature, pgscore_data._dense(b.n_bins + 3, array_agg(c.slot), array_agg(c.n)), coalesce(sum(c.measured), 0),
         coalesce(sum(pgscore_data._exactly(c.sum)), 0)
    from pgscore_data.feature_bins b
    join jsonb_to_recordset(counted) c (feature smallint, slot smallint, n bigint, measured bigint, sum float8) using (feature)
   where b.set_id = this_set group by b.feature, b.n_bins;
  select min((select sum(n) from unnest(b.counts) n)) into held from pgscore_data.feature_baseline b where b.set_id = this_set;
  perform pgscore_data._put_baseline(this_set, 'table', held);
  return held;
end
$$;
comment on function pgscore_data._baseline_of_counts(int, text, jsonb, jsonb) is
  'Makes what somebody counted in a table the baseline of a version, and freezes the bins of these values where there were none to count '
  'in; how many rows it has.';

create or replace function pgscore_data._accept_baseline() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set extra_float_digits = 1
as $$
declare
  version record := pgscore._find_version(new.model);
begin
  -- Whoever asks for a plan goes on to count a table, which may take hours. Until it is counted, nobody is held up.
  if new.action = 'plan' then
    new.outcome := pgscore_data._baseline_plan(version.version_id, new.settings);
    return new;
  end if;
  -- A refresh may be counting into what is changed here.
  perform pgscore_data._await_turn('cells');
  case new.action
    when 'count' then
      new.outcome := to_jsonb(pgscore_data._baseline_of_counts(version.version_id, new.model, new.settings -> 'counts',
                                                               new.settings -> 'samples'));
      new.settings := new.settings - 'counts' - 'samples';
    when 'history' then
      new.outcome := to_jsonb(pgscore_data._baseline_of_history(version.version_id, new.model, new.settings));
    when 'anew' then
      delete from pgscore_data.feature_set s where s.version_id = version.version_id;
  end case;
  insert into pgscore_data.audit (actor, action, model, version, detail)
  values (new.requested_by, 'set_baseline', version.model_name, version.number, jsonb_strip_nulls(new.settings));
  return new;
end
$$;
comment on function pgscore_data._accept_baseline() is 'Does what set_baseline() asks for, and writes it to the audit.';

create or replace trigger accept instead of insert on pgscore._baseline_request
for each row execute function pgscore_data._accept_baseline();

create or replace function pgscore._baseline_columns(source regclass, plan jsonb) returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  f record;
  found jsonb := '[]';
begin
  for f in
    select p.value as feature, p.value ->> 'name' as name, p.value ->> 'kind' as kind, a.attname, t.typname, t.typtype, t.typcategory,
           pgscore._base_type(a.atttypid) as type
      from jsonb_array_elements(plan) p
      left join lateral (
        select x.attname, x.atttypid from pg_attribute x
         where x.attrelid = source and x.attnum > 0 and not x.attisdropped and lower(x.attname) = lower(p.value ->> 'name')
        order by x.attname = p.value ->> 'name' desc limit 1) a on true
      left join pg_type t on t.oid = pgscore._base_type(a.atttypid)
  loop
    if f.attname is null then
      raise exception '% has no column "%"', source, f.name using
        errcode = 'undefined_column', hint = 'Give a table or view that has every feature of the model under its name.';
    end if;
    if f.type <> 'bool'::regtype
      and (f.kind = 'number' and f.typcategory <> 'N' or f.kind = 'category' and f.typcategory <> 'S' and f.typtype <> 'e') then
      raise exception 'column "%" of % is %, and feature "%" a %', f.attname, source, f.type::regtype, f.name, f.kind using
        errcode = 'datatype_mismatch', hint = 'Give a view that casts it to the type that the model takes.';
    end if;
    found := found || jsonb_build_array(f.feature || jsonb_build_object('value',
      case when f.kind = 'number' and f.type = 'bool'::regtype then format('s.%I::int::float8', f.attname)
        when f.kind = 'number' then format('s.%I::float8', f.attname)
        when f.type = 'bool'::regtype then format('case when s.%1$I then ''true'' when not s.%1$I then ''false'' end', f.attname)
        else format('case when s.%1$I is not null then concat(s.%1$I) end', f.attname) end));
  end loop;
  return found;
end
$$;
comment on function pgscore._baseline_columns(regclass, jsonb) is
  'The columns of a source that hold the features of a plan, as expressions.';

create or replace function pgscore.set_baseline(model text, source regclass default null, from_time timestamptz default null,
                                                to_time timestamptz default null) returns bigint
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set extra_float_digits = 1
as $$
declare
  plan jsonb;
  columns jsonb;
  samples jsonb;
  counted jsonb;
  held jsonb;
begin
  if source is null then
    insert into pgscore._baseline_request (model, action, settings)
    values (model, case when from_time is null and to_time is null then 'anew' else 'history' end,
            jsonb_build_object('from_time', from_time, 'to_time', to_time)) returning outcome into held;
    return held;
  end if;
  if from_time is not null or to_time is not null then
    raise exception 'a baseline is a table or a time, not both'
      using errcode = 'invalid_parameter_value', hint = 'Give a view that selects the rows of that time.';
  end if;
  insert into pgscore._baseline_request (model, action) values (model, 'plan') returning outcome into plan;
  if plan is null then
    raise exception 'no feature of "%" is watched', model
      using errcode = 'object_not_in_prerequisite_state',
        hint = 'Array features are not; the others are from the moment that the version is ready.';
  end if;
  columns := pgscore._baseline_columns(source, plan);
  if not (plan -> 0 ->> 'frozen')::boolean then
    execute format('select jsonb_build_array(%s) from (select s.* from %s s order by random() limit 10000) s',
      (select string_agg(format('jsonb_build_object(''feature'', %s, %L, jsonb_agg(%s))', c ->> 'feature',
                                case c ->> 'kind' when 'number' then 'numbers' else 'texts' end, c ->> 'value'), ', ')
                                  from jsonb_array_elements(columns) c), source)
      into samples;
    insert into pgscore._baseline_request (model, action, settings) values (model, 'plan', samples) returning outcome into plan;
    columns := pgscore._baseline_columns(source, plan);
  end if;
  execute (
    select 'select jsonb_agg(c) from (' || string_agg(format(case c ->> 'kind'
      when 'number' then 'select %1$s as feature, pgscore._number_slot(s.x, %3$L, %4$L, %5$L) as slot, count(*) as n, count(*) filter '
                         '(where abs(s.x) < 1e60) as measured, coalesce(sum(s.x) filter (where abs(s.x) < 1e60), 0) as sum'
      else 'select %1$s, pgscore._category_slot(s.x, %6$L, %7$L), count(*), 0, 0' end
        || ' from (select %2$s as x from %8$s s) s group by 2',
      c ->> 'feature', c ->> 'value', c ->> 'low', c ->> 'high', c ->> 'edges', c ->> 'categories', c ->> 'others', source), ' union all ')
        || ') c'
      from jsonb_array_elements(columns) c)
    into counted;
  if counted is null then
    raise exception '% has no row', source using errcode = 'no_data_found', hint = 'Give a table with the rows that the model was trained '
      'on, or others that are as they should be.';
  end if;
  insert into pgscore._baseline_request (model, action, settings)
    values (model, 'count', jsonb_build_object('source', source::text, 'counts', counted)
            || case when samples is null then '{}' else jsonb_build_object('samples', samples) end) returning outcome into held;
  return held;
end
$$;
comment on function pgscore.set_baseline(text, regclass, timestamptz, timestamptz) is
'Says what the features of a version are compared with; without a call, with its first runs.
source: a table or view that has every feature under its name, read with your rights.  from_time, to_time: the days of the version''s own '
'history that begin then.  Neither: what was known of its features is forgotten, and its next runs are the baseline.
model: churn means its champion, churn@3 that version.  Bins that are frozen stay as they are. Returns how many rows the baseline has. '
'Days are compared anew with the next refresh.';
