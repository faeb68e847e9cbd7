-- Dropping a version keeps its accuracy.

create table pgscore_data.dropped_version (
  version_id int primary key references pgscore_data.version,
  task text not null,
  class_labels text[] not null,
  positive_class int,
  threshold double precision,
  probabilities boolean not null
);
comment on table pgscore_data.dropped_version is 'What the accuracy of a dropped version is read by: the same columns as in execution.';

-- What looked predictions up in targets and calls.
drop function if exists
  pgscore_data._called_versions, pgscore_data._find_calls, pgscore_data._key_match, pgscore_data._keyed_calls,
  pgscore_data._late_predictions, pgscore_data._note_late_calls, pgscore_data._note_late_predictions, pgscore_data._segments_held,
  pgscore_data._targets_of, pgscore_data._list_keys, pgscore_data._list_some_keys, pgscore_data._forget_keys;
