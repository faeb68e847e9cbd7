import { beforeAll, describe, expect, test } from '@jest/globals';

import { drawnIn, type Drawn } from '../../support/browser.ts';
import type { Stage } from '../stage.ts';

function series(drawn: Drawn, label: string): Drawn[number]['data'] | undefined {
  return drawn.find((one) => one.label === label)?.data;
}

export function month({ page, show, rowsOf }: Stage): void {
  describe('a month that is looked at closely', () => {
    beforeAll(() => show('#/model/churn?month=2026-02-01'));

    test('reliability, precision and recall by threshold, and scores, of the month that is looked at', async () => {
      const month = `where model_name = 'churn' and window_date = '2026-02-01'`;
      type Bin = { x: number; y: number };
      const reliability = await rowsOf<Bin>(
        `select mean_score as x, observed_rate as y from pgscore_bi.reliability_curve ${month} order by bin_low`,
      );
      expect(reliability.length).toBeGreaterThan(5);
      expect(series(await drawnIn(page, 'reliability'), 'observed')).toEqual(reliability);
      const [told] = await rowsOf<Record<'ece' | 'brier', string>>(
        `select to_char(ece, 'FM0.000') as ece, to_char(brier_score, 'FM0.000') as brier from pgscore_bi.binary_performance_monthly ${month}`,
      );
      expect(await page.locator('#reliability').textContent()).toContain(
        `Calibration error ${told?.ece}, Brier score ${told?.brier}.`,
      );
      const bins = await rowsOf<Bin>(
        `select (bin_low + bin_high) / 2 as x, n::int as y from pgscore_bi.reliability_curve ${month} order by bin_low`,
      );
      expect(series(await drawnIn(page, 'reliability'), 'predictions')).toEqual(bins);
      for (const name of ['precision', 'recall', 'f1']) {
        const curve = await rowsOf<Bin>(
          `select threshold as x, ${name}_score as y from pgscore_bi.threshold_curve ${month} order by 1`,
        );
        expect(series(await drawnIn(page, 'threshold'), name === 'f1' ? 'F1' : name)).toEqual(curve);
      }
      const scores = await rowsOf<Bin>(
        `select floor(bin_low * 50 + 1e-9)::int as x, sum(n)::int as y from pgscore_bi.score_distribution_daily
          where model_name = 'churn' and outcome = 'all' and window_date between '2026-02-01' and '2026-02-28' group by 1`,
      );
      const shares = new Map(scores.map(({ x, y }) => [x, y / 224]));
      const drawn = series(await drawnIn(page, 'scores'), 'version 1') ?? [];
      for (const [step, { y }] of drawn.entries()) expect(y).toBeCloseTo(shares.get(step) ?? 0, 12);
      const outcomes = await rowsOf<{ outcome: string; x: number; y: number }>(
        `select actual as outcome, x, y from (select case actual when 'yes' then 'positive' else 'negative' end as actual, floor(score * 50 + 1e-9)::int as x, count(*)::float8 / sum(count(*)) over (partition by actual)::float8 as y
           from pgscore_bi.prediction_detail where model_name = 'churn' and event_time >= '2026-02-01' and event_time < '2026-03-01' group by actual, 2) d`,
      );
      const byOutcome = await drawnIn(page, 'scores', 1);
      expect(byOutcome.map(({ label }) => label)).toEqual(['positive', 'negative']);
      for (const { label, data } of byOutcome)
        for (const [step, { y }] of data.entries()) {
          const found = outcomes.find(({ outcome, x }) => outcome === label && x === step);
          expect([label, step, y]).toEqual([label, step, expect.closeTo(found?.y ?? 0, 9)]);
        }
    });

    test('ROC and precision-recall curve of the month, with the area and its interval', async () => {
      const points = async (x: string, y: string) =>
        rowsOf<{ x: number; y: number }>(
          `select ${x} as x, ${y} as y from pgscore_bi.roc_curve where model_name = 'churn' and window_date = '2026-02-01' and ${x} is not null and ${y} is not null order by threshold desc`,
        );
      const roc = await points('false_positive_rate', 'true_positive_rate');
      expect([roc.at(0), roc.at(-1)]).toEqual([
        { x: 0, y: 0 },
        { x: 1, y: 1 },
      ]);
      expect(series(await drawnIn(page, 'ranking'), 'version 1')).toEqual(roc);
      expect(series(await drawnIn(page, 'ranking', 1), 'version 1')).toEqual(
        await points('recall_score', 'precision_score'),
      );
      const [area] = await rowsOf<{ text: string }>(
        `select format('ROC AUC %s (%s to %s)', to_char(roc_auc, 'FM0.000'), to_char(roc_auc_ci_low, 'FM0.000'), to_char(roc_auc_ci_high, 'FM0.000')) as text
           from pgscore_bi.binary_performance_monthly where model_name = 'churn' and window_date = '2026-02-01'`,
      );
      expect(await page.locator('#ranking').textContent()).toContain(area?.text);
    });

    test('a confusion matrix of three classes, without a threshold', async () => {
      await show('#/model/animal?month=2026-01-01');
      const counts = await rowsOf<{ n: string }>(
        `select sum(n) as n from pgscore_bi.confusion_matrix_daily where model_name = 'animal' and window_date < '2026-02-01'
          and actual_class = predicted_class group by actual_class order by actual_class`,
      );
      await page.locator('#classes .hit').first().waitFor();
      expect(await page.locator('#classes .hit strong').allTextContents()).toEqual(counts.map(({ n }) => n));
      expect(await page.locator('#threshold').isVisible()).toBe(false);
    });

    test('a threshold, moved with the keyboard, counts what it would call', async () => {
      await show('#/model/churn?month=2026-02-01&threshold=0.6');
      const slider = page.locator('#threshold input');
      await slider.waitFor();
      await slider.press('ArrowRight');
      await slider.press('ArrowRight');
      await page.waitForURL(/threshold=0\.62/);
      const [counted] = await rowsOf<Record<'hits' | 'misses' | 'alarms' | 'passes', string>>(
        `select count(*) filter (where score >= 0.62 and actual = 'yes') as hits, count(*) filter (where score < 0.62 and actual = 'yes') as misses,
                count(*) filter (where score >= 0.62 and actual = 'no') as alarms, count(*) filter (where score < 0.62 and actual = 'no') as passes
           from pgscore_bi.prediction_detail where model_name = 'churn' and event_time >= '2026-02-01' and event_time < '2026-03-01'`,
      );
      expect(await page.locator('#threshold .cell strong').allTextContents()).toEqual([
        counted?.hits,
        counted?.misses,
        counted?.alarms,
        counted?.passes,
      ]);
      await page.reload();
      expect(await slider.inputValue()).toBe('0.62');
    });
  });
}
