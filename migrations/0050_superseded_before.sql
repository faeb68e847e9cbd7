-- Where superseded predictions are gone, a label that comes so late could meet an older one by mistake.

alter table pgscore_data.monitor add column superseded_before timestamptz not null default '-infinity';
comment on column pgscore_data.monitor.superseded_before is
  'Before this, superseded predictions are not kept any more: a label known before it judges nothing new, but the newest prediction.';
