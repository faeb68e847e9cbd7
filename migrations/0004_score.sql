-- Scoring inside a query: who may use a model, how a version is executed, which tables are bound to a model.

create table pgscore_data.model_grant (
  model_id int not null references pgscore_data.model,
  grantee name not null,
  granted_by name not null,
  granted_at timestamptz not null default clock_timestamp(),
  primary key (model_id, grantee)
);
comment on table pgscore_data.model_grant is 'Roles that may call score() with a model. A new model is granted to pgscore_user.';
insert into pgscore_data.model_grant (model_id, grantee, granted_by) select m.model_id, 'pgscore_user', m.created_by from pgscore_data.model m;

create table pgscore_data.execution (
  version_id int primary key references pgscore_data.version on delete cascade,
  task text not null,
  class_labels text[] not null,
  positive_class int,
  threshold double precision,
  probabilities boolean not null,
  features text[] not null,
  native boolean not null,
  parts text[] not null,
  reason text,
  evidence jsonb not null default '{}'
);
comment on table pgscore_data.execution is 'How a ready version is called from SQL: what score() must know of it at every call, and whether it is compiled to a function (native) or why not (reason). parts: which of score, label and probabilities are compiled; the others follow from them. evidence: what its equality with ONNX Runtime was proven on.';
comment on column pgscore_data.execution.positive_class is 'Place of the positive class in class_labels, from 1.';

create table pgscore_data.binding (
  binding_id int generated always as identity primary key,
  model_id int not null references pgscore_data.model,
  relation_schema name not null,
  relation_name name not null,
  bound_by name not null,
  bound_at timestamptz not null default clock_timestamp(),
  unique (model_id, relation_schema, relation_name)
);
comment on table pgscore_data.binding is 'Tables that have typed functions of a model.';

create table pgscore_data.gateway (
  worker_id uuid primary key references pgscore_data.worker on delete cascade,
  host text not null,
  port int not null,
  tls boolean not null,
  login text not null,
  password text not null,
  since timestamptz not null default clock_timestamp()
);
comment on table pgscore_data.gateway is 'Where the services that are alive answer score(), and the password that each made for it when it started.';

create table pgscore_data.call_log (
  model_id int primary key references pgscore_data.model,
  sampling double precision not null default 1 check (sampling between 0 and 1),
  inputs boolean not null default true
);
comment on table pgscore_data.call_log is 'Which share of its online predictions a model keeps, and whether with their inputs; no row means all, with inputs.';

create table pgscore_data.online_prediction (
  prediction_id bigint generated always as identity primary key,
  version_id int not null,
  requested_by name not null,
  request_id text,
  asked_at timestamptz not null,
  duration_ms real not null,
  inputs jsonb,
  score double precision,
  label text,
  probabilities double precision[],
  error text
);
comment on table pgscore_data.online_prediction is 'Every prediction that a gateway gave, or the share of them that the model keeps; also those whose transaction rolled back.';
create index online_prediction_of_version on pgscore_data.online_prediction (version_id, asked_at);
