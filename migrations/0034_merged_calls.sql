-- Calls of a row that come within some milliseconds are kept in a block, too, where labels would not find them: to write each with its entries in the indexes took a twelfth of all that a call takes.

alter table pgscore_data.online_block
  add column durations real[],
  alter column durations set storage external;
comment on table pgscore_data.online_block is 'Predictions that a gateway gave for rows of numbers, as online_prediction has others: where labels would not find them, up to 1000 in a row, of one call or of several that have all else in common.';
comment on column pgscore_data.online_block.asked_at is 'When the call was asked; of several, asked within 10 ms, the first.';
comment on column pgscore_data.online_block.duration_ms is 'Milliseconds until the call was answered; of several the longest.';
comment on column pgscore_data.online_block.durations is 'Of several calls, milliseconds until the one of each prediction was answered; NULL of one call.';
