-- A gateway on the machine of PostgreSQL is reached by a socket of Unix, which takes less time than TCP.

alter table pgscore_data.gateway add column socket_folder text, add column socket_owner text;
comment on column pgscore_data.gateway.socket_folder is 'Where its socket .s.PGSQL.<port> is, on its own machine; NULL: it has none.';
comment on column pgscore_data.gateway.socket_owner is 'The user of its machine whose socket it must be.';
