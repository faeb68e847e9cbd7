-- The truth as it arrives: from a table of the user's, by triggers or by comparison, or one label at a time.

create or replace function pgscore_data._may_label(role name, this_model int) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select pg_has_role(role, 'pgscore_deployer', 'usage')
      or exists (select from pgscore_data.model_grant g join pg_roles r on r.rolname = g.grantee where g.model_id = this_model and pg_has_role(role, r.oid, 'usage'));
end;
comment on function pgscore_data._may_label(name, int) is 'Whether a role may say what is true of a model''s predictions: who may score with the model may, and deployers.';

create or replace view pgscore._label_request as
select null::text as model, null::name as source_schema, null::name as source_name, null::name as label_column, null::name[] as key_columns, null::text[] as key_types,
       null::name as known_at_column, null::text as time_zone, null::bigint as handle_id, null::int as source_id, null::name as owner where false;
comment on view pgscore._label_request is 'Where set_labels() hands its request over: owner is the caller, and nobody can write it.';
alter view pgscore._label_request alter column owner set default current_user;

drop function if exists pgscore_data._settle_key(int, text, text[]);
create or replace function pgscore_data._settle_key(this_model int, base text, families text[], columns name[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  known text[] := (select m.key_types from pgscore_data.monitor m where m.model_id = this_model for no key update);
begin
  if known is distinct from families and exists (select from pgscore_data.evaluation e where e.model_id = this_model) then
    raise exception 'the labels of model "%" are keyed by %, not by %', base, array_to_string(known, ', '), array_to_string(families, ', ') using
      errcode = 'datatype_mismatch', hint = format('Key them alike, or begin anew: select pgscore.unset_labels(%L);', base);
  end if;
  update pgscore_data.monitor m set key_types = families, key_columns = columns
   where m.model_id = this_model and (m.key_types, m.key_columns) is distinct from (families, columns);
end
$$;
comment on function pgscore_data._settle_key(int, text, text[], name[]) is 'Labels of a model have one kind of key; columns: where it is in the rows of calls.';

create or replace function pgscore_data._accept_labels() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  family record := pgscore_data._model_family(new.model);
  earlier pgscore_data.label_source;
begin
  if not pgscore_data._may_label(new.owner, family.model_id) then
    raise exception 'permission denied for model "%"', new.model using errcode = 'insufficient_privilege', hint = format('Ask a deployer for: select pgscore.grant_model(%L, %L);', new.model, new.owner);
  end if;
  select * into earlier from pgscore_data.label_source s where s.model_id = family.model_id for update;
  if found and not pg_has_role(new.owner, earlier.set_by, 'usage') and not pg_has_role(new.owner, 'pgscore_deployer', 'usage') then
    raise exception 'the labels of model "%" come from "%"."%", set by %', new.model, earlier.source_schema, earlier.source_name, earlier.set_by using
      errcode = 'insufficient_privilege', hint = format('Ask %s or a deployer for: select pgscore.unset_labels(%L);', earlier.set_by, new.model);
  end if;
  if not exists (select from pgscore_data.handle h where h.handle_id = new.handle_id and h.owner = new.owner) then
    raise exception 'the read handle belongs to another role' using errcode = 'insufficient_privilege', hint = 'Set labels with pgscore.set_labels().';
  end if;
  perform pgscore_data._settle_key(family.model_id, new.model, new.key_types, new.key_columns);
  -- The same source_id as before: it is in the names of the triggers, which are replaced and do not pile up.
  insert into pgscore_data.label_source as s (model_id, set_by, source_schema, source_name, label_column, key_columns, known_at_column, time_zone, handle_id)
  values (family.model_id, new.owner, new.source_schema, new.source_name, new.label_column, new.key_columns, new.known_at_column, new.time_zone, new.handle_id)
  on conflict (model_id) do update set
    set_by = excluded.set_by, source_schema = excluded.source_schema, source_name = excluded.source_name, label_column = excluded.label_column, key_columns = excluded.key_columns,
    known_at_column = excluded.known_at_column, time_zone = excluded.time_zone, handle_id = excluded.handle_id, set_at = clock_timestamp(), compare_after = clock_timestamp(), compared_at = null, error = null
  returning s.source_id into new.source_id;
  perform pgscore_data._wake('labels');
  return new;
end
$$;
comment on function pgscore_data._accept_labels() is 'Notes where the labels of a model come from and asks for them to be read.';

create or replace trigger accept instead of insert on pgscore._label_request
for each row execute function pgscore_data._accept_labels();

create or replace function pgscore_data._label_select(s pgscore_data.label_source, relation oid, transition text) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  families text[] := (select m.key_types from pgscore_data.monitor m where m.model_id = s.model_id);
  found text[] := (
    select array_agg(pgscore._label_key(pgscore._base_type(a.atttypid)) order by k.n)
      from unnest(s.key_columns) with ordinality as k (name, n) left join pg_attribute a on a.attrelid = relation and a.attname = k.name and not a.attisdropped);
  moment oid := (select pgscore._base_type(a.atttypid) from pg_attribute a where a.attrelid = relation and a.attname = s.known_at_column and not a.attisdropped);
begin
  if found is distinct from families
    or not exists (select from pg_attribute a where a.attrelid = relation and a.attname = s.label_column and not a.attisdropped)
    or s.known_at_column is not null and coalesce(moment not in ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype), true)
  then
    return null;
  end if;
  return format('select array[%s] as key, %s as known_at, nullif(concat(t.%I), '''') as label from %s t',
    (select string_agg(format('concat(t.%I)', k), ', ' order by n) from unnest(s.key_columns) with ordinality as x (k, n)),
    case when s.known_at_column is null then 'null::timestamptz' when moment = 'timestamptz'::regtype then format('t.%I', s.known_at_column)
      else format('t.%I::timestamp at time zone %L', s.known_at_column, s.time_zone) end,
    s.label_column, transition)
    || (select string_agg(format(' %s t.%I is not null', case n when 1 then 'where' else 'and' end, k), '' order by n) from unnest(s.key_columns) with ordinality as x (k, n));
end
$$;
comment on function pgscore_data._label_select(pgscore_data.label_source, oid, text) is 'The query that reads labels out of the rows that a statement wrote; NULL where the columns are not what they were. concat() calls no function of a type''s owner.';

create or replace function pgscore._capture_labels() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
set extra_float_digits = 1
as $$
declare
  s pgscore_data.label_source;
  fresh text;
  stale text;
begin
  select * into s from pgscore_data.label_source x where x.source_id::text = tg_argv[0] and x.source_schema = tg_table_schema and x.source_name = tg_table_name;
  if not found then
    return null;
  end if;
  if tg_op <> 'TRUNCATE' then
    fresh := pgscore_data._label_select(s, tg_relid, 'fresh');
    stale := pgscore_data._label_select(s, tg_relid, 'stale');
  end if;
  if fresh is null then
    insert into pgscore_data.comparison_request (source_id) values (s.source_id);
    return null;
  end if;
  if tg_op <> 'INSERT' then
    execute format('insert into pgscore_data.label_change (model_id, source_id, key, known_at, retracted) select $1, $2, o.key, o.known_at, true from (%s) o where o.label is not null', stale)
      || case tg_op when 'UPDATE' then format(' and not exists (select from (%s) n where n.key = o.key and n.known_at is not distinct from o.known_at and n.label is not null)', fresh) else '' end
    using s.model_id, s.source_id;
  end if;
  if tg_op <> 'DELETE' then
    execute format('insert into pgscore_data.label_change (model_id, source_id, key, known_at, label) select $1, $2, n.key, n.known_at, n.label from (%s) n where n.label is not null', fresh)
      || case tg_op when 'UPDATE' then format(' and not exists (select from (%s) o where o.key = n.key and o.known_at is not distinct from n.known_at and o.label = n.label)', stale) else '' end
    using s.model_id, s.source_id;
  end if;
  return null;
end
$$;
comment on function pgscore._capture_labels() is 'Trigger of a table that holds labels: queues what a statement wrote, in its transaction. On a table that no model takes its labels from it does nothing.';

create or replace function pgscore._capture_by_triggers(source regclass, source_id int) returns boolean
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  event record;
begin
  if (select c.relkind from pg_class c where c.oid = source) not in ('r', 'p') or not has_table_privilege(source, 'trigger') then
    return false;
  end if;
  for event in
    select * from (values ('insert', 'referencing new table as fresh'), ('update', 'referencing old table as stale new table as fresh'),
      ('delete', 'referencing old table as stale'), ('truncate', '')) e (name, transition)
  loop
    execute format('create or replace trigger %I after %s on %s %s for each statement execute function pgscore._capture_labels(%s)',
      'pgscore_labels_' || source_id || '_' || event.name, event.name, source, event.transition, source_id);
  end loop;
  return true;
exception
  when insufficient_privilege or wrong_object_type or feature_not_supported then
    return false;
end
$$;
comment on function pgscore._capture_by_triggers(regclass, int) is 'Puts the triggers that capture labels on a table, as the caller; false where she may not, or where it is no table.';

create or replace function pgscore._set_labels(model text, source regclass, label text, key text[], known_at text) returns text
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  plan jsonb;
  keys jsonb;
  families text[];
  strange text;
  id int;
begin
  if known_at is not null and not exists (
    select from pg_attribute a where a.attrelid = source and a.attname = known_at and a.attnum > 0 and not a.attisdropped
       and pgscore._base_type(a.atttypid) in ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype))
  then
    raise exception 'known_at column "%" is not a timestamptz, timestamp or date of %', known_at, source using
      errcode = 'undefined_column', hint = 'Name the column that says when the truth became known, or leave known_at out.';
  end if;
  plan := pgscore._plan_source(source, '{"features": []}', key, known_at, null);
  keys := jsonb_path_query_array(plan -> 'columns', '$[*] ? (@.role == "key")');
  if label is null or not exists (select from pg_attribute a where a.attrelid = source and a.attname = label and a.attnum > 0 and not a.attisdropped) then
    raise exception 'label column % does not exist in %', coalesce('"' || label || '"', 'NULL'), source using
      errcode = 'undefined_column', hint = 'Name the column that holds the truth: label => ''...''.';
  end if;
  if not has_column_privilege(source, label, 'select') then
    raise exception 'permission denied for column "%" of %', label, source using errcode = 'insufficient_privilege', hint = format('grant select on %s to %I;', source, current_user);
  end if;
  select k ->> 'name' into strange from jsonb_array_elements(keys) k where pgscore._label_key(to_regtype(k ->> 'sql_type')) is null limit 1;
  if strange is not null then
    raise exception 'labels cannot be keyed by "%"', strange using
      errcode = 'datatype_mismatch', hint = 'A key of labels is an integer, text, uuid, date, timestamp, numeric or boolean. Set labels from a view that casts it.';
  end if;
  families := array(select pgscore._label_key(to_regtype(k ->> 'sql_type')) from jsonb_array_elements(keys) with ordinality as x (k, n) order by n);
  plan := plan || jsonb_build_object('kind', 'stream', 'columns', (plan -> 'columns') || jsonb_build_object('name', label, 'role', 'label', 'type', 'raw', 'width', 1,
    'sql_type', (select format_type(pgscore._base_type(a.atttypid), -1) from pg_attribute a where a.attrelid = source and a.attname = label)));
  insert into pgscore._label_request (model, source_schema, source_name, label_column, key_columns, key_types, known_at_column, time_zone, handle_id)
  values (model, plan ->> 'schema', plan ->> 'name', label, array(select k ->> 'name' from jsonb_array_elements(keys) with ordinality as x (k, n) order by n), families,
    known_at, current_setting('TimeZone'), pgscore._ensure_handle(plan))
  returning source_id into id;
  if pgscore._capture_by_triggers(source, id) then
    return 'triggers';
  end if;
  return 'polling';
end
$$;
comment on function pgscore._set_labels(text, regclass, text, text[], text) is 'As set_labels, with the key as an array.';

create or replace function pgscore.set_labels(model text, source regclass, label text, key text default null, known_at text default null) returns text
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ select pgscore._set_labels($1, $2, $3, case when $4 is not null then array[$4] end, $5) $$;
comment on function pgscore.set_labels(text, regclass, text, text, text) is
'Says where the truth about a model''s predictions arrives: a table or view with one row an entity, or one for each time that the truth became known. The accuracy views follow what is written there, corrected or deleted, however late.
model: its bare name.  source: a table or view of yours.  label: the column with the true class or value; NULL while it is not known.
key: the column that identifies an entity, as in the predictions (default: the primary key); a key of several columns is given as an array.
known_at: the column that says when the truth became known (default: when pgscore first saw it). By it a label judges the last prediction that was for an earlier time.
Returns how changes arrive: ''triggers'' in the writer''s own transaction, or ''polling'' where you may put no trigger on the source, which is then read again and compared.';

create or replace function pgscore.set_labels(model text, source regclass, label text, key text[], known_at text default null) returns text
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ select pgscore._set_labels($1, $2, $3, $4, $5) $$;
comment on function pgscore.set_labels(text, regclass, text, text[], text) is 'As set_labels with a key of one column, for a key of several: key => array[''a'', ''b''].';

create or replace view pgscore._unlabel_request as
select null::text as model, null::name as owner where false;
comment on view pgscore._unlabel_request is 'Where unset_labels() hands its request over: owner is the caller, and nobody can write it.';
alter view pgscore._unlabel_request alter column owner set default current_user;

create or replace function pgscore_data._accept_unlabel() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  family record := pgscore_data._model_family(new.model);
  s pgscore_data.label_source;
begin
  select * into s from pgscore_data.label_source x where x.model_id = family.model_id for update;
  if not pg_has_role(new.owner, coalesce(s.set_by, 'pgscore_deployer'), 'usage') and not pg_has_role(new.owner, 'pgscore_deployer', 'usage') then
    raise exception 'permission denied for the labels of model "%"', new.model using errcode = 'insufficient_privilege', hint = 'Who set them, or a deployer, may unset them.';
  end if;
  delete from pgscore_data.label_source x where x.model_id = family.model_id;
  insert into pgscore_data.label_change (model_id, source_id, key, known_at, retracted)
  select distinct e.model_id, e.source_id, e.key, e.known_at, true from pgscore_data.evaluation e where e.model_id = family.model_id;
  perform pgscore_data._wake('labels');
  return new;
end
$$;
comment on function pgscore_data._accept_unlabel() is 'Forgets where the labels of a model come from and withdraws those it has.';

create or replace trigger accept instead of insert on pgscore._unlabel_request
for each row execute function pgscore_data._accept_unlabel();

create or replace function pgscore.unset_labels(model text) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._unlabel_request (model) values ($1) $$;
comment on function pgscore.unset_labels(text) is 'Withdraws every label of a model and forgets where they came from; its predictions stay. set_labels() begins anew.';

create or replace view pgscore._label as
select null::text as model, null::text[] as key, null::text as label, null::timestamptz as known_at, null::name as owner where false;
comment on view pgscore._label is 'Where record_label() hands a label over: owner is the caller, and nobody can write it.';
alter view pgscore._label alter column owner set default current_user;

create or replace function pgscore_data._accept_label() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
  family record := pgscore_data._model_family(new.model);
  families text[] := (select m.key_types from pgscore_data.monitor m where m.model_id = family.model_id);
  columns name[];
  canonical text[];
begin
  if not pgscore_data._may_label(new.owner, family.model_id) then
    raise exception 'permission denied for model "%"', new.model using errcode = 'insufficient_privilege', hint = format('Ask a deployer for: select pgscore.grant_model(%L, %L);', new.model, new.owner);
  end if;
  if families is null then
    select array_agg(pgscore._label_key(to_regtype(k ->> 'sql_type')) order by n), array_agg(k ->> 'name' order by n) into families, columns
      from (select t.key_columns from pgscore_data.target t join pgscore_data.run r on r.target_id = t.target_id join pgscore_data.version v using (version_id)
             where v.model_id = family.model_id order by r.run_id limit 1) t cross join jsonb_array_elements(t.key_columns) with ordinality as x (k, n);
    if families is null then
      select array_fill('text'::text, array[cardinality(c.key)]), c.key into families, columns from pgscore_data.call_log c where c.model_id = family.model_id and c.key is not null;
    end if;
    if families is null or array_position(families, null) is not null then
      raise exception 'model "%" has no predictions that a label could be about', new.model using
        errcode = 'object_not_in_prerequisite_state', hint = format('Score a table first with pgscore.score_table(), keyed by an integer, text, uuid, date, timestamp, numeric or boolean; or say what calls of score() are about: select pgscore.log_calls(%L, key => array[''id'']);', new.model);
    end if;
    perform pgscore_data._settle_key(family.model_id, new.model, families, columns);
  end if;
  if cardinality(new.key) is distinct from cardinality(families) or array_position(new.key, null) is not null then
    raise exception 'the key of model "%" has % columns (%), and none is NULL', new.model, cardinality(families), array_to_string(families, ', ') using
      errcode = 'invalid_parameter_value', hint = 'Pass one value a column, in the order of the predictions'' key: array[''a'', ''b''].';
  end if;
  execute format('select array[%s]', (select string_agg(format('concat(%L::%s)', new.key[n], families[n]), ', ' order by n) from generate_subscripts(families, 1) n)) into canonical;
  if (case when new.label is null then false when family.task = 'regression' then pgscore_data._number_of(new.label) is null
     else pgscore_data._class_of(new.label, family.class_labels, array(select pgscore_data._label_form(c) from unnest(family.class_labels) with ordinality as x (c, n) order by n)) is null end) then
    raise exception 'label "%" is none of model "%"', new.label, new.model using
      errcode = 'invalid_parameter_value', hint = case family.task when 'regression' then 'A regression takes a finite number.' else 'Its classes: ' || array_to_string(family.class_labels, ', ') || '.' end;
  end if;
  insert into pgscore_data.label_change (model_id, key, known_at, label, retracted) values (family.model_id, canonical, new.known_at, new.label, new.label is null);
  return new;
end
$$;
comment on function pgscore_data._accept_label() is 'Checks a single label and queues it.';

create or replace trigger accept instead of insert on pgscore._label
for each row execute function pgscore_data._accept_label();

create or replace function pgscore.record_label(model text, key text[], label text, known_at timestamptz default null) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._label (model, key, label, known_at) values ($1, $2, $3, $4) $$;
comment on function pgscore.record_label(text, text[], text, timestamptz) is 'As record_label with a key of one column, for a key of several: key => array[''a'', ''b''].';

create or replace function pgscore.record_label(model text, key text, label text, known_at timestamptz default null) returns void
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ insert into pgscore._label (model, key, label, known_at) values ($1, array[$2], $3, $4) $$;
comment on function pgscore.record_label(text, text, text, timestamptz) is
'Says what was true of one entity: record_label(''churn'', ''42'', ''yes''). A second label of it corrects the first; NULL withdraws it.
model: its bare name.  key: of the entity, as text.  label: the true class or value.  known_at: when that became known (default: now, or when the label that it corrects did).';

create or replace view pgscore.label_sources with (security_barrier) as
select m.name as model, s.source_schema || '.' || s.source_name as source, s.label_column, s.key_columns, s.known_at_column,
       case when exists (select from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
              where n.nspname = s.source_schema and c.relname = s.source_name and t.tgname = 'pgscore_labels_' || s.source_id || '_insert' and t.tgenabled <> 'D')
         then 'triggers' else 'polling' end as captured_by,
       s.set_by, s.set_at, s.compared_at, s.rows_compared,
       (select count(*) from (select from pgscore_data.label_change c where c.model_id = s.model_id limit 100000) w) as waiting,
       s.error,
       s.compared_at is not null and not exists (select from pgscore_data.label_change c where c.model_id = s.model_id)
         and not exists (select from pgscore_data.touched t join pgscore_data.version v using (version_id) where v.model_id = s.model_id) as is_settled
  from pgscore_data.label_source s join pgscore_data.model m using (model_id)
 where pg_has_role(s.set_by, 'usage') or pg_has_role('pgscore_deployer', 'usage');
comment on view pgscore.label_sources is 'Where the truth about your models comes from, and when it was last read whole.';
comment on column pgscore.label_sources.model is 'Name of the model.';
comment on column pgscore.label_sources.source is 'Table or view that holds the labels.';
comment on column pgscore.label_sources.label_column is 'Column with the true class or value.';
comment on column pgscore.label_sources.key_columns is 'Columns that identify an entity.';
comment on column pgscore.label_sources.known_at_column is 'Column that says when the truth became known; NULL: when pgscore first saw it.';
comment on column pgscore.label_sources.captured_by is 'triggers: changes arrive in the writer''s transaction, and an hourly comparison finds what triggers miss. polling: the source is read again and compared; set_labels() by the table''s owner puts triggers on it.';
comment on column pgscore.label_sources.set_by is 'Role that set the labels; the source is read with its rights.';
comment on column pgscore.label_sources.set_at is 'When it did.';
comment on column pgscore.label_sources.compared_at is 'When the source was last read whole and compared.';
comment on column pgscore.label_sources.rows_compared is 'How many labels it held then.';
comment on column pgscore.label_sources.waiting is 'Changes that the next refresh takes, counted to 100,000.';
comment on column pgscore.label_sources.is_settled is 'Whether the accuracy views show every label that is known so far.';
comment on column pgscore.label_sources.error is 'Why the source could not be read the last time; NULL where it could.';

create or replace function pgscore_data._compare_labels(this_source int, read_at timestamptz) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- In a loop the queue is read again for each label, with all that is being put into it.
set enable_nestloop = off
as $$
declare
  this_model int := (select s.model_id from pgscore_data.label_source s where s.source_id = this_source);
  compared bigint;
begin
  analyze pgscore_data.compared_label;
  analyze pgscore_data.label_change;
  -- What changed after the source was read is newer than what was read.
  insert into pgscore_data.label_change (model_id, source_id, key, known_at, label)
  select this_model, this_source, c.key, c.known_at, c.label
    from pgscore_data.compared_label c
    left join pgscore_data.evaluation e on e.model_id = this_model and e.key = c.key and (c.known_at is null or e.known_at = c.known_at)
   where c.source_id = this_source and e.label is distinct from c.label and coalesce(e.received_at < read_at, true)
     and not exists (select from pgscore_data.label_change x where x.model_id = this_model and x.key = c.key);
  insert into pgscore_data.label_change (model_id, source_id, key, known_at, retracted)
  select this_model, this_source, e.key, e.known_at, true
    from pgscore_data.evaluation e
   where e.model_id = this_model and e.source_id = this_source and e.received_at < read_at
     and not exists (select from pgscore_data.compared_label c where c.source_id = this_source and c.key = e.key and (c.known_at is null or c.known_at = e.known_at))
     and not exists (select from pgscore_data.label_change x where x.model_id = this_model and x.key = e.key);
  select count(*) into compared from pgscore_data.compared_label c where c.source_id = this_source;
  delete from pgscore_data.compared_label c where c.source_id = this_source;
  return compared;
end
$$;
comment on function pgscore_data._compare_labels(int, timestamptz) is 'Queues the differences between a source of labels as it was read and what is known, and forgets what was read; how many labels it held.';
