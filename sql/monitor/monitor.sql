-- What a label and a score mean: classes, numbers, score bins; and the turn that a refresh takes.

create or replace function pgscore_data._monitor_model() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into pgscore_data.monitor (model_id) values (new.model_id);
  return null;
end
$$;
comment on function pgscore_data._monitor_model() is 'Every model is watched, with defaults, without being asked for.';

create or replace trigger monitor_model after insert on pgscore_data.model
for each row execute function pgscore_data._monitor_model();

create or replace function pgscore_data._is_sealed(this_model int, event_time timestamptz) returns boolean
language sql stable
return event_time < (select m.sealed_before from pgscore_data.monitor m where m.model_id = this_model) is true;
comment on function pgscore_data._is_sealed(int, timestamptz) is 'Whether a day is sealed that a prediction is for.';

create or replace function pgscore_data._judges_sealed(this_model int, key text[], known_at timestamptz) returns boolean
language sql stable
return (
  select bool_and(pgscore_data._is_sealed(e.model_id, e.event_time)) is true from pgscore_data.evaluation e
   where e.model_id = this_model and hash_array(e.key) = hash_array(_judges_sealed.key) and e.key = _judges_sealed.key
     and e.known_at = _judges_sealed.known_at);
comment on function pgscore_data._judges_sealed(int, text[], timestamptz) is
  'Whether a label judges only predictions of sealed days: what it says then stays.';

create or replace view pgscore_data.scored_version as
select e.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.score_unit from pgscore_data.execution e
union all
select d.version_id, d.task, d.class_labels, d.positive_class, d.threshold, d.probabilities, d.score_unit
  from pgscore_data.dropped_version d
union all
select n.value_id, n.task, case n.task when 'binary' then '{0,1}'::text[] else '{}' end, case n.task when 'binary' then 2 end, n.threshold,
       n.probabilities, null
  from pgscore_data.version_value n;
comment on view pgscore_data.scored_version is
  'What accuracy is read by, of versions that are ready, of those that were dropped, and of each value of a row that has several.';

create or replace view pgscore_data.counted_version as
select v.version_id, v.version_id as of_version, null::smallint as place, v.model_id, v.number, v.state, null::text as target,
       (select n.quantile from pgscore_data.version_value n where n.version_id = v.version_id and n.is_score) as quantile,
       (select max(n.quantile) - min(n.quantile) from pgscore_data.version_value n where n.version_id = v.version_id
        having count(n.quantile) = count(*) and count(*) > 1) as interval_level
  from pgscore_data.version v
union all
select n.value_id, n.version_id, n.place, v.model_id, v.number, v.state, n.name, n.quantile, null
  from pgscore_data.version_value n join pgscore_data.version v using (version_id);
comment on view pgscore_data.counted_version is
  'What has cells: each version, and by itself each value of a row that has several, which is a target of of_version.';

create or replace view pgscore_data.scored as
select r.run_id, r.attempt, r.version_id, r.state, r.snapshot_at, r.finished_at, r.counted from pgscore_data.run r
union all
select b.batch_id, 0, b.version_id, 'done', b.snapshot_at, b.kept_at, b.counted from pgscore_data.online_batch b;
comment on view pgscore_data.scored is 'What was scored together and has tallies: runs, and batches of calls as they were kept.';

create or replace function pgscore_data._take_turn(this_work text) returns boolean
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  select exists (select from pgscore_data.turn t where t.work = this_work for update skip locked);
end;
comment on function pgscore_data._take_turn(text) is 'Whether this transaction has the turn for a work now: false where another has it.';

create or replace function pgscore_data._await_turn(this_work text) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  select from pgscore_data.turn t where t.work = this_work for update;
end;
comment on function pgscore_data._await_turn(text) is 'Waits until this transaction has the turn for a work.';

create or replace function pgscore_data._score_bin(score double precision, mirrored double precision[]) returns smallint
language sql immutable parallel safe
return (cardinality(mirrored) - width_bucket(-score, mirrored))::smallint;
comment on function pgscore_data._score_bin(double precision, double precision[]) is
  'The bin of a probability, 0 to the number of edges: how many edges lie below it. An edge itself belongs to the bin under it, as in '
  'numpy.searchsorted(side=''left''); a hundredth, of which an edge is the number before, to the one above.';

create or replace function pgscore_data._unit_margin(margin double precision) returns double precision
language sql immutable parallel safe
return 0.5 + margin / (1 + abs(margin)) / 2;
comment on function pgscore_data._unit_margin(double precision) is
  'A margin as a number from 0 to 1: its softsign, moved so that 0 is 0.5. So it is counted in the bins of probabilities; the order stays.';

create or replace function pgscore_data._margin_at_sql(place text) returns text
language sql immutable parallel safe
return format($q$case when %1$s <= 0 then '-Infinity'::float8 when %1$s >= 1 then 'Infinity'
    when %1$s < 0.5 then 1 - 0.5 / (%1$s) else 0.5 / (1 - %1$s) - 1 end$q$, place);
comment on function pgscore_data._margin_at_sql(text) is
  'The expression of the margin that _unit_margin() puts at a place. Written into views, whose readers may call nothing.';

create or replace function pgscore_data._error_bucket(error double precision) returns int
language sql immutable parallel safe
return case when error = 0 then -100000 else ceil(ln(abs(error)) / ln(1.01 / 0.99))::int end;
comment on function pgscore_data._error_bucket(double precision) is 'The bucket of an absolute error: k holds errors up to (1.01/0.99)^k.';

create or replace function pgscore_data._label_form(label text) returns text
language sql immutable parallel safe
return case lower(label)
  when 'true' then '1' when 't' then '1' when 'false' then '0' when 'f' then '0'
  else regexp_replace(label, '^(-?\d+)\.0+$', '\1') end;
comment on function pgscore_data._label_form(text) is
  'A class label in the form in which labels are compared: true is 1, false is 0, 2.0 is 2.';

create or replace function pgscore_data._class_forms(class_labels text[], score_unit text) returns text[]
language sql immutable parallel safe
return case score_unit
  when 'anomaly' then array['false', 'true']
  else array(select pgscore_data._label_form(c) from unnest(class_labels) with ordinality as x (c, n) order by n)
end;
comment on function pgscore_data._class_forms(text[], text) is
  'The forms in which the labels of classes are compared, in their order. An anomaly may be labelled true as well as -1.';

create or replace function pgscore_data._class_of(label text, class_labels text[], class_forms text[]) returns smallint
language sql immutable parallel safe
return (coalesce(array_position(class_labels, label), array_position(class_forms, pgscore_data._label_form(label)),
  array_position(class_forms, case lower(label) when 't' then 'true' when 'f' then 'false' else lower(label) end)) - 1)::smallint;
comment on function pgscore_data._class_of(text, text[], text[]) is
  'Place of a label among the classes, from 0; NULL where it is none of them.';

create or replace function pgscore_data._rank_of(class smallint, probabilities double precision[]) returns smallint
language sql immutable parallel safe
return case when probabilities[class + 1] is not null then
  (select 1 + count(*) from unnest(probabilities) with ordinality as x (p, place)
    where x.p > probabilities[class + 1] or x.p = probabilities[class + 1] and x.place > class + 1)::smallint end;
comment on function pgscore_data._rank_of(smallint, double precision[]) is
  'How many classes, this one included, are said to be at least as likely as it; of equal ones only the later count, as in scikit-learn. '
  'NULL without probabilities.';

create or replace function pgscore_data._measure(x double precision) returns double precision
language sql immutable parallel safe
return case when abs(x) < 1e-60 then 0 when abs(x) < 1e60 then x end;
comment on function pgscore_data._measure(double precision) is
  'A value as a regression''s cells take it: of what is finite, less than 1e-60 is 0, and NULL is 1e60 and more, whose fourth powers no '
  'double holds.';

create or replace function pgscore_data._number_of(label text) returns double precision
language sql immutable parallel safe
return case
  when length(label) < 400 and label ~ '^\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?\s*$'
    then case when abs(label::numeric) < 1e60 then pgscore_data._measure(round(label::numeric, 100)::double precision) end
end;
comment on function pgscore_data._number_of(text) is 'A label of a regression as a number; NULL where it is none, or out of bounds.';

create or replace function pgscore_data._actual_values(this_version int, label text) returns double precision[]
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select case when count(x.truth) > 0 then array_agg(x.truth order by x.place) end
    from (select n.place, case n.task when 'binary' then pgscore_data._class_of(t.text, '{0,1}', '{0,1}')
                            else pgscore_data._number_of(t.text) end as truth
            from pgscore_data.version_value n
           cross join lateral (select case when label like '{"%' then label::jsonb ->> n.name end as text) t
           where n.version_id = this_version) x;
end;
comment on function pgscore_data._actual_values(int, text) is
  'The truth of each value of a row, out of a label that names them; of a label 0 or 1. NULL where it is known of none.';

create or replace function pgscore_data._subset_class(task text, actual double precision[], predicted double precision[]) returns smallint
language sql immutable parallel safe
return (case
  when task <> 'multilabel' then 0
  when array_position(actual, null) is not null then 2
  when predicted[cardinality(actual) + 1 :] = actual then 0
  else 1 end)::smallint;
comment on function pgscore_data._subset_class(text, double precision[], double precision[]) is
  '0 where all labels of a row were right, 1 where one was not, 2 where the truth of one is not known. Of several targets 0.';

create or replace function pgscore_data._exactly(x double precision) returns numeric
language sql immutable parallel safe
return case when abs(x) < 9e18 then trunc(x)::bigint + (x - trunc(x))::numeric else x::numeric end;
comment on function pgscore_data._exactly(double precision) is
  'A double as numeric with 15 digits after its point: a cast keeps 15 in all, too few where values lie far from 0 and near one another.';

create or replace function pgscore_data._moment(event_time timestamptz, snapshot_at timestamptz) returns timestamptz
language sql immutable parallel safe
return case when event_time >= '0001-01-01 00:00+00' and event_time < '9999-12-31 00:00+00' then event_time else snapshot_at end;
comment on function pgscore_data._moment(timestamptz, timestamptz) is
  'The time that a prediction counts for: infinity, and what has no day before or after it, count as no time at all.';

create or replace function pgscore_data._label_age(known_at timestamptz, event_time timestamptz) returns interval
language sql immutable parallel safe
return greatest('0001-01-01 00:00+00', least('9999-12-31 00:00+00', known_at)) - event_time;
comment on function pgscore_data._label_age(timestamptz, timestamptz) is
  'How old a prediction was when its label became known; from infinity, PostgreSQL 16 subtracts nothing.';

create or replace function pgscore_data._age_band(age interval) returns smallint
language sql immutable parallel safe
return (case when age <= interval '1 day' then 0 when age <= interval '7 days' then 1 when age <= interval '30 days' then 2
          when age <= interval '90 days' then 3 else 4 end)::smallint;
comment on function pgscore_data._age_band(interval) is 'How old a prediction was when its label became known, in bands.';

create or replace function pgscore._key_family(type oid) returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
return case
  when type in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) then 'bigint'
  when type in ('text'::regtype, 'varchar'::regtype, 'name'::regtype) then 'text'
  when type in ('bpchar'::regtype, 'uuid'::regtype, 'date'::regtype, 'numeric'::regtype, 'timestamptz'::regtype, 'timestamp'::regtype,
                'bool'::regtype) then format_type(type, -1)
end;
comment on function pgscore._key_family(oid) is
  'The type that a key column of this type is compared in where labels meet predictions; NULL for a type that labels cannot be keyed by.';

create or replace function pgscore_data._is_judged(task text, score_unit text) returns boolean
language sql immutable parallel safe
return task <> 'embedding' and coalesce(score_unit not in ('distance', 'share'), true);
comment on function pgscore_data._is_judged(text, text) is
  'Whether a label can judge what a model says: not a vector, or clusters.';

create or replace function pgscore_data._refuse_unjudged(model text, task text, score_unit text) returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if task = 'embedding' then
    raise exception 'model "%" gives a vector, which no label judges', model using
      errcode = 'feature_not_supported',
      hint = 'Its volume, features and drift are watched without labels. Judge the model that takes the vector.';
  elsif score_unit in ('distance', 'share') then
    raise exception 'model "%" is a clustering: no label can say whether it is right', model using
      errcode = 'feature_not_supported', hint = 'Its volume, its clusters and the drift of its features are watched without labels.';
  end if;
end
$$;
comment on function pgscore_data._refuse_unjudged(text, text, text) is
  'Raises where no label can judge a model: it gives a vector, or clusters.';

create or replace function pgscore_data._model_family(model text, out model_id int, out task text, out class_labels text[],
                                                      out score_unit text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  select m.model_id, e.task, e.class_labels, e.score_unit
    into _model_family.model_id, _model_family.task, _model_family.class_labels, _model_family.score_unit
    from pgscore_data.model m join pgscore_data.version v on v.model_id = m.model_id
    join pgscore_data.execution e on e.version_id = v.version_id
   where m.name = model order by v.number desc limit 1;
  if not found then
    raise exception 'model "%" has no version that is ready', model using
      errcode = 'undefined_object', hint = 'select model, version, state, reason from pgscore.models; lists what there is. Labels belong '
                                           'to a model, not to one version of it: write churn, not churn@3.';
  end if;
end
$$;
comment on function pgscore_data._model_family(text) is 'A model by its bare name, with the task and classes of its newest version.';
