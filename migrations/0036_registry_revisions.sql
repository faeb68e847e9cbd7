-- What a notation means is known by revisions of the registry: a statement is planned with one, and keeps to it.

create table pgscore_data.registry (
  singleton boolean primary key default true check (singleton),
  revision bigint not null
);
comment on table pgscore_data.registry is 'How often what a notation such as churn or churn@challenger means was changed, by a transaction that is committed.';
insert into pgscore_data.registry (revision) values (1);

create table pgscore_data.registry_change (
  change_id bigint generated always as identity primary key
);
comment on table pgscore_data.registry_change is 'A change of what notations mean whose transaction has not ended, which therefore has no revision: empty to everybody else.';

alter table pgscore_data.alias add column revision bigint;
update pgscore_data.alias set revision = 1;
comment on column pgscore_data.alias.revision is 'The revision of the registry since which it points where it does; NULL until the transaction that pointed it there ends.';

create table pgscore_data.former_alias (
  model_name text not null,
  alias text not null,
  version_id int not null,
  since bigint not null,
  until bigint
);
comment on table pgscore_data.former_alias is 'Where aliases pointed in earlier revisions of the registry: from since to before until, which is NULL until the transaction that changed it ends.';
create index former_alias_name on pgscore_data.former_alias (model_name, alias, since);
create index former_alias_open on pgscore_data.former_alias (since) where until is null;
