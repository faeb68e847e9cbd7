import { beforeAll, test } from '@jest/globals';
import { mulberry32 } from '../../src/lib/random.ts';
import { pick } from '../support/pick.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { allKinds, type Deployed, deployKind } from './ways/kinds.ts';
import { createTypes } from './ways/random-table.ts';
import { playRound } from './ways/round.ts';
import { createAttempt } from './ways/ways.ts';

/** Each round has a seed of its own, the one after the last round's: PGSCORE_ORACLE_SEED begins with the round that failed. */
const first = Number(process.env['PGSCORE_ORACLE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const seconds = Number(process.env['PGSCORE_ORACLE_SECONDS'] ?? 120);
/** A kind of `ways/kinds.ts`, to have no other. */
const { PGSCORE_ORACLE_MODEL: only } = process.env;

const TABLES = 4;

const { superuser, ada, alice } = await scoreFixture({ PGSCORE_POLL: '0.1' });

beforeAll(async () => {
  console.log(`seed ${first}`);
  await superuser.query('grant usage on schema alice to pgscore_owner');
  await createTypes(alice);
  await createAttempt(alice);
});

test(
  'a row has one score, whichever way it is asked for',
  async () => {
    const kinds = allKinds().filter(({ name }) => only === undefined || name === only);
    const deployed = new Map<string, Deployed>();
    let rounds = 0;
    for (const until = performance.now() + seconds * 1000; performance.now() < until; rounds += 1) {
      const random = mulberry32(first + rounds);
      const kind = pick(random, kinds);
      const known = deployed.get(kind.name) ?? (await deployKind(ada, kind));
      deployed.set(kind.name, known);
      // To deploy a model takes longer than to score a table in every way.
      for (let table = 0; table < TABLES; table += 1) {
        await playRound(alice, random, kind, known).catch((error: unknown) => {
          throw new Error(`PGSCORE_ORACLE_SEED=${first + rounds}\n${String(error)}`);
        });
      }
    }
    console.log(`seed ${first}: ${rounds * TABLES} tables, ${deployed.size} models`);
  },
  seconds * 1000 + 120_000,
);
