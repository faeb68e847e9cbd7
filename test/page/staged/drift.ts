import { describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import type { Locator } from 'playwright-core';

import { count, decimal, percent } from '../../../src/page/format.ts';
import { stageFeatures, unitBins } from '../../monitor/golden/staged-features.ts';
import { drawnIn, namesIn, numbersIn } from '../../support/browser.ts';
import type { Stage } from '../stage.ts';

const HOSTILE = ['<img src=x onerror=alert(1)>', 'a"b\'c\\d', 'ünïcödé '.repeat(20), '', ' '];
const LONG_NAME = `a feature whose name is ${'very '.repeat(20)}long`;

/** Six days: 40 rows each in February, 400 in March. Numbers move up in March; the first twenty by more and more. */
const DAYS = [10, 11, 12].flatMap((day) => [
  { at: `2026-02-${day} 00:00+00`, rows: 40, march: false },
  { at: `2026-03-${day} 00:00+00`, rows: 400, march: true },
]);
function shifted(rows: number, by: number): number[] {
  return [0, 0, rows / 4 - by, rows / 4, rows / 4, rows / 4 + by, 0];
}
const numbers = Array.from({ length: 22 }, (_, at) => ({
  name: at === 0 ? LONG_NAME : `number ${at}`,
  kind: 'number' as const,
  ...unitBins(4),
  baseline: [0, 0, 2500, 2500, 2500, 2500, 0],
  windows: Object.fromEntries(DAYS.map(({ at: day, rows, march }) => [day, shifted(rows, march ? at * 4 : 0)])),
}));
const category = {
  name: 'category',
  kind: 'category' as const,
  categories: HOSTILE,
  baseline: [100, 0, ...HOSTILE.map(() => 1000), 50],
  windows: Object.fromEntries(
    DAYS.map(({ at, rows }) => [at, [rows / 40, rows / 20, ...HOSTILE.map(() => rows / 5), 0]]),
  ),
};
/** A model whose features drift, and one that was scored in two years. */
export async function addDrift(superuser: Client): Promise<void> {
  await stageFeatures(superuser, 'drifting', [...numbers, category]);
  const autumnAndSpring = Object.fromEntries(
    ['2025-11-10', '2026-03-10'].map((at) => [`${at} 00:00+00`, shifted(400, 0)]),
  );
  await stageFeatures(superuser, 'two_years', [
    { name: 'amount', kind: 'number', ...unitBins(4), baseline: shifted(10_000, 0), windows: autumnAndSpring },
  ]);
}

const SUFFIX = { day: 'daily', week: 'weekly', month: 'monthly' };

export function drift({ page, show, rowsOf }: Stage): void {
  describe('drift on the page', () => {
    test.each(['day', 'week', 'month'] as const)('has the numbers of its views, by %s', async (grain) => {
      await show(`#/model/drifting?grain=${grain}`);
      await page.locator('#drift .heat').waitFor();
      const digits = (column: string): string => `to_char(${column}, 'FM999990.000')`;
      const view = await rowsOf<{ feature: string; n: string; psi: string; noise: string; status: string }>(
        `select feature_name as feature, n, ${digits('psi')} as psi, ${digits('psi_noise_limit')} as noise, replace(status, '_', ' ') as status
           from pgscore_bi.feature_drift_${SUFFIX[grain]} where model_name = 'drifting' order by window_date desc, feature_name`,
      );
      expect(view.length).toBe(23 * { day: 6, week: 2, month: 2 }[grain]);
      const shown = (await numbersIn(page, 'drift', 1)).map((cells) => cells.slice(1));
      const wanted = view.map(({ feature, n, psi, noise, status }) => [
        feature,
        Number(n).toLocaleString('en'),
        psi,
        noise,
        status,
      ]);
      const lines = (rows: string[][]): string[] => rows.map((row) => row.join(' | ')).toSorted();
      expect(lines(shown)).toEqual(lines(wanted));
    });

    test('colours cells as their status says, and opens the newest that can be told', async () => {
      await show('#/model/drifting?grain=day&feature=number+21');
      const heat = page.locator('#drift .heat');
      await heat.waitFor();
      const [told] = await rowsOf<Record<'none' | 'ok' | 'warning' | 'alert', number>>(
        `select count(*) filter (where status = 'insufficient_data')::int as none, count(*) filter (where status = 'ok')::int as ok,
                count(*) filter (where status = 'warning')::int as warning, count(*) filter (where status = 'alert')::int as alert
           from pgscore_bi.feature_drift_daily where model_name = 'drifting'`,
      );
      expect(Math.min(...Object.values(told ?? {}))).toBeGreaterThan(0);
      const counted = async (levels: string): Promise<number> => heat.locator(levels).count();
      expect({
        none: await counted('button:not([class])'),
        ok: await counted('.h0, .h1'),
        warning: await counted('.h2, .h3'),
        alert: await counted('.h4, .h5'),
      }).toEqual(told);
      expect(await heat.locator('[aria-pressed=true]').getAttribute('aria-label')).toMatch(
        /^number 21, 12 Mar 2026: PSI/,
      );
      const rest = await heat.locator('tbody th').allTextContents();
      expect(rest[0]).toBe('number 21');
    });

    test('names each year above the first of its months', async () => {
      await show('#/model/two_years?grain=month');
      const years = page.locator('#drift .heat thead tr').first().locator('td');
      await years.first().waitFor();
      expect(await years.allTextContents()).toEqual(['', '2025', '2026']);
    });

    test('says what each colour means', async () => {
      await show('#/model/drifting?grain=day');
      const legend = page.locator('#drift .heat-legend > span');
      await legend.first().waitFor();
      expect(await legend.allTextContents()).toEqual([
        'ok, what chance gives',
        'ok, more than chance gives',
        'warning',
        'warning, from 0.175 on',
        'alert',
        'alert, from 0.5 on',
        'too few rows to tell, or none',
      ]);
      const colourOf = async (cell: Locator): Promise<string> =>
        cell.evaluate((element) => {
          type Styles = { getComputedStyle(of: unknown): { backgroundColor: string } };
          return (globalThis as unknown as Styles).getComputedStyle(element).backgroundColor;
        });
      const colours: string[] = [];
      for (const [nth, level] of ['.h0', '.h1', '.h2', '.h3', '.h4', '.h5', ':not([class])'].entries()) {
        const meant = await colourOf(legend.nth(nth).locator('i'));
        const cells = page.locator(`#drift .heat button${level}`);
        if ((await cells.count()) > 0) expect([level, await colourOf(cells.first())]).toEqual([level, meant]);
        colours.push(meant);
      }
      expect(new Set(colours).size).toBe(colours.length);
    });

    test('both plots of a feature have a title, axes and a legend', async () => {
      await show('#/model/drifting?grain=day&feature=number+21&day=2026-03-12');
      expect(await namesIn(page, 'feature')).toEqual({ axes: ['share of rows'], legend: ['baseline', 'this day'] });
      expect(await namesIn(page, 'feature', 1)).toEqual({
        axes: ['PSI'],
        legend: ['PSI', 'what chance gives at most (99 %)'],
      });
      expect(await page.locator('#feature h3').allTextContents()).toEqual([
        'number 21, 12 Mar 2026, against its baseline',
        'Drift of number 21 by day',
      ]);
      expect(await page.locator('#feature').innerText()).toContain('Left out, for too few rows to tell: 3 days.');
    });

    test('a feature beside its baseline, as its view has it, whatever its categories are called', async () => {
      await show('#/model/drifting?grain=month&feature=category&day=2026-03-01');
      const bins = await rowsOf<{ label: string; n: string; share: number; baseline: number; psi: number | null }>(
        `select bin_label as label, n, share, baseline_share as baseline, psi_contribution as psi from pgscore_bi.feature_distribution_monthly
          where model_name = 'drifting' and feature_name = 'category' and window_date = '2026-03-01' order by bin`,
      );
      expect(await drawnIn(page, 'feature')).toEqual([
        { label: 'baseline', data: bins.map(({ baseline }) => baseline) },
        { label: 'this month', data: bins.map(({ share }) => share) },
      ]);
      expect(await numbersIn(page, 'feature')).toEqual(
        bins.map(({ label, n, share, baseline, psi }) => [
          label,
          count(Number(n)),
          percent(share),
          percent(baseline),
          decimal(psi),
        ]),
      );
      expect(bins.map(({ label }) => label)).toEqual(expect.arrayContaining(HOSTILE));
    });

    test('what each bin of a number adds to the stability index, and the index over time, as the views have them', async () => {
      await show('#/model/drifting?grain=month&feature=number+21&day=2026-03-01');
      await drawnIn(page, 'feature', 1);
      const feature = `model_name = 'drifting' and feature_name = 'number 21'`;
      const parts = await rowsOf<{ psi: number }>(
        `select psi_contribution as psi from pgscore_bi.feature_distribution_monthly where ${feature} and window_date = '2026-03-01' order by bin`,
      );
      expect(parts.filter(({ psi }) => psi > 0.01).length).toBeGreaterThan(1);
      expect((await numbersIn(page, 'feature')).map((cells) => cells[4])).toEqual(parts.map(({ psi }) => decimal(psi)));
      const view = await rowsOf<Record<'x' | 'psi' | 'noise', number>>(
        `select extract(epoch from window_date)::float8 * 1000 as x, psi, psi_noise_limit as noise from pgscore_bi.feature_drift_monthly where ${feature} and status <> 'insufficient_data' order by 1`,
      );
      const march = view.at(-1);
      expect(parts.reduce((sum, { psi }) => sum + psi, 0)).toBeCloseTo(march?.psi ?? 0, 12);
      expect(await drawnIn(page, 'feature', 1)).toEqual([
        { label: 'PSI', data: view.map(({ x, psi }) => ({ x, y: psi })) },
        { label: 'what chance gives at most (99 %)', data: view.map(({ x, noise }) => ({ x, y: noise })) },
      ]);
    });

    test('arrows go from cell to cell, and a long name does not widen the page', async () => {
      await show('#/model/drifting?grain=month');
      const heat = page.locator('#drift .heat');
      await heat.waitFor();
      const [, next = ''] = await heat.locator('tbody th').allTextContents();
      await heat.locator('[aria-pressed=true]').focus();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('ArrowLeft');
      await page.keyboard.press('Enter');
      await page.locator('#feature', { hasText: `${next}, Feb 2026` }).waitFor();
      expect(page.url()).toContain('day=2026-02-01');
    });

    test('a long name does not widen the page of a phone', async () => {
      await show('#/model/drifting', 390);
      await page.locator('#feature canvas').first().waitFor();
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
      expect(await page.locator('#feature-title').isVisible()).toBe(true);
    });
  });
}
