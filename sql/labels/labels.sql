-- Where the truth comes from: a table or view of the user's.
--
-- in: set_labels() and unset_labels(), which check as their caller, and hand over to the owner by a view of requests.
-- out: a row of label_source, a read handle, triggers on the source, and a request to compare it with what is known.

create or replace function pgscore_data._require_grant(role name, this_model int, base text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if not pg_has_role(role, 'pgscore_deployer', 'usage') and not exists (
    select from pgscore_data.model_grant g join pg_roles r on r.rolname = g.grantee
     where g.model_id = this_model and pg_has_role(role, r.oid, 'usage'))
  then
    raise exception 'permission denied for model "%"', base
      using errcode = 'insufficient_privilege',
        hint = format('Ask a deployer for: select pgscore.grant_model(%L, %L);', base, role);
  end if;
end
$$;
comment on function pgscore_data._require_grant(name, int, text) is
  'Refuses a role that may not score with a model: it may not set labels of the model either. Deployers may.';

create or replace function pgscore_data._acts_for(role name, other name) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
begin atomic
  select coalesce(pg_has_role(role, to_regrole(quote_ident(other)), 'usage'), false) or pg_has_role(role, 'pgscore_deployer', 'usage');
end;
comment on function pgscore_data._acts_for(name, name) is
'Whether a role may change what another has set: its members may, and deployers. A role that was dropped or renamed has no members.';

create or replace view pgscore._label_request as
select null::text as model, null::name as source_schema, null::name as source_name, null::name[] as label_columns,
       null::name[] as key_columns, null::text[] as key_types, null::name as known_at_column, null::text as time_zone,
       null::bigint as handle_id, null::int as source_id, null::name as requested_by, null::text[] as seen_labels
 where false;
comment on view pgscore._label_request is 'Where set_labels() hands its request over: requested_by is the caller, and nobody can write it.';
alter view pgscore._label_request alter column requested_by set default current_user;

create or replace function pgscore_data._accept_labels() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  family record := pgscore_data._model_family(new.model);
  earlier pgscore_data.label_source;
  names text[];
begin
  perform pgscore_data._require_can_have_labels(new.model, family.task, family.score_unit);
  perform pgscore_data._require_grant(new.requested_by, family.model_id, new.model);
  names := pgscore_data._label_names(new.model, family.task, family.class_labels, new.label_columns);
  perform pgscore_data._refuse_label_types(
    new.model, family.task, family.class_labels, family.score_unit,
    pgscore._relation_named(format('%I.%I', new.source_schema, new.source_name)), new.label_columns);
  perform pgscore_data._refuse_key_types(family.model_id, new.model, new.key_types);
  perform pgscore_data._warn_of_labels(
    new.model, family.task, family.class_labels, family.score_unit, format('%I.%I', new.source_schema, new.source_name), new.seen_labels);
  select * into earlier from pgscore_data.label_source s where s.model_id = family.model_id for update;
  if found and not pgscore_data._acts_for(new.requested_by, earlier.set_by) then
    raise exception 'the labels of model "%" come from "%"."%", set by %', new.model, earlier.source_schema, earlier.source_name,
      earlier.set_by using
      errcode = 'insufficient_privilege',
      hint = format('Ask %s or a deployer for: select pgscore.unset_labels(%L);', earlier.set_by, new.model);
  end if;
  if not exists (select from pgscore_data.handle h where h.handle_id = new.handle_id and h.owner = new.requested_by) then
    raise exception 'the read handle belongs to another role'
      using errcode = 'insufficient_privilege', hint = 'Set labels with pgscore.set_labels().';
  end if;
  perform pgscore_data._set_key_types(family.model_id, new.model, new.key_types, new.key_columns);
  -- Keeps source_id: triggers are named by it, so that new ones replace old ones.
  insert into pgscore_data.label_source as s (model_id, set_by, source_schema, source_name, label_columns, label_names, key_columns,
                                              known_at_column, time_zone, handle_id)
  values (family.model_id, new.requested_by, new.source_schema, new.source_name, new.label_columns, names, new.key_columns,
          new.known_at_column, new.time_zone, new.handle_id)
  on conflict (model_id) do update set
    set_by = excluded.set_by, source_schema = excluded.source_schema, source_name = excluded.source_name,
    label_columns = excluded.label_columns, label_names = excluded.label_names, key_columns = excluded.key_columns,
    known_at_column = excluded.known_at_column, time_zone = excluded.time_zone, handle_id = excluded.handle_id, set_at = clock_timestamp(),
    compare_after = clock_timestamp(), compared_at = null, error = null, comparing_pid = null, comparing_since = null
  returning s.source_id into new.source_id;
  -- Drops triggers that read other columns: that waits for their writers, so the comparison sees what they wrote.
  perform pgscore_data._drop_captures('labels', new.source_id, case
    when (earlier.set_by, earlier.label_columns, earlier.label_names, earlier.key_columns, earlier.known_at_column, earlier.time_zone)
      is not distinct from (new.requested_by, new.label_columns, names, new.key_columns, new.known_at_column, new.time_zone)
    then array(
      select r from pgscore._relations_of(pgscore._relation_named(format('%I.%I', new.source_schema, new.source_name))) r) end);
  insert into pgscore_data.comparison_request (source_id) values (new.source_id);
  perform pgscore_data._notice_unjudged(family.model_id, new.model, new.requested_by, null);
  perform pgscore_data._wake('labels');
  return new;
end
$$;
comment on function pgscore_data._accept_labels() is 'Notes where the labels of a model come from and asks for them to be read.';

create or replace trigger accept instead of insert on pgscore._label_request
for each row execute function pgscore_data._accept_labels();

create or replace function pgscore._set_labels(model text, source regclass, labels text[], key text[], known_at text) returns text
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  plan jsonb;
  keys jsonb;
  families text[];
  strange text;
  label text;
  seen text[];
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
  if coalesce(cardinality(labels), 0) = 0 or (select count(distinct l) < count(l) from unnest(labels) l) then
    raise exception 'label names no column, or one twice' using
      errcode = 'invalid_parameter_value', hint = 'Name the column that holds the truth, or a column for each value of a row.';
  end if;
  foreach label in array labels loop
    if not exists (select from pg_attribute a
                    where a.attrelid = source and a.attname = label and a.attnum > 0 and not a.attisdropped) then
      raise exception 'label column % does not exist in %', coalesce('"' || label || '"', 'NULL'), source using
        errcode = 'undefined_column', hint = 'Name the column that holds the truth: label => ''...''.';
    end if;
    if not has_column_privilege(source, label, 'select') then
      raise exception 'permission denied for column "%" of %', label, source
        using errcode = 'insufficient_privilege', hint = format('grant select on %s to %I;', source, current_user);
    end if;
  end loop;
  select k ->> 'name' into strange
    from jsonb_array_elements(keys) k where pgscore._key_family(to_regtype(k ->> 'sql_type')) is null limit 1;
  if strange is not null then
    raise exception 'labels cannot be keyed by "%"', strange using
      errcode = 'datatype_mismatch', hint = 'A key of labels is an integer, text, uuid, date, timestamp, numeric or boolean. Set labels '
                                            'from a view that casts it.';
  end if;
  families := array(select pgscore._key_family(to_regtype(k ->> 'sql_type'))
                      from jsonb_array_elements(keys) with ordinality as x (k, n) order by n);
  plan := plan || jsonb_build_object('kind', 'stream', 'columns', (plan -> 'columns') || (
    select jsonb_agg(jsonb_build_object('name', l, 'role', 'label', 'type', 'raw', 'width', 1,
                                        'sql_type', format_type(pgscore._base_type(a.atttypid), -1)) order by n)
      from unnest(labels) with ordinality as x (l, n) join pg_attribute a on a.attrelid = source and a.attname = l));
  begin
    execute format($q$select array_agg(distinct l) from (select array[%s] as said from %s limit 1000) r, unnest(r.said) l where l <> ''$q$,
      (select string_agg(format('pg_catalog.concat(%I)', l), ', ') from unnest(labels) l), source) into seen;
  exception
    when others then
      -- The comparison reports why the source cannot be read.
      seen := null;
  end;
  insert into pgscore._label_request (model, source_schema, source_name, label_columns, key_columns, key_types, known_at_column, time_zone,
                                      handle_id, seen_labels)
  values (model, plan ->> 'schema', plan ->> 'name', labels,
          array(select k ->> 'name' from jsonb_array_elements(keys) with ordinality as x (k, n) order by n), families,
    known_at, current_setting('TimeZone'), pgscore._ensure_handle(plan), seen)
  returning source_id into id;
  if pgscore._capture_labels(source, id, array(select k ->> 'name' from jsonb_array_elements(keys) k) || labels || known_at) then
    return 'triggers';
  end if;
  return 'polling';
end
$$;
comment on function pgscore._set_labels(text, regclass, text[], text[], text) is 'As set_labels, with label and key as arrays.';

create or replace function pgscore.set_labels(model text, source regclass, label text, key text default null, known_at text default null)
  returns text
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ select pgscore._set_labels($1, $2, array[$3], case when $4 is not null then array[$4] end, $5) $$;
comment on function pgscore.set_labels(text, regclass, text, text, text) is
'Says where the truth about a model''s predictions arrives: a table or view with one row an entity, or one for each time that the truth '
'became known. The accuracy views follow what is written there, corrected or deleted, however late.
model: its bare name.  source: a table or view of yours.  label: the column with the true class or value; NULL while it is not known.
key: the column that identifies an entity, as in the predictions (default: the primary key); a key of several columns is given as an array.
known_at: the column that says when the truth became known (default: when pgscore first saw it). By it a label judges the last prediction '
'that was for an earlier time.
Returns how changes arrive: ''triggers'' in the writer''s own transaction, or ''polling'' where you may put no trigger on the source, '
'which is then read again and compared.';

create or replace function pgscore.set_labels(model text, source regclass, label text, key text[], known_at text default null) returns text
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ select pgscore._set_labels($1, $2, array[$3], $4, $5) $$;
comment on function pgscore.set_labels(text, regclass, text, text[], text) is
  'As set_labels with a key of one column, for a key of several: key => array[''a'', ''b''].';

create or replace function pgscore.set_labels(model text, source regclass, label text[], key text default null,
                                              known_at text default null)
  returns text
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ select pgscore._set_labels($1, $2, $3, case when $4 is not null then array[$4] end, $5) $$;
comment on function pgscore.set_labels(text, regclass, text[], text, text) is
  'As set_labels, for a model that gives several targets or labels a row: label => array[''a'', ''b''] names the column that holds '
  'the truth of each. Columns with the names of the targets may be in any order, others are in the order of the targets. NULL: '
  'not known, even if the truth of another target is.';

create or replace function pgscore.set_labels(model text, source regclass, label text[], key text[], known_at text default null)
  returns text
language sql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$ select pgscore._set_labels($1, $2, $3, $4, $5) $$;
comment on function pgscore.set_labels(text, regclass, text[], text[], text) is
  'As set_labels for several targets or labels with a key of one column, for a key of several.';

create or replace view pgscore._unlabel_request as
select null::text as model, null::name as requested_by where false;
comment on view pgscore._unlabel_request is
  'Where unset_labels() hands its request over: requested_by is the caller, and nobody can write it.';
alter view pgscore._unlabel_request alter column requested_by set default current_user;

create or replace function pgscore_data._accept_unlabel() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  family record := pgscore_data._model_family(new.model);
  s pgscore_data.label_source;
begin
  select * into s from pgscore_data.label_source x where x.model_id = family.model_id for update;
  if not found and not pg_has_role(new.requested_by, 'pgscore_deployer', 'usage') then
    perform pgscore_data._require_grant(new.requested_by, family.model_id, new.model);
    raise exception 'the labels of model "%" have no source that could be unset', new.model
      using errcode = 'insufficient_privilege',
        hint = format('To withdraw a single label: select pgscore.record_label(%L, key, null); a deployer may withdraw all of them.',
                      new.model);
  end if;
  if not pgscore_data._acts_for(new.requested_by, s.set_by) then
    raise exception 'permission denied for the labels of model "%"', new.model
      using errcode = 'insufficient_privilege', hint = 'Who set them, or a deployer, may unset them.';
  end if;
  delete from pgscore_data.label_source x where x.model_id = family.model_id;
  delete from pgscore_data.recorded_label r where r.model_id = family.model_id;
  -- The numbers of sealed days stay.
  delete from pgscore_data.evaluation e where e.model_id = family.model_id and pgscore_data._is_sealed(e.model_id, e.event_time);
  delete from pgscore_data.comparison_request q where q.source_id = s.source_id;
  -- Also withdraws labels in the queue, which no refresh has taken yet.
  insert into pgscore_data.label_change (model_id, source_id, key, known_at, retracted)
  select e.model_id, e.source_id, e.key, e.known_at, true from pgscore_data.evaluation e where e.model_id = family.model_id
  union
  select c.model_id, c.source_id, c.key, c.known_at, true from pgscore_data.label_change c where c.model_id = family.model_id;
  update pgscore_data.monitor m set labels_unset_at = clock_timestamp() where m.model_id = family.model_id;
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
comment on function pgscore.unset_labels(text) is
  'Withdraws every label of a model and forgets where they came from; its predictions stay. set_labels() begins anew.';

create or replace view pgscore_data.unread_labels as
select m.model_id, s.compared_at is null and s.error is not null as is_unreadable
  from pgscore_data.monitor m left join pgscore_data.label_source s using (model_id)
 where s.source_id is not null and s.compared_at is null
    or exists (select from pgscore_data.label_change c where c.model_id = m.model_id and c.read_in is not null)
    or m.labels_unset_at is not null
       and exists (select from pgscore_data.label_change c where c.model_id = m.model_id and c.captured_at <= m.labels_unset_at);
comment on view pgscore_data.unread_labels is
  'Models whose labels were set anew or withdrawn, until a refresh has taken that; meanwhile no versions are compared. is_unreadable: '
  'reading failed.';
