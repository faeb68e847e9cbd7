-- The arms of an experiment: which versions they are, and which buckets they have.

create or replace function pgscore_data._refuse_arm(base text, version text, problem text, remedy text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'version "%" cannot be an arm of an experiment of model "%": %', version, base, problem using
    errcode = 'invalid_parameter_value', hint = remedy;
end
$$;
comment on function pgscore_data._refuse_arm(text, text, text, text) is 'Raises that a version cannot be an arm.';

create or replace function pgscore_data._arm_weights(arms jsonb) returns table (version text, weight numeric)
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  wrong text;
begin
  if jsonb_typeof(arms) is distinct from 'object' or arms = '{}' then
    raise exception 'arms is no JSON object of versions and percents' using errcode = 'invalid_parameter_value',
      detail = format('It is %s.', coalesce(left(arms::text, 80), 'NULL')), hint = 'Give, for example, ''{"churn@4": 10}''.';
  end if;
  select format('%s: %s', a.key, a.value) into wrong from jsonb_each(arms) a
   where case when jsonb_typeof(a.value) <> 'number' then true
           else a.value::numeric not between 0.01 and 100 or a.value::numeric <> round(a.value::numeric, 2) end
   order by a.key limit 1;
  if wrong is not null then
    raise exception 'the weight of an arm is a percent from 0.01 to 100 with two decimals at most' using
      errcode = 'invalid_parameter_value', detail = wrong, hint = 'Give, for example, ''{"churn@4": 10}''.';
  end if;
  return query select a.key, a.value::numeric from jsonb_each(arms) a order by a.key;
end
$$;
comment on function pgscore_data._arm_weights(jsonb) is 'Versions and percents as a user wrote them; raises where they have another form.';

create or replace function pgscore_data._arm_version(this_model int, base text, version text, champion int) returns int
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  arm int;
  problem text;
begin
  if split_part(version, '@', 1) <> base or version = base then
    perform pgscore_data._refuse_arm(base, version, 'it is no version of this model', format('Name one, such as %s@2.', base));
  end if;
  arm := (pgscore._ready_version(version)).version_id;
  if arm = champion then
    perform pgscore_data._refuse_arm(base, version, 'it is the champion', 'Leave it out: the champion has what the arms leave.');
  end if;
  select case when mine.task <> its.task then format('its task is %s, and that of the champion %s', mine.task, its.task)
           when mine.class_labels <> its.class_labels or mine.positive_class is distinct from its.positive_class then format(
             'it says %s, and the champion %s', array_to_string(mine.class_labels, ', '), array_to_string(its.class_labels, ', '))
           when mine.probabilities <> its.probabilities or mine.score_unit is distinct from its.score_unit
             then 'its scores have another meaning than those of the champion'
           when mv.signature #>> '{outputs,values,0,width}' is distinct from iv.signature #>> '{outputs,values,0,width}'
             then 'its vectors have another length than those of the champion' end
    into problem
    from pgscore_data.execution mine join pgscore_data.version mv using (version_id),
         pgscore_data.execution its join pgscore_data.version iv using (version_id)
   where mine.version_id = arm and its.version_id = champion;
  if problem is not null then
    perform pgscore_data._refuse_arm(base, version, problem, 'What a query reads must be the same of every arm.');
  end if;
  perform pgscore_data._refuse_unfitting(this_model, arm, pgscore_models._version_name(arm));
  return arm;
end
$$;
comment on function pgscore_data._arm_version(int, text, text, int) is
  'The version of an arm; raises where it cannot answer in place of the champion.';

create or replace function pgscore_data._grow_buckets(buckets int4multirange, taken int4multirange, size int) returns int4multirange
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select buckets + coalesce(range_agg(int4range(f.bucket, f.bucket + 1)), '{}')
    from (select b as bucket from generate_series(0, 9999) b where not taken @> b
           order by b limit size - (select coalesce(sum(upper(r) - lower(r)), 0) from unnest(buckets) r)) f
$$;
comment on function pgscore_data._grow_buckets(int4multirange, int4multirange, int) is
  'Adds the lowest free buckets, so that there are size of them. taken: the buckets of all arms.';

create or replace function pgscore_data._set_arm(this pgscore_data.experiment, base text, arm int, percent numeric) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  present constant pgscore_data.experiment_arm := (select a from pgscore_data.experiment_arm a
                                                    where a.experiment_id = this.experiment_id and a.version_id = arm);
  taken constant int4multirange := (select coalesce(range_agg(b), '{}')
                                      from pgscore_data.experiment_arm a cross join unnest(a.buckets) b
                                     where a.experiment_id = this.experiment_id);
begin
  if percent < present.weight then
    raise exception 'arm "%" has % %% of entities already: an arm only grows', pgscore_models._version_name(arm), present.weight using
      errcode = 'object_not_in_prerequisite_state',
      hint = format('select pgscore.stop_experiment(%L); gives all entities back to the champion.', base);
  end if;
  insert into pgscore_data.experiment_arm (experiment_id, version_id, weight, buckets)
  values (this.experiment_id, arm, percent, case when this.kind = 'shadow' then '{[0,10000)}'
    else pgscore_data._grow_buckets(coalesce(present.buckets, '{}'), taken, (100 * percent)::int) end)
  on conflict (experiment_id, version_id) do update set weight = excluded.weight, buckets = excluded.buckets
    where experiment_arm.weight <> excluded.weight;
end
$$;
comment on function pgscore_data._set_arm(pgscore_data.experiment, text, int, numeric) is
  'Gives an arm a percentage of entities: those that it has, and more.';

create or replace function pgscore_data._set_arms(this pgscore_data.experiment, base text, arms jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  wanted record;
  arm int;
  seen int[] := '{}';
  total numeric;
begin
  for wanted in select * from pgscore_data._arm_weights(arms) loop
    arm := pgscore_data._arm_version(this.model_id, base, wanted.version, this.champion_version_id);
    if arm = any (seen) then
      perform pgscore_data._refuse_arm(base, wanted.version, 'it is named twice', 'Name each version once.');
    elsif this.kind = 'shadow' and wanted.weight <> 100 then
      perform pgscore_data._refuse_arm(base, wanted.version, 'a shadow has a weight of 100',
                                       'sampling => 0.2 has it score a fifth of the entities.');
    end if;
    seen := seen || arm;
  end loop;
  total := (select sum(w.weight) from pgscore_data._arm_weights(arms) w)
    + (select coalesce(sum(a.weight), 0) from pgscore_data.experiment_arm a
        where a.experiment_id = this.experiment_id and a.version_id <> all (seen));
  if total > 100 and this.kind <> 'shadow' then
    raise exception 'the arms of model "%" would have % %% of entities', base, total using errcode = 'invalid_parameter_value',
      hint = 'The weights of all arms are percents, 100 together at most; the champion has the rest.';
  end if;
  perform pgscore_data._set_arm(this, base, s.arm, w.weight)
     from pgscore_data._arm_weights(arms) with ordinality w (version, weight, n)
     join unnest(seen) with ordinality s (arm, n) using (n);
end
$$;
comment on function pgscore_data._set_arms(pgscore_data.experiment, text, jsonb) is 'Gives arms the percentages that a user wrote.';

create or replace function pgscore_data._warn_of_arms(this pgscore_data.experiment, base text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  is_shadow constant boolean := this.kind = 'shadow';
  l record;
  other record;
begin
  if is_shadow and exists (select from pgscore_data.execution e where e.version_id = this.champion_version_id and e.native) then
    raise notice 'calls of model "%" that the database computes have no shadow, as they are not kept', base using
      hint = 'Runs and watches have one, and calls of unbound tables or jsonb where pgscore.execution is online.';
  end if;
  select coalesce(c.sampling, 1) as sampling, coalesce(c.inputs, true) as inputs into l
    from (select this.model_id) m left join pgscore_data.call_log c using (model_id);
  if is_shadow and (l.sampling < 1 or not l.inputs) then
    raise notice 'calls of model "%" have a shadow as far as they are kept with their inputs: % %% are kept, % inputs', base,
      100 * l.sampling, case when l.inputs then 'with' else 'without' end using
      hint = format('select pgscore.log_calls(%L, sampling => 1, inputs => true);', base);
  end if;
  for other in
    select pgscore_models._version_name(a.version_id) as arm, string_agg(format('"%s"', f ->> 'name'), ', ') as names
      from pgscore_data.experiment_arm a join pgscore_data.version v using (version_id)
     cross join lateral jsonb_array_elements(v.signature -> 'features') f
      join pgscore_data.version c on c.version_id = this.champion_version_id
     where a.experiment_id = this.experiment_id and lower(f ->> 'name') not in (
       select lower(x ->> 'name') from jsonb_array_elements(c.signature -> 'features') x)
     group by a.version_id order by a.version_id
  loop
    raise notice 'version "%" reads %, which the champion does not: %', other.arm, other.names,
      case when is_shadow then 'it cannot score calls' else 'score() refuses rows of its entities that lack it' end using
      hint = case when is_shadow then 'Runs and watches have one: their source has all columns.'
               else 'Have every query of the model give it, or stop the experiment.' end;
  end loop;
end
$$;
comment on function pgscore_data._warn_of_arms(pgscore_data.experiment, text) is
  'Warns which calls a new shadow will not score, and which rows score() will refuse for a new arm.';
