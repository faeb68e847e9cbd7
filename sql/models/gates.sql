-- Gates: what a version must pass before it becomes the champion. Setting, dropping and listing them.

create or replace view pgscore.gates with (security_barrier) as
select m.name as model, g.name as gate, g.kind, g.metric, g.against, g.margin, g.minimum_labels, g.by_column as by, g.source, g.expected,
       g.tolerance, jsonb_array_length(g.golden) as golden_rows, g.set_by, g.set_at, g.target
  from pgscore_data.gate g
  join pgscore_data.model m using (model_id);
comment on view pgscore.gates is
'What a version must pass before it becomes the champion of its model. pgscore.check_gates(''churn@4'') tells whether it does.';
comment on column pgscore.gates.model is 'Name of the model.';
comment on column pgscore.gates.gate is 'Name of the gate.';
comment on column pgscore.gates.kind is 'golden, not_worse or no_segment_worse, as in set_gate().';
comment on column pgscore.gates.metric is 'The metric of pgscore_bi.version_comparison that it goes by.';
comment on column pgscore.gates.against is 'The version that it compares with: champion, or predecessor, which is the one before it.';
comment on column pgscore.gates.margin is 'How much worse a version may be.';
comment on column pgscore.gates.minimum_labels is 'How many labels the metric must count; of no_segment_worse in each segment.';
comment on column pgscore.gates.by is 'The column whose segments it compares; segments: all of the model''s.';
comment on column pgscore.gates.source is 'The table that the golden rows were copied from.';
comment on column pgscore.gates.expected is 'The column of it that holds what is expected.';
comment on column pgscore.gates.tolerance is 'How far a prediction may be off, as a share of what is expected where that is more than 1.';
comment on column pgscore.gates.golden_rows is 'How many golden rows there are.';
comment on column pgscore.gates.set_by is 'The role that set it.';
comment on column pgscore.gates.set_at is 'When it was set.';
comment on column pgscore.gates.target is 'The target or label that it is about; NULL: each of them, or the model gives one value.';

create or replace function pgscore_data._wrong_gate(base text, this_task text, g pgscore_data.gate, out wrong text, out remedy text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  segments constant text[] := (select m.segments from pgscore_data.monitor m where m.model_id = g.model_id);
  judged_as constant text[] := pgscore_data._judged_as(this_task);
  targets constant text[] := array(
    select n.name from pgscore_data.version_value n
     where this_task in ('multi_target', 'multilabel') and n.version_id = (
       select max(v.version_id) from pgscore_data.version v where v.model_id = g.model_id and v.state = 'ready') order by n.position);
  is_number constant boolean := jsonb_typeof(g.golden -> 0 -> 'expected') = 'number';
begin
  remedy := 'Leave out what is to have its default.';
  wrong := case
    when g.name !~ '^[[:alpha:]_][[:alnum:]_.-]*$' or octet_length(g.name) > 63
      then 'a name begins with a letter or _, goes on with letters, digits, _, - and ., and has 63 bytes at most'
    when g.margin between 0 and 1e300 is false then 'margin is a number from 0 on, in the unit of the metric'
    when g.against not in ('champion', 'predecessor') then 'against is champion or predecessor'
    when g.minimum_labels < 1 then 'minimum_labels is 1 or more'
    when g.tolerance between 0 and 1e300 is false then 'tolerance is a number from 0 on'
  end;
  if wrong is null and g.kind <> 'golden'
    and not exists (select from pgscore_data.compared_kind k where k.task = any (judged_as) and k.metric = g.metric) then
    wrong := format('versions are not compared by %L', g.metric);
    remedy := coalesce((select 'Use one of ' || string_agg(k.metric, ', ' order by k.metric) || '.' from pgscore_data.compared_kind k
                         where k.task = any (judged_as)), format('Of a model whose task is %s, versions are not compared.', this_task));
  elsif wrong is null and g.target is not null and g.target <> all (targets) then
    wrong := format('the model gives no target %L', g.target);
    remedy := coalesce('Use one of ' || nullif(array_to_string(targets, ', '), '') || ', or leave target out for all of them.',
                       'It gives one value a row: leave target out.');
  elsif wrong is null and g.kind = 'no_segment_worse'
    and (segments = '{}' or g.by_column <> 'segments' and g.by_column <> all (segments)) then
    wrong := case when g.by_column = 'segments' then 'the model has no segments'
               else format('%I is no segment column of the model', g.by_column) end;
    remedy := coalesce('Its segment columns are ' || nullif(array_to_string(segments, ', '), '') || '.',
                       format('select pgscore.monitor(%L, segments => array[''region'']); splits predictions from the next run on.', base));
  elsif wrong is null and g.kind = 'golden'
    and not (case when is_number then exists (select from pgscore_data.execution e join pgscore_data.version v using (version_id)
                                               where v.model_id = g.model_id and pgscore_data._has_score(e))
               else this_task in ('binary', 'multiclass', 'clustering') end)
  then
    wrong := format('column %I holds %s, and the model, whose task is %s, has no %s', g.expected,
                    case when is_number then 'numbers' else 'labels' end, this_task, case when is_number then 'score' else 'label' end);
    remedy := 'Numbers are compared with the score, texts with the label. All that a model says, deploy() checks with expect.';
  end if;
end
$$;
comment on function pgscore_data._wrong_gate(text, text, pgscore_data.gate) is
  'Why a gate makes no sense, and what to do; NULL where it does.';

create or replace function pgscore_data._gate_arguments(kind text, given jsonb, out wrong text, out remedy text)
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  needed constant text[] := case when kind = 'golden' then '{source,expected}'::text[]
                              when kind in ('not_worse', 'no_segment_worse') then '{metric,margin}' end;
  optional constant text[] := case kind when 'golden' then '{tolerance}'::text[] when 'not_worse' then '{against,minimum_labels,target}'
                                else '{against,minimum_labels,by,target}' end;
begin
  remedy := format('It needs %s, and may have %s.', array_to_string(needed, ' and '), array_to_string(optional, ', '));
  if needed is null then
    wrong := 'there is no such kind';
    remedy := 'Kinds are golden, not_worse and no_segment_worse.';
  else
    wrong := coalesce((select 'it takes no ' || min(k) from jsonb_object_keys(given) k where k <> all (needed || optional)),
                      (select 'it needs ' || min(k) from unnest(needed) k where not given ? k));
  end if;
end
$$;
comment on function pgscore_data._gate_arguments(text, jsonb) is 'Which argument a kind of gate lacks or does not take; NULL: none.';

create or replace function pgscore_data._set_gate(base text, this_name text, options jsonb, this_owner name) returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  family constant record := pgscore_data._model_family(base);
  problem record;
  g pgscore_data.gate;
begin
  problem := pgscore_data._gate_arguments(options ->> 'kind', options - 'kind' - 'golden');
  if problem.wrong is null then
    g := jsonb_populate_record(null::pgscore_data.gate, options);
    g.model_id := family.model_id;
    -- As the columns of intervals name them.
    g.metric := case when g.metric in ('precision', 'recall', 'f1') then g.metric || '_score' else g.metric end;
    g.name := coalesce(this_name, concat_ws('_', g.kind, g.metric, regexp_replace(g.target, '[^[:alnum:]_.-]', '_', 'g')));
    if g.kind = 'golden' then
      g.tolerance := coalesce(g.tolerance, 1e-5);
    else
      g.against := coalesce(g.against, 'champion');
      g.minimum_labels := coalesce(g.minimum_labels, 30);
      g.by_column := case when g.kind = 'no_segment_worse' then coalesce(options ->> 'by', 'segments') end;
    end if;
    problem := pgscore_data._wrong_gate(
      base, case when family.score_unit in ('distance', 'share') then 'clustering' else family.task end, g);
  end if;
  if problem.wrong is not null then
    raise exception 'gate % of model "%" cannot be set: %', coalesce(quote_literal(options ->> 'kind'), 'NULL'), base, problem.wrong using
      errcode = 'invalid_parameter_value', hint = problem.remedy;
  end if;
  delete from pgscore_data.gate x where x.model_id = g.model_id and x.name = g.name;
  insert into pgscore_data.gate
    (model_id, name, kind, metric, against, margin, minimum_labels, by_column, target, source, expected, tolerance, golden, set_by)
  values (g.model_id, g.name, g.kind, g.metric, g.against, g.margin, g.minimum_labels, g.by_column, g.target, g.source, g.expected,
          g.tolerance, g.golden, this_owner);
  return g.name;
end
$$;
comment on function pgscore_data._set_gate(text, text, jsonb, name) is 'Stores a gate in place of the one of its name; returns its name.';

create or replace function pgscore_data._drop_gate(this_model int, base text, this_name text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from pgscore_data.gate g where g.model_id = this_model and g.name = this_name;
  if not found then
    raise exception 'model "%" has no gate %', base, coalesce(quote_literal(this_name), 'NULL') using errcode = 'undefined_object',
      hint = format('It has %s.', coalesce((select string_agg(quote_literal(g.name), ', ' order by g.name) from pgscore_data.gate g
                                             where g.model_id = this_model), 'none'));
  end if;
end
$$;
comment on function pgscore_data._drop_gate(int, text, text) is 'Forgets a gate.';

create or replace function pgscore._golden_rows(model text, source regclass, expected text) returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
set extra_float_digits = 1
as $$
declare
  champion constant record := pgscore._find_version(model);
  columns constant text := (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
                             where a.attrelid = source and a.attnum > 0 and not a.attisdropped);
  category constant "char" := (select t.typcategory from pg_attribute a join pg_type t on t.oid = pgscore._base_type(a.atttypid)
                                where a.attrelid = source and a.attname = expected and a.attnum > 0 and not a.attisdropped);
  golden jsonb;
  wrong text;
begin
  if category is null then
    raise exception '% has no column "%"', source, expected using errcode = 'undefined_column', hint = format('It has %s.', columns);
  elsif category not in ('N', 'S', 'E', 'B') then
    raise exception 'column "%" of % is neither a number nor a text', expected, source using errcode = 'datatype_mismatch',
      hint = 'Numbers are compared with the score, texts with the label.';
  elsif exists (select from pgscore._matched_features(source, champion.signature, null) m where m.column_name = expected) then
    raise exception 'column "%" of % is a feature of model "%"', expected, source, model using errcode = 'invalid_parameter_value',
      hint = 'Give what is expected of a row in a column of its own.';
  end if;
  -- s.*: a column may be named s. MATERIALIZED: Citus reads the rows from its nodes, and computes the rest here.
  execute format('with s as materialized (select s.* from %2$s s limit 1001) '
                 'select jsonb_agg(jsonb_build_object(''row'', pgscore_models._features($1, s.*) - $2, ''expected'', %1$s)) from s',
                 format(case category when 'N' then 's.%1$I::float8'
                          else 'case when s.%1$I is not null then concat(s.%1$I) end' end, expected), source)
    into golden using champion.version_id, expected;
  wrong := case
    when golden is null then 'has no row'
    when jsonb_array_length(golden) > 1000 then 'has more than 1000 rows'
    when octet_length(golden::text) > 4000000 then 'is longer than 4 MB as JSON'
    when golden @? '$[*] ? (@.expected == null)' then format('has rows where %I is NULL', expected)
    when category = 'N' and golden @? '$[*].expected ? (@.type() == "string")' then format('has rows where %I is not finite', expected)
  end;
  if wrong is not null then
    raise exception '% %', source, wrong using errcode = 'invalid_parameter_value',
      hint = 'Give a small table or view with the features of the model and, in each row, what is expected of it.';
  end if;
  return golden;
end
$$;
comment on function pgscore._golden_rows(text, regclass, text) is
  'The rows of a table as jsonb, each with what is expected of it, a number or a text. Read as the caller.';

create or replace function pgscore.set_gate(
  model text, kind text, metric text default null, margin double precision default null, against text default null,
  minimum_labels bigint default null, by text default null, source regclass default null, expected text default null,
  tolerance double precision default null, name text default null, target text default null
) returns text
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
  insert into pgscore._command (action, model, argument, options)
  values ('set_gate', $1, $11,
    jsonb_strip_nulls(jsonb_build_object('kind', $2, 'metric', $3, 'margin', $4, 'against', $5, 'minimum_labels', $6, 'by', $7,
                                         'source', $8::text, 'expected', $9, 'tolerance', $10, 'target', $12))
      || case when $2 = 'golden' and num_nulls($8, $9) = 0 then jsonb_build_object('golden', pgscore._golden_rows($1, $8, $9))
           else '{}' end)
  returning outcome
$$;
comment on function pgscore.set_gate(text, text, text, double precision, text, bigint, text, regclass, text, double precision, text, text)
is
'Sets what a version must pass before it becomes the champion of a model, in place of the gate of its name. Returns the name.
model: its bare name.  kind: one of these.
golden: its predictions of a small table equal expected ones. source: a table or view with the features; its rows are copied now.
'
'expected: its column to compare with the score, if it holds numbers, or with the label.  tolerance: a share of what is expected, or of 1 '
'where that is less (default 1e-5).
not_worse: it is not worse than another version by more than a margin, by the 95 % interval of the difference, not by the value alone: '
'that of an experiment, of the labels that judge both, or of a replay. metric: one of pgscore_bi.version_comparison.  margin: in the unit '
'of the metric.  against: champion (default) or predecessor.  minimum_labels: that the metric must count for both versions (default 30).
no_segment_worse: the same in each segment of the model. by: one segment column (default: segments, all of them). A segment of less than '
'1 % of the other version''s predictions fails only where all of its interval is beyond the margin.
target: of a model of several targets or labels the one to go by (default: each must pass).
name: default the kind, the metric and the target. What lacks data is not passed.';

create or replace function pgscore.drop_gate(model text, gate text) returns text
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ select pgscore._run_command('drop_gate', model, gate) $$;
comment on function pgscore.drop_gate(text, text) is 'Drops a gate of a model. Returns its name.';
