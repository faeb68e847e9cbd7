-- The cells of scores are written as a log, of which a cell is the sum: almost every label changes cells of its own, each of which
-- took ten times as long to find and to change as it takes to add a row.

alter table pgscore_data.cell_outcome_score drop constraint cell_outcome_score_pkey, replica identity full, set (fillfactor = 100);
create index cell_outcome_score_of_day on pgscore_data.cell_outcome_score (version_id, day);
comment on table pgscore_data.cell_outcome_score is 'Labelled predictions of a binary classifier by score and truth: AUC, average precision, calibration and thresholds come from these. A cell is the sum of its rows; each refresh adds some, and a day of many is folded to one a cell.';
