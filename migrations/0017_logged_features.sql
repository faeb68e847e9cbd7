-- Numbers that were given to score() are kept as an array: to write and to read them as jsonb took most of the time of a logged row.

alter table pgscore_data.online_prediction add column features double precision[];
comment on column pgscore_data.online_prediction.features is 'What was given, in the order of the features of the version, where all of it is numbers or NULL; else it is in inputs.';
