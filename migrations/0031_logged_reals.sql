-- A real is kept as it was given: as a double precision it would be shown with digits that nobody wrote, and take twice the room.

alter table pgscore_data.online_prediction add column reals real[];
comment on column pgscore_data.online_prediction.reals is 'The same as features, where all of them were given as real.';
