-- A refresh numbers the entities that it is about: their numbers are sorted and joined in a fraction of the time that keys take.

alter table pgscore_data.refresh_label add column entity bigint not null;
comment on column pgscore_data.refresh_label.entity is 'Number of the entity in this refresh.';
alter table pgscore_data.refresh_key drop constraint refresh_key_pkey;
alter table pgscore_data.refresh_key add column entity bigint not null;
comment on column pgscore_data.refresh_key.entity is 'Its number in this refresh.';
alter table pgscore_data.refresh_key add column stands boolean not null default false;
comment on column pgscore_data.refresh_key.stands is 'Whether its only label says something else now and nothing else changed: the same predictions meet it.';
alter table pgscore_data.refresh_prediction add column entity bigint not null;
comment on column pgscore_data.refresh_prediction.entity is 'Number of the entity in this refresh.';
alter table pgscore_data.refresh_pair add column entity bigint not null;
comment on column pgscore_data.refresh_pair.entity is 'Number of the entity in this refresh.';
alter table pgscore_data.refresh_old_pair add column entity bigint not null;
comment on column pgscore_data.refresh_old_pair.entity is 'Number of the entity in this refresh.';

create unlogged table pgscore_data.refresh_truth (entity bigint not null, known_at timestamptz not null, label text not null);
comment on table pgscore_data.refresh_truth is 'Work of the refresh that is running: every label that these entities have now.';

-- To take statistics of keys takes longer than what they are for, and nothing asks for them.
alter table pgscore_data.refresh_label alter column key set statistics 0;
alter table pgscore_data.refresh_key alter column key set statistics 0;
alter table pgscore_data.refresh_prediction alter column key set statistics 0;
