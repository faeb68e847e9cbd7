import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { addMonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();

const FIRST = `timestamptz '2020-01-06 00:00+00'`;

/** Gives days of a history cells of every kind that metrics and estimates are made of. */
async function addHistory(versionId: number, from: number, to: number): Promise<void> {
  const day = `${FIRST} + d * interval '1 day'`;
  const fills = [
    `insert into pgscore_data.cell_score (version_id, day, bin, n) select $1, ${day}, b, 3 from generate_series($2::int, $3::int) d, generate_series(0, 100) b`,
    `insert into pgscore_data.cell_outcome_score select $1, ${day}, b % 2 = 0, b, 3, 1 from generate_series($2::int, $3::int) d, generate_series(0, 100) b`,
    `insert into pgscore_data.cell_class_score select $1, ${day}, b % 3, b % 2 = 0, b, 3 from generate_series($2::int, $3::int) d, generate_series(0, 100) b`,
    `insert into pgscore_data.cell_error select $1, ${day}, b, 3 from generate_series($2::int, $3::int) d, generate_series(0, 100) b`,
  ];
  for (const fill of fills) await superuser.query(fill, [versionId, from, to]);
  await superuser.query(
    'vacuum analyze pgscore_data.score_bin, pgscore_data.cell_score, pgscore_data.cell_outcome_score, pgscore_data.cell_class_score, pgscore_data.cell_error',
  );
}

/** A plan may look up each of a day's hundred bins, three pages each, or read them all at once. All of history would be a thousand. */
const LOOKUPS = 400;

/** Pages that a step reads after one day changed. */
async function pages(versionId: number, step: string): Promise<number> {
  for (const table of ['touched', 'estimate_due']) {
    const touch = `insert into pgscore_data.${table} values ($1, ${FIRST} + interval '40 days') on conflict do nothing`;
    await superuser.query(touch, [versionId]);
  }
  const explain = `explain (analyze, buffers, format json) select pgscore_data.${step}()`;
  const { rows } = await superuser.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(explain);
  const plan = rows[0]?.['QUERY PLAN'][0].Plan ?? {};
  return (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0);
}

/** Planning reads the catalogue, also where autovacuum has just made it plan again: the least of some times is the step's own. */
async function leastPages(versionId: number, step: string): Promise<number> {
  let least = Infinity;
  for (let time = 0; time < 4; time += 1) least = Math.min(least, await pages(versionId, step));
  return least;
}

test.each(['_compute_metrics', '_estimate'])(
  'what %s reads goes with the days that changed, not with history',
  async (step) => {
    const { versionId } = await addMonitoredModel(superuser, `long${step}`, 'binary');
    await addHistory(versionId, 0, 199);
    const short = await leastPages(versionId, step);
    await addHistory(versionId, 200, 1999);
    expect(await leastPages(versionId, step)).toBeLessThan(3 * short + LOOKUPS);
  },
);
