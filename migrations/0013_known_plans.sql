-- Plans that are kept: whoever has a table scored again and again asks for the same each time.

create table pgscore_data.known_plan (
  plan_id bigint generated always as identity primary key,
  owner name not null,
  request text not null,
  version_id int not null references pgscore_data.version on delete cascade,
  target_id int not null references pgscore_data.target on delete cascade,
  handle_id bigint not null references pgscore_data.handle on delete cascade,
  plan jsonb not null
);
comment on table pgscore_data.known_plan is 'What a request for a small table came to: it is planned and checked once, and again where the request, or the table as the catalogue has it, is another. Never changed, since runs wait that read by it; goes with its read handle, whose plan it is.';
comment on column pgscore_data.known_plan.request is 'Digest of the request and of what the catalogue says of the source.';
-- Not unique: who asks first would wait for another who asked in a transaction that is still open. The newest counts.
create index known_plan_of_request on pgscore_data.known_plan (owner, request, plan_id);
create index known_plan_of_version on pgscore_data.known_plan (version_id);
create index known_plan_of_target on pgscore_data.known_plan (target_id);
create index known_plan_of_handle on pgscore_data.known_plan (handle_id);

alter table pgscore_data.run alter column plan drop not null;
alter table pgscore_data.run add column plan_id bigint;
alter table pgscore_data.run add column pages bigint;
comment on column pgscore_data.run.plan is 'How the source is read, where that is not kept for other runs too.';
comment on column pgscore_data.run.plan_id is 'How the source is read, where that is known from an earlier run. An open run keeps the plan; afterwards it may be gone: a reference would have every past run written anew then.';
comment on column pgscore_data.run.pages is 'Pages of the source when the run was submitted.';
update pgscore_data.run set pages = (plan ->> 'pages')::bigint;
