-- Who may do what. PUBLIC may do nothing.

revoke all on all functions in schema pgscore, pgscore_data from public;
revoke all on all procedures in schema pgscore from public;
revoke all on all functions in schema pgscore_models from public;
alter default privileges for role pgscore_owner revoke execute on functions from public;

grant usage on schema pgscore to pgscore_user, pgscore_deployer, pgscore_service;
grant usage on schema pgscore_models to pgscore_user, pgscore_service;
grant usage on schema pgscore_bi to pgscore_analyst, pgscore_service;
grant usage, create on schema pgscore_sources to pgscore_user;
grant usage on schema pgscore_sources to pgscore_reader;
grant usage on schema pgscore_predictions to pgscore_user, pgscore_service;
grant usage on schema pgscore_data to pgscore_service;

grant execute on all functions in schema pgscore to pgscore_user;
grant execute on all procedures in schema pgscore to pgscore_user;
revoke execute on function pgscore._may_score(name, int) from pgscore_user;

-- What only a deployer may call, and what the service calls as the owner.
do $$
declare
  this record;
begin
  for this in
    select g.role, name, p.oid::regprocedure as function
      from (values
        ('pgscore', 'pgscore_deployer',
         '{_run_command,deploy,promote,rollback,set_alias,drop_version,drop_model,rename_model,grant_model,revoke_model,log_calls,
           set_gate,drop_gate,check_gates,_gate_verdicts,_golden_rows,start_experiment,set_arms,stop_experiment,
           refresh,monitor,monitor_features,rebuild,forget,set_baseline,_baseline_columns}'::text[]),
        ('pgscore_data', 'pgscore_service',
         '{_wake,_audit,_create_native,_drop_functions,_known_verdicts,_worse_metrics,_stop_due_experiments,
           _create_generation,_index_generation,_drop_generation,_fold_generation,_prune_history,_history_since,_begin_publication,
           _drop_handle,_reads_source,_fire_function,_arms_of_run,_finish_arms,
           _skip_past_backlog,_shadows_due,_claim_shadow,_shadowed_calls,_renew_shadow,_finish_shadow,_fail_shadow,
           _delete_monitoring,_delete_predictions,_count_all_labels,_label_expression,_spelled,_compare_labels,
           _refresh,_move_recent,_compute_metrics,_claim_calibration,_set_calibration,_estimate,_compare_versions,_freeze_bins,
           _compute_drift,_evaluate_alerts,_claim_alerts,_note_delivery,
           _claim_watches,_keys_by_column,_is_of_watch,_finish_replacement,_due_watches,_watch_function,_end_watch_work,
           _drop_idle_changes,
           _compare_watch,_prune_watches,_models_to_refresh,_compute_by_version,_drop_shard_handles,
           _run_on_nodes,_define_on_nodes,_node_functions,_node_types,_node_sql,_refused_on_nodes,_node_dispatch,_node_calls,
           _node_features}'),
        ('pgscore', 'pgscore_service', '{sync_nodes}')) as g (schema, role, names)
     cross join unnest(g.names) name
      left join pg_proc p on p.pronamespace = to_regnamespace(g.schema) and p.proname = name
  loop
    -- Else a function that was renamed would be everybody's.
    if this.function is null then
      raise exception 'grants.sql names the function "%", which does not exist', this.name;
    end if;
    execute format('revoke execute on function %s from pgscore_user', this.function);
    execute format('grant execute on function %s to %I', this.function, this.role);
  end loop;
end
$$;
grant execute on function pgscore._may_score(name, int), pgscore._runs_code_when_planned(regclass), pgscore._relation_named(text),
  pgscore._relations_of(regclass), pgscore._table_digest(regclass, text) to pgscore_service;
grant insert (model, sampling, inputs, key, event_time) on pgscore._call_log_request to pgscore_deployer;

grant select on
  pgscore.models,
  pgscore.runs,
  pgscore.run_errors,
  pgscore.services,
  pgscore.targets,
  pgscore.schedules,
  pgscore.schedule_history,
  pgscore.feature_casts,
  pgscore.bindings,
  pgscore.gates,
  pgscore.experiments,
  pgscore.online_predictions,
  pgscore.recorded_labels
  to pgscore_user;
grant select on pgscore.audit to pgscore_deployer;
grant select on pgscore._feature_types to pgscore_user, pgscore_service;

grant select (outcome), insert (model, relation, bound) on pgscore._binding_request to pgscore_user;
grant select (version), insert (model, bytes, options, expect) on pgscore._deployment to pgscore_deployer;
grant select (outcome), insert (action, model, argument, options) on pgscore._command to pgscore_deployer;
grant select, insert (digest, kind) on pgscore._handle_request to pgscore_user;
grant select, insert (view_schema, view_name, task, key_columns, class_labels, score_unit, is_replay)
  on pgscore._target_request to pgscore_user;
grant
  select (run_id),
  insert (version_id, target_id, source_schema, source_name, source_kind, handle_id, plan, plan_digest, plan_id, pages, rows_expected, rls,
    publish, error_limit, schedule_id, fire_at, only_changed, is_replay)
  on pgscore._run_request to pgscore_user;
grant select on pgscore._known_plan to pgscore_user;
-- No UPDATE or DELETE: a role that has it on a view may lock the tables below, or their rows, for as long as it likes.
grant select on pgscore._run_control, pgscore._schedule_control to pgscore_user;
grant select (accepted), insert (run_id) on pgscore._cancel_request to pgscore_user;
grant insert (target_id, step) on pgscore._drop_request to pgscore_user;
grant insert (target_id, keep) on pgscore._history_request to pgscore_user;
grant select, insert (name, cron, time_zone, model, source, arguments, overlap, catch_up) on pgscore._schedule_request to pgscore_user;
grant insert (action, schedule_id) on pgscore._schedule_command to pgscore_user;

grant select on all tables in schema pgscore_data to pgscore_service;
grant select on pgscore.runs, pgscore.services, pgscore.models, pgscore.schedules to pgscore_service;
grant insert, update, delete on pgscore_data.service, pgscore_data.shard, pgscore_data.run_error to pgscore_service;
grant update on
  pgscore_data.version,
  pgscore_data.run,
  pgscore_data.target,
  pgscore_data.generation,
  pgscore_data.schedule
  to pgscore_service;
grant update (plan_digest) on pgscore_data.known_plan to pgscore_service;
grant insert on
  pgscore_data.artifact,
  pgscore_data.alias,
  pgscore_data.promotion,
  pgscore_data.audit,
  pgscore_data.schedule_fire
  to pgscore_service;
grant insert on pgscore_data.arm_tally, pgscore_data.class_tally to pgscore_service;

-- What every call of score() goes through; the functions of a version are granted with its model, and those for rows of bound tables,
-- whose schemas may be closed to us by now, as they are made.
do $$
declare
  this regprocedure;
begin
  for this in
    select p.oid::regprocedure from pg_proc p
     where p.pronamespace = 'pgscore_models'::regnamespace and starts_with(p.proname, '_') and p.proname !~ '^_v[0-9]'
       and not (p.proname = '_score' and p.proargtypes[2] = 'name'::regtype)
  loop
    execute format('grant execute on function %s to pgscore_user, pgscore_service', this);
  end loop;
end
$$;

grant insert, update, delete on pgscore_data.gateway to pgscore_service;
grant insert, delete on pgscore_data.online_block to pgscore_service;
grant insert, update on pgscore_data.online_batch to pgscore_service;
grant select, usage on sequence pgscore_data.online_prediction_id to pgscore_service;

grant
  insert (model, source_schema, source_name, label_columns, key_columns, key_types, known_at_column, time_zone, handle_id, seen_labels),
  select (source_id)
  on pgscore._label_request to pgscore_user;
grant insert (model) on pgscore._unlabel_request to pgscore_user;
grant insert (model, key, label, known_at) on pgscore._single_label_request to pgscore_user;
grant select on pgscore.label_sources to pgscore_user;
grant select on all tables in schema pgscore_bi to pgscore_analyst, pgscore_service;

grant select (outcome), insert (model, action, settings) on pgscore._monitor_request to pgscore_deployer;

grant insert, update, delete on
  pgscore_data.day_tally,
  pgscore_data.cell_volume,
  pgscore_data.cell_score,
  pgscore_data.compared_label
  to pgscore_service;
grant update, delete on pgscore_data.label_source to pgscore_service;
grant insert, update, delete on pgscore_data.comparison_request to pgscore_service;
grant delete on pgscore_data.taken_change to pgscore_service;

grant insert (model, action, name, settings), select (outcome) on pgscore._alert_request to pgscore_user;
grant select on pgscore.alerts to pgscore_user;
-- Views call them as whoever reads them.
grant execute on function pgscore_data._alert_sentence(text, text, text, text, text), pgscore_data._judged_as(text),
  pgscore_data._better_versions(int, int, text), pgscore_data._outdated(bigint, int, text), pgscore_data._truths_of(text, text[]),
  pgscore_data._short_number(double precision),
  pgscore_data._experiment_is_final(pgscore_data.experiment)
  to pgscore_user, pgscore_analyst, pgscore_service;
grant select (outcome), insert (model, action, settings) on pgscore._baseline_request to pgscore_deployer;
grant select, insert (model, target_id, source, arguments, tables, capture, poll_every, rescore_every, on_promote, keep_history, notify)
  on pgscore._watch_request to pgscore_user;
grant select (function_name), insert (purpose, id, relation, key_columns) on pgscore._capture_request to pgscore_user;
grant insert (watch_id, version_id, plan, handle_id, scan_handle_id) on pgscore._renewal_request to pgscore_user;
grant insert (action, watch_id) on pgscore._watch_command to pgscore_user;
grant select on pgscore._watch_control, pgscore.watches to pgscore_user;
grant select on pgscore.watches to pgscore_service;
grant insert, delete on pgscore_data.seen_row to pgscore_service;
grant insert on pgscore_data.feature_tally, pgscore_data.feature_sample, pgscore_data.segment_tally to pgscore_service;

-- Before PostgreSQL 17 a query with workers may not begin a subtransaction, and the service is asked in one.

do $$
declare
  this regprocedure;
begin
  if current_setting('server_version_num')::int < 170000 then
    for this in select p.oid::regprocedure from pg_proc p where p.pronamespace = 'pgscore'::regnamespace and p.proparallel = 'r' loop
      execute format('alter function %s parallel unsafe', this);
    end loop;
  end if;
end
$$;
