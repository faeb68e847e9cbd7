-- The predictions of a call of many rows are kept in one row: to write one for each, with its entries in the indexes, took half of the time of a logged row.

create table pgscore_data.online_block (
  prediction_id bigint primary key default nextval('pgscore_data.online_prediction_prediction_id_seq'),
  version_id int not null,
  requested_by name not null,
  request_id text,
  asked_at timestamptz not null,
  duration_ms real not null,
  n_predictions int not null check (n_predictions between 1 and 1000),
  features double precision[],
  reals real[],
  scores double precision[] not null,
  labels int[],
  probabilities double precision[]
);
-- To compress numbers takes more time than to write them.
alter table pgscore_data.online_block
  alter column features set storage external,
  alter column reals set storage external,
  alter column scores set storage external,
  alter column labels set storage external,
  alter column probabilities set storage external;
comment on table pgscore_data.online_block is 'Predictions that a gateway gave for rows of numbers of one call, as online_prediction has others: where labels would not find them, up to 1000 in a row.';
comment on column pgscore_data.online_block.prediction_id is 'Number of the first of them, by the sequence of online_prediction; those of the others follow it.';
comment on column pgscore_data.online_block.features is 'What was given, an array for each prediction, in the order of the features of the version.';
comment on column pgscore_data.online_block.reals is 'The same as features, where all of them were given as real.';
comment on column pgscore_data.online_block.scores is 'Of each prediction; NULL where the model gives labels only.';
comment on column pgscore_data.online_block.labels is 'Places among the class labels of the version, from 1; NULL for a regression.';
comment on column pgscore_data.online_block.probabilities is 'An array for each prediction, in the order of the class labels; NULL where the model gives none.';
create index online_block_of_version on pgscore_data.online_block (version_id, asked_at);

-- Each number is drawn with those of the 999 that may follow it in a block, so that no two predictions have the same.
alter sequence pgscore_data.online_prediction_prediction_id_seq increment by 1000;
