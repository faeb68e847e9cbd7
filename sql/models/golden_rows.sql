-- What a version says of the golden rows of a gate.

create or replace function pgscore_data._golden_native(this pgscore_models._version, golden jsonb) returns pgscore_models._prediction[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  setting constant text := coalesce(current_setting('pgscore.execution', true), '');
  predictions pgscore_models._prediction[] := '{}';
  r record;
begin
  -- An error undoes the setting.
  perform set_config('pgscore.execution', 'native', true);
  for r in select x.e -> 'row' as features, x.n from jsonb_array_elements(golden) with ordinality as x (e, n) order by x.n loop
    predictions := predictions || pgscore_models._predict(this, r.features);
  end loop;
  perform set_config('pgscore.execution', setting, true);
  return predictions;
exception when others then
  raise exception 'row %: %', r.n, sqlerrm using errcode = sqlstate;
end
$$;
comment on function pgscore_data._golden_native(pgscore_models._version, jsonb) is
  'What the compiled functions of a version say of golden rows.';

create or replace function pgscore_data._golden_online(this_version int, golden jsonb, asked_by name) returns pgscore_models._prediction[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  names constant text[] := (select e.features from pgscore_data.execution e where e.version_id = this_version);
  -- Without "log", as these predictions are not to be counted.
  request text := format('score {"version":%s,"reply":"rows","role":%s%s}', this_version, to_json(asked_by::text),
    pgscore_data._settings(coalesce(current_setting('pgscore.deadline', true), ''),
                           coalesce(current_setting('pgscore.request_id', true), ''))) || E'\n'
    || (select '[' || string_agg(case when r.row ?& names then r.row else r.row || pgscore_models._match_features(names, r.row) end::text,
                                 ',' order by r.n) || ']'
          from (select x.e -> 'row' as row, x.n from jsonb_array_elements(golden) with ordinality as x (e, n)) r);
begin
  if asked_by is distinct from session_user and asked_by is distinct from current_setting('role') then
    request := pgscore_data._request_in_name_of(asked_by, request);
  end if;
  return pgscore_data._ask(request);
end
$$;
comment on function pgscore_data._golden_online(int, jsonb, name) is
  'What the service says of golden rows by a version, asked in the name of the caller.';

create or replace function pgscore_data._judge_golden(g pgscore_data.gate, this_version int, asked_by name,
  out passed boolean, out value double precision, out needs text, out reason text)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  this constant pgscore_models._version := pgscore_models._version(array[this_version]);
  predictions pgscore_models._prediction[];
  found record;
begin
  passed := false;
  begin
    predictions := case when this.native then pgscore_data._golden_native(this, g.golden)
                     else pgscore_data._golden_online(this_version, g.golden, asked_by) end;
  exception when others then
    reason := sqlerrm;
    needs := case when sqlstate ~ '^08' or sqlstate in ('0A000', '53300', '55000', '57P01') then 'a running service' end;
    return;
  end;
  with compared as (
    select x.n, x.e, case jsonb_typeof(x.e -> 'expected') when 'number' then p.score::text else p.label end as predicted,
           coalesce(case jsonb_typeof(x.e -> 'expected')
             when 'number' then abs(p.score - (x.e ->> 'expected')::float8) / greatest(1, abs((x.e ->> 'expected')::float8))
             else (pgscore_data._label_form(p.label) <> pgscore_data._label_form(x.e ->> 'expected'))::int end, 'infinity') as off
      from jsonb_array_elements(g.golden) with ordinality as x (e, n)
      left join unnest(predictions) with ordinality as p (score, label, probabilities, n) using (n)
  )
  select count(*) as n, count(*) filter (where c.off > g.tolerance) as wrong, max(c.off) as off,
         (array_agg(format('%s instead of %s for %s', coalesce(c.predicted, 'NULL'), c.e ->> 'expected', left(c.e ->> 'row', 200))
                    order by c.off desc, c.n))[1] as worst into found
    from compared c;
  passed := found.wrong = 0;
  value := found.off;
  reason := case when passed then format('%s rows are as expected', found.n)
              else format('%s of %s rows differ: %s', found.wrong, found.n, found.worst) end;
end
$$;
comment on function pgscore_data._judge_golden(pgscore_data.gate, int, name) is
  'Whether a version says what is expected of golden rows. value: how far the worst prediction is off; of labels 1, or 0 where none is.';
