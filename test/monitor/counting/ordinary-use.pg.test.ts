import { expect, test } from '@jest/globals';
import { dropGenerations, retireGenerations } from '../../../src/runs/tidy.ts';
import { cloneDatabase } from '../../support/database.ts';
import { evaluate } from '../alert-days.ts';
import { addMonitoredModel, addVersion } from '../monitored-model.ts';
import { ModelHistory } from './model-history.ts';
import { DAY_MS } from './record.ts';
import { SlowRecord } from './slow-record.ts';

const database = await cloneDatabase();
const [superuser, alice, ada] = await Promise.all([
  database.client(),
  database.client('alice'),
  database.client('ada'),
]);

const HOUR_MS = DAY_MS / 24;
/** Midnight of today; a day that is so many days before it. */
const TODAY = Math.floor(Date.now() / DAY_MS) * DAY_MS;
const dayBefore = (days: number): string => new Date(TODAY - days * DAY_MS).toISOString().slice(0, 10);

type History = ModelHistory<SlowRecord>;

async function newHistory(name: string): Promise<History> {
  const model = await addMonitoredModel(superuser, name, 'binary');
  const versions = [model, await addVersion(superuser, model, 2)];
  const watched = { ...model, name, task: 'binary' as const, target: `${name}_scores` };
  return ModelHistory.of({ superuser, alice, ada }, { model: watched, versions }, new SlowRecord());
}

/** A run of everybody that says yes of seven in eight. */
async function score(
  history: History,
  entities: number,
  snapshotAt: number,
  times?: number[],
  version = 1,
): Promise<void> {
  const ids = Array.from({ length: entities }, (_, index) => index + 1);
  const given = ids.map((id) => (id % 8 === 0 ? 0.25 : 0.75));
  await history.run(version, {
    snapshotAt,
    ids,
    given,
    isLarge: true,
    publish: version === 1,
    ...(times ? { times } : {}),
  });
}

/** Yes is true of them, but for one in `no`. */
async function tell(history: History, ids: readonly number[], knownAt: number, no = Infinity): Promise<void> {
  await history.tell(ids.map((id) => ({ id, knownAt, truth: id % no === 1 ? 'no' : 'yes' })));
}

async function refreshAndSweep(): Promise<void> {
  await superuser.query('select pgscore.refresh()');
  await retireGenerations(superuser);
  await dropGenerations(superuser);
}

type Day = {
  day: string;
  labeled: number;
  coverage: number | null;
  mature: boolean;
  accuracy: number | null;
  width: number | null;
};

async function daysOf(model: string): Promise<Day[]> {
  const { rows } = await superuser.query<Day>(
    `select window_date::text as day, n_labeled::int as labeled, label_coverage as coverage, is_mature as mature, accuracy, accuracy_ci_high - accuracy_ci_low as width
       from pgscore_bi.binary_performance_daily where model_name = $1 order by window_date, model_version`,
    [model],
  );
  return rows;
}

async function labeledOf(model: string): Promise<[day: string, labeled: number][]> {
  const days = await daysOf(model);
  return days.filter(({ labeled }) => labeled > 0).map(({ day, labeled }) => [day, labeled]);
}

const everybody = (entities: number): number[] => Array.from({ length: entities }, (_, index) => index + 1);

async function healthOf(model: string): Promise<unknown> {
  const read = `select value, undefined_reason as reason from pgscore_bi.current_model_health where model_name = $1 and model_version = 1`;
  return (await superuser.query(read, [model])).rows[0];
}

/** Where a rule stands that wants an accuracy above a threshold. */
async function looked(model: string): Promise<unknown> {
  await ada.query('select pgscore.promote($1)', [`${model}@1`]);
  await evaluate(superuser, new Date().toISOString());
  const read = `select state, n::int as n from pgscore_bi.alerts where model_name = $1 and alert = 'low'`;
  return (await superuser.query(read, [model])).rows[0];
}

test('a nightly run of rows whose time and truth are known switches neither accuracy off nor its alerts', async () => {
  const history = await newHistory('rescored');
  const times = everybody(400).map((id) => TODAY - (20 - Math.floor((id - 1) / 80)) * DAY_MS);
  await score(history, 400, TODAY - 20 * DAY_MS, times);
  await tell(history, everybody(400), TODAY - 10 * DAY_MS, 2);
  await refreshAndSweep();
  const before = await daysOf('rescored');
  const health = await healthOf('rescored');
  expect(health).toEqual({ value: 0.375, reason: null });
  expect(before.map(({ coverage, mature }) => [coverage, mature])).toEqual(Array.from({ length: 5 }, () => [1, true]));
  for (const night of [3, 2, 1]) {
    await score(history, 400, TODAY - night * DAY_MS, times);
    await refreshAndSweep();
    expect(await daysOf('rescored')).toEqual(before);
    expect(await healthOf('rescored')).toEqual(health);
  }
  await alice.query(`select pgscore.set_alert('rescored', 'low', 'accuracy', threshold => 0.8)`);
  expect(await looked('rescored')).toEqual({ state: 'firing', n: 80 });
});

test('a nightly run of rows without a time of their own leaves the nights before mature', async () => {
  const history = await newHistory('customers');
  for (const night of [12, 11, 10]) await score(history, 40, TODAY - night * DAY_MS);
  await tell(history, everybody(40), TODAY - 10 * DAY_MS + HOUR_MS);
  for (const night of [9, 8, 7]) await score(history, 40, TODAY - night * DAY_MS);
  await refreshAndSweep();
  const days = await daysOf('customers');
  expect(days.find(({ day }) => day === dayBefore(10))).toMatchObject({ labeled: 40, coverage: 1, mature: true });
  expect(days.find(({ day }) => day === dayBefore(12))).toMatchObject({ labeled: 0, coverage: null, mature: false });
});

test('labels stay with the day that they judge when the runs of that day are swept, and later ones come', async () => {
  const history = await newHistory('swept');
  for (let night = 75; night >= 0; night -= 1) {
    await score(history, 60, TODAY - night * DAY_MS);
    if (night === 60) await tell(history, everybody(25), TODAY - 60 * DAY_MS + HOUR_MS);
    if (night % 5 === 0) await refreshAndSweep();
  }
  await tell(history, everybody(25), TODAY - 15 * DAY_MS + HOUR_MS);
  await refreshAndSweep();
  expect(await labeledOf('swept')).toEqual([
    [dayBefore(60), 25],
    [dayBefore(15), 25],
  ]);
});

test('after 96 hourly runs to count again moves no label to another day', async () => {
  const history = await newHistory('hourly');
  for (let hour = 0; hour < 96; hour += 1) {
    const at = TODAY - 4 * DAY_MS + hour * HOUR_MS;
    await score(history, 60, at);
    await tell(
      history,
      everybody(60).filter((id) => id % 24 === hour % 24),
      at + HOUR_MS / 2,
    );
    if (hour % 6 === 5) await refreshAndSweep();
  }
  const before = await labeledOf('hourly');
  expect(before.map(([, labeled]) => labeled)).toEqual([60, 60, 60, 60]);
  await history.rebuild();
  await refreshAndSweep();
  expect(await labeledOf('hourly')).toEqual(before);
  await history.set({ pairing: 'first' });
  await history.set({ pairing: 'latest_before_label' });
  await refreshAndSweep();
  expect(await labeledOf('hourly')).toEqual(before);
});

test('what was labelled stays labelled when the target is dropped and everything is counted again', async () => {
  const history = await newHistory('dropped');
  await score(history, 40, TODAY - 3 * DAY_MS);
  await tell(history, everybody(40), TODAY - 2 * DAY_MS);
  await refreshAndSweep();
  const before = await daysOf('dropped');
  expect(before.map(({ labeled }) => labeled)).toEqual([40]);
  await history.dropTarget();
  await history.rebuild();
  await refreshAndSweep();
  expect(await daysOf('dropped')).toEqual(before);
});

test('to count several predictions of each entity narrows no interval, and no alert takes them for more', async () => {
  const once = await newHistory('once');
  await score(once, 738, TODAY - 5 * DAY_MS);
  await tell(once, everybody(738), TODAY - 4 * DAY_MS, 8);
  const often = await newHistory('often');
  await ada.query(`select pgscore.monitor('often', pairing => 'all')`);
  for (const hour of [0, 1, 2, 3]) await score(often, 738, TODAY - 5 * DAY_MS + hour * HOUR_MS);
  await tell(often, everybody(738), TODAY - 4 * DAY_MS, 8);
  await refreshAndSweep();
  const [[one], [four]] = await Promise.all([daysOf('once'), daysOf('often')]);
  expect([one?.labeled, four?.labeled]).toEqual([738, 4 * 738]);
  expect(four?.accuracy).toBe(one?.accuracy);
  const ratio = (four?.width ?? 0) / (one?.width ?? 1);
  expect(ratio).toBeGreaterThan(0.99);
  expect(ratio).toBeLessThan(1.01);
  // Of 2,952 independent rows the interval would end at 0.765.
  await alice.query(`select pgscore.set_alert('often', 'low', 'accuracy', threshold => 0.77)`);
  expect(await looked('often')).toEqual({ state: 'ok', n: 4 * 738 });
});

test('the accuracy of a version stays when it is dropped', async () => {
  const history = await newHistory('retired');
  await score(history, 40, TODAY - 3 * DAY_MS);
  await score(history, 40, TODAY - 3 * DAY_MS, undefined, 2);
  await tell(history, everybody(40), TODAY - 2 * DAY_MS);
  await refreshAndSweep();
  const before = await daysOf('retired');
  expect(before.map(({ labeled }) => labeled)).toEqual([40, 40]);
  await ada.query(`select pgscore.drop_version('retired@2')`);
  await refreshAndSweep();
  expect(await daysOf('retired')).toEqual(before);
  const marked = `select model_version::int as version, is_dropped from pgscore_bi.binary_performance_daily where model_name = 'retired' order by 1`;
  expect((await superuser.query(marked)).rows).toEqual([
    { version: 1, is_dropped: false },
    { version: 2, is_dropped: true },
  ]);
});
