import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { decimal, percent } from '../../../src/page/format.ts';
import { addMonitoredModel, addRun } from '../../monitor/monitored-model.ts';
import { drawnIn, numbersIn, type Drawn } from '../../support/browser.ts';
import { oneIn } from '../../support/night.ts';
import type { Stage } from '../stage.ts';

/** An alert rule, an alert that was raised and resolved, and gates of which a version passes one. */
export async function addRules(superuser: Client): Promise<void> {
  await superuser.query(`select pgscore.set_alert('churn', 'monthly', 'accuracy', threshold => 0.4, grain => 'month')`);
  await superuser.query(
    `insert into pgscore_data.alert_event (at, fingerprint, model_id, rule, version_id, column_name, metric, grain, kind, severity, event, began_at, window_start, window_end, value, n, is_digest, due_at, next_attempt_at)
     select x.at, 'raised', m.model_id, 'error_rise', 0, '', 'mae', 'day', 'performance', 'warning', x.event, '2026-03-03 08:00+00', '2026-03-02', '2026-03-03', 9, 40, false, x.at, x.at
       from pgscore_data.model m cross join (values ('2026-03-03 08:00+00'::timestamptz, 'firing'), ('2026-03-05 08:00+00', 'resolved')) x (at, event) where m.name = 'price'`,
  );
  await superuser.query(
    `select pgscore.set_gate('price', 'not_worse', metric => 'mae', margin => 1000, against => 'predecessor')`,
  );
  await superuser.query(
    `select pgscore.set_gate('price', 'not_worse', metric => 'rmse', margin => 0, minimum_labels => 100000, against => 'predecessor')`,
  );
}

/** A prediction a month of 2013, and one of 2026. */
export async function addPausedModel(superuser: Client): Promise<void> {
  const model = await addMonitoredModel(superuser, 'paused', 'binary');
  const at = [...Array.from({ length: 12 }, (_, month) => Date.UTC(2013, month, 5)), Date.UTC(2026, 2, 5)];
  const rows = at.map((time, id) => ({ id, at: new Date(time).toISOString(), score: 0.9, label: 'yes' }));
  await addRun(superuser, model, rows);
  await superuser.query(
    `select pgscore.record_label('paused', id::text, 'yes', '2026-04-01 00:00+00') from generate_series(0, 12) id`,
  );
}

const SUFFIX = { day: 'daily', week: 'weekly', month: 'monthly' };

const atDay = (date: string): number => Date.parse(`${date}T00:00:00Z`);

type Point = { at: string; value: number | null };

function series(drawn: Drawn, label: string): Drawn[number]['data'] | undefined {
  return drawn.find((one) => one.label === label)?.data;
}

export function plots({ superuser, page, show, rowsOf }: Stage): void {
  /** What a view says, as points of a plot. */
  const pointsOf = async (text: string): Promise<Drawn[number]['data']> =>
    (await rowsOf<Point>(text)).map(({ at, value }) => ({ x: atDay(at), y: value }));

  describe('a plot shows the numbers of the view behind it', () => {
    test('the overview: the newest month that says something, of every model', async () => {
      await show('#/');
      const [churn] = await rowsOf<{ accuracy: number }>(
        `select accuracy from pgscore_bi.binary_performance_monthly where model_name = 'churn' and is_mature order by window_date desc limit 1`,
      );
      const card = page.locator('.model', { hasText: 'churn' });
      await card.waitFor();
      expect(await card.locator('.big').textContent()).toBe(`${((churn?.accuracy ?? 0) * 100).toFixed(1)} %`);
      expect(await card.locator('.model-value').textContent()).toContain('Accuracy, higher is better');
      const headed = await page.locator('.model h2').allTextContents();
      const { rows: models } = await superuser.query<{ name: string }>('select name from pgscore_data.model');
      expect(headed.toSorted()).toEqual(models.map(({ name }) => name).toSorted());
    });

    test.each(
      oneIn(2, [
        ['animal', 'macro_f1', 'day', 'f1_score'],
        ['animal', 'macro_roc_auc', 'week', 'roc_auc'],
        ['churn', 'roc_auc', 'week', 'roc_auc'],
        ['churn', 'roc_auc', 'month', 'roc_auc'],
        ['churn', 'accuracy', 'month', 'accuracy'],
      ] as const),
    )('what %s will come to is estimated beside what came of it: %s, by %s', async (model, metric, grain, estimate) => {
      await show(`#/model/${model}?metric=${metric}&grain=${grain}`);
      const view = `select window_date::text as at, estimated_${estimate} as value from pgscore_bi.estimated_performance_${SUFFIX[grain]} where model_name = '${model}' order by 1`;
      const points = await pointsOf(view);
      expect(points.length).toBe({ day: 89, week: 14, month: 3 }[grain]);
      expect(points.some(({ y }) => y === null)).toBe(false);
      expect(series(await drawnIn(page, 'performance'), 'version 1, estimated')).toEqual(points);
      const written = metric.endsWith('roc_auc') ? decimal : percent;
      const shown = (await numbersIn(page, 'performance')).map((cells) => cells[7]);
      expect(shown).toEqual(points.map(({ y }) => written(y)));
    });

    test.each(oneIn(2, ['day', 'week', 'month'] as const))('performance with its interval, by %s', async (grain) => {
      await show(`#/model/churn?metric=accuracy&grain=${grain}`);
      const drawn = await drawnIn(page, 'performance');
      for (const [label, column] of [
        ['version 1', 'accuracy'],
        ['version 1 low', 'accuracy_ci_low'],
        ['version 1 high', 'accuracy_ci_high'],
        ['labelled', 'n_labeled::int'],
      ] as const) {
        const view = `select window_date::text as at, ${column} as value from pgscore_bi.binary_performance_${SUFFIX[grain]} where model_name = 'churn' order by 1`;
        expect([label, series(drawn, label)]).toEqual([label, await pointsOf(view)]);
      }
    });

    test('several versions, each with its own line', async () => {
      await show('#/model/price?versions=1,2&grain=week&metric=rmse');
      const drawn = await drawnIn(page, 'performance');
      for (const version of [1, 2]) {
        const view = `select window_date::text as at, rmse as value from pgscore_bi.regression_performance_weekly where model_name = 'price' and model_version = ${version} order by 1`;
        expect(series(drawn, `version ${version}`)).toEqual(await pointsOf(view));
      }
    });

    test('the table under a plot, for whoever does not see it', async () => {
      await show('#/model/price?versions=2&metric=mae');
      await page.locator('#performance summary').click();
      const view = `select to_char(window_date, 'FMDD Mon YYYY') as at, mae as value from pgscore_bi.regression_performance_monthly where model_name = 'price' and model_version = 2 order by window_date`;
      const shown = (await numbersIn(page, 'performance')).map((cells) => [cells[1], cells[4]]);
      expect(shown).toEqual(
        (await rowsOf<Point>(view)).map(({ at, value }) => [
          at.replace(/^\d+ /, ''),
          (value ?? 0).toFixed((value ?? 0) < 10 ? 3 : 2),
        ]),
      );
    });

    test('where the alerts about a metric begin', async () => {
      await show('#/model/churn?metric=accuracy');
      const bound = series(await drawnIn(page, 'performance'), 'alert below: monthly');
      expect(bound?.map(({ y }) => y)).toEqual([0.4, 0.4, 0.4]);
      await show('#/model/churn?metric=f1_score');
      expect((await drawnIn(page, 'performance')).map(({ label }) => label)).not.toContain('alert below: monthly');
    });

    test('months by the age of labels', async () => {
      await show('#/model/churn');
      await page.locator('#label-age tbody tr').first().waitFor();
      const view = await rowsOf<{ cells: string[] }>(
        `select array_remove(array_agg(to_char(accuracy * 100, 'FM990.0') || ' %'), null) as cells from pgscore_bi.performance_by_label_age
          where model_name = 'churn' group by window_date order by window_date desc`,
      );
      const shown = (await numbersIn(page, 'label-age')).map((cells) =>
        cells.slice(1, 6).filter((cell) => cell !== '–'),
      );
      expect(shown.map((cells) => cells.toSorted())).toEqual(view.map(({ cells }) => cells.toSorted()));
    });

    test('when accuracy was brought up to date', async () => {
      await show('#/');
      await page.locator('#refreshes summary').click();
      const view = await rowsOf<{ cells: string[] }>(
        `select array[runs_seen, labels_changed, pairs_added, pairs_removed]::text[] || (round(duration_ms) || ' ms') as cells from pgscore_bi.refresh_log order by started_at desc limit 20`,
      );
      const plain = (cell: string): string => cell.replaceAll(',', '');
      expect((await numbersIn(page, 'refreshes')).map((cells) => cells.slice(1).map(plain))).toEqual(
        view.map(({ cells }) => cells),
      );
    });

    test('a year long ago and a day of now both have room: what lies between is left out, and said to be', async () => {
      await show('#/model/paused?metric=accuracy');
      const drawn = await drawnIn(page, 'performance');
      const known = (series(drawn, 'version 1') ?? []).filter(({ y }) => y !== null);
      expect(known.map(({ x }) => x)).toEqual([
        ...Array.from({ length: 12 }, (_, month) => Date.UTC(2013, month)),
        Date.UTC(2026, 2),
      ]);
      const places = await page.locator('#performance canvas').evaluate((canvas) => {
        type Scale = { getPixelForValue(time: number): number; getValueForPixel(pixel: number): number };
        type Library = { getChart(of: unknown): { scales: { x: Scale }; chartArea: { width: number } } };
        const { Chart } = globalThis as unknown as { Chart: Library };
        const { scales, chartArea } = Chart.getChart(canvas);
        const pixel = (time: number): number => scales.x.getPixelForValue(time);
        const [first, last, now] = [pixel(Date.UTC(2013, 0)), pixel(Date.UTC(2013, 11)), pixel(Date.UTC(2026, 2))];
        return {
          year: (last - first) / chartArea.width,
          pause: (now - last) / chartArea.width,
          back: scales.x.getValueForPixel(now),
        };
      });
      expect(places.year).toBeGreaterThan(0.6);
      expect(places.pause).toBeLessThan(0.25);
      expect(places.back).toBeCloseTo(Date.UTC(2026, 2), -3);
    });
  });

  describe('a plot of a regression shows the numbers of the view behind it', () => {
    beforeAll(() => show('#/model/price?versions=1&grain=week'));

    test('what a regression said against what came of it, a point a cell and a line where it was right', async () => {
      const drawn = await drawnIn(page, 'fit');
      const cells = await rowsOf<{ x: number; y: number; n: number }>(
        `select (predicted_low + predicted_high) / 2 as x, (actual_low + actual_high) / 2 as y, n::int from pgscore_bi.predicted_vs_actual
          where model_name = 'price' and model_version = 1 and predicted_low + predicted_high + actual_low + actual_high is not null order by 1, 2`,
      );
      const plotted = (series(drawn, 'predictions') ?? []) as { x: number; y: number; n: number }[];
      expect(plotted).toEqual(expect.arrayContaining(cells));
      expect(plotted.reduce((sum, { n }) => sum + n, 0)).toBe(712);
      expect(series(drawn, 'right')?.every(({ x, y }) => x === y)).toBe(true);
      expect(await numbersIn(page, 'fit')).toHaveLength(plotted.length);
      expect(await page.locator('#fit').textContent()).toContain('712 predictions for');
    });

    test('the errors of a regression to both sides', async () => {
      const view = await rowsOf<{ share: number }>(
        `select share from pgscore_bi.error_distribution where model_name = 'price' and model_version = 1 order by error_low nulls first, error_high nulls last`,
      );
      expect(series(await drawnIn(page, 'residuals'), 'share')).toEqual(view.map(({ share }) => share));
      expect(view.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
    });

    test('sizes of errors and their side', async () => {
      const view = (column: string): string =>
        `select window_date::text as at, ${column} as value from pgscore_bi.regression_performance_weekly where model_name = 'price' and model_version = 1 order by 1`;
      expect(series(await drawnIn(page, 'errors'), 'nine of ten are below')).toEqual(
        await pointsOf(view('p90_abs_error')),
      );
      expect(series(await drawnIn(page, 'errors', 1), 'bias')).toEqual(await pointsOf(view('bias')));
      expect(await page.locator('#threshold').isVisible()).toBe(false);
    });

    test('a classifier has none of them', async () => {
      await show('#/model/churn');
      await drawnIn(page, 'performance');
      for (const panel of ['fit', 'residuals'])
        expect([panel, await page.locator(`#${panel}`).isVisible()]).toEqual([panel, false]);
    });
  });

  describe('what gates and alerts say of a regression', () => {
    beforeAll(() => show('#/model/price'));

    test('which gates a version passes, and the statement that promotes it', async () => {
      await page.locator('#gates tbody tr').first().waitFor();
      const shown = (await numbersIn(page, 'gates')).filter(([version]) => version === '2');
      const verdicts = await superuser.query<{ gate: string; low: number; high: number; value: number }>(
        `select gate, value, low, high from pgscore.check_gates('price@2') order by gate`,
      );
      expect(shown.map((cells) => cells.slice(1, 5))).toEqual(
        verdicts.rows.map(({ gate, value, low, high }, at) => [
          gate,
          ['passed', 'not passed'][at],
          decimal(value),
          `${decimal(low)} to ${decimal(high)}`,
        ]),
      );
      expect(shown[1]?.[5]).toMatch(/^rmse counts \d+ labels, by labels that judge both, .*; needs \d+ more labels$/);
      expect(await page.locator('#gates pre').allTextContents()).toEqual([`select pgscore.promote('price@1');`]);
      expect(await page.locator('#gates .body > p').allTextContents()).toEqual([
        'Do not promote version 2: it does not pass the gate not_worse_rmse.',
        'To promote version 1:',
      ]);
    });

    test('from when to when alerts were raised', async () => {
      const [bars] = (await drawnIn(page, 'rules')) as unknown as [{ data: { x: number[]; y: string }[] }];
      const times = await rowsOf<{ at: Date }>(
        `select event_at as at from pgscore_bi.alert_history where model_name = 'price' and alert = 'error_rise' order by 1`,
      );
      const raised = bars.data.filter(({ y }) => y === 'error_rise');
      expect(raised).toEqual([{ x: times.map(({ at }) => at.getTime()), y: 'error_rise' }]);
      const events = (await numbersIn(page, 'rules', 1)).filter((cells) => cells[2] === 'error_rise');
      expect(events.map((cells) => cells[0])).toEqual(['resolved', 'firing']);
    });
  });
}
