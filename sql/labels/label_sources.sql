-- Where labels come from, and whether all of them are counted.

create or replace view pgscore.label_sources with (security_barrier) as
select m.name as model, s.source_schema || '.' || s.source_name as source,
       case when cardinality(s.label_columns) = 1 then s.label_columns[1] end as label_column, s.key_columns, s.known_at_column,
       case when exists (select from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
              where n.nspname = s.source_schema and c.relname = s.source_name and t.tgname = 'pgscore_labels_' || s.source_id || '_insert'
                and t.tgenabled <> 'D')
         then 'triggers' else 'polling' end as captured_by,
       s.set_by, s.set_at, s.compared_at, s.rows_compared,
       (select count(*) from (select from pgscore_data.label_change c where c.model_id = s.model_id limit 100000) w) as waiting,
       s.error,
       s.compared_at is not null and s.digest is not distinct from d.digest
         and not exists (select from pgscore_data.label_change c where c.model_id = s.model_id)
         and not exists (select from pgscore_data.comparison_request q where q.source_id = s.source_id)
         and not exists (select from pgscore_data.run r join pgscore_data.version v using (version_id)
                          where r.state = 'done' and not (r.counted and r.kept) and v.model_id = s.model_id)
         and not exists (select from pgscore_data.online_batch b join pgscore_data.version v using (version_id)
                          where not b.counted and v.model_id = s.model_id)
         and not exists (select from pgscore_data.touched t join pgscore_data.counted_version v using (version_id)
                          where v.model_id = s.model_id)
         and not exists (select from pgscore_data.touched_feature t join pgscore_data.feature_set f using (set_id)
                           join pgscore_data.version v using (version_id) where v.model_id = s.model_id)
         and not exists (select from pgscore_data.estimate_due e join pgscore_data.version v using (version_id)
                          where v.model_id = s.model_id)
         and not exists (select from pgscore_data.comparison_due d join pgscore_data.version v on v.version_id = d.of_version
                          where v.model_id = s.model_id)
         and not exists (select from pgscore_data.experiment_due d join pgscore_data.experiment e using (experiment_id)
                          where e.model_id = s.model_id)
           as is_settled,
       s.n_unmatched, s.n_before, s.n_too_old, s.late_share, s.late_share > 0.05 as is_often_late, s.counted_at, s.label_columns,
       s.n_invalid, s.invalid_label
  from pgscore_data.label_source s join pgscore_data.model m using (model_id)
 cross join lateral pgscore._table_digest(pgscore._relation_named(format('%I.%I', s.source_schema, s.source_name)),
                                          format('pgscore_labels_%s_', s.source_id)) d
 where pg_has_role(to_regrole(quote_ident(s.set_by)), 'usage') or pg_has_role('pgscore_deployer', 'usage');
comment on view pgscore.label_sources is 'Where the truth about your models comes from, and when it was last read whole.';
comment on column pgscore.label_sources.model is 'Name of the model.';
comment on column pgscore.label_sources.source is 'Table or view that holds the labels.';
comment on column pgscore.label_sources.label_column is 'Column with the true class or value; NULL if there are several columns.';
comment on column pgscore.label_sources.label_columns is 'Columns with the truth, one for each value of a row.';
comment on column pgscore.label_sources.key_columns is 'Columns that identify an entity.';
comment on column pgscore.label_sources.known_at_column is 'Column that says when the truth became known; NULL: when pgscore first saw it.';
comment on column pgscore.label_sources.captured_by is
  'triggers: changes arrive in the writer''s transaction, and an hourly comparison finds what triggers miss. polling: the source is read '
  'again and compared; set_labels() by the table''s owner puts triggers on it.';
comment on column pgscore.label_sources.set_by is 'Role that set the labels; the source is read with its rights.';
comment on column pgscore.label_sources.set_at is 'When the labels were set.';
comment on column pgscore.label_sources.compared_at is 'When the source was last read whole and compared.';
comment on column pgscore.label_sources.rows_compared is 'How many labels the source held at its last comparison.';
comment on column pgscore.label_sources.waiting is 'Changes that the next refresh takes, counted to 100,000.';
comment on column pgscore.label_sources.is_settled is
'Whether the views of pgscore_bi show every label and prediction that is known so far: no change, comparison or refresh is owed.';
comment on column pgscore.label_sources.error is 'Why the source could not be read the last time; NULL if it could.';
comment on column pgscore.label_sources.n_unmatched is 'Labels of entities that were not predicted, counted to 100,000.';
comment on column pgscore.label_sources.n_before is
  'Labels that judge nothing because they were known before any time that their entity was predicted for. 0 under the rules first, latest '
  'and all.';
comment on column pgscore.label_sources.n_too_old is
  'Labels that judge nothing and became known before the predictions that are still kept: see keep of pgscore.monitor().';
comment on column pgscore.label_sources.late_share is
  'Of the labels that became known since set_labels(), in the last 90 days, the share that came more than label_delay after known_at; '
  'NULL: there is none, or no known_at.';
comment on column pgscore.label_sources.is_often_late is
  'Whether late_share is more than 5 %: give pgscore.monitor() a longer label_delay.';
comment on column pgscore.label_sources.n_invalid is
  'Labels that judge nothing because they are none of the model''s classes, or no finite number, counted to 100,000.';
comment on column pgscore.label_sources.invalid_label is 'The first 60 characters of a label that n_invalid counts; NULL: there is none.';
comment on column pgscore.label_sources.counted_at is
  'When n_unmatched, n_before, n_too_old, late_share and n_invalid were counted, once an hour.';
