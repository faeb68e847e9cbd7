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
           when task in ('binary', 'multiclass') and t.typcategory in ('N', 'B') and not exists (
             select from unnest(class_labels || pgscore_data._class_forms(class_labels, score_unit)) f
              where case t.typcategory when 'B' then f in ('0', '1', 'true', 'false') else f ~ '^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$' end)
             then format('its classes are %s', array_to_string(class_labels[:10], ', ')) end,
         case
           when task in ('regression', 'multi_target') then 'Name a numeric column, such as the amount or the minutes that were predicted.'
           when task = 'multilabel' then 'Name a column for each label that holds true or false, or 1 or 0.'
           else 'Name a column that holds its classes, or set labels from a view that says them: case when … then … else … end.'
           end)
    from pg_type t where t.oid = type);
comment on function pgscore_data._wrong_truth(text, text[], text, oid) is
  'Why a column of a type cannot be the truth about a model of a task, and what to do; wrong is NULL where it can. Text may hold numbers.';

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
  'Raises where a column cannot be the truth about a model, by its type.';

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
  -- By their names where they have them all, whatever their order.
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
  'Which value of a row each column is the truth of: the one of its name, if all have one, else in order. NULL: there is one value.';
