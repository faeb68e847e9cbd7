import { beforeAll, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { startTestService } from '../support/service.ts';
import { curiousModel, SLOW_SIGNATURE, SLOW_X } from '../support/slow-model.ts';
import { howMany } from '../support/night.ts';
import { waitFor } from '../support/wait-for.ts';
import { addVersion } from '../online/online.ts';

const database = await cloneDatabase();
const [superuser, ada, alice, bob] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client('bob'),
]);
const CURIOUS_X = 12_345;
const version = await addVersion(superuser, 'curious', curiousModel(100, CURIOUS_X), SLOW_SIGNATURE);
await startTestService(database);

const call = (x: number, role?: string): string =>
  `select (pgscore_models._v${version}_online('{"x": ${x}}'${role === undefined ? '' : `, '${role}'`})).score as y`;

async function scoreOf(client: typeof alice, text: string): Promise<number | undefined> {
  return (await client.query<{ y: number }>(text)).rows[0]?.y;
}

/** What alice learns in a run that waits for another with two calls of bob's. */
async function learnt(role?: string): Promise<number | undefined> {
  let slow: Promise<unknown> | undefined;
  await waitFor(async () => {
    // Asked again where it has ended before anybody saw it.
    slow ??= ada.query(call(SLOW_X)).finally(() => (slow = undefined));
    const text = `select from pg_stat_activity where usename = 'ada' and state = 'active' and query like '%${SLOW_X}%'`;
    return (await superuser.query(text)).rowCount === 1;
  });
  const [secret, said] = await Promise.all([scoreOf(bob, call(70_000)), scoreOf(alice, call(CURIOUS_X, role)), slow]);
  expect(secret).toBe(70_000);
  return said;
}

beforeAll(async () => {
  for (const client of [ada, alice, bob]) {
    await client.query('set pgscore.deadline = 30000');
    expect(await scoreOf(client, call(1))).toBe(1);
  }
  await bob.query(`create function acts() returns int language sql security definer as 'select 1'`);
});

test('a model that looks at the other rows of its run sees no row of another role', async () => {
  for (let turn = 0; turn < howMany(1, 3); turn += 1) expect(await learnt()).toBe(CURIOUS_X + CURIOUS_X);
});

test('nor one of a role in whose name the caller asks', async () => {
  expect(await learnt('bob')).toBe(CURIOUS_X + CURIOUS_X);
});
