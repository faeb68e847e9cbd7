-- A refresh changes pairs where they are: taken out and put back, each cost its place in the table and in two indexes anew.

create unlogged table pgscore_data.refresh_pair (like pgscore_data.evaluation);
comment on table pgscore_data.refresh_pair is 'Work of the refresh that is running: the pairs that the entities which changed have now.';
create unlogged table pgscore_data.refresh_old_pair (like pgscore_data.evaluation, place tid not null);
comment on table pgscore_data.refresh_old_pair is 'Work of the refresh that is running: the pairs that these entities had, and where they are.';
drop function if exists pgscore_data._pair(int), pgscore_data._unpair();
