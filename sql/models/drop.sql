-- Dropping a version, or a model with all of its own.

create or replace function pgscore_data._drop_version(this_version int, model_and_number text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  holder record;
begin
  select x.* into holder from (values
    ('alias ' || (select string_agg(a.alias, ', ') from pgscore_data.alias a where a.version_id = this_version),
     'dependent_objects_still_exist', 'Promote another version or point the alias elsewhere first; drop_model drops a whole model.'),
    ('schedule ' || (select string_agg(quote_literal(s.name), ', ') from pgscore_data.schedule s where s.model = model_and_number),
     'dependent_objects_still_exist', 'select pgscore.unschedule(name); or schedule another version first.'),
    ('the watch of ' || (
       select string_agg(format('%I.%I', t.view_schema, t.view_name), ', ')
         from pgscore_data.watch w join pgscore_data.target t using (target_id) join pgscore_data.version v on v.model_id = w.model_id
        where v.version_id = this_version and v.number = w.version_number),
     'dependent_objects_still_exist', 'select pgscore.unwatch(target); or watch with another version first.'),
    ((select 'a run that has not ended' from pgscore_data.run r
       where r.state in ('queued', 'running')
         and (r.version_id = this_version
           or r.arms -> 'arms' @> jsonb_build_array(jsonb_build_object('version_id', this_version))) limit 1),
     'object_in_use', 'Wait for the run, or select pgscore.cancel_run(run).'),
    -- Their functions are dropped at the transaction's end, which is too late to refuse it.
    ((select string_agg(distinct pg_describe_object(d.classid, d.objid, 0), ', ')
        from pg_proc p join pg_depend d on d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid and d.deptype = 'n'
       where p.pronamespace = 'pgscore_models'::regnamespace
         and (p.proname = '_v' || this_version or starts_with(p.proname, '_v' || this_version || '_'))),
     'dependent_objects_still_exist', 'Drop these first: they call functions of pgscore that are for score() alone.')
  ) x (name, code, remedy) where x.name is not null limit 1;
  if found then
    raise exception 'version "%" is in use by %', model_and_number, holder.name using errcode = holder.code, hint = holder.remedy;
  end if;
  delete from pgscore_data.promotion p where p.version_id = this_version;
  insert into pgscore_data.dropped_version (version_id, task, class_labels, positive_class, threshold, probabilities, score_unit)
  select e.version_id, e.task, e.class_labels, e.positive_class, e.threshold, e.probabilities, e.score_unit
    from pgscore_data.execution e where e.version_id = this_version;
  delete from pgscore_data.execution e where e.version_id = this_version;
  perform pgscore_data._drop_bound(v.model_id, split_part(model_and_number, '@', 1), v.number), pgscore_data._renew_scores(v.model_id)
     from pgscore_data.version v where v.version_id = this_version;
  update pgscore_data.version v set state = 'dropped' where v.version_id = this_version;
  -- No check adds pieces to it any more.
  delete from pgscore_data.artifact a where a.version_id = this_version;
end
$$;
comment on function pgscore_data._drop_version(int, text) is
  'Drops a version that no alias, schedule or open run uses: its bytes go; its row stays for the runs that it made, and its accuracy.';

create or replace function pgscore_data._drop_model(this_model int, base text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  version record;
  used text := (select string_agg(quote_literal(s.name), ', ') from pgscore_data.schedule s where split_part(s.model, '@', 1) = base);
begin
  if used is not null then
    raise exception 'model "%" is in use by schedule %', base, used using
      errcode = 'dependent_objects_still_exist', hint = 'select pgscore.unschedule(name); first.';
  end if;
  used := (select string_agg(format('%I.%I', t.view_schema, t.view_name), ', ')
             from pgscore_data.watch w join pgscore_data.target t using (target_id) where w.model_id = this_model);
  if used is not null then
    raise exception 'model "%" is in use by the watch of %', base, used using
      errcode = 'dependent_objects_still_exist', hint = 'select pgscore.unwatch(target); first.';
  end if;
  delete from pgscore_data.alias a where a.model_id = this_model;
  -- Its triggers go with it; labels that were counted stay.
  delete from pgscore_data.comparison_request q using pgscore_data.label_source s
   where s.model_id = this_model and q.source_id = s.source_id;
  delete from pgscore_data.label_source s where s.model_id = this_model;
  perform pgscore_data._unbind_all(this_model, base);
  for version in select v.version_id, v.number from pgscore_data.version v where v.model_id = this_model and v.state <> 'dropped' loop
    perform pgscore_data._drop_version(version.version_id, base || '@' || version.number);
  end loop;
end
$$;
comment on function pgscore_data._drop_model(int, text) is
  'Drops every version and alias of a model, and where its labels come from; its name may be deployed to again, with the next number.';

create or replace function pgscore_data._outdate_snapshots(this_model int) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$ update pgscore_data.model m set created_by = m.created_by where m.model_id = this_model $$;
comment on function pgscore_data._outdate_snapshots(int) is
'Updates the row of a model, so that other commands on it fail in transactions with an older snapshot. These do not see what is '
'dropped, bound or unbound here, and would make the functions of the model as they were.';
