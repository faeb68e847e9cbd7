import { beforeAll, describe, expect, test } from '@jest/globals';

import { decimal, percent } from '../../../src/page/format.ts';
import { addFlightsByTarget, addQuantiles, LATENESS, TIMES } from '../../monitor/flights-by-target.ts';
import { drawnIn, numbersIn } from '../../support/browser.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Stage } from '../stage.ts';

type Point = { at: string; value: number | null };

export function targets({ superuser, ada, alice, page, show }: Stage): void {
  async function pointsOf(model: string, view: string, target: string | null, column: string) {
    const read = `select window_date::text as at, ${column} as value from pgscore_bi.${view}_performance_monthly
      where model_name = $1 and model_version = 1 and segment_key is null and target is not distinct from $2 order by 1`;
    const { rows } = await superuser.query<Point>(read, [model, target]);
    return rows.map(({ at, value }) => ({ x: Date.parse(`${at}T00:00:00Z`), y: value }));
  }

  async function plotted() {
    return (await drawnIn(page, 'performance')).find(({ label }) => label === 'version 1')?.data;
  }

  const areShown = async (model: string, n: number) => {
    const read = `select count(*)::int as n from pgscore_bi.model_verdict where model_name = $1 and cause not in ('no_labels', 'labels_waiting', 'no_mature_month')`;
    const compared = `select count(distinct target)::int as n from pgscore_bi.version_comparison where model_name = $1 and compared_at is not null`;
    const counts = await Promise.all([read, compared].map((text) => superuser.query<{ n: number }>(text, [model])));
    return counts[0]?.rows[0]?.n === 1 && counts[1]?.rows[0]?.n === n;
  };

  describe('the page of a model of several values a row', () => {
    beforeAll(async () => {
      await addFlightsByTarget(ada, alice, 'times', TIMES);
      await addFlightsByTarget(ada, alice, 'lateness', LATENESS);
      await addQuantiles(ada, alice, 'delays');
      await waitFor(() => areShown('times', 2), { message: 'the metrics of times' });
      await waitFor(() => areShown('lateness', 3), { message: 'the metrics of lateness' });
      await waitFor(() => areShown('delays', 0), { message: 'the metrics of delays' });
      await show('#/model/times');
    });

    test('begins with the target that the verdict is about, and shows another by its name', async () => {
      expect(await plotted()).toEqual(await pointsOf('times', 'regression', 'air_time', 'mae'));
      // An answer from before all was counted may be shown for seconds.
      await page.locator('#verdict', { hasText: 'Mean absolute error of air_time rose to 40.08' }).waitFor();
      await page.selectOption('#choose-target', 'arr_delay');
      await page.locator('#performance', { hasText: 'Mean absolute error of arr_delay' }).waitFor();
      expect(await plotted()).toEqual(await pointsOf('times', 'regression', 'arr_delay', 'mae'));
      expect(page.url()).toContain('target=arr_delay');
      await page.locator('#targets button', { hasText: 'air_time' }).click();
      await page.locator('#performance', { hasText: 'Mean absolute error of air_time' }).waitFor();
      expect(page.url()).toContain('target=air_time');
    });

    test('has all targets of a month side by side', async () => {
      await page.locator('#targets tbody tr').first().waitFor();
      const read = `select target, n_labeled::int as n, mae, mae_ci_low as low, mae_ci_high as high, rmse, r2 from pgscore_bi.regression_performance_monthly
        where model_name = 'times' and model_version = 1 and window_date = '2026-04-01' and segment_key is null order by target`;
      type Shown = Record<'n' | 'mae' | 'low' | 'high' | 'rmse' | 'r2', number> & { target: string };
      const { rows } = await superuser.query<Shown>(read);
      expect(await numbersIn(page, 'targets')).toEqual(
        rows.map((row) => [
          row.target,
          String(row.n),
          decimal(row.mae),
          `${decimal(row.low)} to ${decimal(row.high)}`,
          decimal(row.rmse),
          decimal(row.r2),
        ]),
      );
    });

    test('compares versions by each target', async () => {
      await page.locator('#comparison tbody tr').first().waitFor();
      const shown = (await numbersIn(page, 'comparison')).map((cells) => [cells[2], cells[3]]);
      expect(shown).toEqual([
        ['Mean absolute error of air_time', 'better'],
        ['Mean absolute error of arr_delay', 'worse'],
        ['RMSE of air_time', 'no difference'],
        ['RMSE of arr_delay', 'worse'],
      ]);
    });

    test('shows segments of the target, and nothing that views have of one value only', async () => {
      await show('#/model/times?target=arr_delay');
      await page.locator('#segments tbody tr').first().waitFor();
      expect(await page.locator('#segments').textContent()).toContain('Mean absolute error of arr_delay of version 1');
      for (const panel of ['fit', 'residuals', 'label-age']) {
        expect([panel, await page.locator(`#${panel}`).isVisible()]).toEqual([panel, false]);
      }
    });

    test('has the metrics of each label, and how often all were right', async () => {
      await show('#/model/lateness?target=departed_late&metric=roc_auc');
      expect(await plotted()).toEqual(await pointsOf('lateness', 'binary', 'departed_late', 'roc_auc'));
      await page.locator('#targets tbody tr').first().waitFor();
      const read = `select subset_accuracy as value from pgscore_bi.multilabel_performance_monthly
        where model_name = 'lateness' and model_version = 1 and window_date = '2026-04-01' and segment_key is null`;
      const { rows } = await superuser.query<{ value: number }>(read);
      expect(await page.locator('#targets').textContent()).toContain(
        `All labels of a row were right in ${percent(rows[0]?.value ?? null)} of rows`,
      );
      expect(await page.locator('#threshold').isVisible()).toBe(false);
    });

    test('has the score of quantiles, and the pinball loss and coverage of each', async () => {
      await show('#/model/delays');
      expect(await plotted()).toEqual(await pointsOf('delays', 'regression', null, 'mae'));
      expect(await page.locator('#fit').isVisible()).toBe(true);
      await page.selectOption('#choose-target', 'q0_9');
      await page.locator('#performance', { hasText: 'Pinball loss of q0_9' }).waitFor();
      expect(await plotted()).toEqual(await pointsOf('delays', 'regression', 'q0_9', 'pinball_loss'));
      const covered = (await pointsOf('delays', 'regression', 'q0_9', 'coverage')).at(-1)?.y ?? null;
      await page.locator('#targets tbody tr').first().waitFor();
      expect((await numbersIn(page, 'targets')).find(([name]) => name === 'q0_9')?.slice(2, 4)).toEqual([
        '90.0 %',
        percent(covered),
      ]);
    });

    test('the overview names the target of its number', async () => {
      await show('#/');
      const card = page.locator('.model', { has: page.getByRole('link', { name: 'times', exact: true }) });
      await card.waitFor();
      expect(await card.locator('.big').textContent()).toBe('40.08');
      expect(await card.locator('.model-value').textContent()).toContain('Mean absolute error of air_time');
      expect(await card.locator('.spark').getAttribute('aria-label')).toContain('air_time from Jan 2026 to Apr 2026');
    });

    test('no part of it is wider than a phone', async () => {
      await show('#/model/lateness', 390);
      await drawnIn(page, 'performance');
      await page.locator('#targets tbody tr').first().waitFor();
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    });
  });
}
