-- Where dblink stands in a schema that others use too, requests of score() to the service are signed.

create table pgscore_data.signing_keys (
  singleton boolean primary key default true check (singleton),
  inner_key bytea not null default sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) || sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())),
  outer_key bytea not null default sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) || sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
);
comment on table pgscore_data.signing_keys is 'What requests to the service are signed with where dblink stands in an open schema: two blocks of SHA-256.';
insert into pgscore_data.signing_keys default values;
