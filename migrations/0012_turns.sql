-- Whose turn it is: advisory locks can be taken by everybody who can connect, and held for as long as she likes.

create table pgscore_data.turn (work text primary key);
comment on table pgscore_data.turn is 'Work that is for one session at a time: it locks the row until the end of its transaction. cells: whatever is computed from labels and predictions; alerts: what rules say of it.';
insert into pgscore_data.turn (work) values ('cells'), ('alerts');
