-- PostgreSQL takes the champion's function and score() into no index, generated column or partition key any more, and neither the function of
-- a version over a column of an enum. One that was made before would be of two versions after a promotion, or of texts before they were renamed.

do $$
declare
  kept text;
begin
  with recursive enums as (
    select t.oid from pg_type t where t.typtype = 'e'
    union all
    select t.oid from pg_type t join enums e on t.typbasetype = e.oid
  ), changing as (
    select p.oid from pg_proc p where p.proname = 'score' and p.proowner = 'pgscore_owner'::regrole
    union all
    select p.oid
      from pg_proc p
      join pg_type t on t.oid = p.proargtypes[0] and t.typtype = 'c'
     where p.pronamespace = 'pgscore_models'::regnamespace and p.pronargs = 1 and not starts_with(p.proname, '_')
       -- The body of a version's calls what was compiled of it, _v<id>; that of a champion calls the function of a version.
       and (p.prosrc !~ '[."]_v[0-9]'
         or exists (select from pg_attribute a join enums e on e.oid = a.atttypid where a.attrelid = t.typrelid and position(format('$1.%I', a.attname) in p.prosrc) > 0))
  )
  select string_agg(distinct case when a.attname is not null then format('column %I of %s', a.attname, a.attrelid::regclass)
                                  else format(case when i.indexrelid is null then 'partition key of %s' else 'index %s' end, d.objid::regclass) end, ', ') into kept
    from pg_depend d
    join changing p on p.oid = d.refobjid
    left join pg_index i on d.classid = 'pg_class'::regclass and i.indexrelid = d.objid
    left join pg_partitioned_table t on d.classid = 'pg_class'::regclass and t.partrelid = d.objid
    left join pg_attrdef f on d.classid = 'pg_attrdef'::regclass and f.oid = d.objid
    left join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum and a.attgenerated <> ''
   where d.refclassid = 'pg_proc'::regclass and coalesce(i.indexrelid, t.partrelid, a.attrelid) is not null;
  if kept is not null then
    raise exception 'kept by the champion of a model, by score(), or by the texts of an enum: %', kept using errcode = 'dependent_objects_still_exist',
      hint = 'Drop each, migrate, and make it anew by the function of a version, such as pgscore_models.churn_v3(customers); of an enum by a column of its text.';
  end if;
end
$$;
