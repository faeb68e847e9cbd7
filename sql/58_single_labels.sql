-- The truth about one entity, said by itself.

create or replace view pgscore._label as
select null::text as model, null::text[] as key, null::text as label, null::timestamptz as known_at, null::name as owner where false;
comment on view pgscore._label is 'Where record_label() hands a label over: owner is the caller, and nobody can write it.';
alter view pgscore._label alter column owner set default current_user;

create or replace function pgscore_data._labels_entity(source pgscore_data.label_source, this_key text[]) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select exists (
      select from pgscore_data.evaluation e
       where e.model_id = source.model_id and hash_array(e.key) = hash_array(this_key) and e.key = this_key
         and e.source_id = source.source_id)
    or exists (
      select from pgscore_data.label_change c
       where c.model_id = source.model_id and c.key = this_key and c.source_id = source.source_id and not c.retracted);
end;
comment on function pgscore_data._labels_entity(pgscore_data.label_source, text[]) is 'Whether a source of labels has one of an entity.';

create or replace function pgscore_data._accept_label() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
  family record := pgscore_data._model_family(new.model);
  families text[] := (select m.key_types from pgscore_data.monitor m where m.model_id = family.model_id);
  columns name[];
  canonical text[];
  source pgscore_data.label_source;
  is_deployer constant boolean := pg_has_role(new.owner, 'pgscore_deployer', 'usage');
begin
  if not pgscore_data._may_label(new.owner, family.model_id) then
    raise exception 'permission denied for model "%"', new.model using errcode = 'insufficient_privilege', hint = format('Ask a deployer for: select pgscore.grant_model(%L, %L);', new.model, new.owner);
  end if;
  select * into source from pgscore_data.label_source s where s.model_id = family.model_id;
  if found and not is_deployer and pg_has_role(new.owner, to_regrole(quote_ident(source.set_by)), 'usage') is not true then
    raise exception 'the labels of model "%" come from "%"."%", set by %',
      new.model, source.source_schema, source.source_name, source.set_by using errcode = 'insufficient_privilege', hint = format('Ask %s or a deployer to record it.', source.set_by);
  end if;
  if families is null then
    select array_agg(pgscore._label_key(to_regtype(k ->> 'sql_type')) order by n), array_agg(k ->> 'name' order by n) into families, columns
      from (select t.key_columns from pgscore_data.target t join pgscore_data.run r on r.target_id = t.target_id join pgscore_data.version v using (version_id)
             where v.model_id = family.model_id order by r.run_id limit 1) t cross join jsonb_array_elements(t.key_columns) with ordinality as x (k, n);
    if families is null then
      select array_fill('text'::text, array[cardinality(c.key)]), c.key into families, columns from pgscore_data.call_log c where c.model_id = family.model_id and c.key is not null;
    end if;
    if families is null or array_position(families, null) is not null then
      raise exception 'model "%" has no predictions that a label could be about', new.model using
        errcode = 'object_not_in_prerequisite_state', hint = format('Score a table first with pgscore.score_table(), keyed by an integer, text, uuid, date, timestamp, numeric or boolean; or say what calls of score() are about: select pgscore.log_calls(%L, key => array[''id'']);', new.model);
    end if;
    perform pgscore_data._settle_key(family.model_id, new.model, families, columns);
  end if;
  if cardinality(new.key) is distinct from cardinality(families) or array_position(new.key, null) is not null then
    raise exception 'the key of model "%" has % columns (%), and none is NULL', new.model, cardinality(families), array_to_string(families, ', ') using
      errcode = 'invalid_parameter_value', hint = 'Pass one value a column, in the order of the predictions'' key: array[''a'', ''b''].';
  end if;
  begin
    execute format('select array[%s]', (select string_agg(format('concat(%L::%s)', new.key[n], families[n]), ', ' order by n) from generate_subscripts(families, 1) n)) into canonical;
  exception
    when data_exception then
      raise exception 'the key of model "%" is (%), not (%)', new.model, array_to_string(families, ', '), array_to_string(new.key, ', ') using
        errcode = 'invalid_parameter_value', detail = sqlerrm, hint = 'Pass the values as they stand in the key of the predictions.';
  end;
  if (case when new.label is null then false when family.task = 'regression' then pgscore_data._number_of(new.label) is null
     else pgscore_data._class_of(new.label, family.class_labels, array(select pgscore_data._label_form(c) from unnest(family.class_labels) with ordinality as x (c, n) order by n)) is null end) then
    raise exception 'label "%" is none of model "%"', new.label, new.model using
      errcode = 'invalid_parameter_value', hint = case family.task when 'regression' then 'A regression takes a finite number.' else 'Its classes: ' || array_to_string(family.class_labels, ', ') || '.' end;
  end if;
  if not is_deployer and pgscore_data._labels_entity(source, canonical) then
    raise exception 'the label of (%) comes from "%"."%"', array_to_string(canonical, ', '),
      source.source_schema, source.source_name using errcode = 'object_not_in_prerequisite_state', hint = 'Correct it there. A deployer may overrule it.';
  end if;
  insert into pgscore_data.label_change (model_id, key, known_at, label, retracted) values (family.model_id, canonical, new.known_at, new.label, new.label is null);
  delete from pgscore_data.recorded_label r
   where r.model_id = family.model_id and hash_array(r.key) = hash_array(canonical) and r.key = canonical;
  insert into pgscore_data.recorded_label (model_id, key, label, known_at, recorded_by, overrules)
  select family.model_id, canonical, new.label, new.known_at, new.owner, source.source_id is not null and is_deployer
   where new.label is not null;
  return new;
end
$$;
comment on function pgscore_data._accept_label() is 'Checks a single label, queues it and keeps who recorded it.';

create or replace trigger accept instead of insert on pgscore._label
for each row execute function pgscore_data._accept_label();

create or replace function pgscore.record_label(model text, key text[], label text, known_at timestamptz default null) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._label (model, key, label, known_at) values ($1, $2, $3, $4) $$;
comment on function pgscore.record_label(text, text[], text, timestamptz) is 'As record_label with a key of one column, for a key of several: key => array[''a'', ''b''].';

create or replace function pgscore.record_label(model text, key text, label text, known_at timestamptz default null) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._label (model, key, label, known_at) values ($1, array[$2], $3, $4) $$;
comment on function pgscore.record_label(text, text, text, timestamptz) is
'Says what was true of one entity: record_label(''churn'', ''42'', ''yes''). A second label of it corrects the first; NULL withdraws it.
model: its bare name.  key: of the entity, as text.  label: the true class or value.  known_at: when that became known (default: now, or when the label that it corrects did).
Where set_labels() named a source, only who set it, or a deployer, may record a label; and one of an entity that the source has a label of, only a deployer.';

create or replace view pgscore.recorded_labels with (security_barrier) as
select m.name as model, r.key, r.label, r.known_at, r.recorded_by, r.recorded_at, r.overrules
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
comment on column pgscore.recorded_labels.known_at is 'When it became known; NULL where record_label() said nothing of it.';
comment on column pgscore.recorded_labels.recorded_by is 'Role that recorded it.';
comment on column pgscore.recorded_labels.recorded_at is 'When it did.';
comment on column pgscore.recorded_labels.overrules is
  'Whether a deployer recorded it although the model has a source of labels: it holds until that source changes its label.';
