import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';

import { chromiumHere, drawnIn, openPage, type Drawn, type TestPage } from '../support/browser.ts';
import { cloneDatabase } from '../support/database.ts';
import { startTestService } from '../support/service.ts';
import { addWatchedModels } from './watched-models.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await addWatchedModels(superuser);
const service = await startTestService(database);

let opened: TestPage;
let page: Page;

/** What a column of the view says, as points of a plot. */
async function pointsOf(column: string): Promise<Drawn[number]['data']> {
  const view = `select last_date::text as at, ${column} as value from pgscore_bi.experiment_results_daily where model_name = 'price' order by 1`;
  const { rows } = await superuser.query<{ at: string; value: number | null }>(view);
  return rows.map(({ at, value }) => ({ x: Date.parse(`${at}T00:00:00Z`), y: value }));
}

(chromiumHere === undefined ? describe.skip : describe)('an experiment on the page', () => {
  beforeAll(async () => {
    opened = await openPage(service.url);
    ({ page } = opened);
  });

  afterEach(() => {
    expect(opened.complaints).toEqual([]);
  });

  test('how the arms of an experiment do: the difference over time with its interval, the sample ratio and verdicts', async () => {
    // The service has nothing to judge, as the judgement is newer than all labels.
    await superuser.query(
      `with started as (
         insert into pgscore_data.experiment (model_id, kind, salt, split_by, sampling, champion_version_id, until, started_by, started_at)
         select m.model_id, 'canary', 'price/1', '{id}', 1, v.version_id, '2126-03-28 12:00+00', 'ada', '2026-03-01 12:00+00'
           from pgscore_data.model m join pgscore_data.version v using (model_id) where m.name = 'price' and v.number = 1 returning *
       ), arm as (
         insert into pgscore_data.experiment_arm (experiment_id, version_id, weight, buckets)
         select s.experiment_id, v.version_id, 10, '{[0,1000)}' from started s join pgscore_data.version v using (model_id) where v.number = 2
         returning *
       ), staged as (
         insert into pgscore_data.experiment_stage (experiment_id, since, version_id, buckets)
         select a.experiment_id, x.since, a.version_id, x.buckets
           from arm a cross join (values ('2026-03-01 12:00+00'::timestamptz, '{[0,250)}'::int4multirange), ('2026-03-05 12:00+00', '{[0,250),[300,1050)}')) x (since, buckets)
       ), judged as (
         insert into pgscore_data.experiment_judgement (experiment_id, judged_at, judge_seconds, srm_p_value)
         select experiment_id, clock_timestamp() + interval '1 hour', 1, 0.42 from started
       )
       insert into pgscore_data.experiment_result (experiment_id, version_id, metric, day, n, entities, value, difference,
         always_valid_low, always_valid_high, verdict, reason)
       select a.experiment_id, a.version_id, 'mae', d, 100 * n, 100 * n, 8, -1, -1 - 3 / sqrt(n), -1 + 3 / sqrt(n),
              case when n > 9 then 'better' else 'no_difference' end, 'mae is lower'
         from arm a cross join generate_series('2026-03-02'::timestamptz, '2026-03-16', '1 day') with ordinality as x (d, n)`,
    );
    await page.goto(`${service.url}/#/model/price`);
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
      `select pgscore.stop_experiment('price', promote => 'price@2');`,
    ]);
  });
});
