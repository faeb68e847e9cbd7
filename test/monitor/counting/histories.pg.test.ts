import { beforeAll, describe, test } from '@jest/globals';
import fc from 'fast-check';

import { cloneDatabase } from '../../support/database.ts';
import { howMany, isNight } from '../../support/night.ts';
import { addMonitoredModel, addVersion } from '../monitored-model.ts';
import { differingDetails } from './details.ts';
import { differingLabelCounts } from './label-counts.ts';
import { ModelHistory } from './model-history.ts';
import { refreshed, setLabels } from './removals.ts';
import { keepSmallBlocks } from './small-blocks.ts';
import { SlowRecord } from './slow-record.ts';
import { stepsOf } from './random-steps.ts';
import type { Task } from './watched.ts';

const database = await cloneDatabase();
const [superuser, alice, ada] = await Promise.all([
  database.client(),
  database.client('alice'),
  database.client('ada'),
]);

const SEED = Number(process.env.PGSCORE_HISTORIES_SEED ?? 20261129);
const RUNS = Number(process.env.PGSCORE_HISTORIES ?? howMany(1, 4));
/** To shrink a failure takes long: PGSCORE_HISTORIES_PATH is the path that the failure says. */
const { PGSCORE_HISTORIES_PATH: PATH } = process.env;
const SHRINKING = PATH === undefined ? { endOnFailure: true } : { path: PATH, interruptAfterTimeLimit: 300_000 };
const HALF_HOUR_MS = 1_800_000;

let models = 0;

async function newHistory(task: Task, timeZone: string): Promise<ModelHistory<SlowRecord>> {
  models += 1;
  const name = `history${models}`;
  const model = await addMonitoredModel(superuser, name, task);
  const challenger = await addVersion(superuser, model, 2);
  const watched = { ...model, name, task, target: `${name}_scores` };
  return ModelHistory.of(
    { superuser, alice, ada },
    { model: watched, versions: [model, challenger], timeZone },
    new SlowRecord(),
  );
}

async function expectAll(history: ModelHistory<SlowRecord>): Promise<void> {
  await refreshed(history);
  await history.expectCounted();
  const differing = await differingLabelCounts(history);
  if (differing.length > 0) throw new Error(differing.join('\n'));
}

/** Steps and refreshes; after each refresh what the views say is compared with the definition. */
async function expectHistories(task: Task, timeZone: string, entities: number): Promise<void> {
  console.log(`PGSCORE_HISTORIES_SEED=${SEED}`);
  await fc.assert(
    fc.asyncProperty(fc.array(stepsOf(task, entities), { minLength: 4, maxLength: 24 }), async (batches) => {
      const history = await newHistory(task, timeZone);
      await setLabels(history);
      const base = Date.now() - HALF_HOUR_MS;
      for (const [index, batch] of batches.entries()) {
        for (const step of batch) await step.apply(history, base);
        await expectAll(history).catch((error: unknown) => {
          throw new Error(`after ${fc.stringify(batches.slice(0, index + 1))}`, { cause: error });
        });
        if (!isNight && index < batches.length - 1) continue;
        const differing = await differingDetails(superuser, history);
        if (differing.length > 0)
          throw new Error(`${differing.join('\n')}\nafter ${fc.stringify(batches.slice(0, index + 1))}`);
      }
    }),
    { numRuns: RUNS, seed: SEED, ...SHRINKING },
  );
}

describe('whatever is scored, asked and told in whatever order, every number is what the definition says, after every refresh', () => {
  test.each([
    ['binary', 'Europe/Berlin', 8],
    ['multiclass', 'America/New_York', 5],
    ['regression', 'Asia/Kolkata', 12],
  ] as const)('of a %s model in %s', expectHistories, 600_000);
});

describe('the same where runs of a few rows are kept as large ones are', () => {
  beforeAll(() => keepSmallBlocks(superuser));

  test.each([
    ['binary', 'UTC', 7],
    ['multiclass', 'Europe/Berlin', 12],
  ] as const)('of a %s model in %s', expectHistories, 600_000);
});
