-- Which columns can hold the truth about a model.

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
