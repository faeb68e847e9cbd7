import { describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { addMonitoredModel, addRun } from '../../monitor/monitored-model.ts';
import { numbersIn } from '../../support/browser.ts';
import type { Stage } from '../stage.ts';

const CARRIERS = ['<b>late</b>', 'good', 'few', null];

/** Predictions of three months in four segments: the first is wrong in four of ten, the others in one, and one has few. */
async function addSplitModel(superuser: Client, model: string, task: 'binary' | 'regression'): Promise<void> {
  const added = await addMonitoredModel(superuser, model, task);
  const rows = Array.from({ length: 600 }, (_, id) => {
    const carrier = id % 61 === 0 ? 2 : [0, 1, 1, 3][id % 4];
    const at = new Date(Date.UTC(2026, id % 3, 5, 9)).toISOString();
    return { id, at, score: (id % 10) / 10, segments: [CARRIERS[carrier ?? 0] ?? null] };
  });
  const labelled = rows.map((row) => ({ ...row, label: row.score >= 0.5 ? 'yes' : 'no' }));
  await addRun(superuser, added, task === 'binary' ? labelled : rows, ['carrier']);
  const truth = rows.map(({ id, score, segments }) => {
    const wrong = id % 11 < (segments[0] === CARRIERS[0] ? 5 : 1);
    if (task === 'regression') return [String(id), String(score + (wrong ? 2 : 0.1))];
    return [String(id), score >= 0.5 === wrong ? 'no' : 'yes'];
  });
  await superuser.query(
    `select pgscore.record_label($1, t ->> 0, t ->> 1, '2026-05-01') from jsonb_array_elements($2::jsonb) t`,
    [model, JSON.stringify(truth)],
  );
}

/** Two models with segments, and one that has none. */
export async function addSplitModels(superuser: Client): Promise<void> {
  await addSplitModel(superuser, 'split', 'binary');
  await addSplitModel(superuser, 'errors', 'regression');
  const whole = await addMonitoredModel(superuser, 'whole', 'binary');
  await addRun(superuser, whole, [{ id: 1, at: '2026-01-05 09:00+00', score: 0.9, label: 'yes' }]);
}

export function segments({ superuser, page, show }: Stage): void {
  describe('the segments of a model', () => {
    async function shown(hash: string): Promise<string[][]> {
      await show(hash);
      await page.locator('#segments tbody tr').first().waitFor();
      return numbersIn(page, 'segments');
    }

    async function fromView(select: string, view: string): Promise<string[]> {
      const text = `select segment_key, segment_value, n_labeled::text, ${select} from pgscore_bi.${view} where segment_key is not null and window_date = '2026-02-01'`;
      const { rows } = await superuser.query<string[]>({ text, rowMode: 'array' });
      return rows.map((cells) => cells.join(' | ')).toSorted();
    }

    test('stand below each other by what the views say, the one that is surely worse first, as text', async () => {
      const rows = await shown('#/model/split?month=2026-02-01&metric=accuracy');
      expect(rows[0]).toEqual(expect.arrayContaining(['carrier', '<b>late</b>', 'worse']));
      expect(rows.map((cells) => cells[1])).toEqual(expect.arrayContaining(['good', ':missing', 'few']));
      expect(rows.find((cells) => cells[1] === 'few')?.at(-1)).toBe('few labels');
      const percent = (column: string): string => `to_char(100 * ${column}, 'FM990.0') || ' %'`;
      const view = await fromView(
        `${percent('accuracy')}, ${percent('accuracy_ci_low')} || ' to ' || ${percent('accuracy_ci_high')}`,
        'binary_performance_monthly',
      );
      expect(rows.map((cells) => cells.slice(0, 5).join(' | ')).toSorted()).toEqual(view);
    });

    test('of a regression go by its error, and by the metric that is chosen', async () => {
      const rows = await shown('#/model/errors?metric=rmse&month=2026-02-01');
      expect(rows[0]).toEqual(expect.arrayContaining(['<b>late</b>', 'worse']));
      const view = await fromView(`to_char(rmse, 'FM990.000')`, 'regression_performance_monthly');
      expect(rows.map((cells) => cells.slice(0, 4).join(' | ')).toSorted()).toEqual(view);
    });

    test('do not change what is said of all predictions', async () => {
      await shown('#/model/split');
      const facts = await page.locator('.title').textContent();
      expect(facts).toContain('split');
      await page.locator('#performance summary').click();
      expect((await numbersIn(page, 'performance')).length).toBe(3);
      await page.locator('#label-age tbody tr').first().waitFor();
      expect(await page.locator('#label-age tbody tr').count()).toBe(3);
      await page.locator('#threshold .cell strong').first().waitFor();
      expect(await page.locator('#threshold .cell strong').allTextContents()).not.toContain('0');
    });

    test('are not shown of a model that has none', async () => {
      await show('#/model/whole');
      await page.locator('#performance').waitFor();
      await page.locator('#coverage canvas').waitFor();
      await page.locator('#segments').waitFor({ state: 'hidden' });
    });
  });
}
