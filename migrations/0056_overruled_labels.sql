-- An overruled label holds while the source says what it said then; of a source with times, for each time by itself.

alter table pgscore_data.recorded_label add column source_label text, add column source_known_at timestamptz;
comment on column pgscore_data.recorded_label.source_label is 'What the source said last of the label that was overruled; NULL where none was.';
comment on column pgscore_data.recorded_label.source_known_at is
  'For which time it said so; NULL where the source says nothing of times, or nothing was overruled.';
comment on column pgscore_data.recorded_label.overrules is
  'Whether a deployer overruled a label of the source: comparisons leave it as it is while the source says what source_label is.';
update pgscore_data.recorded_label set overrules = false where overrules;

delete from pgscore_data.recorded_label r using pgscore_data.recorded_label n
 where n.model_id = r.model_id and n.key = r.key and n.recorded_id > r.recorded_id;
drop index pgscore_data.recorded_label_of_entity;
create unique index recorded_label_of_entity on pgscore_data.recorded_label (model_id, key, source_known_at) nulls not distinct;
