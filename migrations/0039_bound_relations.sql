-- Two models that are bound to one table share the function that leads score() to theirs.

create table pgscore_data.bound_relation (
  relation oid primary key
);
comment on table pgscore_data.bound_relation is 'Tables to which a model was bound: whoever writes the function of all models for the rows of one has its row locked. That of a dropped table stays.';
