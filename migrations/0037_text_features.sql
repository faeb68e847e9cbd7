-- Which features of a version are texts: what a row of a table may have for them is settled by its types, before it is JSON.

alter table pgscore_data.execution add column texts text[] not null default '{}';
update pgscore_data.execution e
   set texts = array(select f ->> 'name' from jsonb_array_elements(v.signature -> 'features') with ordinality as x (f, n) where f ->> 'type' = 'string' order by n)
  from pgscore_data.version v where v.version_id = e.version_id;
comment on column pgscore_data.execution.texts is 'Its features that are texts.';
