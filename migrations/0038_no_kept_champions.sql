-- PostgreSQL takes the champion's function and score() into no index and no generated column any more. One that was made before would be
-- of two versions after a promotion.

do $$
declare
  kept text;
begin
  select string_agg(distinct case d.classid when 'pg_class'::regclass then format('index %s', d.objid::regclass) else format('column %I of %s', a.attname, a.attrelid::regclass) end, ', ') into kept
    from pg_depend d
    join pg_proc p on p.oid = d.refobjid
    left join pg_index i on d.classid = 'pg_class'::regclass and i.indexrelid = d.objid
    left join pg_attrdef f on d.classid = 'pg_attrdef'::regclass and f.oid = d.objid
    left join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum and a.attgenerated <> ''
   where d.refclassid = 'pg_proc'::regclass and (i.indexrelid is not null or a.attname is not null)
     and (p.proname = 'score' and p.proowner = 'pgscore_owner'::regrole
       or p.pronamespace = 'pgscore_models'::regnamespace and p.pronargs = 1 and p.proname in (select m.name from pgscore_data.model m));
  if kept is not null then
    raise exception 'kept by the champion of a model, or by score(): %', kept using errcode = 'dependent_objects_still_exist',
      hint = 'Drop each, migrate, and make it anew by the function of a version, such as pgscore_models.churn_v3(customers).';
  end if;
end
$$;
