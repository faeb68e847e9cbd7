-- Versions are compared over the labels that judge both, not over days.

drop function if exists pgscore_data._shares_over(int, timestamptz[]), pgscore_data._errors_over(int, timestamptz[]),
  pgscore_data._ranking_over(int, timestamptz[]), pgscore_data._metrics_over(int, timestamptz[]);

delete from pgscore_data.compared_pair;
alter table pgscore_data.compared_metric add column correlation double precision not null;
comment on table pgscore_data.compared_pair is 'Versions that were compared, over the labels that judge both.';
comment on column pgscore_data.compared_pair.first_day is 'First day that has predictions of version_id among them.';
comment on table pgscore_data.compared_metric is 'What each of two versions came to over the same labels, with its 95 % interval.';
comment on column pgscore_data.compared_metric.correlation is 'Of both values, less its standard error where it is above 0.';

create unlogged table pgscore_data.compared_prediction (
  is_other boolean not null,
  entity bigint not null,
  day timestamptz not null,
  is_hit boolean,
  is_positive boolean,
  said_positive boolean,
  error double precision,
  bin smallint
);
comment on table pgscore_data.compared_prediction is
  'Work of the comparison that is running: predictions of two versions that are judged by the labels that judge both.';
