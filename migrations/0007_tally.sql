-- The counts of a run in one row a day: a row a bin took a shard of 60,000 predictions ten milliseconds to write.

create table pgscore_data.day_tally (
  run_id bigint not null references pgscore_data.run on delete cascade,
  attempt int not null,
  shard int not null,
  day timestamptz,
  bins smallint[] not null,
  counts bigint[] not null
);
comment on table pgscore_data.day_tally is 'Predictions of a run that is not published, by day: counts[i] of them fell into the bin of scores bins[i]; bin -1 counts those without a score, -2 those that failed. They join the cells in the transaction that publishes the run.';
comment on column pgscore_data.day_tally.day is 'NULL where the source has no event time: the day of the run''s snapshot.';
insert into pgscore_data.day_tally (run_id, attempt, shard, day, bins, counts)
select t.run_id, t.attempt, t.shard, t.day, array_agg(t.bin order by t.bin), array_agg(t.n order by t.bin) from pgscore_data.run_tally t group by t.run_id, t.attempt, t.shard, t.day;
create index day_tally_of_run on pgscore_data.day_tally (run_id, attempt);
drop function if exists pgscore_data._count_predictions(bigint[]), pgscore_data._forget_monitoring();
drop table pgscore_data.run_tally;
