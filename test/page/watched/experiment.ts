import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { addMonitoredModel, addVersion } from '../../monitor/monitored-model.ts';
import { drawnIn, type Drawn } from '../../support/browser.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Stage } from '../stage.ts';

/** A model whose version 2 runs as a canary, of which a judgement was made each day; of version 3 there is none. */
export async function addCanary(superuser: Client): Promise<void> {
  const first = await addMonitoredModel(superuser, 'rent', 'regression');
  for (const number of [2, 3]) await addVersion(superuser, first, number);
  // The service has nothing to judge, as the judgement is newer than all labels.
  await superuser.query(
    `with started as (
       insert into pgscore_data.experiment (model_id, kind, salt, split_by, sampling, champion_version_id, until, started_by, started_at)
       select m.model_id, 'canary', 'rent/1', '{id}', 1, v.version_id, '2126-03-28 12:00+00', 'ada', '2026-03-01 12:00+00'
         from pgscore_data.model m join pgscore_data.version v using (model_id) where m.name = 'rent' and v.number = 1 returning *
     ), arm as (
       insert into pgscore_data.experiment_arm (experiment_id, version_id, weight, buckets)
       select s.experiment_id, v.version_id, x.weight, x.buckets
         from started s join pgscore_data.version v using (model_id)
         join (values (2, 10, '{[0,1000)}'::int4multirange), (3, 5, '{[5000,5500)}')) x (number, weight, buckets) using (number)
       returning *
     ), staged as (
       insert into pgscore_data.experiment_stage (experiment_id, since, version_id, buckets)
       select a.experiment_id, x.since, a.version_id, x.buckets
         from arm a cross join (values ('2026-03-01 12:00+00'::timestamptz, '{[0,250)}'::int4multirange), ('2026-03-05 12:00+00', '{[0,250),[300,1050)}')) x (since, buckets)
        where a.weight = 10
     ), judged as (
       insert into pgscore_data.experiment_judgement (experiment_id, judged_at, judge_seconds, srm_p_value)
       select experiment_id, clock_timestamp() + interval '1 hour', 1, 0.42 from started
     )
     insert into pgscore_data.experiment_result (experiment_id, version_id, metric, day, n, entities, value, difference,
       always_valid_low, always_valid_high, verdict, reason)
     select a.experiment_id, a.version_id, 'mae', d, 100 * n, 100 * n, 8, -1, -1 - 3 / sqrt(n), -1 + 3 / sqrt(n),
            case when n > 9 then 'better' else 'no_difference' end, 'mae is lower'
       from arm a cross join generate_series('2026-03-02'::timestamptz, '2026-03-16', '1 day') with ordinality as x (d, n)
      where a.weight = 10`,
  );
}

export function experiment({ superuser, page, show, rowsOf }: Stage): void {
  /** What a column of the view says, as points of a plot. */
  async function pointsOf(column: string): Promise<Drawn[number]['data']> {
    const view = `select last_date::text as at, ${column} as value from pgscore_bi.experiment_results_daily where model_name = 'rent' order by 1`;
    const rows = await rowsOf<{ at: string; value: number | null }>(view);
    return rows.map(({ at, value }) => ({ x: Date.parse(`${at}T00:00:00Z`), y: value }));
  }

  describe('an experiment on the page', () => {
    test('how the arms of an experiment do: the difference over time with its interval, the sample ratio and verdicts', async () => {
      await show('#/model/rent');
      const drawn = await drawnIn(page, 'experiment');
      const line = (label: string): Drawn[number]['data'] | undefined => drawn.find((one) => one.label === label)?.data;
      expect(line('version 2')).toEqual(await pointsOf('difference'));
      expect(line('version 2 low')).toEqual(await pointsOf('always_valid_low'));
      expect(line('version 2 high')).toEqual(await pointsOf('always_valid_high'));
      const said = await page.locator('#experiment').textContent();
      for (const text of [
        'canary from 1 Mar 2026, running until 28 Mar 2126',
        'Sample ratio: p = 0.420',
        '10 % of entities',
      ]) {
        expect(said).toContain(text);
      }
      expect(said).toMatch(/version 2: 2\.5 % from 1 Mar 2026, \d\d:\d\d, then 10 % from 5 Mar 2026, \d\d:\d\d/);
      expect(await page.locator('#experiment .chip.good').allTextContents()).toEqual(['better']);
      expect(await page.locator('#experiment pre').allTextContents()).toEqual([
        `select pgscore.stop_experiment('rent', promote => 'rent@2');`,
      ]);
      expect(said).toContain('Do not promote version 3: it has no verdict yet.');
    });
  });

  describe('an experiment that goes badly, after earlier ones', () => {
    beforeAll(async () => {
      const worse = `select from pgscore_bi.version_comparison where model_name = 'fare' and compared_with = 'champion' and not is_replayed and verdict = 'worse'`;
      await waitFor(async () => (await superuser.query(worse)).rowCount === 2, { message: 'the comparison' });
      await show('#/model/fare');
    });

    test('of an arm that is worse, how it is promoted is not told, but why it should not be', async () => {
      const objection = page.locator('#experiment .body > p', { hasText: 'Do not promote version 2' });
      await objection.waitFor();
      expect(await objection.textContent()).toMatch(
        /it does not pass the gate not_worse_mae; it is worse by mae, by .*; it is worse by rmse, by /,
      );
      expect(await page.locator('#experiment pre').count()).toBe(0);
    });

    test('earlier ones are listed, the newest first, as gates may go by them', async () => {
      await page.locator('#experiment', { hasText: ', a canary from 10 Mar 2026, running' }).waitFor();
      const earlier = page.getByRole('table', { name: 'Earlier experiments' }).locator('tbody td:first-child');
      expect([...new Set(await earlier.allTextContents())]).toEqual([
        expect.stringMatching(/^\d+, an ab from 20 Feb 2026 to 20 Feb 2026$/),
        expect.stringMatching(/^\d+, a shadow from 10 Jan 2026 to 20 Jan 2026$/),
        expect.stringMatching(/^\d+, an ab from 2 Jan 2026 to 5 Jan 2026$/),
      ]);
      expect(await page.locator('#experiment .sideways:visible').count()).toBe(0);
    });
  });
}
