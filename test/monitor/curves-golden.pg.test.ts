import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { readGolden, stage } from './golden/staged.ts';

type Point = Record<string, number | null>;
type Month = { window_date: string; thresholds: Point[]; tenths: Point[]; roc: Point[] };

const file = new URL('golden/curves.json', import.meta.url);
const { months } = JSON.parse(readFileSync(file, 'utf8')) as { months: Month[] };

const database = await cloneDatabase();
const [superuser, alice] = await Promise.all([database.client(), database.client('alice')]);
await stage(superuser, alice, 'binary');

/** What differs, with the point's place on the curve. */
function differences(golden: readonly Point[], shown: readonly Point[]): string[] {
  return golden.flatMap((point, at) =>
    Object.entries(point).flatMap(([name, value]) => {
      const found = shown[at]?.[name];
      const same =
        value === null || found === null || found === undefined
          ? value === found
          : Math.abs(Number(found) - value) <= 1e-12 * Math.max(1, Math.abs(value));
      return same ? [] : [`${at} ${name}: ${String(found)}, and not ${String(value)}`];
    }),
  );
}

async function shown(view: string, order: string, month: string): Promise<Point[]> {
  const read = `select * from pgscore_bi.${view} where model_name = 'binary' and window_date = $1 order by ${order}`;
  return (await superuser.query<Point>(read, [month])).rows;
}

test.each(months)(
  'in $window_date each threshold would have done what scikit-learn says: ROC, precision-recall, gain and lift',
  async (month) => {
    const points = await shown('threshold_curve', 'threshold', month.window_date);
    expect(points).toHaveLength(100);
    expect(differences(month.thresholds, points)).toEqual([]);
  },
);

test.each(months)(
  'in $window_date probabilities came true as often as scikit-learn says, with the interval of Wilson',
  async (month) => {
    const points = await shown('reliability_curve', 'bin_low', month.window_date);
    expect(points).toHaveLength(month.tenths.length);
    expect(differences(month.tenths, points)).toEqual([]);
  },
);

test.each(months)('in $window_date the ROC curve has the points of scikit-learn, and no other', async (month) => {
  const points = await shown('roc_curve', 'threshold desc', month.window_date);
  expect(points).toHaveLength(month.roc.length);
  expect(differences(month.roc, points)).toEqual([]);
});

/** The queries of a page, about another model. */
function queriesOf(page: string, model: string): string[] {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  const [, block = ''] = /```sql\n([^]*?)```/.exec(text) ?? [];
  return block.split(';').map((one) => one.replace(/model_name = '\w+'/, `model_name = '${model}'`));
}

test('the queries of docs/metrics.md give exact values, as scikit-learn and numpy do of all rows', async () => {
  await stage(superuser, alice, 'regression');
  const golden = (task: 'binary' | 'regression') =>
    readGolden(task).golden.find(({ grain, window_date: date }) => grain === 'month' && date === '2026-03-01')?.values;
  const [auc = ''] = queriesOf('metrics.md', 'binary');
  const area = await superuser.query<{ roc_auc: string }>(auc);
  expect(Number(area.rows[0]?.roc_auc)).toBeCloseTo(Number(golden('binary')?.['roc_auc']), 12);
  const [, errors = ''] = queriesOf('metrics.md', 'regression');
  const found = await superuser.query<{ abs_errors: number[] }>(errors);
  const exact = ['median_abs_error', 'p90_abs_error', 'max_abs_error'].map((name) => golden('regression')?.[name]);
  expect(found.rows[0]?.abs_errors).toEqual(exact.map((value) => expect.closeTo(Number(value), 12)));
});
