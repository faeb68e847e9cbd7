-- A refresh numbers the entities that it is about: their numbers are sorted and joined in a fraction of the time that keys take.

truncate pgscore_data.refresh_label, pgscore_data.refresh_key, pgscore_data.refresh_prediction, pgscore_data.refresh_pair, pgscore_data.refresh_old_pair;
drop function if exists pgscore_data._take_labels(int);
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

-- What an analyst asks for is a time of some models: a day is a time, too.
create index evaluation_of_time on pgscore_data.evaluation (version_id, event_time);
drop index pgscore_data.evaluation_of_day;

alter table pgscore_data.cell_volume add column n_scored bigint not null default 0;
comment on column pgscore_data.cell_volume.n_scored is 'How many of them are in cell_score: those of a binary classifier that have a score.';
update pgscore_data.cell_volume v set n_scored = s.n from (select c.version_id, c.day, sum(c.n) as n from pgscore_data.cell_score c group by c.version_id, c.day) s where s.version_id = v.version_id and s.day = v.day;

create table pgscore_data.score_curve (
  version_id int not null,
  window_start timestamptz not null,
  hundredth smallint not null,
  n_positive double precision not null,
  n_negative double precision not null,
  sum_score double precision not null,
  primary key (version_id, window_start, hundredth)
);
comment on table pgscore_data.score_curve is 'The labelled predictions of a binary classifier by month, score in hundredths and truth: a month of cell_outcome_score, added up. Computed again for the months that a refresh touched.';
insert into pgscore_data.touched (version_id, day)
select distinct on (c.version_id, date_trunc('month', c.day, m.time_zone)) c.version_id, c.day
  from pgscore_data.cell_volume c join pgscore_data.version v using (version_id) join pgscore_data.monitor m using (model_id) on conflict do nothing;
-- As if there were many versions: told how few there are, the planner reads the pairs of all for a thousand of one.
alter table pgscore_data.evaluation alter column version_id set (n_distinct = 500);
