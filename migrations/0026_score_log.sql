-- The cells of scores are written as a log, of which a cell is the sum: almost every label changes cells of its own, and to find and
-- change each took a fifth of a refresh. What a refresh adds to a day is two rows.

create table pgscore_data.score_log (
  version_id int not null,
  day timestamptz not null,
  positive boolean not null,
  bins smallint[] not null,
  counts bigint[] not null,
  sums numeric[] not null
);
alter table pgscore_data.score_log replica identity full;
comment on table pgscore_data.score_log is 'Labelled predictions of a binary classifier by score and truth, as refreshes added them: counts[i] predictions, whose scores add up to sums[i], came into the bin bins[i], or left it where that is negative. A day that has many is folded.';
create index score_log_of_day on pgscore_data.score_log (version_id, day);
insert into pgscore_data.score_log (version_id, day, positive, bins, counts, sums)
select c.version_id, c.day, c.positive, array_agg(c.bin order by c.bin), array_agg(c.n order by c.bin), array_agg(c.sum_score order by c.bin)
  from pgscore_data.cell_outcome_score c where c.n <> 0 group by c.version_id, c.day, c.positive;
-- Views of analysts read it until they are made anew; then it goes.
alter table pgscore_data.cell_outcome_score rename to cell_outcome_score_before;
