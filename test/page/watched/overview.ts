import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { count, day, decimal, moment, NOTHING } from '../../../src/page/format.ts';
import { at, evaluate } from '../../monitor/alert-days.ts';
import { numbersIn } from '../../support/browser.ts';
import type { Stage } from '../stage.ts';

/** Alerts as of 31 March 2026; a service raises no more. */
export async function raiseAlerts(superuser: Client): Promise<void> {
  for (const rule of [
    `'churn', 'too often wrong', 'accuracy', threshold => 0.99, grain => 'month'`,
    `'churn', 'at ease', 'accuracy', threshold => 0.01, grain => 'month'`,
    `'price', 'far off', 'mae', threshold => 0.5, grain => 'week', severity => 'warning'`,
  ]) {
    const set = `select pgscore.set_alert(${rule})`;
    await superuser.query(set);
  }
  await evaluate(superuser, at(30, 6));
  await superuser.query(`update pgscore_data.alert_clock set rest_until = 'infinity'`);
}

type Month = Record<'value' | 'low' | 'high', number> & { firm: boolean };

const [WIDTH, HEIGHT, EDGE] = [200, 56, 4];

/** Where the months of a view lie in a line that goes from the least to the greatest of those that stand firm. */
function placed(months: readonly Month[], column: 'value' | 'low' | 'high'): string[] {
  const firm = months.filter((month) => month.firm).map(({ value }) => value);
  const [least, most] = [Math.min(...firm), Math.max(...firm)];
  return months.map((month, index) => {
    const share = Math.min(1, Math.max(0, (month[column] - least) / (most - least)));
    const y = HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE);
    return `${((index / (months.length - 1)) * WIDTH).toFixed(1)},${y.toFixed(1)}`;
  });
}

type Alert = Record<'state' | 'model_name' | 'alert' | 'metric', string> &
  Record<'model_version' | 'column_name' | 'n' | 'window_date' | 'at', string | null> &
  Record<'value' | 'lower_threshold' | 'upper_threshold', number | null>;

/** A row of the page's tables of alerts, from a row of a view. */
function lineOf(row: Alert): string {
  const bounds = [
    row.lower_threshold === null ? [] : [`≥ ${decimal(row.lower_threshold)}`],
    row.upper_threshold === null ? [] : [`≤ ${decimal(row.upper_threshold)}`],
  ];
  return [
    row.state.replaceAll('_', ' '),
    row.model_version === null ? row.model_name : `${row.model_name}@${row.model_version}`,
    row.alert,
    row.column_name === null ? row.metric : `${row.metric} of ${row.column_name}`,
    decimal(row.value),
    bounds.flat().join(', ') || NOTHING,
    count(row.n === null ? null : Number(row.n)),
    day(row.window_date),
    moment(row.at),
  ].join(' | ');
}

export function overview({ page, show, rowsOf }: Stage): void {
  async function monthsOf(view: string, columns: string, where: string): Promise<Month[]> {
    return rowsOf<Month>(
      `select ${columns}, is_mature and n_labeled >= 30 as firm from pgscore_bi.${view} where ${where} order by window_date`,
    );
  }

  async function alerts(view: string, state: string, time: string, where: string): Promise<string[]> {
    const rows = await rowsOf<Alert>(
      `select ${state} as state, model_name, model_version, alert, metric, column_name, value, lower_threshold, upper_threshold, n, window_date::text, to_jsonb(${time}) #>> '{}' as at
         from pgscore_bi.${view} where ${where}`,
    );
    return rows.map(lineOf).toSorted();
  }

  describe('the health of all models at a glance', () => {
    beforeAll(() => show('#/'));

    async function shown(panel: string, nth = 0): Promise<string[]> {
      await page.locator(`#${panel} table`).nth(nth).waitFor({ state: 'attached' });
      return (await numbersIn(page, panel, nth)).map((cells) => cells.join(' | ')).toSorted();
    }

    test.each([
      ['churn', 'binary_performance_monthly', 'accuracy', `model_name = 'churn'`],
      ['animal', 'multiclass_performance_monthly', 'accuracy', `model_name = 'animal'`],
      ['price', 'regression_performance_monthly', 'mae', `model_name = 'price' and model_version = 2`],
    ])(
      'the months of %s as a line with its interval, dashed where labels still arrive',
      async (model, view, metric, of) => {
        const spark = page.locator('.model', { hasText: model }).locator('.spark');
        await spark.waitFor();
        const pointsOf = async (part: string): Promise<string[]> =>
          (await spark.locator(part).getAttribute('points'))?.split(' ').filter((point) => point !== '') ?? [];
        const months = await monthsOf(
          view,
          `${metric} as value, ${metric}_ci_low as low, ${metric}_ci_high as high`,
          of,
        );
        expect(months).toHaveLength(3);
        const firm = months.filter((month) => month.firm).length;
        expect(firm).toBe(model === 'churn' ? 2 : 3);
        const line = placed(months, 'value');
        expect(await pointsOf('.line:not(.immature)')).toEqual(line.slice(0, firm));
        expect(await pointsOf('.immature')).toEqual(line.slice(firm - 1));
        expect(await pointsOf('.band')).toEqual([...placed(months, 'high'), ...placed(months, 'low').toReversed()]);
      },
    );

    test('the alerts that are raised or may be soon, of all models and of one', async () => {
      const wanted = `state not in ('ok', 'insufficient_data')`;
      const all = await alerts('alerts', 'state', 'since', wanted);
      expect(all.filter((line) => /^firing .*(too often wrong|far off)/.test(line))).toHaveLength(2);
      expect(await shown('alerts')).toEqual(all);
      await show('#/model/churn');
      expect(await shown('alerts')).toEqual(
        await alerts('alerts', 'state', 'since', `${wanted} and model_name = 'churn'`),
      );
    });

    test('what a model is watched for at rest, and what was said of it before', async () => {
      await show('#/model/churn');
      const atRest = await alerts(
        'alerts',
        'state',
        'since',
        `model_name = 'churn' and state in ('ok', 'insufficient_data')`,
      );
      expect(atRest.filter((line) => line.includes('at ease'))).toHaveLength(1);
      expect(await shown('rules')).toEqual(atRest);
      const before = await alerts('alert_history', 'event', 'event_at', `model_name = 'churn'`);
      expect(before.length).toBeGreaterThan(0);
      expect(await shown('rules', 1)).toEqual(before);
    });
  });
}
