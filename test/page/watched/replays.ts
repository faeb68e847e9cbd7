import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { drawnIn, numbersIn } from '../../support/browser.ts';
import type { Stage } from '../stage.ts';

/** Two replays of version 2 of a model; the later has the smaller error. */
export async function addReplays(superuser: Client): Promise<void> {
  await addReplay(superuser, 9001, 9, '2026-02-01');
  await addReplay(superuser, 9002, 2, '2026-02-01');
}

/** A replay, which was compared over January to March. */
async function addReplay(superuser: Client, run: number, mae: number, trainedUntil: string | null): Promise<void> {
  await superuser.query(`select set_config('test.run', $1, false), set_config('test.mae', $2, false)`, [run, mae]);
  await superuser.query(
    `update pgscore_data.version set options = options || $1 where number = 2 and model_id = (select model_id from pgscore_data.model where name = 'fare')`,
    [trainedUntil === null ? {} : { trained_until: trainedUntil }],
  );
  await superuser.query(`
    insert into pgscore_data.run overriding system value
    select (jsonb_populate_record(r, jsonb_build_object('run_id', current_setting('test.run')::int, 'is_replay', true, 'publish', false, 'counted', true, 'kept', true, 'version_id',
             (select v.version_id from pgscore_data.version v join pgscore_data.model m using (model_id) where m.name = 'fare' and v.number = 2)))).*
      from pgscore_data.run r where r.state = 'done' limit 1;
    insert into pgscore_data.replay (run_id, to_time, compared_at, compare_seconds, other_id, n_days, first_day, last_day)
    select current_setting('test.run')::int, '2026-03-15 00:00+00', now() + interval '1 hour', 1, v.version_id, 59, '2026-02-01', '2026-03-14'
      from pgscore_data.version v join pgscore_data.model m using (model_id) where m.name = 'fare' and v.number = 1;
    insert into pgscore_data.replay_metric
    select current_setting('test.run')::int, x.metric, x.value, 3, x.value - 3.1, x.value - 2.9, 400, 400, true
      from (values ('mae', current_setting('test.mae')::float8), ('rmse', 4)) x (metric, value);
    insert into pgscore_data.replay_month (run_id, month, in_training, is_live, n_predictions, n_labeled, n_awaiting, sum_abs_error, sum_error2)
    select current_setting('test.run')::int, m, m < '2026-02-01', l, 100, 100, 0, 100 * (extract(month from m) + l::int / 2.0), 400
      from generate_series('2026-01-01'::timestamptz, '2026-03-01', '1 month') m cross join (values (true), (false)) x (l)`);
}

export function replays({ page, show }: Stage): void {
  describe('replays on the page', () => {
    beforeAll(() => show('#/model/fare'));

    test('are compared with the champion, marked, with their window and whether training is left out; the newest first', async () => {
      await drawnIn(page, 'replays');
      const line = (metric: string, its: string, difference: string, interval: string, verdict: string): string[] => [
        '2, replay',
        '1, live',
        metric,
        verdict,
        difference,
        interval,
        its,
        '3.000',
        '1 Feb 2026 to 14 Mar 2026',
        'left out',
      ];
      const shown = await numbersIn(page, 'replays', 1);
      expect(shown).toEqual([
        line('Mean absolute error', '2.000', '-1.000', '-1.100 to -0.900', 'better'),
        line('RMSE', '4.000', '1.000', '0.900 to 1.100', 'worse'),
        line('Mean absolute error', '9.000', '6.000', '5.900 to 6.100', 'worse'),
        line('RMSE', '4.000', '1.000', '0.900 to 1.100', 'worse'),
      ]);
      expect(await page.locator('#replays').textContent()).toContain('are not compared');
      await page.locator('#comparison tbody tr').first().waitFor();
      expect(await page.locator('#comparison').textContent()).not.toContain('replay');
    });

    test('are marked among the runs', async () => {
      await page.locator('#runs tbody tr').first().waitFor();
      const runs = (await numbersIn(page, 'runs')).map(([, model]) => model);
      expect(runs.slice(0, 3)).toEqual(['fare@2, replay', 'fare@2, replay', expect.stringMatching(/@\d$/)]);
    });

    test('the newest by month: its training apart, the champion live over the same labels, and which month it has in part', async () => {
      const drawn = await drawnIn(page, 'replays');
      const first = (month: number): number => Date.UTC(2026, month - 1, 1);
      const points = (months: readonly number[], more = 0) =>
        months.map((month) => ({ x: first(month), y: month + more }));
      expect(Object.fromEntries(drawn.map(({ label, data }) => [label, data]))).toEqual({
        'version 2, replayed': points([2, 3]),
        'in training': points([1]),
        'version 1, live': points([1, 2, 3], 0.5),
      });
      const months = await numbersIn(page, 'replays', 0);
      expect(months.map(([, month, trained, , labelled, , both]) => [month, trained, labelled, both])).toEqual([
        ['Jan 2026', 'yes', '100', '100'],
        ['Feb 2026', 'no', '100', '100'],
        ['Mar 2026, a part', 'no', '100', '100'],
      ]);
      expect(await page.locator('#replays').textContent()).toMatch(
        /goes from the first row to 15 Mar 2026, \d\d:\d\d\. Of Mar 2026 it has a part: its point is hollow\. The live line is over the labels that judge both\./,
      );
    });

    test('are not shown of a model that has none', async () => {
      await show('#/model/churn');
      await drawnIn(page, 'performance');
      await page.locator('#replays').waitFor({ state: 'hidden' });
      expect(await page.locator('#replays table').count()).toBe(0);
    });
  });
}
