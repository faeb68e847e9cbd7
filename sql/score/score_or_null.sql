-- score_or_null() gives NULL for a row that cannot be scored, and why_not() the reason.
-- score() raises for such a row, and what it raises is caught here.

create or replace function pgscore_models._predict_or_problem(
  asked pgscore_models._call, out prediction pgscore_models._prediction, out problem text)
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  features constant jsonb := asked.features;
begin
  if features is null or features = 'null' then
    problem := 'the row is NULL';
    return;
  elsif jsonb_typeof(features) <> 'object' then
    perform pgscore_models._refuse_value(features);
  end if;
  begin
    prediction := pgscore_models._predict(asked.version, features);
  exception
    when data_exception or datatype_mismatch then
      -- A wrong setting (22023) and a service of another release (22P02) are no problems of the row.
      if sqlstate in ('22023', '22P02') then
        raise;
      end if;
      problem := sqlerrm;
      return;
  end;
  if prediction.score is null and prediction.label is null and prediction.probabilities is null then
    problem := 'the model has no answer: it refuses a value, or its answer is not finite';
  end if;
end
$$;
comment on function pgscore_models._predict_or_problem(pgscore_models._call) is
'What a model says of a row, or why it cannot score the row.
Raises what is not about the row: no grant, no column for a feature, no service.';

create or replace function pgscore_models._score_or_null(asked pgscore_models._call, class text) returns double precision
language plpgsql volatile parallel restricted cost 10000
set search_path = pg_catalog, pg_temp
as $$
declare
  version constant pgscore_models._version := asked.version;
  prediction pgscore_models._prediction;
begin
  if class is null then
    perform pgscore_models._refuse_scoreless(version);
  else
    perform pgscore_models._refuse_class(version, class);
  end if;
  prediction := (pgscore_models._predict_or_problem(asked)).prediction;
  return case when class is null then prediction.score else prediction.probabilities[array_position(version.class_labels, class)] end;
end
$$;
comment on function pgscore_models._score_or_null(pgscore_models._call, text) is 'score_or_null() of a row.';

-- These inline into the query, as score() does: no SET, every name qualified, the model once in each body.
create or replace function pgscore.score_or_null(model text, features anyelement, class text default null) returns double precision
language sql volatile parallel restricted cost 10000
as $$
  select pgscore_models._score_or_null(
    pgscore_models._call(pgscore_models._route($1), $2), $3)
$$;
comment on function pgscore.score_or_null(text, anyelement, text) is
'score(), but NULL for a row that cannot be scored, as a feature is missing or has a value that the model cannot take.
select id, pgscore.why_not(''churn'', c) from customers c where score_or_null(''churn'', c) is null says why.
What is not of the row is an error as ever: no grant, no column for a feature, a column of another type, no service.';

create or replace function pgscore.score_or_null(model text, features text, class text default null) returns double precision
language sql volatile parallel restricted cost 10000
as $$
  select pgscore_models._score_or_null(
    pgscore_models._call(pgscore_models._route($1), pgscore_models._json_row($2)), $3)
$$;
comment on function pgscore.score_or_null(text, text, text) is 'score_or_null() of a row written as JSON.';

create or replace function pgscore.why_not(model text, features anyelement) returns text
language sql volatile parallel restricted cost 10000
as $$
  select (pgscore_models._predict_or_problem(
    pgscore_models._call(pgscore_models._route($1), $2))).problem
$$;
comment on function pgscore.why_not(text, anyelement) is
'Why a row cannot be scored, where score_or_null() is NULL; NULL where it can. Online it is a call like any other, and kept.';

create or replace function pgscore.why_not(model text, features text) returns text
language sql volatile parallel restricted cost 10000
as $$
  select (pgscore_models._predict_or_problem(
    pgscore_models._call(pgscore_models._route($1), pgscore_models._json_row($2)))).problem
$$;
comment on function pgscore.why_not(text, text) is 'why_not() of a row written as JSON.';
