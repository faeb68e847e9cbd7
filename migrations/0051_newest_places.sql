-- A place that is found as the newest of its entity is not looked for again.

alter table pgscore_data.refresh_place add column is_newest boolean not null default false;
comment on column pgscore_data.refresh_place.is_newest is 'Whether it is the last place of its entity.';
