-- A refresh changes pairs where they are: taken out and put back, each cost its place in the table and in two indexes anew.

create unlogged table pgscore_data.refresh_pair (like pgscore_data.evaluation, primary key (model_id, key, version_id, run_id));
comment on table pgscore_data.refresh_pair is 'Work of the refresh that is running: the pairs that the entities which changed have now.';
drop function if exists pgscore_data._pair(int), pgscore_data._unpair();
