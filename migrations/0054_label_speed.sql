-- A label that arrives costs less.

-- A block range index costs a label nothing when it arrives.
drop index pgscore_data.evaluation_of_label;
create index evaluation_of_label on pgscore_data.evaluation using brin (known_at);

alter table pgscore_data.refresh_prediction add column is_newest boolean not null default false;
comment on column pgscore_data.refresh_prediction.is_newest is 'Whether it is in the last place of its entity.';
