-- Work tables are analyzed for how many rows they have, and how many versions and days: to sort all their columns for that took a tenth of a refresh.

alter table pgscore_data.refresh_label
  alter column entity set (n_distinct = -1), alter column entity set statistics 1, alter column model_id set statistics 1,
  alter column source_id set statistics 0, alter column known_at set statistics 0, alter column label set statistics 0, alter column retracted set statistics 0;
alter table pgscore_data.refresh_key
  alter column entity set (n_distinct = -1), alter column entity set statistics 1, alter column model_id set statistics 1, alter column stands set statistics 1;
alter table pgscore_data.refresh_truth
  alter column entity set statistics 1, alter column known_at set statistics 0, alter column label set statistics 0;
alter table pgscore_data.refresh_prediction
  alter column entity set statistics 1, alter column model_id set statistics 1, alter column version_id set statistics 1, alter column run_id set statistics 0,
  alter column event_time set statistics 0, alter column score set statistics 0, alter column predicted_class set statistics 0, alter column probabilities set statistics 0, alter column segments set statistics 0;
alter table pgscore_data.refresh_delta
  alter column version_id set statistics 1, alter column day set statistics 1, alter column sign set statistics 0, alter column age_band set statistics 0, alter column actual_class set statistics 0,
  alter column predicted_class set statistics 0, alter column actual set statistics 0, alter column score set statistics 0, alter column p_actual set statistics 0, alter column bin set statistics 0,
  alter column rank set statistics 0, alter column class_bins set statistics 0, alter column segments set statistics 0;
