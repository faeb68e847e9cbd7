-- Models, their versions and aliases, who may use them, the tables that are bound to them, and the log of who changed what.

comment on table pgscore_data.migration is 'The files of migrations/ that were run here.';
comment on table pgscore_data.migration_lock is 'Held while migrations run.';

create table pgscore_data.installation (
  singleton boolean primary key default true check (singleton),
  system_identifier bigint not null,
  database_oid oid not null,
  version text not null,
  adopted_at timestamptz
);
comment on table pgscore_data.installation is
  'Which cluster and database this installation belongs to. A restored copy does not match, and its service starts paused until `pgscore '
  'adopt`.';

create table pgscore_data.model (
  model_id int generated always as identity primary key,
  name text not null unique check (name ~ '^[[:alpha:]_][[:alnum:]_.-]*$' and octet_length(name) <= 50),
  created_by name not null,
  created_at timestamptz not null default clock_timestamp(),
  unique (model_id, name)
);
comment on table pgscore_data.model is 'A model: a name that versions and aliases hang on.';

create table pgscore_data.version (
  version_id int generated always as identity primary key,
  model_id int not null references pgscore_data.model,
  number int not null,
  deployed_by name not null,
  deployed_at timestamptz not null default clock_timestamp(),
  sha256 text not null,
  size_bytes bigint not null,
  options jsonb not null default '{}',
  expect jsonb,
  state text not null default 'checking' check (state in ('checking', 'ready', 'rejected', 'dropped')),
  attempt int not null default 0,
  claimed_by uuid,
  lease_until timestamptz,
  checked_at timestamptz,
  reason_code text,
  reason text,
  remedy text,
  signature jsonb,
  warnings text[] not null default '{}',
  facts jsonb not null default '{}',
  unique (model_id, number),
  check (state <> 'ready' or signature is not null),
  check (state <> 'rejected' or reason is not null)
);
comment on table pgscore_data.version is
  'An immutable version of a model, from the moment its bytes arrive (checking) to its verdict (ready or rejected). A dropped one keeps '
  'its row, for the runs that it made, and loses its bytes.';
create index version_checking on pgscore_data.version (version_id) where state = 'checking';

create table pgscore_data.artifact (
  version_id int references pgscore_data.version on delete cascade,
  is_served boolean,
  piece int check (piece >= 0),
  bytes bytea not null check (octet_length(bytes) between 1 and 8388608),
  primary key (version_id, is_served, piece)
);
comment on table pgscore_data.artifact is
  'The ONNX bytes of a version in pieces, which pg_dump can carry: as deployed, and with is_served as served where the check had to '
  'rewrite the graph (ZipMap removed, batch made dynamic).';
alter table pgscore_data.artifact alter column bytes set storage external;

create table pgscore_data.execution (
  version_id int primary key references pgscore_data.version on delete cascade,
  task text not null,
  class_labels text[] not null,
  positive_class int,
  threshold double precision,
  probabilities boolean not null,
  features text[] not null,
  types text[] not null default '{}',
  native boolean not null,
  parts text[] not null,
  reason text,
  evidence jsonb not null default '{}',
  score_unit text check (score_unit in ('margin', 'distance', 'share', 'anomaly'))
);
comment on table pgscore_data.execution is
  'How a ready version is called from SQL: what score() must know of it at every call, and whether it is compiled to a function (native) '
  'or why not (reason). parts: which of score, label and probabilities are compiled; the others follow from them. evidence: what its '
  'equality with ONNX Runtime was proven on.';
comment on column pgscore_data.execution.task is 'As it is scored and judged: a model of quantiles is a regression.';
comment on column pgscore_data.execution.class_labels is 'The labels of a classifier, or the names of the values of a row.';
comment on column pgscore_data.execution.probabilities is 'Whether there is a probability of each class, or several values.';
comment on column pgscore_data.execution.positive_class is 'Position of the positive class in class_labels, from 1.';
comment on column pgscore_data.execution.threshold is 'As the deployer gave it; NULL: labels are the model''s own.';
comment on column pgscore_data.execution.score_unit is
  'What the score of a classifier without probabilities is: a decision score (margin), the distance to the centre of the cluster, the '
  'share of the component, or how odd a row is (anomaly). NULL: a probability, a value, or none.';
comment on column pgscore_data.execution.types is 'The tensor type of each of its features; of an array with its width, as float32[3].';

create type pgscore_models._version as (
  version_id int,
  task text,
  class_labels text[],
  positive_class int,
  threshold double precision,
  probabilities boolean,
  native boolean,
  parts text[],
  reason text,
  score_unit text
);
comment on type pgscore_models._version is 'A version, and what score() must know of it at every call.';
create type pgscore_models._call as (version pgscore_models._version, features jsonb);
comment on type pgscore_models._call is 'The version that answers, and the row.';
create type pgscore_models._prediction as (score double precision, label text, probabilities double precision[]);
comment on type pgscore_models._prediction is
  'What a model says of one row; probabilities or what it gives in their place, in the order of its class labels, or its several values.';
create type pgscore_models._columns as (scores double precision[], labels int[], probabilities double precision[]);
comment on type pgscore_models._columns is
  'What a model says of many rows: positions of their labels among its class labels, from 1; probabilities of row after row.';

create table pgscore_data.dropped_version (
  version_id int primary key references pgscore_data.version,
  task text not null,
  class_labels text[] not null,
  positive_class int,
  threshold double precision,
  probabilities boolean not null,
  score_unit text
);
comment on table pgscore_data.dropped_version is 'What the accuracy of a dropped version is read by: the same columns as in execution.';

create table pgscore_data.version_value (
  value_id int generated always as identity (increment by -1) primary key,
  version_id int not null references pgscore_data.version on delete cascade,
  position smallint not null,
  name text not null,
  task text not null check (task in ('regression', 'binary')),
  probabilities boolean not null default false,
  threshold double precision,
  quantile double precision check (quantile > 0 and quantile < 1),
  is_score boolean not null default false,
  unique (version_id, position)
);
comment on table pgscore_data.version_value is
  'The values of a row, of a version that gives several: labels judge each by itself.';
comment on column pgscore_data.version_value.value_id is 'Negative. It stands in the place of version_id in the cells of the value.';
comment on column pgscore_data.version_value.position is 'Position among the values of a row, from 1.';
comment on column pgscore_data.version_value.task is
  'How it is judged: a target or quantile as a regression, a label as a binary classifier.';
comment on column pgscore_data.version_value.probabilities is 'Whether a label has a probability.';
comment on column pgscore_data.version_value.threshold is 'As in execution.';
comment on column pgscore_data.version_value.quantile is 'The quantile that its name says; NULL: it says none.';
comment on column pgscore_data.version_value.is_score is 'Whether it is the score of the version, too.';

create table pgscore_data.alias (
  model_id int not null references pgscore_data.model,
  model_name text not null,
  alias text not null check (alias ~ '^[[:alpha:]_][[:alnum:]_.-]*$' and octet_length(alias) <= 50),
  version_id int not null references pgscore_data.version,
  route int[],
  primary key (model_id, alias),
  foreign key (model_id, model_name) references pgscore_data.model (model_id, name) on update cascade
);
comment on table pgscore_data.alias is 'A name for a version that may move: champion is the one that a bare model name means.';
comment on column pgscore_data.alias.model_name is 'Name of the model, which follows it when it is renamed.';
comment on column pgscore_data.alias.route is 'Of the champion in an experiment: which version answers for which buckets.';
create unique index alias_model_name on pgscore_data.alias (model_name, alias);

create table pgscore_data.promotion (
  promotion_id bigint generated always as identity primary key,
  model_id int not null references pgscore_data.model,
  version_id int not null references pgscore_data.version,
  rolled_back boolean not null default false
);
comment on table pgscore_data.promotion is 'Every champion a model has had, in order; rollback goes down this list.';
create index promotion_of_model on pgscore_data.promotion (model_id, promotion_id);

create table pgscore_data.gate (
  gate_id int generated always as identity primary key,
  model_id int not null references pgscore_data.model on delete cascade,
  name text not null check (name ~ '^[[:alpha:]_][[:alnum:]_.-]*$' and octet_length(name) <= 63),
  kind text not null check (kind in ('golden', 'not_worse', 'no_segment_worse')),
  metric text,
  against text check (against in ('champion', 'predecessor')),
  margin double precision check (margin >= 0),
  minimum_labels bigint check (minimum_labels > 0),
  by_column text,
  target text,
  source text,
  expected text,
  tolerance double precision check (tolerance >= 0),
  golden jsonb check (jsonb_typeof(golden) = 'array'),
  set_by name not null,
  set_at timestamptz not null default clock_timestamp(),
  unique (model_id, name),
  check (case kind when 'golden' then golden is not null else num_nulls(metric, against, margin, minimum_labels) = 0 end)
);
comment on table pgscore_data.gate is 'What a version must pass before it becomes the champion of its model.';
comment on column pgscore_data.gate.by_column is 'segments, or one column of them.';
comment on column pgscore_data.gate.target is 'The target or label that it is about; NULL: each of them, or the model gives one value.';
comment on column pgscore_data.gate.source is 'The table that the golden rows were copied from.';
comment on column pgscore_data.gate.golden is 'The golden rows: of each its features, row, and what is expected, a number or a text.';

create table pgscore_data.model_grant (
  model_id int not null references pgscore_data.model,
  grantee name not null,
  granted_by name not null,
  primary key (model_id, grantee)
);
comment on table pgscore_data.model_grant is 'Roles that may call score() with a model. A new model is granted to pgscore_user.';

create table pgscore_data.binding (
  binding_id int generated always as identity primary key,
  model_id int not null references pgscore_data.model,
  bound_by name not null,
  bound_at timestamptz not null default clock_timestamp(),
  released boolean not null default false,
  set_aside text
);
comment on table pgscore_data.binding is 'Tables that have typed functions of a model.';
comment on column pgscore_data.binding.released is
  'A deployer unbound it while its functions were in use: it keeps no version from being promoted.';
comment on column pgscore_data.binding.set_aside is
  'Why the functions of the champion raise, as it was when they were last made; NULL where they work.';

create table pgscore_data.bound_relation (relation oid primary key);
comment on table pgscore_data.bound_relation is
  'Tables to which a model was bound: whoever writes the function of all models for the rows of one has its row locked. That of a dropped '
  'table stays.';

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
