-- Names of schedules are their owners' own; who recorded a single label is kept.

alter table pgscore_data.schedule drop constraint schedule_name_key, add unique (owner, name);

create table pgscore_data.recorded_label (
  recorded_id bigint generated always as identity primary key,
  model_id int not null references pgscore_data.model on delete cascade,
  key text[] collate "C" not null,
  label text not null,
  known_at timestamptz,
  recorded_by name not null,
  recorded_at timestamptz not null default clock_timestamp(),
  overrules boolean not null
);
comment on table pgscore_data.recorded_label is 'The last label of each entity that record_label() gave, and who gave it.';
comment on column pgscore_data.recorded_label.known_at is 'NULL where record_label() said nothing of it.';
comment on column pgscore_data.recorded_label.overrules is
  'Whether a deployer recorded it although the model has a source of labels: comparisons with the source leave it as it is.';
create index recorded_label_of_entity on pgscore_data.recorded_label (model_id, hash_array(key));
