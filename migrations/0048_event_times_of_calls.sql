-- Rows of calls say what time they are for.

alter table pgscore_data.call_log add column event_time name;
comment on column pgscore_data.call_log.event_time is 'The column of the rows of calls that says what time a prediction is for; NULL: the moment of the call.';
alter table pgscore_data.online_prediction add column event_time timestamptz;
comment on column pgscore_data.online_prediction.event_time is 'The time that its row says it is for; NULL: the row does not say.';
alter table pgscore_data.online_block add column event_times timestamptz[];
comment on column pgscore_data.online_block.event_times is
  'Of each prediction the time that its row says it is for; NULL where the row does not say. NULL: no row does.';

-- It gives one column more.
drop function if exists pgscore_data._keep_calls(bigint[]), pgscore_data._counted_calls(bigint[]);
