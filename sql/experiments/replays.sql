-- Replays: runs that score the past again by a version. They have is_replay and targets of their own, and no refresh counts them.

create or replace function pgscore_data._refuse_unlabeled_replay(t pgscore_data.target, this_version int, to_time timestamptz)
returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  keys constant text[] := array(select k ->> 'name' from jsonb_array_elements(t.key_columns) with ordinality x (k, n) order by n);
  base text;
  label_key text[];
  pairing text;
begin
  select m.name, o.key_columns, o.pairing into base, label_key, pairing
    from pgscore_data.version v join pgscore_data.model m using (model_id) join pgscore_data.monitor o using (model_id)
   where v.version_id = this_version and t.task not in ('multi_target', 'multilabel')
     and pgscore_data._entity_expression(t, o.key_columns) <> 'p.key'
     and (exists (select from pgscore_data.label_source s where s.model_id = v.model_id)
       or exists (select from pgscore_data.evaluation e where e.model_id = v.model_id));
  if cardinality(label_key) <> cardinality(keys) and not label_key <@ keys then
    raise exception 'no label of model "%" can find a row of this replay', base using errcode = 'invalid_parameter_value',
      detail = format('Labels go by %s, and the key of the rows is %s.', array_to_string(label_key, ', '), array_to_string(keys, ', ')),
      hint = 'Name columns of the key as the labels do, in a view of the source: select customer_id as customer, …; and replay that.';
  elsif cardinality(label_key) < cardinality(keys) and to_time is not null and pairing = 'latest_before_label' then
    raise notice 'labels that become known since % judge no row of this replay', to_time using
      hint = 'Which row of an entity comes next is not known past the window. Let it end later: '
             'pgscore_bi.replay_performance_monthly has each month by itself.';
  end if;
end
$$;
comment on function pgscore_data._refuse_unlabeled_replay(pgscore_data.target, int, timestamptz) is
  'Raises where no label can find a row of a replay of a source, and says which labels judge none.';

create or replace function pgscore_data._begin_replay(r pgscore._run_request, t pgscore_data.target) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  from_time constant timestamptz := r.plan #>> '{window,from}';
  to_time constant timestamptz := r.plan #>> '{window,to}';
begin
  perform pgscore_data._refuse_unlabeled_replay(t, r.version_id, to_time);
  insert into pgscore_data.replay (run_id, from_time, to_time, other_id)
  select r.run_id, from_time, to_time, (select a.version_id from pgscore_data.alias a join pgscore_data.version v using (model_id)
                                         where v.version_id = r.version_id and a.alias = 'champion');
end
$$;
comment on function pgscore_data._begin_replay(pgscore._run_request, pgscore_data.target) is
  'Stores what a replay is compared with. Raises if there are no labels for it.';

create or replace function pgscore._submit_replay(
  model text, from_time timestamptz, to_time timestamptz, source regclass, target name, target_schema name, key text[], event_time text,
  column_map jsonb, rls text, error_limit bigint
) returns bigint
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  version record := pgscore._ready_version(model);
  base constant text := regexp_replace(version.version_name, '@\d+$', '');
  written name := coalesce(target_schema, 'public');
  -- As text: a name would be cut.
  view_name constant text :=
    coalesce(target::text, concat_ws('_', base, (select c.relname from pg_class c where c.oid = source), 'replay'));
  calls record;
  plan jsonb;
  submitted bigint;
begin
  if from_time >= to_time then
    raise exception 'from_time => % is not before to_time => %', from_time, to_time
      using errcode = 'invalid_parameter_value', hint = 'The window begins with from_time and ends before to_time.';
  end if;
  perform pgscore._refuse_run_options(rls, error_limit);
  perform pgscore._refuse_long_target(view_name);
  if version.signature ->> 'task' in ('multi_target', 'multilabel') then
    raise notice 'model "%" gives several values a row: its replays are scored, and not compared', base using
      hint = 'The predictions are in <target>_history.';
  end if;
  if source is null then
    if num_nonnulls(key, event_time, column_map) > 0 then
      raise exception 'key, event_time and column_map are about a source' using
        errcode = 'invalid_parameter_value', hint = 'Name it: source => ''table or view''; or leave them out to replay the calls.';
    end if;
    calls := pgscore._create_calls_view(version.version_id, written, (view_name || '_calls')::name);
    perform pgscore._refuse_no_calls(version.version_id, version.version_name, calls.source, from_time, to_time);
    plan := pgscore._plan_source(calls.source, version.signature, '{prediction_id,asked_at,key}', 'event_time', calls.column_map);
  else
    if event_time is null then
      raise exception 'a replay of a source needs event_time' using
        errcode = 'invalid_parameter_value',
        hint = 'Name the column that says what time a row is for: event_time => ''column''. By it labels find what was predicted.';
    end if;
    plan := pgscore._plan_source(source, version.signature, key, event_time, column_map);
  end if;
  plan := plan || jsonb_build_object('window', jsonb_build_object('from', from_time, 'to', to_time));
  insert into pgscore._run_request (version_id, target_id, source_schema, source_name, source_kind, handle_id, plan, rls, publish,
    error_limit, is_replay)
  values (version.version_id,
    pgscore._ensure_target(written, view_name, version.signature,
      jsonb_path_query_array(plan -> 'columns', '$[*] ? (@.role == "key")'), is_replay => true),
    plan ->> 'schema', plan ->> 'name', plan ->> 'kind', pgscore._ensure_handle(plan), plan, rls, false, error_limit, true)
  returning run_id into submitted;
  return submitted;
end
$$;
comment on function pgscore._submit_replay(text, timestamptz, timestamptz, regclass, name, name, text[], text, jsonb, text, bigint) is
  'Plans a replay as the caller and queues it.';

create or replace function pgscore.replay(
  model text,
  from_time timestamptz default null,
  to_time timestamptz default null,
  source regclass default null,
  target name default null,
  target_schema name default current_schema(),
  key text default null,
  event_time text default null,
  column_map jsonb default null,
  rls text default 'error',
  error_limit bigint default null
) returns bigint
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ select pgscore._submit_replay($1, $2, $3, $4, $5, $6, case when $7 is not null then array[$7] end, $8, $9, $10, $11) $$;
comment on function pgscore.replay(text, timestamptz, timestamptz, regclass, name, name, text, text, jsonb, text, bigint) is
'Scores the past again by a version, to see what it would have said, and returns the run, as score_table() does.
pgscore_bi.version_comparison compares it with the live predictions of the champion; pgscore_bi.replay_performance_monthly has it by month.
The predictions go to <target>_history only. No latest view, alert or metric of live predictions changes.
model: churn (its champion), churn@3 or churn@challenger.
from_time, to_time: the window of event times, to_time excluded (default: all). Where the source holds an entity at several times, labels
that are known since to_time judge no row.
source: table or view with the rows (default: the calls that were kept with their inputs, as the view <target>_calls shows them).
target: a name of its own; replays of one shape share it (default: the name of the model, that of the source if given, and _replay).
target_schema: where (default: your current schema).
key: the column that identifies a row of the source (default: the primary key); several are given as an array. Labels find a row by their
own key columns, which must be among them. So a table may hold an entity at several times: key => array[''customer_id'', ''as_of''].
event_time: the column of the source that says what time a row is for. Needed with source.
column_map, rls, error_limit: as score_table() takes them.';

create or replace function pgscore.replay(
  model text,
  source regclass,
  key text[],
  event_time text,
  from_time timestamptz default null,
  to_time timestamptz default null,
  target name default null,
  target_schema name default current_schema(),
  column_map jsonb default null,
  rls text default 'error',
  error_limit bigint default null
) returns bigint
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ select pgscore._submit_replay($1, $5, $6, $2, $7, $8, $3, $4, $9, $10, $11) $$;
comment on function pgscore.replay(text, regclass, text[], text, timestamptz, timestamptz, name, name, jsonb, text, bigint) is
'As replay with a key of one column, for a key of several: key => array[''a'', ''b''].';
