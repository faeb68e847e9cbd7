-- What the triggers of a watch do: they queue the keys of changed rows.

create or replace function pgscore_data._watch_queue_limit() returns bigint
language sql stable
set search_path = pg_catalog, pg_temp
return least(1073741824, pg_size_bytes(nullif(current_setting('pgscore.watch_queue_bytes', true), '')), coalesce((
  select pg_size_bytes(split_part(o, '=', 2)) from pg_db_role_setting s cross join lateral unnest(s.setconfig) o
   where s.setrole = 0 and s.setdatabase = (select d.oid from pg_database d where d.datname = current_database())
     and starts_with(o, 'pgscore.watch_queue_bytes=')), 268435456));
comment on function pgscore_data._watch_queue_limit() is
  'Bytes of queued changes of all watches. Past them a table asks for a comparison of its whole source. A session only lowers the bound.';

create or replace function pgscore_data._check_watch_capture(this_watch int, owner name, relation regclass, key_columns text[])
  returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  w pgscore_data.watch;
  missing text;
begin
  select * into w from pgscore_data.watch x where x.watch_id = this_watch and x.owner = _check_watch_capture.owner;
  if not found then
    raise exception 'the watch belongs to another role' using errcode = 'insufficient_privilege', hint = 'Watch with pgscore.watch().';
  elsif cardinality(key_columns) is distinct from
    (select jsonb_array_length(t.key_columns) from pgscore_data.target t where t.target_id = w.target_id)
  then
    raise exception 'the key of the target has another number of columns' using
      errcode = 'invalid_parameter_value', hint = 'Watch with pgscore.watch().';
  end if;
  select k into missing from unnest(key_columns) k
   where not exists (select from pg_attribute a where a.attrelid = relation and a.attname = k and a.attnum > 0 and not a.attisdropped);
  if found then
    raise exception '% has no column "%", which is to hold the key', relation, missing using errcode = 'undefined_column',
      hint = 'Name the column that holds it: watch again with on_change_of => ''{"table": "key column"}''.';
  end if;
  return key_columns;
end
$$;
comment on function pgscore_data._check_watch_capture(int, name, regclass, text[]) is
  'Refuses triggers that the watch does not need, or that could not read its key; else returns the columns of the key.';

create or replace function pgscore_data._watched_rows(transition text, key_columns text[], compared text[]) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  -- Where a compared column is missing, old and new rows differ: each update counts until the watch is planned anew.
  select pgscore_data._captured_rows(transition, key_columns || compared,
    pgscore_data._column_aliases('k', key_columns) || pgscore_data._column_aliases('c', compared),
    array_fill('null::tid'::text, array[cardinality(key_columns)])
      || array_fill((transition = 'fresh')::text, array[cardinality(compared)]))
$$;
comment on function pgscore_data._watched_rows(text, text[], text[]) is
  'The rows of a transition table as k1, k2 and so on for the key, then c1, c2 and so on.';

create or replace function pgscore_data._changed_key(prefix text, n_columns int) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select case n_columns when 1 then format('left(concat(%s1) collate "C", 2701)', prefix)
           else format('left(array[%s]::text collate "C", 2701)', string_agg(format('concat(%s%s)', prefix, n), ', ' order by n)) end
    from generate_series(1, n_columns) n
$$;
comment on function pgscore_data._changed_key(text, int) is
  'The expression that makes one text of the columns of a key. concat() calls no function of a user; what is too long is refused later.';

create or replace function pgscore_data._queue_blocks(this_watch int, keys text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select format($s$is_lost := pg_relation_size('pgscore_data.watch_change') > %2$s;
      if not is_lost then
        insert into pgscore_data.watch_change (watch_id, keys)
        select %1$s, array_agg(b.key) from (select q.key, row_number() over () as n from (%3$s) q) b group by b.n / 100;
        get diagnostics queued = row_count;
      end if;$s$, this_watch, pgscore_data._watch_queue_limit(), keys)
$$;
comment on function pgscore_data._queue_blocks(int, text) is
  'Queues many keys, a hundred a row: as uuids these fit a page. What does not fit leaves the table, whose size bounds the queue.';

create or replace function pgscore_data._paired_columns(form text, n_columns int) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$ select string_agg(format(replace(form, '%', '%1$s'), n), ', ' order by n) from generate_series(1, n_columns) n $$;
comment on function pgscore_data._paired_columns(text, int) is 'A list that repeats a text for each column, with its number in place of %.';

-- Old and new rows are paired by their positions. Whatever the pairs, no change is missed: if all pairs with a key are equal, its rows are
-- the same as before. Rows are compared as bytes, which calls no function of a user.

create or replace function pgscore_data._queue_one_update(this_watch int, old text, new text, n_keys int) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  -- Each step of a plan takes 1 to 2 µs: there is no LIMIT, and no subquery that the keys pass through.
  select format($s$insert into pgscore_data.watch_change (watch_id, keys)
      select %1$s, case when num_nulls(%2$s) > 0 then array[%3$s]
                     when num_nulls(%4$s) > 0 or row(%4$s)::record operator(pg_catalog.*=) row(%2$s)::record then array[%5$s]
                     else array[%3$s, %5$s] end
        from %6$s o left join %7$s n on true
       where (o.image operator(pg_catalog.*=) n.image) is not true and (num_nulls(%4$s) = 0 or num_nulls(%2$s) = 0);$s$,
    this_watch, key.n, pgscore_data._changed_key('o.k', n_keys), key.o, pgscore_data._changed_key('n.k', n_keys), old, new)
    from (select pgscore_data._paired_columns('o.k%', n_keys) as o, pgscore_data._paired_columns('n.k%', n_keys) as n) key
$$;
comment on function pgscore_data._queue_one_update(int, text, text, int) is
  'Queues the keys of an updated row, if it changed: of statements of one row.';

create or replace function pgscore_data._pairs_of_arrays(old text, new text, n_keys int) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select format('select %1$s from (select unnest(array(select r.image from %2$s r)) as o, '
                'unnest(array(select r.image from %3$s r)) as n, '
                '%4$s, %5$s) p where (p.o operator(pg_catalog.*=) p.n) is not true',
                pgscore_data._paired_columns('p.o%, p.n%', n_keys), old, new,
                replace(pgscore_data._paired_columns('unnest(array(select r.k% from @ r)) as o%', n_keys), '@', old),
                replace(pgscore_data._paired_columns('unnest(array(select r.k% from @ r)) as n%', n_keys), '@', new))
$$;
comment on function pgscore_data._pairs_of_arrays(text, text, int) is
  'The keys of updated rows that changed, paired in memory: the fastest way.';

create or replace function pgscore_data._pairs_of_join(old text, new text, n_keys int, n_compared int) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
  select format('select %s from (select r.*, row_number() over () as position from %s r) o '
                'full join (select r.*, row_number() over () as position from %s r) n using (position) '
                'where (row(%s)::record operator(pg_catalog.*=) row(%s)::record) is not true',
                pgscore_data._paired_columns('o.k% as o%, n.k% as n%', n_keys), old, new,
                concat_ws(', ', pgscore_data._paired_columns('o.k%', n_keys), pgscore_data._paired_columns('o.c%', n_compared)),
                concat_ws(', ', pgscore_data._paired_columns('n.k%', n_keys), pgscore_data._paired_columns('n.c%', n_compared)))
$$;
comment on function pgscore_data._pairs_of_join(text, text, int, int) is
  'The keys of updated rows that changed, for any number of rows of any width.';

create or replace function pgscore_data._queue_rows(this_watch int, rows text, n_keys int) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select format($s$insert into pgscore_data.watch_change (watch_id, keys)
    select %1$s, array[%2$s] from %3$s r where num_nulls(%4$s) = 0 limit 10;
    get diagnostics queued = row_count;
    if queued between 1 and 9 then
      return null;
    elsif queued = 10 then
      %5$s
    end if;$s$, this_watch, key.text, rows, key.columns,
    pgscore_data._queue_blocks(this_watch,
      format('select %s as key from %s r where num_nulls(%s) = 0 offset 10', key.text, rows, key.columns)))
    from (select pgscore_data._changed_key('r.k', n_keys) as text, pgscore_data._paired_columns('r.k%', n_keys) as columns) key
$$;
comment on function pgscore_data._queue_rows(int, text, int) is
  'What the triggers of a watch do after INSERT and DELETE. Cutting into blocks costs more than to write a row: ten are queued one by one.';

create or replace function pgscore_data._queue_updates(
  this_watch int, old text, new text, old_image text, new_image text, n_keys int, n_compared int, is_narrow boolean
) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  key_pairs text := format('(select case when num_nulls(%s) = 0 then %s end as o, case when num_nulls(%s) = 0 then %s end as n '
                           'from (%%s) p offset 0) x',
    pgscore_data._paired_columns('p.o%', n_keys), pgscore_data._changed_key('p.o', n_keys),
    pgscore_data._paired_columns('p.n%', n_keys), pgscore_data._changed_key('p.n', n_keys));
  each_key text := format('select k.key from %s cross join lateral unnest(array[nullif(x.o, x.n), x.n]) k (key) where k.key is not null',
                          key_pairs);
  many text := pgscore_data._queue_blocks(this_watch, format(each_key, pgscore_data._pairs_of_join(old, new, n_keys, n_compared)));
begin
  if is_narrow then
    many := format($s$perform from stale offset 100000 limit 1;
      if not found then
      %s
      else
      %s
      end if;$s$,
      pgscore_data._queue_blocks(this_watch, format(each_key, pgscore_data._pairs_of_arrays(old_image, new_image, n_keys))), many);
  end if;
  return format($s$perform from stale offset 1;
    if not found then
      %s
      get diagnostics queued = row_count;
    else
      %s
    end if;$s$, pgscore_data._queue_one_update(this_watch, old_image, new_image, n_keys), many);
end
$$;
comment on function pgscore_data._queue_updates(int, text, text, text, text, int, int, boolean) is
  'What the triggers of a watch do after UPDATE: one row, many, and, where these are narrow, up to 100,000 each have a statement of their '
  'own, planned for it.';

create or replace function pgscore_data._watch_capture(this_watch int, relation regclass, key_columns text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  compared text[] := pgscore_data._compared_columns(this_watch, relation, key_columns);
  n_keys int := cardinality(key_columns);
  -- Pairs in memory heed no work_mem: 100,000 of these take some 30 MB.
  is_narrow boolean := (
    select min(a.attlen) > 0 and sum(a.attlen) <= 128
      from pg_attribute a where a.attrelid = relation and a.attname = any (key_columns || compared));
  is_whole boolean := pgscore_data._is_compared_whole(relation, key_columns || compared);
  new_keys text := pgscore_data._watched_rows('fresh', key_columns, '{}');
  old_keys text := pgscore_data._watched_rows('stale', key_columns, '{}');
  is_missing text := format('''tid''::regtype in (%s)', pgscore_data._paired_columns('pg_typeof(x.k%)', n_keys));
begin
  return format($body$
#variable_conflict use_column
declare
  is_lost boolean := false;
  queued bigint;
begin
  if pg_my_temp_schema() <> 0 and coalesce(to_regclass('pg_temp.fresh'), to_regclass('pg_temp.stale')) is not null then
    perform pgscore_data._refuse_other_trigger(tg_relid, tg_name, tg_op);
  end if;
  -- To ask for the size takes longer than to write a row: a session asks now and then, and each time once the queue was full.
  if current_setting('pgscore.watch_queue', true) is distinct from 'open'
    or date_part('microseconds', clock_timestamp())::int %% 32 = 0
  then
    is_lost := pg_relation_size('pgscore_data.watch_change') > %s;
    perform set_config('pgscore.watch_queue', case when is_lost then 'full' else 'open' end, false);
  end if;
  if is_lost then
    null;
  elsif tg_op = 'INSERT' then
    %s
  elsif tg_op = 'UPDATE' then
    %s
  elsif tg_op = 'DELETE' then
    %s
  else
    is_lost := true;
  end if;
  -- Nothing changed, or a column of the key is missing.
  if queued = 0 then
    if tg_op = 'INSERT' then
      perform from (select r.* from %s r limit 1) x where %s;
    else
      perform from (select r.* from %s r limit 1) x where %6$s;
    end if;
    is_lost := found;
  end if;
  if is_lost then
    -- An old snapshot may still show a row that was deleted long ago.
    if not exists (select from pgscore_data.watch_to_compare m where m.watch_id = %8$s)
      or current_setting('transaction_isolation') <> 'read committed'
    then
      insert into pgscore_data.watch_to_compare (watch_id) values (%8$s);
    end if;
  end if;
  return null;
end
$body$,
    pgscore_data._watch_queue_limit(), pgscore_data._queue_rows(this_watch, new_keys, n_keys),
    pgscore_data._queue_updates(this_watch, pgscore_data._watched_rows('stale', key_columns, compared),
                              pgscore_data._watched_rows('fresh', key_columns, compared),
                              pgscore_data._row_images('stale', key_columns, compared, is_whole),
                              pgscore_data._row_images('fresh', key_columns, compared, is_whole),
                              n_keys, cardinality(compared), is_narrow),
    pgscore_data._queue_rows(this_watch, old_keys, n_keys), new_keys, is_missing, old_keys, this_watch);
end
$$;
comment on function pgscore_data._watch_capture(int, regclass, text[]) is
  'The body of the trigger function of a watched table: each event has its statement, and what cannot be read is compared.';
