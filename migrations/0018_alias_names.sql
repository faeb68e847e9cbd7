-- score() finds a champion by one look-up: an alias knows the name of its model.

alter table pgscore_data.model add unique (model_id, name);
alter table pgscore_data.alias add column model_name text;
update pgscore_data.alias a set model_name = m.name from pgscore_data.model m where m.model_id = a.model_id;
alter table pgscore_data.alias
  alter column model_name set not null,
  add foreign key (model_id, model_name) references pgscore_data.model (model_id, name) on update cascade;
create unique index alias_model_name on pgscore_data.alias (model_name, alias);
comment on column pgscore_data.alias.model_name is 'Name of the model, which follows it when it is renamed.';

-- Here already: an alias is set between the migrations and the definitions, too.
create or replace function pgscore_data._name_alias() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  new.model_name := (select m.name from pgscore_data.model m where m.model_id = new.model_id);
  return new;
end
$$;
create or replace trigger name_alias before insert on pgscore_data.alias
for each row execute function pgscore_data._name_alias();
