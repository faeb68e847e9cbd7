import { beforeAll, expect, test } from '@jest/globals';

import { mulberry32 } from '../../src/lib/random.ts';
import { deployModel } from '../support/deploy.ts';
import { createFaultDatabase } from '../support/fault-database.ts';
import { startFaultServer } from '../support/fault-server.ts';
import type { TestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { miscounted, noteClaims } from './oracle/claims.ts';
import { crampQueue } from './oracle/commands.ts';
import { disturb, startService } from './oracle/disturbances.ts';
import { Writer } from './oracle/random-writes.ts';
import { createSources, WATCHED, watch } from './oracle/sources.ts';
import { differences } from './watching.ts';

/** PGSCORE_ORACLE_SEED does the same again, if not at the same moments; PGSCORE_ORACLE_SECONDS=3600 is for an hour by hand. */
const seed = Number(process.env['PGSCORE_ORACLE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const seconds = Number(process.env['PGSCORE_ORACLE_SECONDS'] ?? (process.env['PGSCORE_TEST_NIGHT'] === '1' ? 120 : 6));
const WRITERS = 8;

const server = await startFaultServer({ fsync: 'off', max_prepared_transactions: 2 * WRITERS });
const database = await createFaultDatabase(server);
const random = mulberry32(seed);
let service: TestService;

beforeAll(async () => {
  const isCramped = random() < 0.3;
  console.log(`seed ${seed}${isCramped ? ', with a small queue' : ''}`);
  if (isCramped) await crampQueue(database);
  service = await startService(database);
  const ada = await database.client('ada');
  for (const _version of [1, 2]) await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx');
  const alice = await database.client('alice');
  await createSources(alice);
  await noteClaims(await database.client());
  for (const watched of WATCHED) await watch(alice, watched);
});

/** Waits until no watch has anything left to do, and polls began after now. One that failed tries again after half a minute. */
async function allAtRest(): Promise<void> {
  const superuser = await database.client();
  const { rows: clock } = await superuser.query<{ now: Date }>('select clock_timestamp() as now');
  const following = async (): Promise<boolean> => {
    const { rows } = await superuser.query<{ is_at_rest: boolean }>(
      `select s.target, s.state, s.pending, s.error, s.state = 'following' and (w.capture = 'triggers'
              or w.tried_at > $1 and w.compared_at > w.tried_at) as is_at_rest
         from pgscore.watches s join pgscore_data.target t on s.target = format('%I.%I', t.view_schema, t.view_name)
         join pgscore_data.watch w using (target_id)`,
      [clock[0]?.now],
    );
    if (rows.length === WATCHED.length && rows.every((row) => row.is_at_rest)) return true;
    throw new Error(JSON.stringify(rows));
  };
  await waitFor(following, { timeout: 90_000, message: `all watches to be at rest, seed ${seed}` });
  await superuser.end();
}

async function expectAllRight(round: number): Promise<void> {
  const [alice, superuser] = [await database.client('alice'), await database.client()];
  for (const { source, target } of WATCHED) {
    const wrong = await differences(alice, 'iris', source, target);
    const outdated = `select id, model_version from ${target} where model_version <>
      (select model || '@' || version from pgscore.models where model = 'iris' and 'champion' = any (aliases)) limit 5`;
    wrong.push(...(await alice.query<Record<string, unknown>>(outdated)).rows);
    expect({ seed, round, target, wrong }).toEqual({ seed, round, target, wrong: [] });
  }
  expect({ seed, round, miscounted: await miscounted(superuser) }).toEqual({ seed, round, miscounted: [] });
  await Promise.all([alice.end(), superuser.end()]);
}

test(
  'at rest each target is what a run over its source makes, whatever was written and whoever died',
  async () => {
    const seedOf = (): number => Math.floor(random() * 2 ** 31);
    const ofKiller = mulberry32(seedOf());
    const writers = Array.from(
      { length: WRITERS },
      (_, at) => new Writer(() => database.client('alice'), mulberry32(seedOf()), `writer${at}`),
    );
    let round = 0;
    for (const until = performance.now() + seconds * 1000; performance.now() < until; round += 1) {
      const end = performance.now() + 2000 + random() * 4000;
      const goesOn = (): boolean => performance.now() < end;
      const writing = writers.map((writer) => writer.write(goesOn));
      [service] = await Promise.all([disturb(database, server, service, ofKiller, goesOn), ...writing]);
      await allAtRest();
      await expectAllRight(round);
    }
    const committed = writers.reduce((sum, writer) => sum + writer.committed, 0);
    console.log(`seed ${seed}: ${committed} transactions, at rest and right ${round} times`);
  },
  seconds * 1000 + 200_000,
);
