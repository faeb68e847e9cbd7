-- A label that only says something else is corrected as it is taken, before anything is looked up for the others: none of these is left to stand.

alter table pgscore_data.refresh_key drop column stands;
drop function if exists pgscore_data._take_labels(int), pgscore_data._stand_down(int, bigint[]);
