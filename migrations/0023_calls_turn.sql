-- What score() is written to know is written by one session at a time.

insert into pgscore_data.turn (work) values ('calls');
comment on table pgscore_data.turn is 'Work that is for one session at a time: it locks the row until the end of its transaction. cells: whatever is computed from labels and predictions; alerts: what rules say of it; calls: the functions that know the versions there are.';
