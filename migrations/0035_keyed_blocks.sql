-- Predictions that labels may find are kept in blocks, too: to write each with its entries in three indexes took a third of the time of a logged row. Their keys are listed once there are labels to find them, or by the hour.

alter table pgscore_data.online_block
  add column later_ms int[],
  add column keys text[] collate "C",
  add column keys_listed boolean not null default false,
  alter column later_ms set storage external,
  alter column keys set storage external;
comment on table pgscore_data.online_block is 'Predictions that a gateway gave for rows of numbers, as online_prediction has others: up to 1000 in a row, of one call or of several that have all else in common.';
comment on column pgscore_data.online_block.later_ms is 'Of several calls, milliseconds after asked_at at which the one of each prediction was asked; NULL of one call.';
comment on column pgscore_data.online_block.keys is 'An array for each prediction: what it is of, as labels spell it; of NULL where the row did not say. NULL: no row did.';
comment on column pgscore_data.online_block.keys_listed is 'Whether they are in online_key.';
create index online_block_unlisted on pgscore_data.online_block (version_id) where keys is not null and not keys_listed;

create table pgscore_data.online_key (
  key text[] collate "C" not null,
  version_id int not null,
  prediction_id bigint not null,
  asked_at timestamptz not null,
  score double precision,
  predicted_class smallint,
  probabilities double precision[]
);
comment on table pgscore_data.online_key is 'The predictions of blocks by what they are of: labels find them here.';
comment on column pgscore_data.online_key.predicted_class is 'Place among the class labels of the version, from 0; NULL for a regression.';
comment on column pgscore_data.online_key.probabilities is 'In the order of the class labels, of a version of more than two; else NULL.';
-- As entities are found in evaluation: an index of the arrays took more than twice as long to fill.
create index online_key_of_key on pgscore_data.online_key (hash_array(key));
create index online_key_of_time on pgscore_data.online_key using brin (asked_at);
