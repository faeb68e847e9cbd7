import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { howMany } from '../support/night.ts';
import { addFeatures, type Category } from './quiet-days/features.ts';
import { addFeed, addVolumes, at, type Volume, volume } from './quiet-days/volumes.ts';
import type { Random } from './slow-drops/random.ts';

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);

/** A rule without a threshold judges from the eighth window on. */
const DAYS = 207;
let models = 0;

type Alarms = Readonly<Record<string, number>>;

/** How often each rule would have been raised until that day. */
async function alarms(name: string, lastDay: number): Promise<Alarms> {
  const { rows } = await alice.query<{ alert: string; n: number }>(
    `select alert, count(*)::int as n from pgscore.preview_monitor($1, to_time => $2) where event in ('firing', 'no_data') group by 1`,
    [name, at(lastDay)],
  );
  return Object.fromEntries(rows.map(({ alert, n }) => [alert, n]));
}

/** Alarms of each rule in 200 days of a model, of so many models. */
async function perModel(
  name: string,
  { many, lastDay }: { many: number; lastDay: number },
  add: (name: string, seed: number) => Promise<void>,
): Promise<Alarms> {
  const sums: Record<string, number> = {};
  for (let seed = 1; seed <= many; seed += 1) {
    models += 1;
    const model = `quiet_${models}`;
    await add(model, seed);
    for (const [alert, n] of Object.entries(await alarms(model, lastDay))) sums[alert] = (sums[alert] ?? 0) + n / many;
  }
  // What alerts.md says is read here, at night.
  if (process.env['PGSCORE_QUIET_DAYS'] === '1') process.stderr.write(`${name}: ${JSON.stringify(sums)}\n`);
  return sums;
}

function expectFew(sums: Alarms): void {
  expect(Object.entries(sums).filter(([, n]) => n > 1)).toEqual([]);
}

test.each<[string, Volume]>([
  ['1 row a day', volume(1)],
  ['3 rows a day', volume(3)],
  ['10 rows a day', volume(10)],
  ['100 rows a day', volume(100)],
  ['100 rows a day, few at weekends', volume(100, 0.2, 0.3)],
  ['10 rows on working days', volume(10, 0.1, 0)],
  ['1000 rows a day, which differ by a fifth', volume(1000, 0.2)],
  ['1000 rows a day, which differ by three tenths', volume(1000, 0.3)],
])('%s, of which one in a hundred fails, raise at most one alarm of a rule in 200 days', async (name, rows) => {
  expectFew(
    await perModel(name, { many: howMany(1, 40), lastDay: DAYS + 1 }, (model, seed) =>
      addVolumes(superuser, model, seed, { days: DAYS, rows, failing: 0.01 }),
    ),
  );
});

test.each<[string, (random: Random, day: number) => boolean]>([
  ['every day', () => true],
  ['on working days', (_, day) => day % 7 < 5],
  ['on working days, but for one in twenty', (random, day) => day % 7 < 5 && random.uniform() > 0.05],
  ['once a week', (_, day) => day % 7 === 2],
  ['on nine days in ten', (random) => random.uniform() < 0.9],
  ['on four days in five', (random) => random.uniform() < 0.8],
  ['on three days in five by chance', (random) => random.uniform() < 0.6],
  ['on one day in five by chance', (random) => random.uniform() < 0.2],
])('labels and runs that come %s raise at most one alarm of silence in 200 days', async (name, comes) => {
  expectFew(
    await perModel(name, { many: howMany(1, 100), lastDay: DAYS - 1 }, (model, seed) =>
      addFeed(superuser, model, seed, { days: DAYS, comes }),
    ),
  );
});

test.each<[string, { features: number; rows: number; category?: Category; missing?: number }]>([
  ['10 numbers of 240 rows a day', { features: 10, rows: 240 }],
  ['10 numbers of 1000 rows a day', { features: 10, rows: 1000 }],
  ['5 numbers of 240 rows, of which a third is missing', { features: 5, rows: 240, missing: 0.3 }],
  [
    '10 categories of three values, one rare, of 240 rows',
    { features: 10, rows: 240, category: { of: 3, ratio: 1000 } },
  ],
  ['one number of 240 rows', { features: 1, rows: 240 }],
])('%s that stay raise at most one alarm of drift in 200 days', async (name, drawn) => {
  expectFew(
    await perModel(name, { many: howMany(1, 6), lastDay: DAYS + 1 }, (model, seed) =>
      addFeatures(superuser, model, seed, { days: DAYS, ...drawn }),
    ),
  );
});
