-- Which of two changes of a label is newer goes by what a snapshot saw, not by a clock, which is read long before the commit.

truncate pgscore_data.refresh_label, pgscore_data.compared_label;
alter table pgscore_data.refresh_label add column captured_at timestamptz not null;
alter table pgscore_data.refresh_label alter column captured_at set statistics 0;
comment on column pgscore_data.evaluation.received_at is 'When the label as it is now was captured.';

alter table pgscore_data.label_change
  add column captured_in xid8 not null default pg_current_xact_id(),
  add column read_in pg_snapshot;
comment on column pgscore_data.label_change.captured_in is 'The transaction that wrote it.';
comment on column pgscore_data.label_change.read_in is
'The snapshot in which a comparison read the source; NULL where the change was captured. What this snapshot does not see is newer.';
create index label_change_read on pgscore_data.label_change (model_id, change_id) where read_in is not null;

create unlogged table pgscore_data.taken_change (
  change_id bigint not null, model_id int not null, key text[] collate "C" not null, known_at timestamptz, captured_in xid8 not null
);
comment on table pgscore_data.taken_change is
'Captured changes that refreshes took while a comparison was owed, or its differences were queued: those may be older.';

alter table pgscore_data.comparison_request add column requested_in xid8 not null default pg_current_xact_id();
comment on column pgscore_data.comparison_request.requested_in is
'The transaction that asked. A comparison answers the requests that its snapshot saw.';
comment on table pgscore_data.comparison_request is
'Sources of labels that are to be read whole: after a TRUNCATE, which says nothing of rows, or when it is time. The end of a comparison deletes them.';

alter table pgscore_data.label_source add column comparing_pid int, add column comparing_since timestamptz;
comment on column pgscore_data.label_source.comparing_pid is 'The session that compares it now, or did when it died.';
comment on column pgscore_data.label_source.comparing_since is 'When that session began: another one may have its number.';
