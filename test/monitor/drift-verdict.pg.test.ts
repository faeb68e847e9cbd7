import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { stageFeatures, unitBins } from './golden/staged-features.ts';

const database = await cloneDatabase();
const superuser = await database.client();

async function verdictOf(model: string): Promise<{ sentence: string } | undefined> {
  const { rows } = await superuser.query<{ sentence: string }>(
    `select v.*, v.since::text, v.feature_since::text from pgscore_bi.model_verdict v where v.model_name = $1`,
    [model],
  );
  return rows[0];
}

const BASELINE = [0, 0, 100, 100, 100, 100, 0];
const MOVED = [0, 0, 10, 20, 70, 300, 0];

test('a feature that drifted by month is told with since when; a day is not enough where days are judged', async () => {
  const feature = { kind: 'number', ...unitBins(4), baseline: BASELINE } as const;
  const by = (windows: Record<string, readonly number[]>) => ({ ...feature, name: 'age', windows });
  const byDays = (months: readonly (readonly number[])[]) =>
    Object.fromEntries(
      months.flatMap((counts, month) =>
        [5, 6, 7, 8, 9].map((day) => [
          `2024-0${month + 1}-0${day} 00:00+00`,
          counts.map((count) => Math.floor(count / 5)),
        ]),
      ),
    );
  await stageFeatures(superuser, 'by_month', [
    by(byDays([BASELINE, MOVED, MOVED])),
    { ...feature, name: 'steady', windows: byDays([BASELINE, BASELINE, BASELINE]) },
  ]);
  const days = ['2024-03-01 00:00+00', '2024-03-02 00:00+00', '2024-03-03 00:00+00'];
  const spread = (counts: readonly (readonly number[])[]) =>
    by(Object.fromEntries(days.map((day, n) => [day, counts[n] ?? []])));
  await stageFeatures(superuser, 'one_day', [spread([BASELINE, BASELINE, MOVED])]);
  await stageFeatures(superuser, 'two_days', [spread([BASELINE, MOVED, MOVED])]);
  await superuser.query('select pgscore.refresh()');
  const month = await verdictOf('by_month');
  expect(month).toMatchObject({
    verdict: 'watch',
    cause: 'drift',
    since: '2024-02-01',
    feature_name: 'age',
    feature_since: '2024-02-01',
  });
  expect(month?.sentence).toMatch(
    /^Feature age has drifted since Feb 2024: its population stability index is \d\.\d\d in Mar 2024\. 1 of 2 features has drifted\.$/,
  );
  expect(await verdictOf('one_day')).toMatchObject({ verdict: 'unknown', feature_name: null });
  expect(await verdictOf('two_days')).toMatchObject({ verdict: 'watch', cause: 'drift', since: '2024-03-02' });
});
