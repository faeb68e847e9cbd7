-- score_rows(): many rows in few round trips, inside a transaction.

create or replace function pgscore_models._columns_native(this pgscore_models._version, rows anyarray) returns pgscore_models._columns
language sql volatile parallel restricted
set search_path = pg_catalog, pg_temp
as $$
  select pgscore_models._as_columns(array_agg(p order by x.n), this.class_labels)
    -- In one list, as FROM unnest() would expand rows of a table to columns.
    from (select unnest(rows) as r, generate_series(1, cardinality(rows)) as n) x
    cross join lateral pgscore_models._predict(this, pgscore_models._features(this.version_id, x.r)) p
$$;
comment on function pgscore_models._columns_native(pgscore_models._version, anyarray) is
  'The predictions of rows by the compiled functions of a version.';

create or replace function pgscore_models._answer_native(this pgscore_models._version, rows anyarray, before int, total int)
  returns pgscore_models._columns
language plpgsql volatile parallel restricted
set search_path = pg_catalog, pg_temp
as $$
declare
  at int := 0;
  problem text;
  detail text;
  remedy text;
begin
  begin
    return pgscore_models._columns_native(this, rows);
  exception
    when others then
      if total = 1 then
        raise;
      end if;
  end;
  -- Some row fails. To find it, they go one by one.
  while at < cardinality(rows) loop
    at := at + 1;
    perform pgscore_models._columns_native(this, rows[at : at]);
  end loop;
  return pgscore_models._columns_native(this, rows);
exception
  when others then
    if total = 1 then
      raise;
    end if;
    get stacked diagnostics problem = message_text, detail = pg_exception_detail, remedy = pg_exception_hint;
    raise exception '%', problem
      using errcode = sqlstate, hint = remedy, detail = concat_ws(' ', nullif(detail, ''), format('Row %s of %s.', before + at, total));
end
$$;
comment on function pgscore_models._answer_native(pgscore_models._version, anyarray, int, int) is
  '_columns_native() of a part of the rows, before which others came. The error says which of all rows could not be scored.';

create or replace function pgscore_models._answer_online(this pgscore_models._version, request text, rows int)
  returns pgscore_models._columns
language plpgsql volatile parallel restricted
set search_path = pg_catalog, pg_temp
as $$
declare
  answer pgscore_models._columns;
  problem text;
  detail text;
  remedy text;
begin
  execute format('select * from pgscore_models._v%s_online_columns($1, $2)', this.version_id) into answer using request, rows;
  return answer;
exception
  when feature_not_supported or sqlclient_unable_to_establish_sqlconnection or connection_failure or too_many_connections
    or object_not_in_prerequisite_state then
    if not this.native then
      raise;
    end if;
    get stacked diagnostics problem = message_text, detail = pg_exception_detail, remedy = pg_exception_hint;
    raise exception '%', problem using errcode = sqlstate, detail = concat_ws(' ', nullif(detail, ''), remedy),
      hint = 'score_rows() asks the service, so that predictions are kept. This version is native: after set pgscore.execution = native; '
             'it is computed here, without the service, and not kept.';
end
$$;
comment on function pgscore_models._answer_online(pgscore_models._version, text, int) is
  'The predictions of rows that were sent to the service; where there is none, the error says what else could give them.';

create or replace function pgscore_models._check_rows(rows anyarray) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  first constant int := array_lower(rows, 1);
  missing bigint;
begin
  if array_ndims(rows) > 1 then
    raise exception 'score_rows() takes an array of one dimension, not of %', array_ndims(rows) using errcode = 'array_subscript_error',
      hint = 'array(select unnest(…)) has all rows in one.';
  end if;
  if not pgscore_models._is_row(pg_typeof(rows[first]))
    and coalesce(jsonb_typeof(to_jsonb(rows[first])) not in ('object', 'null'),
                 pg_typeof(rows[first]) not in ('jsonb'::regtype, 'json'::regtype)) then
    raise exception 'score_rows() takes an array of rows, not of %',
      case when pg_typeof(rows[first]) in ('jsonb'::regtype, 'json'::regtype) then left(rows[first]::text, 80)
        else pg_typeof(rows[first])::text end using errcode = 'datatype_mismatch',
      hint = 'Pass rows by the table''s name or alias: array(select c from customers c); or jsonb: array(select '
             'jsonb_build_object(''name'', value, …) from …).';
  end if;
  begin
    missing := array_position(rows, null) - first + 1;
  exception
    when undefined_function then
      -- The type has no equality, like json and rows with a column of it.
      select min(x.n) into missing from (select unnest(rows) as e, generate_series(1, cardinality(rows)) as n) x where num_nulls(x.e) = 1;
  end;
  if missing is null and pg_typeof(rows[first]) in ('jsonb'::regtype, 'json'::regtype) then
    execute 'select min(x.n) from unnest($1) with ordinality x (row, n) where jsonb_typeof(to_jsonb(x.row)) = ''null''' into missing
      using rows;
  end if;
  if missing is not null then
    raise exception 'row % of the array is NULL', missing using errcode = 'null_value_not_allowed',
      hint = 'Leave it out: array(select c from … where c is distinct from null).';
  end if;
end
$$;
comment on function pgscore_models._check_rows(anyarray) is 'Raises where an array is not one of rows.';

-- STABLE, so that it sees what the statement sees: all calls there have one version. It is not inlined, as an argument that is
-- array(select …) forbids that. Only a support function in C could tell the planner how many rows an array has, so it is told a thousand,
-- each at the cost of score().
create or replace function pgscore.score_rows(model text, rows anyarray)
returns table (features anyelement, score double precision, label text, probabilities double precision[], version text, outputs jsonb)
language plpgsql stable cost 10000000 rows 1000
set search_path = pg_catalog, pg_temp
as $$
declare
  route constant int[] := pgscore_models._route(model);
  -- In an experiment the champion.
  this constant pgscore_models._version := pgscore_models._version(case when route[1] < 0 then route[2:2] else route end);
  version_name text := pgscore_models._version_name(this.version_id);
  names text[] := (select f.features from pgscore._feature_types f where f.version_id = this.version_id);
  send text := format('select pgscore_models._v%s_online_send($1)', this.version_id);
  native boolean := coalesce(current_setting('pgscore.execution', true), '') = 'native'
    and pgscore_models._execution('native', this.version_id, this.native, this.reason);
  total int := cardinality(rows);
  before int := array_lower(rows, 1) - 1;
  element regtype := pg_typeof(rows[before + 1]);
  -- To find a writer takes as long as to write some dozens of rows.
  worth boolean := not native and (total >= 100 or pg_column_size(rows) > 1000000);
  numbers text := case when worth then pgscore_models._rows_writer(this.version_id, element) end;
  writer text := case when worth then coalesce(numbers, pgscore_models._columns_writer(this.version_id, element)) end;
  -- Otherwise a function of the caller's may ask the service while rows are written, and take or replace the answer that is awaited.
  alone constant boolean := numbers is not null or worth and pgscore_models._calls_no_user_code(element);
  -- Of a message: long ones hold up other callers. A row that is longer goes by itself, up to 8 MB.
  most_bytes constant int := 1000000;
  -- The service takes a thousand at a time. By what rows take here, about so many make a message of that length.
  most int := least(1000, greatest(1, most_bytes * total::bigint / pg_column_size(rows)));
  -- A slice copies all that it is taken from. So chunks are taken from pieces, of the size that copies the least.
  most_of_piece constant int := most * greatest(1, round(sqrt(total::double precision / most)));
  piece rows%type;
  taken_of_piece int := 0;
  taken int := 0;
  chunk rows%type;
  sent rows%type;
  request text;
  sent_request text;
  answer pgscore_models._columns;
  classes constant int := cardinality(this.class_labels);
  -- Of several labels there are first the probabilities, then the labels.
  numbers_a_row int := case this.task when 'multilabel' then 2 else 1 end * classes;
  is_several constant boolean := this.task in ('multi_target', 'multilabel', 'embedding') or this.task = 'regression' and classes > 0;
begin
  if not has_function_privilege('pgscore_models._v' || this.version_id || '_online(jsonb, name)', 'execute') then
    perform pgscore_models._refuse_ungranted(model);
  end if;
  perform pgscore_models._check_rows(rows);
  if route[1] < 0 then
    return query select s.* from pgscore_models._score_rows_by_arm(route, rows) s;
    return;
  end if;
  -- Each chunk is sent before the rows of the last are returned and, where possible, the next are written: the service works meanwhile.
  loop
    if taken_of_piece >= coalesce(cardinality(piece), 0) then
      piece := rows[before + taken + 1 : before + taken + most_of_piece];
      taken_of_piece := 0;
    end if;
    chunk := piece[taken_of_piece + 1 : taken_of_piece + most];
    if native then
      sent := chunk;
      answer := pgscore_models._answer_native(this, chunk, taken, total);
    else
      if sent is not null and not alone then
        answer := pgscore_models._answer_online(this, sent_request, cardinality(sent));
      end if;
      request := null;
      if cardinality(chunk) > 0 then
        request := pgscore_models._write_rows(this.version_id, chunk, names, writer);
        while octet_length(request) > most_bytes and cardinality(chunk) > 1 loop
          most := greatest(1, floor(0.9 * cardinality(chunk) * most_bytes / octet_length(request)));
          chunk := chunk[1 : most];
          request := pgscore_models._write_rows(this.version_id, chunk, names, writer);
        end loop;
        request := format(E'from %s of %s\n', taken + 1, total) || request;
      end if;
      if sent is not null and alone then
        answer := pgscore_models._answer_online(this, sent_request, cardinality(sent));
      end if;
      if request is not null then
        execute send using request;
      end if;
    end if;
    if cardinality(sent) > 0 then
      if this.task = 'embedding' then
        numbers_a_row := cardinality(answer.probabilities) / cardinality(sent);
      end if;
      -- Set-returning functions of one list go in step; a join of their numbers would cost as much as the rows themselves.
      return query select x.r, x.score, this.class_labels[x.position],
        case when answer.probabilities is not null and this.score_unit is null and (x.position is not null or this.task = 'multilabel')
          then answer.probabilities[(x.n - 1) * numbers_a_row + 1 : (x.n - 1) * numbers_a_row + classes] end, version_name,
        case when is_several then pgscore_models._values_json(this.task, this.class_labels,
          answer.probabilities[(x.n - 1) * numbers_a_row + 1 : x.n * numbers_a_row]) end
        from (select unnest(sent) as r, unnest(answer.scores) as score, unnest(answer.labels) as position,
                     generate_series(1, cardinality(sent)) as n) x;
    end if;
    exit when coalesce(cardinality(chunk), 0) = 0;
    sent := chunk;
    sent_request := request;
    taken := taken + cardinality(chunk);
    taken_of_piece := taken_of_piece + cardinality(chunk);
  end loop;
end
$$;
comment on function pgscore.score_rows(text, anyarray) is
'Scores many rows by way of the service, a thousand in a round trip, each sent before the answer to the last is handed out; inside of the '
'transaction, uncommitted rows included. outputs has the several values of a row, as predict() does. Each prediction is logged '
'(pgscore.online_predictions). With pgscore.execution = native they are computed here, and not logged.
select (s.features).id, s.score, s.label from pgscore.score_rows(''churn'', array(select c from customers c where …)) s;
For whole tables score_table() is faster and isolates rows that cannot be scored; here one such row fails the call.';
