import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await startTestService(database, { PGSCORE_POLL: '0.1' });
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

const COUNTS = `select sum(n_predictions)::int as predicted, sum(n_labeled)::int as labeled, sum(n_awaiting)::int as awaiting,
    sum(n_superseded)::int as superseded, sum(mae * n_labeled) / sum(n_labeled) as mae
  from pgscore_bi.regression_performance_daily where model_name = 'meter' and segment_key is null`;

type Counts = Record<'predicted' | 'labeled' | 'awaiting' | 'superseded', number> & { mae: number | null };

async function counts(): Promise<Counts | undefined> {
  await superuser.query('select pgscore.refresh()');
  return (await superuser.query<Counts>(COUNTS)).rows[0];
}

async function untilPredicted(predicted: number): Promise<void> {
  await waitFor(async () => (await counts())?.predicted === predicted, { message: `${predicted} predictions` });
}

/** Writes a value that the watch scores: the model says what it is. */
async function measure(x: number, predicted: number): Promise<void> {
  await alice.query('update readings set x = $1 where id = 1', [x]);
  await untilPredicted(predicted);
}

test('a label judges the state of a watched row that was there when it became known', async () => {
  await alice.query(`create table readings (id bigint primary key, x float8); insert into readings select i, 10 from generate_series(1, 4) i;
    create table truth (id bigint, y float8, known timestamptz, primary key (id, known))`);
  await deployBytes(ada, 'meter', weightedModel({ x: 'float64' }));
  await alice.query(`select pgscore.set_labels('meter', 'truth', label => 'y', key => 'id', known_at => 'known')`);
  await alice.query(`select pgscore.watch('meter', 'readings', target => 'live')`);
  await untilPredicted(4);
  await measure(20, 5);
  await measure(30, 6);
  await alice.query(`insert into truth values (1, 31, clock_timestamp())`);
  await measure(40, 7);
  await alice.query(`insert into truth values (2, 13, clock_timestamp())`);
  expect(await counts()).toEqual({ predicted: 7, labeled: 2, awaiting: 5, superseded: 0, mae: 2 });
  // As a day later: the states before the label have had their time.
  await superuser.query(`update pgscore_data.cell_open set closes_at = closes_at - interval '25 hours'`);
  expect(await counts()).toEqual({ predicted: 7, labeled: 2, awaiting: 3, superseded: 2, mae: 2 });
});
