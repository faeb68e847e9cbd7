-- How views for analysts are made from text: with a comment on each column, and one for each grain.
--
-- in: the text of a query, a description, what its columns mean. out: views of pgscore_bi.

create or replace function pgscore_data._comment_columns(view regclass, meanings jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  a record;
begin
  for a in
    select x.attname, coalesce(meanings ->> x.attname::text, case
             when x.attname like '%\_ci\_low' then 'Lower bound of the 95 % Wilson interval.'
             when x.attname like '%\_ci\_high' then 'Upper bound.' end) as meaning
      from pg_attribute x where x.attrelid = view and x.attnum > 0 and not x.attisdropped
  loop
    if a.meaning is null then
      raise exception 'column % of % has no comment', a.attname, view;
    end if;
    execute format('comment on column %s.%I is %L', view, a.attname, a.meaning);
  end loop;
end
$$;
comment on function pgscore_data._comment_columns(regclass, jsonb) is
  'Comments every column of a view. Raises an error for a column without a meaning. Bounds are those of Wilson, if nothing else is said.';

create or replace function pgscore_data._make_view(view_name text, query text, description text, meanings jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('create or replace view pgscore_bi.%I with (security_barrier) as %s', view_name, query);
  execute format('comment on view pgscore_bi.%I is %L', view_name, description);
  perform pgscore_data._comment_columns(format('pgscore_bi.%I', view_name)::regclass, meanings);
end
$$;
comment on function pgscore_data._make_view(text, text, text, jsonb) is 'Makes a view for analysts, with its comments.';

create or replace function pgscore_data._make_window_views(view_name text, query text, description text, meanings jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  -- With security_barrier PostgreSQL plans this view alone, not together with the joins around it, which saves time.
  execute format('create or replace view pgscore_data.%I with (security_barrier) as %s', view_name, query);
  execute format('comment on view pgscore_data.%I is %L', view_name, format('What %s_daily, _weekly and _monthly are made of.', view_name));
  perform pgscore_data._make_view(view_name || '_' || g.suffix, format('select %s from pgscore_data.%I where grain = %L',
      (select string_agg(format('%I', a.attname), ', ' order by a.attnum)
         from pg_attribute a
        where a.attrelid = format('pgscore_data.%I', view_name)::regclass and a.attname not in ('grain', 'version_id')),
      view_name, g.grain), format(description, g.grain, g.suffix), meanings)
     from pgscore_data.grain g;
end
$$;
comment on function pgscore_data._make_window_views(text, text, text, jsonb) is
  'Makes a view of the windows of all grains, and of each grain a view for analysts, without grain and version_id. '
  'In the description %1$s is the grain, %2$s what names of views have for it.';
