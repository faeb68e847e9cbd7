import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { addMonitoredModel, addRun } from '../../monitor/monitored-model.ts';
import { drawnIn, markersIn, numbersIn } from '../../support/browser.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Stage } from '../stage.ts';

const DAYS = 40;
const A_DAY = 6;
const HOUR_MS = 3_600_000;
/** Hours that labels take, one in each band of the view; the last has none from day 20 on. */
const DELAYS = [3, 100, 500, 2000, 3000, 3100];

async function addLabelled(superuser: Client, name: string, known: (id: number) => boolean): Promise<void> {
  const model = await addMonitoredModel(superuser, name, 'binary');
  const at = (id: number): number => Date.UTC(2026, 0, 1 + Math.floor(id / A_DAY), 9);
  const ids = Array.from({ length: DAYS * A_DAY }, (_, id) => id);
  await addRun(
    superuser,
    model,
    ids.map((id) => ({ id, at: new Date(at(id)).toISOString(), score: (id % 10) / 10, label: 'yes' })),
  );
  const labels = ids.filter(known).map((id) => {
    const delay = (DELAYS[id % A_DAY] ?? 0) * HOUR_MS;
    return [String(id), new Date(at(id) + delay).toISOString()];
  });
  await superuser.query(
    `select pgscore.record_label($1, l ->> 0, 'yes', (l ->> 1)::timestamptz) from jsonb_array_elements($2::jsonb) l`,
    [name, JSON.stringify(labels)],
  );
}

export async function addDelays(superuser: Client): Promise<void> {
  await addLabelled(superuser, 'slow', (id) => id < 20 * A_DAY || id % A_DAY < 3);
  await addLabelled(superuser, 'complete', (id) => id % A_DAY > 3);
  await superuser.query(`select pgscore.monitor('complete', min_label_coverage => 0.3)`);
  await addLabelled(superuser, 'misread', () => false);
  await superuser.query(`set role alice; create table alice.answers (id int primary key, answer text);
    insert into alice.answers values (1, 'Y'), (2, 'Y'), (3, 'J');
    select pgscore.set_labels('misread', 'alice.answers', label => 'answer'); reset role`);
}

const DELAY_COLUMNS = [
  ['known within a day', 'n_labeled_1_day'],
  ['within 7 days', 'n_labeled_7_days - n_labeled_1_day'],
  ['within 30 days', 'n_labeled_30_days - n_labeled_7_days'],
  ['within 90 days', 'n_labeled_90_days - n_labeled_30_days'],
  ['later', 'n_labeled - n_labeled_90_days'],
  ['not yet known', 'n_predictions - n_labeled'],
] as const;

export function labels({ page, show, rowsOf, superuser }: Stage): void {
  describe('the labels of a model on the page', () => {
    beforeAll(() => show('#/model/slow'));

    test('stand by how long they took, as the view counts them, below what is not known yet', async () => {
      const drawn = await drawnIn(page, 'coverage');
      expect(drawn.map(({ label }) => label)).toEqual(DELAY_COLUMNS.map(([label]) => label));
      for (const [at, [label, value]] of DELAY_COLUMNS.entries()) {
        const view = await rowsOf<{ x: number; y: number }>(
          `select extract(epoch from window_date)::float8 * 1000 as x, (${value})::int as y from pgscore_bi.label_coverage_daily where model_name = 'slow' order by 1`,
        );
        expect(view.filter(({ y }) => y > 0).length).toBeGreaterThan(0);
        expect([label, drawn[at]?.data]).toEqual([label, view]);
      }
    });

    test('have their numbers below, with the median of the delay', async () => {
      await drawnIn(page, 'coverage');
      const view = await rowsOf<{ cells: string[] }>(
        `select array[n_predictions, n_labeled]::text[] || (to_char(label_coverage * 100, 'FM990.0') || ' %') || array[n_labeled_1_day, n_labeled_7_days, n_labeled_30_days, n_labeled_90_days]::text[]
                || ('up to ' || median_label_delay_days || ' days') as cells
           from pgscore_bi.label_coverage_daily where model_name = 'slow' order by window_date`,
      );
      expect((await numbersIn(page, 'coverage')).map((cells) => cells.slice(1, -1))).toEqual(
        view.map(({ cells }) => cells),
      );
    });

    test('are marked from the first day on whose are not all there, with when they should be', async () => {
      const [told] = await rowsOf<Record<'young' | 'mature' | 'expected', string>>(
        `select f.young::text, to_char(f.young - 1, 'FMDD Mon YYYY') as mature, to_char(f.expected, 'FMDD Mon YYYY') as expected
           from (select min(window_date) filter (where not is_mature) as young, max(expected_mature_on) as expected from pgscore_bi.label_coverage_daily where model_name = 'slow') f`,
      );
      expect(told?.young).toBe('2026-01-21');
      const [marker, ...others] = await markersIn(page, 'coverage');
      expect(marker).toEqual({ at: expect.closeTo(Date.UTC(2026, 0, 21), -4), label: 'not mature' });
      expect(others).toEqual([]);
      expect(await page.locator('#coverage p.quiet').last().textContent()).toBe(
        `Mature up to ${told?.mature}. The newest day should be by ${told?.expected}.`,
      );
    });

    test('that came and are none of the model are named, with what to do', async () => {
      const counted = `select from pgscore_data.label_source s join pgscore_data.model m using (model_id) where m.name = 'misread' and s.n_invalid = 3`;
      await waitFor(async () => (await superuser.query(counted)).rowCount === 1, {
        message: 'the labels to be counted',
        timeout: 60_000,
      });
      await show('#/model/misread');
      const panel = page.locator('#performance');
      await panel.locator('pre').first().waitFor();
      expect(await panel.textContent()).toContain(
        '3 labels of alice.answers are none of this model, such as "J": they judge nothing. Set labels from a view that says them as the model does.',
      );
      expect(await panel.locator('pre').first().textContent()).toContain(`select pgscore.set_labels('misread',`);
      expect(await panel.textContent()).not.toContain('has met a prediction');
    });

    test('are not marked where they are all there, and delays are named as they are: all over 90 days', async () => {
      await show('#/model/complete');
      expect((await drawnIn(page, 'coverage')).map(({ label }) => label)).toEqual(['later', 'not yet known']);
      expect(new Set((await numbersIn(page, 'coverage')).map((cells) => cells.at(-2)))).toEqual(
        new Set(['over 90 days']),
      );
      expect(await markersIn(page, 'coverage')).toEqual([]);
      expect(await page.locator('#coverage').textContent()).toContain('Mature up to 9 Feb 2026.');
      expect(await page.locator('#coverage').textContent()).not.toContain('should be');
    });
  });
}
