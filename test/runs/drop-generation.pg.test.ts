import { expect, test } from '@jest/globals';

import { claimRuns } from '../../src/runs/claim-runs.ts';
import { createGeneration } from '../../src/runs/generation.ts';
import { dropGenerations } from '../../src/runs/sweep.ts';
import { cloneDatabase } from '../support/database.ts';
import { SERVICE_PASSWORD } from '../support/prepare-database.ts';
import { addReadyModel } from '../support/ready-model.ts';
import { submitRun } from '../support/run.ts';

const WORKER = '00000000-0000-4000-8000-000000000001';

const database = await cloneDatabase();
const superuser = await database.client();
const alice = await database.client('alice');
const service = await database.client({ user: 'pgscore_service', password: SERVICE_PASSWORD });
await addReadyModel(superuser, 'model');
await alice.query('create table source (id int primary key, x real)');

/** A generation of a run that has failed; its number. */
async function spareGeneration(): Promise<number> {
  const run = await submitRun(alice, 'model', 'source');
  await claimRuns(service, WORKER, 60_000, 1, true, 0);
  const [created] = await createGeneration(service, run, 1);
  await superuser.query(`update pgscore_data.run set state = 'failed', error = 'for the test' where run_id = $1`, [
    run,
  ]);
  return created?.generation ?? 0;
}

test('a generation that no run loads any more is dropped, once', async () => {
  const generation = await spareGeneration();
  expect(await dropGenerations(service)).toMatchObject([{ generation, dropped: true }]);
  expect(await dropGenerations(service)).toEqual([]);
});

test('one that a run loads is not', async () => {
  const run = await submitRun(alice, 'model', 'source');
  await claimRuns(service, WORKER, 60_000, 1, true, 0);
  await createGeneration(service, run, 1);
  expect(await dropGenerations(service)).toEqual([]);
});

test.each(['0 minutes', '2 hours'])('one of %s ago waits for readers of its target', async (age) => {
  const generation = await spareGeneration();
  await superuser.query(
    'update pgscore_data.generation set created_at = created_at - $2::interval where generation = $1',
    [generation, age],
  );
  await alice.query('begin');
  await alice.query('select from source_scores');
  expect(await dropGenerations(service)).toMatchObject([{ generation, dropped: false }]);
  await alice.query('commit');
  expect(await dropGenerations(service)).toMatchObject([{ generation, dropped: true }]);
});
