-- How likely such distances are by chance, beside the distances.

alter table pgscore_data.drift_value
  add column ks_p_value double precision check (ks_p_value between 0 and 1),
  add column chi2_p_value double precision check (chi2_p_value between 0 and 1);
insert into pgscore_data.touched_feature (set_id, day) select distinct d.set_id, d.day from pgscore_data.drift_value d on conflict do nothing;
