-- The truth about one entity, said by itself.

create or replace view pgscore._label as
select null::text as model, null::text[] as key, null::text as label, null::timestamptz as known_at, null::name as owner where false;
comment on view pgscore._label is 'Where record_label() hands a label over: owner is the caller, and nobody can write it.';
alter view pgscore._label alter column owner set default current_user;

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
begin
  if not pgscore_data._may_label(new.owner, family.model_id) then
    raise exception 'permission denied for model "%"', new.model using errcode = 'insufficient_privilege', hint = format('Ask a deployer for: select pgscore.grant_model(%L, %L);', new.model, new.owner);
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
  insert into pgscore_data.label_change (model_id, key, known_at, label, retracted) values (family.model_id, canonical, new.known_at, new.label, new.label is null);
  return new;
end
$$;
comment on function pgscore_data._accept_label() is 'Checks a single label and queues it.';

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
model: its bare name.  key: of the entity, as text.  label: the true class or value.  known_at: when that became known (default: now, or when the label that it corrects did).';
