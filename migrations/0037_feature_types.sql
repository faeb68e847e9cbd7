-- What a version's features are: by the types of its columns a row of a table may have them or not, before it is JSON.

alter table pgscore_data.execution add column types text[] not null default '{}';
update pgscore_data.execution e
   set types = array(select f ->> 'type' || case when (f ->> 'width')::int > 1 then '[' || (f ->> 'width') || ']' else '' end from jsonb_array_elements(v.signature -> 'features') with ordinality as x (f, n) order by n)
  from pgscore_data.version v where v.version_id = e.version_id;
comment on column pgscore_data.execution.types is 'The tensor type of each of its features; of an array with its width, as float32[3].';
