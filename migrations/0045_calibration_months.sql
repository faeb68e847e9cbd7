-- What scores mean is learned by month, from the labels before it, so that what comes later moves no estimate of what was before.

create table pgscore_data.calibration_check (
  version_id int primary key,
  changed_at timestamptz not null default clock_timestamp(),
  checked_at timestamptz
);
comment on table pgscore_data.calibration_check is 'Versions that labels touched. A version has a row once a label touched it.';
comment on column pgscore_data.calibration_check.changed_at is 'When a label last changed its cells.';
comment on column pgscore_data.calibration_check.checked_at is 'As of when it was last seen whether there is more to learn from.';

-- All is learned again, so that estimates stay what they are until then.
insert into pgscore_data.calibration_check (version_id) select c.version_id from pgscore_data.calibration c;
delete from pgscore_data.calibration;
drop view if exists pgscore_data.class_calibration_due;
drop function if exists pgscore_data._note_changed_labels(), pgscore_data._claim_calibration(), pgscore_data._claim_class_calibration(),
  pgscore_data._set_calibration(int, timestamptz, bigint, bigint, timestamptz, double precision[], text);
alter table pgscore_data.calibration
  drop column changed_at,
  drop column checked_at,
  add column month timestamptz not null,
  drop constraint calibration_pkey,
  add primary key (version_id, month);
comment on table pgscore_data.calibration is
'What the scores of each labelled version mean from a month on: learned from the mature days of the year before it, and again when these '
'have changed by a tenth.';
comment on column pgscore_data.calibration.month is 'Where the month begins: the days that it was learned from are before it.';
comment on column pgscore_data.calibration.last_day is 'The last day that it was learned from.';
