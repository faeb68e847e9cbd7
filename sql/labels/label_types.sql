-- Which columns can hold the truth about a model, and of which of its values.

create or replace function pgscore_data._wrong_truth(task text, class_labels text[], score_unit text, type oid,
  out wrong text, out remedy text)
language sql stable
set search_path = pg_catalog, pg_temp
return (
  select row(case
           when t.typcategory in ('A', 'C') or t.oid in ('json'::regtype, 'jsonb'::regtype, 'bytea'::regtype)
             then 'one value a row is needed'
           when task in ('regression', 'multi_target') and t.typcategory not in ('N', 'S') then 'it predicts a number'
           when task = 'multilabel' and t.typcategory not in ('N', 'S', 'B') then 'each label is true or false'
           when task in ('binary', 'multiclass') and t.typcategory in ('N', 'B', 'D') and not exists (
             select from unnest(class_labels || pgscore_data._class_forms(class_labels, score_unit)) f
              where case t.typcategory
                      when 'B' then f in ('0', '1', 'true', 'false')
                      when 'D' then f ~ '^\d+[-:]\d'
                      else f ~ '^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$' end)
             then format('its classes are %s', array_to_string(class_labels[:10], ', ')) end,
         case
           when task in ('regression', 'multi_target') then 'Name a numeric column, such as the amount or the minutes that were predicted.'
           when task = 'multilabel' then 'Name a column for each label that holds true or false, or 1 or 0.'
           else 'Name a column that holds its classes, or set labels from a view that says them: case when … then … else … end.'
           end)
    from pg_type t where t.oid = type);
comment on function pgscore_data._wrong_truth(text, text[], text, oid) is
  'Why a column of a type cannot hold the labels of a model of a task, and what to do. wrong is NULL if it can. Text may hold numbers.';

create or replace function pgscore_data._refuse_label_types(
  base text, this_task text, class_labels text[], score_unit text, source regclass, columns name[]
) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  c record;
begin
  for c in
    select a.attname, format_type(a.atttypid, a.atttypmod) as type, w.wrong, w.remedy
      from pg_attribute a
     cross join lateral pgscore_data._wrong_truth(this_task, class_labels, score_unit, pgscore._base_type(a.atttypid)) w
     where a.attrelid = source and a.attname = any (columns) and w.wrong is not null order by a.attnum
  loop
    raise exception 'label column "%" of %, which is %, cannot be the truth about model "%": %', c.attname, source, c.type, base, c.wrong
      using errcode = 'datatype_mismatch', hint = c.remedy;
  end loop;
end
$$;
comment on function pgscore_data._refuse_label_types(text, text, text[], text, regclass, name[]) is
  'Raises if a column cannot hold the labels of a model, by its type.';

create or replace function pgscore_data._truths_of(task text, class_labels text[]) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return case
  when task in ('regression', 'multi_target') then 'A label is a finite number.'
  when task = 'multilabel' then 'A label is true or false, or 1 or 0.'
  else format('Its classes: %s.', array_to_string(class_labels, ', ')) end;
comment on function pgscore_data._truths_of(text, text[]) is 'What the truth about a model of a task can be, as a sentence.';

create or replace function pgscore_data._taken_labels(task text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return case
  when task in ('regression', 'multi_target') then 'numbers'
  when task = 'multilabel' then 'true or false'
  else 'one of its classes' end;
comment on function pgscore_data._taken_labels(text) is 'What a model of a task takes as a label, for an error that refuses another.';

create or replace function pgscore_data._warn_of_labels(
  base text, this_task text, class_labels text[], score_unit text, source text, seen text[]
) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  wrong constant text := (
    select min(l) from unnest(seen) l where not pgscore_data._is_truth(this_task, class_labels, score_unit, l));
begin
  if wrong is not null then
    raise warning '"%" of % is no label of model "%": it takes %', left(wrong, 60), source, base, pgscore_data._taken_labels(this_task)
      using errcode = 'invalid_parameter_value',
      hint = pgscore_data._truths_of(this_task, class_labels) || ' Other labels judge nothing: set labels from a view that says them.';
  end if;
end
$$;
comment on function pgscore_data._warn_of_labels(text, text, text[], text, text, text[]) is
  'Warns of labels that were seen in a source and are none of a model.';

create or replace function pgscore_data._can_meet(key_columns jsonb, families text[]) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
return jsonb_array_length(key_columns) = cardinality(families) and not exists (
  select from jsonb_array_elements(key_columns) with ordinality as x (k, n)
   cross join lateral (select pgscore._key_family(to_regtype(k ->> 'sql_type')) as predicted, families[n] as labeled) f
   where f.predicted <> f.labeled and not array[f.predicted, f.labeled] && '{text,bpchar}'
     and not array[f.predicted, f.labeled] <@ '{bigint,numeric}');
comment on function pgscore_data._can_meet(jsonb, text[]) is
  'Whether labels keyed by columns of these types can judge predictions with these key columns.';

create or replace function pgscore_data._refuse_key_types(this_model int, base text, families text[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  predicted text;
begin
  -- Calls have keys of text, which labels with any type of key can match.
  if exists (select from pgscore_data.online_hour h join pgscore_data.version v using (version_id) where v.model_id = this_model) then
    return;
  end if;
  select string_agg(distinct k.families, ' or ') into predicted
    from pgscore_data.target t
   cross join lateral (
     select string_agg(pgscore._key_family(to_regtype(c ->> 'sql_type')), ', ' order by n) as families
       from jsonb_array_elements(t.key_columns) with ordinality as x (c, n)) k
   where exists (select from pgscore_data.run r join pgscore_data.version v using (version_id)
                  where v.model_id = this_model and r.target_id = t.target_id and r.state = 'done' and not r.is_replay)
  having not bool_or(pgscore_data._can_meet(t.key_columns, _refuse_key_types.families));
  if predicted is not null then
    raise exception 'labels keyed by % can meet no prediction of model "%", which are keyed by %',
      array_to_string(families, ', '), base, predicted using
        errcode = 'datatype_mismatch',
        hint = 'Name the columns that hold the key of the predictions: key => ''...''. Or score by the key of the labels first.';
  end if;
end
$$;
comment on function pgscore_data._refuse_key_types(int, text, text[]) is
  'Raises if no prediction that a run made with a model can have a key of these types.';

create or replace function pgscore_data._notice_unjudged(this_model int, base text, requested_by name, only_target int) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  r record;
begin
  for r in
    select t.view_schema, t.view_name, (select string_agg(k ->> 'name', ', ' order by n)
                                          from jsonb_array_elements(t.key_columns) with ordinality as x (k, n)) as key,
           array_to_string(s.key_columns, ', ') as label_key
      from pgscore_data.label_source s join pgscore_data.monitor m using (model_id) cross join pgscore_data.target t
     where s.model_id = this_model and not t.is_replay and not pgscore_data._can_meet(t.key_columns, m.key_types)
       and case when only_target is not null then t.target_id = only_target
             else pgscore_data._acts_for(_notice_unjudged.requested_by, t.owner) and exists (
               select from pgscore_data.run x join pgscore_data.version v using (version_id)
                where v.model_id = this_model and x.target_id = t.target_id) end
     order by 1, 2
  loop
    raise notice 'no label of model "%" can judge the predictions of %.%: they are keyed by %, labels by %', base, r.view_schema,
      r.view_name, r.key, r.label_key using hint =
        'Key predictions and labels alike. If the table has several rows per entity, one per time, score one time after another through '
        'a view, keyed by the entity alone.';
  end loop;
end
$$;
comment on function pgscore_data._notice_unjudged(int, text, name, int) is
  'Raises a notice for each target with predictions of a model, or for this one only, whose keys no label of the model can have.';

create or replace function pgscore_data._is_list(names text[]) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
return array_ndims(names) = 1 and array_lower(names, 1) = 1;
comment on function pgscore_data._is_list(text[]) is
  'Whether an array has one dimension and begins at 1. In others, which a request may hold, nth elements need not belong together.';

create or replace function pgscore_data._set_key_types(this_model int, base text, families text[], columns name[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  known text[] := (select m.key_types from pgscore_data.monitor m where m.model_id = this_model for no key update);
begin
  -- _canonical_key() writes the types into a statement of the owner.
  if (pgscore_data._is_list(families) and pgscore_data._is_list(columns::text[])
      and cardinality(families) = cardinality(columns)) is not true
    or exists (select from unnest(families) f where pgscore._key_family(to_regtype(f)) is distinct from f)
  then
    raise exception '% are no types that labels can be keyed by', families
      using errcode = 'datatype_mismatch', hint = format('Set labels by select pgscore.set_labels(%L, …);', base);
  end if;
  if known is distinct from families and exists (select from pgscore_data.evaluation e where e.model_id = this_model) then
    if exists (select from pgscore_data.unread_labels u where u.model_id = this_model)
      and not exists (select from pgscore_data.label_source s where s.model_id = this_model)
    then
      raise exception 'the labels of model "%", keyed by %, are being withdrawn', base, array_to_string(known, ', ') using
        errcode = 'object_in_use',
        hint = 'The service does so within seconds, or a deployer at once: select pgscore.refresh(). Then set the new labels.';
    end if;
    raise exception 'the labels of model "%" are keyed by %, not by %', base, array_to_string(known, ', '), array_to_string(families, ', ')
      using errcode = 'datatype_mismatch', hint = format('Key them alike, or begin anew: select pgscore.unset_labels(%L);', base);
  end if;
  update pgscore_data.monitor m set key_types = families, key_columns = columns
   where m.model_id = this_model and (m.key_types, m.key_columns) is distinct from (families, columns);
end
$$;
comment on function pgscore_data._set_key_types(int, text, text[], name[]) is
  'Sets the types of the key that all labels of a model have. columns: where the key is in the rows of calls.';

create or replace function pgscore_data._label_names(base text, task text, value_names text[], columns name[]) returns text[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  misplaced text;
begin
  if task not in ('multi_target', 'multilabel') then
    if cardinality(columns) > 1 then
      raise exception 'model "%" gives one value a row, and label has %', base, cardinality(columns) using
        errcode = 'invalid_parameter_value', hint = 'Name one column: label => ''...''.';
    end if;
    return null;
  end if;
  if cardinality(columns) <> cardinality(value_names) then
    raise exception 'model "%" gives % values a row, and label has %', base, cardinality(value_names), cardinality(columns) using
      errcode = 'invalid_parameter_value',
      hint = format('Name a column for each of %s: label => array[''...'', ''...''].', array_to_string(value_names, ', '));
  end if;
  -- Columns that have all of the names are matched by name, in any order.
  if columns::text[] @> value_names then
    return columns::text[];
  end if;
  select min(c) into misplaced from unnest(columns::text[], value_names) as x (c, value) where c <> value and c = any (value_names);
  if misplaced is not null then
    raise exception 'label column "%" has the name of a value of model "%" and stands in the place of another', misplaced, base using
      errcode = 'invalid_parameter_value',
      hint = format('Columns are the truth of %s, in this order, unless all have these names.', array_to_string(value_names, ', '));
  end if;
  return value_names;
end
$$;
comment on function pgscore_data._label_names(text, text, text[], name[]) is
  'The value that each column of labels is for: by name if they have all of the names, else in order. NULL if the model gives one value.';
