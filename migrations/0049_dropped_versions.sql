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
