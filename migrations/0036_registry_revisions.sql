-- What a notation means is known by revisions of the registry: a statement is planned with one, and keeps to it.

create table pgscore_data.revision (
  revision bigint generated always as identity primary key
);
comment on table pgscore_data.revision is 'The revisions of the registry: each a transaction that changed what notations such as churn or churn@challenger mean. They are committed in their order.';
insert into pgscore_data.revision default values;

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

create operator pgscore_data.@@@ (leftarg = int, rightarg = int, function = pg_catalog.int4eq);
comment on operator pgscore_data.@@@ (int, int) is 'Changed with each revision of the registry, as all plans are made anew then. Nothing uses it.';
create domain pgscore_data.registry_mark as int constraint mark check (value > 0);
comment on domain pgscore_data.registry_mark is 'Changed with each revision of the registry, as the checks of all domains are made anew then. Nothing uses it.';
