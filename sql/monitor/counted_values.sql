-- What a label and a score are counted as: classes, numbers, bins of scores and errors, times and ages.
--
-- Functions that run for each label have no SET clause, so that PostgreSQL inlines them into the query that calls them.

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

create or replace function pgscore_data._margin_at_sql(unit_margin text) returns text
language sql immutable parallel safe
return format($q$case when %1$s <= 0 then '-Infinity'::float8 when %1$s >= 1 then 'Infinity'
    when %1$s < 0.5 then 1 - 0.5 / (%1$s) else 0.5 / (1 - %1$s) - 1 end$q$, unit_margin);
comment on function pgscore_data._margin_at_sql(text) is
  'The inverse of _unit_margin(), as an expression. Written into views, whose readers may call nothing.';

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
  'Position of a label among the classes, from 0; NULL where it is none of them.';

create or replace function pgscore_data._rank_of(class smallint, probabilities double precision[]) returns smallint
language sql immutable parallel safe
return case when probabilities[class + 1] is not null then
  (select 1 + count(*) from unnest(probabilities) with ordinality as x (p, position)
    where x.p > probabilities[class + 1] or x.p = probabilities[class + 1] and x.position > class + 1)::smallint end;
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

create or replace function pgscore_data._is_truth(task text, class_labels text[], score_unit text, label text) returns boolean
language sql immutable parallel safe
return case
  when task in ('regression', 'multi_target') then pgscore_data._number_of(label) is not null
  when task = 'multilabel' then pgscore_data._class_of(label, '{0,1}', '{0,1}') is not null
  else pgscore_data._class_of(label, class_labels, pgscore_data._class_forms(class_labels, score_unit)) is not null end;
comment on function pgscore_data._is_truth(text, text[], text, text) is
  'Whether the text of a label is the truth of one value of a model: one of its classes, or a finite number.';

create or replace function pgscore_data._named_label(label text) returns jsonb
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return case when label like '{"%' then label::jsonb end;
exception
  when data_exception or statement_too_complex then
    return null;
end
$$;
comment on function pgscore_data._named_label(text) is
  'A label of several values by their names; NULL for any other text, which a source may have had before the model had such a version.';

create or replace function pgscore_data._actual_values(this_version int, label text) returns double precision[]
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select case when count(x.truth) > 0 then array_agg(x.truth order by x.position) end
    from (select n.position, case n.task when 'binary' then pgscore_data._class_of(t.text, '{0,1}', '{0,1}')
                            else pgscore_data._number_of(t.text) end as truth
            from (select pgscore_data._named_label(label) as named offset 0) l
           cross join pgscore_data.version_value n cross join lateral (select l.named ->> n.name as text) t
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
