import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../../support/database.ts';
import { addMonitoredModel, addVersion } from '../monitored-model.ts';
import { ModelHistory } from './model-history.ts';
import { DAY_MS } from './record.ts';
import { seenIn, type Windows } from './seen.ts';
import { SlowRecord } from './slow-record.ts';

const database = await cloneDatabase();
const [superuser, alice, ada] = await Promise.all([
  database.client(),
  database.client('alice'),
  database.client('ada'),
]);

const TODAY = Math.floor(Date.now() / DAY_MS) * DAY_MS;
const before = (days: number): number => TODAY - days * DAY_MS;
const IDS = [1, 2, 3, 4, 5, 6];
const KEPT_DAYS = 20;

const model = await addMonitoredModel(superuser, 'sealed', 'binary');
const history = await ModelHistory.of(
  { superuser, alice, ada },
  { model: { ...model, name: 'sealed', task: 'binary', target: 'sealed_scores' }, versions: [model] },
  new SlowRecord(),
);

async function tell(days: number, truth: string | null, ids: readonly number[] = IDS): Promise<void> {
  await history.tell(ids.map((id) => ({ id, knownAt: before(days) + DAY_MS / 2, truth })));
}

/** What the daily view says of the days before those that are kept, and of the others. */
async function days(): Promise<{ sealed: Windows; kept: Windows }> {
  await superuser.query('select pgscore.refresh()');
  const seen = Object.entries(await seenIn(superuser, history.model, 'day'));
  const first = new Date(before(KEPT_DAYS)).toISOString().slice(0, 10);
  const of = (isSealed: boolean): Windows =>
    Object.fromEntries(seen.filter(([window]) => window.slice(2, 12) < first === isSealed));
  return { sealed: of(true), kept: of(false) };
}

test('days that are older than predictions are kept stay as they are, whatever is told, counted again, set or dropped', async () => {
  for (let night = 30; night > 0; night -= 1) {
    const given = IDS.map((id) => ((id + night) % 3 === 0 ? 0.25 : 0.75));
    await history.run(1, { snapshotAt: before(night), ids: IDS, given });
  }
  await tell(25, 'yes');
  await tell(10, 'yes');
  await history.expectCounted();
  await ada.query(`select pgscore.monitor('sealed', keep => $1)`, [`${KEPT_DAYS} days`]);
  await superuser.query('select pgscore_data._delete_predictions()');
  const then = await days();
  expect(Object.keys(then.sealed)).toHaveLength(10);
  await history.expectCounted();

  await superuser.query('update pgscore_data.label_source set compared_at = now()');
  await tell(25, 'no', [1, 2]);
  await tell(25, null, [3]);
  await tell(23, 'yes');
  expect(await days()).toEqual(then);
  // Corrections of labels that are counted are none that came too late.
  const counts = `select n_too_old::int as n from pgscore.label_sources where model = 'sealed'`;
  expect((await superuser.query(counts)).rows).toEqual([{ n: IDS.length }]);
  const told: unknown[] = [];
  for (const role of [ada, alice]) role.on('notice', ({ message }) => told.push(message));
  await history.rebuild();
  const firstKept = new Date(before(KEPT_DAYS)).toISOString().slice(0, 10);
  const said = `before ${firstKept} are sealed: their numbers stay as they are`;
  expect(told).toEqual([`days ${said}`]);
  expect(await days()).toEqual(then);
  await history.set({ pairing: 'all' });
  expect(told).toEqual([`days ${said}`, `days ${said}`]);
  expect((await days()).sealed).toEqual(then.sealed);
  await history.set({ pairing: 'latest_before_label' });
  expect(await days()).toEqual(then);
  await history.dropTarget();
  expect(told.at(-1)).toBe(`days of model "sealed" ${said}`);
  await history.rebuild();
  expect(await days()).toEqual(then);
});

test('days that are kept go on to be judged', async () => {
  const { sealed, kept } = await days();
  await tell(15, 'no');
  const after = await days();
  expect(after.sealed).toEqual(sealed);
  const changed = Object.keys(after.kept).filter(
    (window) => JSON.stringify(after.kept[window]) !== JSON.stringify(kept[window]),
  );
  expect(changed).toEqual([`1 ${new Date(before(15)).toISOString().slice(0, 10)}`]);
  expect(after.kept[changed[0] ?? '']).toMatchObject({ n_labeled: IDS.length, label_coverage: 1, is_mature: true });
});

test('to forget an entity, or to take all labels back, leaves sealed days, and no audit finds them wrong', async () => {
  const { sealed } = await days();
  await ada.query(`select pgscore.forget('sealed', key => '1')`);
  expect((await days()).sealed).toEqual(sealed);
  await alice.query(`select pgscore.unset_labels('sealed')`);
  const after = await days();
  expect(after.sealed).toEqual(sealed);
  expect(Object.values(after.kept).every(({ n_labeled }) => n_labeled === 0)).toBe(true);
  await superuser.query('select pgscore_data._audit(1000)');
  const audited = `select min(window_date)::text as first, sum(cells_different)::int as wrong from pgscore_bi.rollup_audit where model_name = 'sealed'`;
  expect((await superuser.query(audited)).rows).toEqual([{ first: null, wrong: null }]);
});

test.each([true, false])(
  'a label for a prediction that late let go of changes no other pair (large: %s)',
  async (isLarge) => {
    const name = isLarge ? 'large' : 'small';
    const model = await addMonitoredModel(superuser, name, 'binary');
    const versions = [model, await addVersion(superuser, model, 2)];
    const history = await ModelHistory.of(
      { superuser, alice, ada },
      { model: { ...model, name, task: 'binary' as const, target: `${name}_scores` }, versions },
      new SlowRecord(),
    );
    const ids = Array.from({ length: 40 }, (_, index) => index + 1);
    const given = ids.map(() => 0.75);
    const look = async () => {
      await superuser.query('select pgscore.refresh()');
      const { rows } = await superuser.query(
        `select window_date - current_date as day, n_labeled::int l, accuracy from pgscore_bi.binary_performance_daily where model_name = $1 and model_version = 1 order by 1`,
        [name],
      );
      return rows;
    };
    await ada.query(`select pgscore.monitor($1, late => '90 days')`, [name]);
    for (const d of [200, 150, 100, 1])
      await history.run(1, { snapshotAt: TODAY - d * DAY_MS, ids, given, isLarge, publish: true });
    await history.tell(ids.map((id) => ({ id, knownAt: TODAY - 199 * DAY_MS, truth: 'yes' })));
    await look();
    await superuser.query('select pgscore_data._delete_predictions()');
    const before = await look();
    await history.tell(ids.slice(0, 10).map((id) => ({ id, knownAt: TODAY - 149 * DAY_MS, truth: 'no' })));
    const after = await look();
    expect(after).toEqual(before);
  },
);
