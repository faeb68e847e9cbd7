-- Models, their versions and aliases, and the log of who changed what.

comment on table pgscore_data.migration is 'The files of migrations/ that were run here.';
comment on table pgscore_data.migration_lock is 'Held while migrations run.';

create table pgscore_data.installation (
  singleton boolean primary key default true check (singleton),
  system_identifier bigint not null,
  database_oid oid not null,
  version text not null,
  installed_at timestamptz not null default clock_timestamp(),
  adopted_at timestamptz
);
comment on table pgscore_data.installation is 'Which cluster and database this installation belongs to. A restored copy does not match, and its service starts paused until `pgscore adopt`.';

create table pgscore_data.model (
  model_id int generated always as identity primary key,
  name text not null unique
    check (name ~ '^[[:alpha:]_][[:alnum:]_.-]*$' and octet_length(name) <= 50),
  created_by name not null,
  created_at timestamptz not null default clock_timestamp()
);
comment on table pgscore_data.model is 'A model: a name that versions and aliases hang on.';

create table pgscore_data.version (
  version_id int generated always as identity primary key,
  model_id int not null references pgscore_data.model,
  number int not null,
  state text not null default 'checking' check (state in ('checking', 'ready', 'rejected', 'dropped')),
  reason_code text,
  reason text,
  remedy text,
  options jsonb not null default '{}',
  expect jsonb,
  sha256 text not null,
  size_bytes bigint not null,
  signature jsonb,
  warnings text[] not null default '{}',
  facts jsonb not null default '{}',
  deployed_by name not null,
  deployed_at timestamptz not null default clock_timestamp(),
  checked_at timestamptz,
  claimed_by uuid,
  lease_until timestamptz,
  attempt int not null default 0,
  unique (model_id, number),
  check (state <> 'ready' or signature is not null),
  check (state <> 'rejected' or reason is not null)
);
comment on table pgscore_data.version is 'An immutable version of a model, from the moment its bytes arrive (checking) to its verdict (ready or rejected). A dropped one keeps its row, for the runs that it made, and loses its bytes.';
create index version_checking on pgscore_data.version (version_id) where state = 'checking';

create table pgscore_data.artifact (
  version_id int primary key references pgscore_data.version on delete cascade,
  original bytea not null check (octet_length(original) <= 268435456),
  served bytea
);
alter table pgscore_data.artifact alter column original set storage external, alter column served set storage external;
comment on table pgscore_data.artifact is 'The ONNX bytes of a version: as deployed, and as served where the check had to rewrite the graph (ZipMap removed, batch made dynamic).';

create table pgscore_data.alias (
  model_id int not null references pgscore_data.model,
  alias text not null check (alias ~ '^[[:alpha:]_][[:alnum:]_.-]*$' and octet_length(alias) <= 50),
  version_id int not null references pgscore_data.version,
  primary key (model_id, alias)
);
comment on table pgscore_data.alias is 'A name for a version that may move: champion is the one that a bare model name means.';

create table pgscore_data.promotion (
  promotion_id bigint generated always as identity primary key,
  model_id int not null references pgscore_data.model,
  version_id int not null references pgscore_data.version,
  promoted_at timestamptz not null default clock_timestamp(),
  rolled_back boolean not null default false
);
comment on table pgscore_data.promotion is 'Every champion a model has had, in order; rollback goes down this list.';
create index promotion_of_model on pgscore_data.promotion (model_id, promotion_id);

create table pgscore_data.audit (
  audit_id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  actor name not null,
  action text not null,
  model text not null,
  version int,
  sha256 text,
  detail jsonb not null default '{}'
);
comment on table pgscore_data.audit is 'Who did what to which model, when. Rows are only ever added.';
create index audit_of_model on pgscore_data.audit (model, audit_id);
