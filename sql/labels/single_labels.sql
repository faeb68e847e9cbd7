-- Labels that are recorded one by one.
--
-- in: record_label(), whose request _accept_label() checks and accepts. out: a row of label_change, which the next refresh takes, and of
-- recorded_label, which says who recorded it.

create or replace view pgscore._single_label_request as
select null::text as model, null::text[] as key, null::text as label, null::timestamptz as known_at, null::name as requested_by where false;
comment on view pgscore._single_label_request is
  'Where record_label() hands a label over: requested_by is the caller, and nobody can write it.';
alter view pgscore._single_label_request alter column requested_by set default current_user;

create or replace function pgscore_data._source_has_label(source pgscore_data.label_source, this_key text[]) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select source.source_id is not null and (exists (
      select from pgscore_data.evaluation e
       where e.model_id = source.model_id and hash_array(e.key) = hash_array(this_key) and e.key = this_key
         and e.source_id = source.source_id)
    or exists (
      select from pgscore_data.label_change c
       where c.model_id = source.model_id and c.key = this_key and c.source_id = source.source_id and not c.retracted));
end;
comment on function pgscore_data._source_has_label(pgscore_data.label_source, text[]) is
  'Whether a source of labels has a label of an entity.';

create or replace function pgscore_data._label_time(this_model int, this_key text[], only_recorded boolean, at_time timestamptz,
                                                    out found boolean, out known_at timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
-- A plan made while the queue is empty would read it whole, and is kept while one statement records thousands.
set enable_seqscan = off
begin atomic
  select true, x.known_at
    from (select distinct on (w.known_at) w.known_at, w.retracted
            from (select e.known_at, 0 as change_id, false as retracted from pgscore_data.evaluation e
                   where e.model_id = this_model and hash_array(e.key) = hash_array(this_key) and e.key = this_key
                     and (not only_recorded or e.source_id is null) and (at_time is null or e.known_at = at_time)
                  union all
                  select c.known_at, c.change_id, c.retracted from pgscore_data.label_change c
                   -- + 0, lest the planner take the index of models, by which it would read all labels of the model that wait.
                   where c.model_id + 0 = this_model and c.source_id is null and hash_array(c.key) = hash_array(this_key)
                     and c.key = this_key and (at_time is null or c.known_at = at_time)) w
           order by w.known_at, w.change_id desc) x
   where not x.retracted order by x.known_at desc nulls first limit 1;
end;
comment on function pgscore_data._label_time(int, text[], boolean, timestamptz) is
  'The time of the newest label of an entity, known or recorded since the last refresh, which a label without a time corrects. found: '
  'whether there is one. A label that waits without a time is known now: it has NULL, and is the newest. only_recorded: not those of a '
  'source. at_time: no others but those of this time.';

create or replace function pgscore_data._labels_from_json(base text, task text, value_names text[], label text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  is_label constant boolean := task = 'multilabel';
  example constant jsonb := (select jsonb_object_agg(n, case when is_label then 'true'::jsonb else '1.5' end) from unnest(value_names) n);
  truths jsonb;
  wrong text;
begin
  if label is null then
    return null;
  end if;
  -- PostgreSQL 15 has no IS JSON.
  begin
    truths := label::jsonb;
  exception
    when data_exception then
      truths := null;
  end;
  if jsonb_typeof(truths) is distinct from 'object' then
    raise exception 'the label of model "%" is an object of JSON, with the truth of each of its values: %', base, label using
      errcode = 'invalid_parameter_value', hint = format('Write %L.', example);
  end if;
  select k into wrong from json_object_keys(label::json) k group by k having count(*) > 1 order by k limit 1;
  if found then
    raise exception 'the label of model "%" says "%" more than once: %', base, wrong, label using
      errcode = 'invalid_parameter_value', hint = format('Write each name once: %L.', example);
  end if;
  select k into wrong from jsonb_object_keys(truths) k where k <> all (value_names) order by k limit 1;
  if found then
    raise exception 'model "%" gives no "%"', base, wrong using
      errcode = 'invalid_parameter_value', hint = format('It gives %s.', array_to_string(value_names, ', '));
  end if;
  if jsonb_strip_nulls(truths) = '{}' then
    raise exception 'the label of model "%" says the truth of nothing: %', base, label using
      errcode = 'invalid_parameter_value', hint = format('Write %L, or withdraw a label with NULL.', example);
  end if;
  select format('"%s" of %s', t.value, t.key) into wrong
    from jsonb_each_text(truths) t
   where t.value is not null
     and not pgscore_data._is_truth(task, null, null, t.value)
   order by t.key limit 1;
  if found then
    raise exception '% is no label of model "%": it takes %', wrong, base, pgscore_data._taken_labels(task) using
      errcode = 'invalid_parameter_value',
      hint = pgscore_data._truths_of(task, null);
  end if;
  return jsonb_object(value_names, array(select truths ->> n from unnest(value_names) with ordinality as x (n, i) order by i));
end
$$;
comment on function pgscore_data._labels_from_json(text, text, text[], text) is
  'A label of several values, given in JSON by their names, as a source of labels gives it. Raises if it is not one.';

create or replace function pgscore_data._accept_label() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
  model record := pgscore_data._model_family(new.model);
  key_types text[] := (select m.key_types from pgscore_data.monitor m where m.model_id = model.model_id);
  columns name[];
  canonical text[];
  source pgscore_data.label_source;
  newest record;
begin
  perform pgscore_data._require_can_have_labels(new.model, model.task, model.score_unit);
  perform pgscore_data._require_grant(new.requested_by, model.model_id, new.model);
  select * into source from pgscore_data.label_source s where s.model_id = model.model_id;
  if found and not pgscore_data._acts_for(new.requested_by, source.set_by) then
    raise exception 'the labels of model "%" come from "%"."%", set by %',
      new.model, source.source_schema, source.source_name, source.set_by
        using errcode = 'insufficient_privilege', hint = format('Ask %s or a deployer to record it.', source.set_by);
  end if;
  if key_types is null then
    select array_agg(pgscore._key_family(to_regtype(k ->> 'sql_type')) order by n), array_agg(k ->> 'name' order by n)
      into key_types, columns
      from (select t.key_columns from pgscore_data.target t join pgscore_data.run r on r.target_id = t.target_id
              join pgscore_data.version v using (version_id)
             where v.model_id = model.model_id and not r.is_replay order by r.run_id limit 1) t
                   cross join jsonb_array_elements(t.key_columns) with ordinality as x (k, n);
    if key_types is null then
      select array_fill('text'::text, array[cardinality(c.key)]), c.key into key_types, columns from pgscore_data.call_log c
       where c.model_id = model.model_id and c.key is not null;
    end if;
    if key_types is null or array_position(key_types, null) is not null then
      raise exception 'model "%" has no predictions that a label could be about', new.model using
        errcode = 'object_not_in_prerequisite_state',
        hint = format('Score a table first with pgscore.score_table(), keyed by an integer, text, uuid, date, timestamp, numeric or '
                      'boolean; or say what calls of score() are about: select pgscore.log_calls(%L, key => array[''id'']);', new.model);
    end if;
    perform pgscore_data._set_key_types(model.model_id, new.model, key_types, columns);
  end if;
  canonical := pgscore_data._canonical_key(model.model_id, new.model, new.key);
  if model.task in ('multi_target', 'multilabel') then
    new.label := pgscore_data._labels_from_json(new.model, model.task, model.class_labels, new.label);
  elsif not pgscore_data._is_truth(model.task, model.class_labels, model.score_unit, new.label) and new.label is not null then
    raise exception '"%" is no label of model "%": it takes %', left(new.label, 60), new.model, pgscore_data._taken_labels(model.task) using
      errcode = 'invalid_parameter_value',
      hint = pgscore_data._truths_of(model.task, model.class_labels);
  end if;
  if pgscore_data._source_has_label(source, canonical) then
    -- A label that was recorded before the source had one can still be withdrawn.
    select l.* into newest from pgscore_data._label_time(model.model_id, canonical, true, new.known_at) l;
    if new.label is not null or newest.found is not true then
      raise exception 'the label of (%) comes from "%"."%"', array_to_string(canonical, ', '),
        source.source_schema, source.source_name
          using errcode = 'object_not_in_prerequisite_state',
            hint = 'Correct it there.' || case when newest.found then ' NULL as the label withdraws the one that was recorded.' else '' end;
    end if;
    new.known_at := coalesce(new.known_at, newest.known_at);
  end if;
  if new.label is null then
    delete from pgscore_data.recorded_label r
     where r.model_id = model.model_id and r.key = canonical and (new.known_at = r.known_at) is not false;
  else
    insert into pgscore_data.recorded_label as r (model_id, key, label, known_at, recorded_by)
    values (model.model_id, canonical, new.label, new.known_at, new.requested_by)
    on conflict (model_id, key) do update
       set (label, known_at, recorded_by, recorded_at) = row(excluded.label, excluded.known_at, excluded.recorded_by, excluded.recorded_at);
  end if;
  -- Queued last: of two sessions that record the same label at once, the second waits for the first above.
  select l.* into newest from pgscore_data._label_time(model.model_id, canonical, false, null) l;
  insert into pgscore_data.label_change (model_id, key, known_at, label, retracted)
  values (model.model_id, canonical, coalesce(new.known_at, newest.known_at), new.label, new.label is null);
  return new;
end
$$;
comment on function pgscore_data._accept_label() is 'Checks a single label, queues it and stores who recorded it.';

create or replace trigger accept instead of insert on pgscore._single_label_request
for each row execute function pgscore_data._accept_label();

create or replace function pgscore.record_label(model text, key text[], label text, known_at timestamptz default null) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._single_label_request (model, key, label, known_at) values ($1, $2, $3, $4) $$;
comment on function pgscore.record_label(text, text[], text, timestamptz) is
  'As record_label with a key of one column, for a key of several: key => array[''a'', ''b''].';

create or replace function pgscore.record_label(model text, key text, label text, known_at timestamptz default null) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._single_label_request (model, key, label, known_at) values ($1, array[$2], $3, $4) $$;
comment on function pgscore.record_label(text, text, text, timestamptz) is
'Says what was true of one entity: record_label(''churn'', ''42'', ''yes''). A second label corrects the first; NULL withdraws it.
model: its bare name.  key: of the entity, as text.  label: the true class or value; of several targets or labels a JSON object by their '
'names, {"air_time": 52, "arr_delay": null}, in which NULL is not known.  known_at: when that became known (default: now, or when the '
'newest label of the entity did, which it corrects). With another known_at it is one more label.
If set_labels() named a source, only who set it, or a deployer, may record a label, and only of an entity that the source has no label '
'of.';

create or replace function pgscore.record_label(model text, key text, label jsonb, known_at timestamptz default null) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._single_label_request (model, key, label, known_at) values ($1, array[$2], $3 #>> '{}', $4) $$;
comment on function pgscore.record_label(text, text, jsonb, timestamptz) is
  'As record_label with a label of text, for one of JSON: label => jsonb_build_object(''air_time'', 52).';

create or replace function pgscore.record_label(model text, key text[], label jsonb, known_at timestamptz default null) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._single_label_request (model, key, label, known_at) values ($1, $2, $3 #>> '{}', $4) $$;
comment on function pgscore.record_label(text, text[], jsonb, timestamptz) is
  'As record_label with a label of JSON, for a key of several columns.';

create or replace view pgscore.recorded_labels with (security_barrier) as
select m.name as model, r.key, r.label, r.known_at, r.recorded_by, r.recorded_at
  from pgscore_data.recorded_label r
  join pgscore_data.model m using (model_id)
  left join pgscore_data.label_source s using (model_id)
 where pg_has_role('pgscore_deployer', 'usage') or pg_has_role(to_regrole(quote_ident(r.recorded_by)), 'usage')
    or pg_has_role(to_regrole(quote_ident(s.set_by)), 'usage');
comment on view pgscore.recorded_labels is
  'The last label of each entity that record_label() gave: your own, those of models whose labels you set, and for deployers all.';
comment on column pgscore.recorded_labels.model is 'Name of the model.';
comment on column pgscore.recorded_labels.key is 'Key of the entity.';
comment on column pgscore.recorded_labels.label is 'The true class or value, as it was recorded.';
comment on column pgscore.recorded_labels.known_at is 'When the label became known; NULL if record_label() did not say.';
comment on column pgscore.recorded_labels.recorded_by is 'Role that recorded the label.';
comment on column pgscore.recorded_labels.recorded_at is 'When the label was recorded.';
