-- score_rows(): many rows in few round trips, inside a transaction.

create or replace function pgscore_models._rows_as_json(rows anyarray, features text[]) returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
-- What a number is in JSON depends on it.
set extra_float_digits = 1
as $$
declare
  first jsonb := to_jsonb(rows[array_lower(rows, 1)]);
begin
  if jsonb_typeof(first) = 'object' and first ?& features then
    return (select '[' || string_agg(to_json(r)::text, ',') || ']' from unnest(rows) r);
  end if;
  return (select '[' || string_agg(pgscore_models._match_features(features, to_jsonb(r))::text, ',') || ']' from unnest(rows) r);
end
$$;
comment on function pgscore_models._rows_as_json(anyarray, text[]) is 'Rows as one JSON array, with their keys as the model names its features.';

create or replace function pgscore_models._feature_names(version_id int) returns text[]
language sql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$ select e.features from pgscore_data.execution e where e.version_id = $1 $$;
comment on function pgscore_models._feature_names(int) is 'The features of a version, in order.';

create or replace function pgscore.score_rows(model text, rows anyarray)
returns table (features anyelement, score double precision, label text, probabilities double precision[], version text)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  route record := pgscore_models._route(model);
  version_name text := pgscore_models._version_name(route.version_id);
  names text[] := pgscore_models._feature_names(route.version_id);
  -- Several sessions must find room in the gateway's queue at once; more rows at a time were no faster.
  most constant int := 1000;
  first int := array_lower(rows, 1);
  chunk rows%type;
  answers pgscore_models._prediction[];
begin
  if not has_function_privilege('pgscore_models._v' || route.version_id || '_online(jsonb, name)', 'execute') then
    perform pgscore_models._refuse_ungranted(model);
  end if;
  while first <= array_upper(rows, 1) loop
    chunk := rows[first : first + most - 1];
    execute format('select pgscore_models._v%s_online_rows($1)', route.version_id) into answers using pgscore_models._rows_as_json(chunk, names);
    return query select given.r, (answer.a).score, (answer.a).label, (answer.a).probabilities, version_name
      from (select r, row_number() over () as n from unnest(chunk) r) given
      join (select a, row_number() over () as n from unnest(answers) a) answer using (n);
    first := first + most;
  end loop;
end
$$;
comment on function pgscore.score_rows(text, anyarray) is
'Scores many rows in one round trip to the service for a thousand of them, inside of the transaction, uncommitted rows included; each prediction is logged (pgscore.online_predictions).
select (s.features).id, s.score, s.label from pgscore.score_rows(''churn'', array(select c from customers c where …)) s;
For whole tables score_table() is faster and isolates rows that cannot be scored; here one such row fails the call.';
