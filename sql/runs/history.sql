-- How long <target>_history shows predictions. Each large run is a partition, and every query opens all of them. So partitions past the
-- newest 40 are dropped, or folded into generation 0 if the owner keeps them for longer.

create or replace function pgscore._name_rank(given text, home name, schema name, name name) returns int
language sql immutable parallel safe security invoker
set search_path = pg_catalog, pg_temp
as $$
  -- SQL reads a.b as b of the schema a, before a name with a dot.
  select case when given = any (f.qualified) then 1 when given = any (f.bare) then 2
           when strpos(given, '"') = 0 and lower(given collate "C") = any (f.qualified || f.bare) then 3 end
    from (select '"' || replace(schema, '"', '""') || '"' as schema, '"' || replace(name, '"', '""') || '"' as name) q
   cross join lateral (
     select array[$3 || '.' || $4, format('%I.%I', $3, $4), q.schema || '.' || q.name] as qualified,
            case when $3 = home then array[$4::text, quote_ident($4), q.name] else '{}' end as bare) f
$$;
comment on function pgscore._name_rank(text, name, name, name) is
'Whether a text names an object, as it is or as SQL writes it: 1 with its schema; 2 without, in home; 3 in small letters; else NULL.';

create or replace function pgscore._own_target(target text, target_schema name, out target_id int, out view_schema name, out view_name name)
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  select t.target_id, t.view_schema, t.view_name into _own_target.target_id, _own_target.view_schema, _own_target.view_name
    from pgscore._target_request t cross join lateral pgscore._name_rank(btrim(target), target_schema, t.view_schema, t.view_name) rank
   where rank is not null order by rank limit 1;
  if _own_target.target_id is null then
    raise exception 'target % does not exist, or is not yours', coalesce('"' || target || '"', 'NULL')
      using errcode = 'undefined_object', hint = 'select target from pgscore.targets; lists yours.';
  end if;
end
$$;
comment on function pgscore._own_target(text, name) is 'A target of the caller, by its name or schema.name.';

create or replace function pgscore._is_duration(duration interval) returns boolean
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
  -- Checks each part: '10000 years -3600000 days' compares as zero, but a date minus it is out of range.
  select extract(year from $1) between 0 and 100 and extract(day from $1) between 0 and 36525 and extract(hour from $1) between 0 and 876600
     and least(extract(month from $1), extract(minute from $1), extract(second from $1)) >= 0
$$;
comment on function pgscore._is_duration(interval) is 'Whether an interval is from 0 to 100 years and has no negative part. NULL of NULL.';

create or replace view pgscore._history_request as
select null::int as target_id, null::interval as keep, null::name as requested_by where false;
comment on view pgscore._history_request is
  'Where keep_history() hands its request over: requested_by is the caller, and nobody can write it.';
alter view pgscore._history_request alter column requested_by set default current_user;

create or replace function pgscore_data._set_history() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if not pgscore._is_duration(new.keep) then
    raise exception 'keep => % is not between nothing and 100 years', new.keep using
      errcode = 'invalid_parameter_value', hint = 'Say for how long: ''90 days''. NULL goes back to 400 days and the newest 40 large runs.';
  end if;
  update pgscore_data.target t set keep_history = new.keep
   where t.target_id = new.target_id and pg_has_role(new.requested_by, to_regrole(quote_ident(t.owner)), 'usage');
  if not found then
    raise exception 'target % does not exist, or is not yours', coalesce(new.target_id::text, 'NULL') using
      errcode = 'undefined_object', hint = 'select target from pgscore.targets; lists yours.';
  end if;
  return new;
end
$$;
comment on function pgscore_data._set_history() is 'Stores how long the history of a target of the caller shows predictions.';

create or replace trigger set_history instead of insert on pgscore._history_request
for each row execute function pgscore_data._set_history();

create or replace function pgscore.keep_history(target text, keep interval, target_schema name default current_schema()) returns void
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  wanted record := pgscore._own_target(target, target_schema);
begin
  insert into pgscore._history_request (target_id, keep) values (wanted.target_id, keep);
end
$$;
comment on function pgscore.keep_history(text, interval, name) is
'Sets how long <target>_history shows the predictions of runs, however many there are:
select pgscore.keep_history(''flight_scores'', ''90 days'');
target: flight_scores or schema.flight_scores.
keep: counted from the end of each run; NULL goes back to 400 days, and of large runs the newest 40. Older predictions are deleted.
A row takes about 110 bytes. What a watch replaced goes by keep_history of watch(). Labels do not depend on it.';

create or replace function pgscore_data._fold_generation(this_target int, this_generation int) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  base text := 'target_' || this_target;
  columns text;
begin
  perform from pgscore_data.generation g
    where g.target_id = this_target and g.generation = this_generation and g.generation > 0 and g.state = 'published'
      and not exists (select from pgscore_data.target t where t.target_id = this_target and t.current_generation = this_generation)
      for update skip locked;
  if not found then
    return false;
  end if;
  -- forget() waits here, and then finds the predictions in generation 0.
  execute format('lock table only pgscore_predictions.%I in share mode', base || '_g' || this_generation);
  select string_agg(quote_ident(a.attname), ', ' order by a.attnum) into columns
    from pg_attribute a
   where a.attrelid = format('pgscore_predictions.%I', base)::regclass and a.attnum > 0 and not a.attisdropped
     and a.attname <> 'generation';
  execute format('insert into pgscore_predictions.%1$I (generation, %3$s) select 0, %3$s from pgscore_predictions.%2$I',
    base || '_g0', base || '_g' || this_generation, columns);
  update pgscore_data.generation g set state = 'retired', retired_xid = pg_current_xact_id()
   where g.target_id = this_target and g.generation = this_generation;
  return true;
end
$$;
comment on function pgscore_data._fold_generation(int, int) is
  'Moves the predictions of a large run to generation 0: each snapshot sees them once. The partition of the run is dropped later.';

create or replace function pgscore_data._history_since(keep_history interval) returns timestamptz
language sql stable
return clock_timestamp() - coalesce(keep_history, interval '400 days');
comment on function pgscore_data._history_since(interval) is 'Since when a history shows runs, by keep_history of its target.';

create or replace function pgscore_data._held_targets() returns int[]
language sql volatile
set search_path = pg_catalog, pg_temp
begin atomic
  select coalesce(array_agg(substring(c.relname from '[0-9]+$')::int), '{}')
    from pg_locks l join pg_class c on c.oid = l.relation
   where l.locktype = 'relation' and l.mode = 'AccessExclusiveLock' and l.pid is distinct from pg_backend_pid()
     and l.database = (select d.oid from pg_database d where d.datname = current_database())
     and c.relnamespace = 'pgscore_predictions'::regnamespace and c.relname ~ '^target_[0-9]+$';
end;
comment on function pgscore_data._held_targets() is
  'Targets whose predictions nobody can read just now: an open transaction drops them, or a type of their key. Tidying and refreshes skip '
  'them.';

create or replace function pgscore_data._prune_history(most_targets int, most_rows bigint) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  t record;
  this_run bigint;
  n bigint;
  pruned bigint := 0;
begin
  -- In random order, so that each target has its turn.
  for t in select x.target_id, format('target_%s_g0', x.target_id) as storage, pgscore_data._history_since(x.keep_history) as until
    from pgscore_data.target x where x.target_id <> all ((select pgscore_data._held_targets())::int[])
   order by random() limit most_targets
  loop
    this_run := 0;
    loop
      execute format('select p.run_id from pgscore_predictions.%I p where p.run_id > $1 order by p.run_id limit 1', t.storage)
         into this_run using this_run;
      -- A watch prunes its own runs, which are the newest.
      exit when this_run is null or pruned >= most_rows
        or exists (select from pgscore_data.run r
                    where r.run_id = this_run and (r.finished_at >= t.until or not r.kept
                       or exists (select from pgscore_data.watch w where w.watch_id = r.watch_id)));
      execute format('delete from pgscore_predictions.%I p where p.run_id = $1', t.storage) using this_run;
      get diagnostics n = row_count;
      pruned := pruned + n;
    end loop;
  end loop;
  return pruned;
end
$$;
comment on function pgscore_data._prune_history(int, bigint) is
  'Deletes predictions of generation 0 that are older than the history shows, once they are kept for labels. Returns their number.';
