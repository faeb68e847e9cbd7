import { beforeAll, expect, test } from '@jest/globals';

import { mulberry32 } from '../../src/lib/random.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployModel } from '../support/deploy.ts';
import type { TestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { disturb, startService } from './oracle/disturbances.ts';
import { write } from './oracle/random-writes.ts';
import { createSources, WATCHED, watchAll } from './oracle/sources.ts';
import { differences } from './watching.ts';

/** PGSCORE_ORACLE_SEED does the same again, if not at the same moments; PGSCORE_ORACLE_SECONDS=3600 is for an hour by hand. */
const seed = Number(process.env['PGSCORE_ORACLE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const seconds = Number(process.env['PGSCORE_ORACLE_SECONDS'] ?? 20);
const WRITERS = 6;

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);
const random = mulberry32(seed);
let service: TestService;

beforeAll(async () => {
  console.log(`seed ${seed}`);
  service = await startService(database);
  await deployModel(await database.client('ada'), 'iris', 'test/models/iris_multiclass.onnx');
  await createSources(alice);
  await watchAll(alice);
});

/** Waits until no watch has anything left to do. One that failed tries again after half a minute. */
async function allAtRest(): Promise<void> {
  const following = async (): Promise<boolean> => {
    const { rows } = await alice.query('select target, state, pending, error from pgscore.watches');
    if (rows.every(({ state }) => state === 'following')) return true;
    throw new Error(JSON.stringify(rows));
  };
  await waitFor(following, { timeout: 90_000, message: `all watches to be at rest, seed ${seed}` });
}

/** Of which keys there is more than one prediction of one run, and which runs have another number of them than they say. */
async function miscounted(): Promise<unknown[]> {
  const { rows: targets } = await superuser.query<{ storage: string }>(
    `select 'pgscore_predictions.target_' || target_id as storage from pgscore_data.watch`,
  );
  const found: unknown[] = [];
  for (const { storage } of targets) {
    const twice = `select id, run_id, count(*) from ${storage} group by 1, 2 having count(*) > 1`;
    const others = `select r.run_id, r.rows_done, count(p.run_id) from pgscore_data.run r left join ${storage} p using (run_id)
      where r.watch_id is not null and r.state = 'done' and 'pgscore_predictions.target_' || r.target_id = $1
      group by 1, 2 having r.rows_done <> count(p.run_id)`;
    found.push(...(await superuser.query(twice)).rows, ...(await superuser.query(others, [storage])).rows);
  }
  return found;
}

test(
  'at rest each target is what a run over its source makes, whatever was written and whoever died',
  async () => {
    const writers = await Promise.all(Array.from({ length: WRITERS }, () => database.client('alice')));
    const seeds = Array.from({ length: WRITERS + 1 }, () => mulberry32(Math.floor(random() * 2 ** 31)));
    const [ofKiller = random, ...ofWriters] = seeds;
    let committed = 0;
    let round = 0;
    for (const until = performance.now() + seconds * 1000; performance.now() < until; round += 1) {
      const end = performance.now() + 2000 + random() * 4000;
      const goesOn = (): boolean => performance.now() < end;
      const [next, ...counts] = await Promise.all([
        disturb(database, superuser, service, ofKiller, goesOn),
        ...writers.map((client, index) =>
          write(client, ofWriters[index] ?? random, `${database.name}_${round}_${index}`, goesOn),
        ),
      ]);
      service = next;
      committed += counts.reduce((sum, count) => sum + count, 0);
      await allAtRest();
      for (const { source, target } of WATCHED) {
        const wrong = await differences(alice, 'iris', source, target);
        expect({ seed, round, target, wrong }).toEqual({ seed, round, target, wrong: [] });
      }
      expect({ seed, round, miscounted: await miscounted() }).toEqual({ seed, round, miscounted: [] });
    }
    console.log(`seed ${seed}: ${committed} transactions, at rest and right ${round} times`);
  },
  seconds * 1000 + 200_000,
);
