-- What each new label costs: a check that never fails, since no model's row is ever deleted, and an index by key that a comparison of a whole source can do without.

alter table pgscore_data.ground_truth drop constraint ground_truth_model_id_fkey;
drop index pgscore_data.label_change_of_key;
create index label_change_of_model on pgscore_data.label_change (model_id);
