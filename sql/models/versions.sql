-- Finding a version by its one notation: churn, churn@3, churn@challenger.

create or replace function pgscore._find_version(
  model text,
  out version_id int, out model_id int, out model_name text, out number int, out state text, out signature jsonb, out champion boolean
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  base text := split_part(model, '@', 1);
  wanted text := case when model <> base then substr(model, length(base) + 2) end;
  reason text;
  remedy text;
begin
  if model is null then
    raise exception 'the model is NULL' using errcode = 'null_value_not_allowed', hint = 'Name it: churn for its champion, churn@3 for a '
      'version, churn@challenger for an alias.';
  end if;
  select m.model_id, m.name into _find_version.model_id, model_name from pgscore_data.model m
   where m.name = base and exists (select from pgscore_data.version v where v.model_id = m.model_id and v.state <> 'dropped');
  if model_name is null then
    raise exception 'model "%" does not exist', base using
      errcode = 'undefined_object',
      hint = coalesce('Deployed models: ' || (select string_agg(m.name, ', ' order by m.name)
                                                from (select distinct m.name from pgscore_data.model m
                                                        join pgscore_data.version v using (model_id)
                                                       where v.state <> 'dropped' order by m.name limit 20) m) || '.',
        'No model is deployed yet: select pgscore.deploy(''name'', bytes), or: pgscore deploy FILE --model NAME.');
  end if;
  select v.version_id, v.number, v.state, v.signature, v.reason, v.remedy
    into _find_version.version_id, _find_version.number, _find_version.state, _find_version.signature, reason, remedy
    from pgscore_data.version v
   where v.model_id = _find_version.model_id and v.state <> 'dropped'
     and case
           when wanted ~ '^[0-9]{1,9}$' then v.number = wanted::int
           else v.version_id = (select a.version_id from pgscore_data.alias a
                                 where a.model_id = _find_version.model_id and a.alias = coalesce(wanted, 'champion'))
         end;
  if version_id is null then
    if wanted is null then
      select v.number, v.state, v.reason into number, state, reason from pgscore_data.version v
       where v.model_id = _find_version.model_id and v.state <> 'dropped' order by v.number desc limit 1;
      raise exception 'model "%" has no champion yet', base using
        errcode = 'object_not_in_prerequisite_state',
        detail = coalesce(format('Its newest version, %s@%s, is %s%s', base, number, state, coalesce(': ' || reason, '.')),
                          'It has no version.'),
        hint = case when state = 'checking' then format('call pgscore.wait_for_version(''%s@%s'');', base, number)
                 else 'Deploy a version that passes the check.' end;
    end if;
    raise exception 'model "%" has no version or alias "%"', base, wanted using
      errcode = 'undefined_object', hint = 'select version, aliases, state from pgscore.models; lists what there is.';
  end if;
  champion := exists (select from pgscore_data.alias a where a.version_id = _find_version.version_id and a.alias = 'champion');
end
$$;
comment on function pgscore._find_version(text) is
  'The version that a notation such as churn, churn@3 or churn@challenger means; raises where there is none.';

create or replace function pgscore._ready_version(
  model text,
  out version_id int, out version_name text, out signature jsonb
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  found record := pgscore._find_version(model);
  verdict record;
begin
  if found.state <> 'ready' then
    select v.reason, v.remedy into verdict from pgscore_data.version v where v.version_id = found.version_id;
    raise exception 'version "%@%" is %, not ready', found.model_name, found.number, found.state using
      errcode = 'object_not_in_prerequisite_state',
      detail = coalesce(verdict.reason, 'The service has not finished checking it.'),
      hint = coalesce(verdict.remedy, format('call pgscore.wait_for_version(''%s@%s'');', found.model_name, found.number));
  end if;
  version_id := found.version_id;
  version_name := found.model_name || '@' || found.number;
  signature := found.signature;
end
$$;
comment on function pgscore._ready_version(text) is
  'The version that a notation means and its signature; raises where it is not ready to score.';
