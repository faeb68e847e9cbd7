import { expect, test } from '@jest/globals';
import { deployBytes } from '../support/deploy.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

/** More than what waits for the log in memory. */
const ROWS = 150_000;

const { superuser, ada, alice } = await scoreFixture();
await deployBytes(ada, 'sum', weightedModel({ a: 'float64' }));
await alice.query('create table many (a float8)');
await alice.query('insert into many select * from generate_series(1, $1::int)', [ROWS]);
await alice.query('set pgscore.execution = online');

async function scored(): Promise<number> {
  const { rows } = await alice.query<{ n: number }>(
    `select count(s.score)::int as n from pgscore.score_rows('sum', array(select m from many m)) s`,
  );
  return rows[0]?.n ?? 0;
}

async function kept(): Promise<number> {
  const { rows } = await superuser.query<{ n: number }>(
    'select coalesce(sum(n_predictions), 0)::int as n from pgscore_data.online_batch',
  );
  return rows[0]?.n ?? 0;
}

test('of rows that are scored faster than the database keeps them, all are kept', async () => {
  await superuser.query(
    `create function public.slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.3); return null; end'`,
  );
  await superuser.query(
    `create trigger slow after insert on pgscore_data.online_block for each statement execute function public.slow()`,
  );
  expect(await scored()).toBe(ROWS);
  await waitFor(async () => (await kept()) === ROWS, { timeout: 60_000, message: 'all rows to be kept' });
  await superuser.query('drop trigger slow on pgscore_data.online_block');
});

test('where the database keeps none, calls are answered all the same, and what there is no room for is not kept', async () => {
  const before = await kept();
  await superuser.query('begin');
  await superuser.query('lock table pgscore_data.online_block in exclusive mode');
  expect(await scored()).toBe(ROWS);
  await superuser.query('rollback');
  await waitFor(async () => (await kept()) > before, { timeout: 60_000, message: 'what there was room for' });
  await waitFor(
    async () => {
      const some = await kept();
      await alice.query(`select pgscore.score('sum', '{"a": 1}'::jsonb)`);
      return waitFor(async () => (await kept()) > some, { timeout: 2000 }).catch(() => false);
    },
    { timeout: 60_000, message: 'the log to go on' },
  );
  expect(await kept()).toBeLessThan(before + ROWS);
});
