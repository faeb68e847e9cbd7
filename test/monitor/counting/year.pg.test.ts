import { expect, test } from '@jest/globals';
import { dropGenerations, retireGenerations } from '../../../src/runs/tidy.ts';
import { cloneDatabase } from '../../support/database.ts';
import { howMany } from '../../support/night.ts';
import { addMonitoredModel, addVersion } from '../monitored-model.ts';
import { FastRecord } from './fast-record.ts';
import { ModelHistory } from './model-history.ts';
import { Nights } from './nights.ts';
import { passNight } from './pass-night.ts';
import { DAY_MS } from './record.ts';
import { seenIn } from './seen.ts';

const database = await cloneDatabase();
const [superuser, alice, ada] = await Promise.all([
  database.client(),
  database.client('alice'),
  database.client('ada'),
]);

/** By hand PGSCORE_YEAR_ENTITIES=12000 PGSCORE_YEAR_NIGHTS=400; a commit has two cores and few seconds. Past 1,000 a run is kept as a large one. */
const ENTITIES = Number(process.env.PGSCORE_YEAR_ENTITIES ?? 1020);
const NIGHTS = Number(process.env.PGSCORE_YEAR_NIGHTS ?? howMany(45, 150));
const MONTH = 30;
const MOST_MS = 7_200_000;

const model = await addMonitoredModel(superuser, 'churn', 'binary');
const versions = [model, await addVersion(superuser, model, 2)];
const watched = { ...model, name: 'churn', task: 'binary' as const, target: 'churn_scores' };
const history = await ModelHistory.of({ superuser, alice, ada }, { model: watched, versions }, new FastRecord());
const nights = new Nights(ENTITIES, NIGHTS, Date.now());

async function sweep(): Promise<void> {
  await retireGenerations(superuser);
  await dropGenerations(superuser);
}

/** What the service does every five seconds. pgscore.refresh() also counts the labels that judge nothing, as it does every hour. */
async function refresh(): Promise<void> {
  for (const step of ['_refresh', '_compute_metrics']) {
    const once = `select pgscore_data.${step}() as goes_on`;
    while ((await superuser.query<{ goes_on: boolean }>(once)).rows[0]?.goes_on === true);
  }
}

/** Refreshes come every night in some weeks; in others a week is there at once. */
function isRefreshed(night: number): boolean {
  return night % 50 < 10 || night % 7 === 6;
}

test(
  'a year of nightly runs, small runs, calls and late labels is counted as the definition says, after every month',
  async () => {
    await history.set({ labelDelay: 3 * DAY_MS, minLabelCoverage: 0.3 });
    for (let night = 0; night < NIGHTS; night += 1) {
      await passNight(history, nights, night);
      if (isRefreshed(night)) {
        await refresh();
        await sweep();
      }
      if (night % MONTH === MONTH - 1) await history.expectCounted();
    }
    await history.expectCounted();
    await sweep();
    const left = await superuser.query<{ n: number }>(
      `select count(*)::int as n from pgscore_data.generation where target_id = $1 and state = 'published' and generation > 1`,
      [model.targetId],
    );
    expect(left.rows[0]?.n).toBeLessThanOrEqual(41);
  },
  MOST_MS,
);

test(
  'labels that come as late as there are nights judge their predictions, though their generations are long gone',
  async () => {
    const late = nights.told(1).map((each) => ({ ...each, knownAt: each.knownAt + DAY_MS / 2, truth: 'yes' }));
    await history.tell(late);
    await history.expectCounted();
  },
  MOST_MS,
);

test(
  'to count everything again changes nothing',
  async () => {
    await history.rebuild();
    await history.expectCounted();
  },
  MOST_MS,
);

test(
  'to drop the target changes nothing, nor does to count again after it',
  async () => {
    await history.dropTarget();
    await history.expectCounted();
    await history.rebuild();
    await history.expectCounted();
    await history.tell(nights.told(7).map((each) => ({ ...each, knownAt: each.knownAt + DAY_MS / 3, truth: 'no' })));
    await history.expectCounted();
  },
  MOST_MS,
);

test(
  'accuracy of a version stays when it is dropped',
  async () => {
    const before = await seenIn(superuser, history.model, 'day');
    expect(Object.keys(before).filter((window) => window.startsWith('2 ')).length).toBeGreaterThan(NIGHTS / 8);
    await ada.query(`select pgscore.drop_version('churn@2')`);
    await superuser.query('select pgscore.refresh()');
    expect(await seenIn(superuser, history.model, 'day')).toEqual(before);
  },
  MOST_MS,
);
