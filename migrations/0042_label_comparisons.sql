-- A label is as old as its capture, however long the refresh took that counted it.

truncate pgscore_data.refresh_label;
alter table pgscore_data.refresh_label add column captured_at timestamptz not null;
alter table pgscore_data.refresh_label alter column captured_at set statistics 0;
comment on column pgscore_data.evaluation.received_at is 'When the label as it is now was captured.';
