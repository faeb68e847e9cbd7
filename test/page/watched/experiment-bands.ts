import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { bandsIn, footerAt, markersIn } from '../../support/browser.ts';
import type { Stage } from '../stage.ts';

const EXPERIMENTS: readonly [kind: string, from: string, to: string | null][] = [
  ['ab', '2026-01-02 12:00+00', '2026-01-05 12:00+00'],
  ['shadow', '2026-01-10 12:00+00', '2026-01-20 12:00+00'],
  ['ab', '2026-02-20 08:00+00', '2026-02-20 09:00+00'],
  ['canary', '2026-03-10 12:00+00', null],
];

/** Experiments of version 2 of a model, each from a day to another, or to none. */
export async function addExperiments(superuser: Client): Promise<void> {
  for (const [kind, from, to] of EXPERIMENTS) {
    await superuser.query(
      `with started as (
         insert into pgscore_data.experiment (model_id, kind, salt, split_by, sampling, champion_version_id, started_by, started_at, stopped_at)
         select m.model_id, $1, 'fare/' || md5($1 || $2::timestamptz::text), case when $1 = 'shadow' then '{}' else '{id}'::text[] end, case when $1 = 'shadow' then 0.2 else 1 end,
                v.version_id, 'ada', $2::timestamptz, $3::timestamptz
           from pgscore_data.model m join pgscore_data.version v using (model_id) where m.name = 'fare' and v.number = 1 returning *
       ), audited as (
         insert into pgscore_data.audit (at, actor, action, model, detail)
         select x.at, 'ada', x.action, 'fare', '{}'
           from started s cross join (values ('start_experiment', $2::timestamptz), ('stop_experiment', $3::timestamptz)) x (action, at) where x.at is not null
       )
       insert into pgscore_data.experiment_arm (experiment_id, version_id, weight, buckets)
       select s.experiment_id, v.version_id, 12.5, '{[0,1250)}' from started s join pgscore_data.version v using (model_id) where v.number = 2`,
      [kind, from, to],
    );
  }
}

const WORDS = [
  'canary from 10 Mar 2026, running: version 2 (12.5 %)',
  'ab from 20 Feb 2026 to 20 Feb 2026: version 2 (12.5 %)',
  'shadow from 10 Jan 2026 to 20 Jan 2026, on 20 % of entities: version 2',
  'ab from 2 Jan 2026 to 5 Jan 2026: version 2 (12.5 %)',
];
const day = (month: number, date: number): number => Date.UTC(2026, month - 1, date);
const HOURS = -Math.log10(2 * 12 * 3_600_000);
const near = (time: number): unknown => expect.closeTo(time, HOURS);

export function experimentBands({ page, show }: Stage): void {
  describe('experiments on the time axis', () => {
    beforeAll(() => show('#/model/fare?grain=day'));

    test.each(['performance', 'errors', 'coverage'])('are bands from start to stop: %s', async (panel) => {
      const bands = await bandsIn(page, panel);
      expect(bands).toEqual([
        // It goes on, to the end of the axis.
        { from: near(day(3, 10)), to: expect.any(Number) },
        { from: near(day(2, 20)), to: expect.any(Number) },
        { from: near(day(1, 10)), to: near(day(1, 20)) },
        { from: near(day(1, 2)), to: near(day(1, 5)) },
      ]);
      expect(bands[0]?.to).toBeGreaterThan(day(3, 30));
      const labels = (await markersIn(page, panel)).map(({ label }) => label);
      expect(labels.filter((label) => label !== 'not mature')).toEqual([
        'ab',
        'ab ends',
        'shadow',
        'shadow ends',
        ...(panel === 'performance' ? ['training of 2 ends'] : []),
        'ab',
        'canary',
      ]);
    });

    test('are told of in the tooltip of a window in which they were open, and of no other', async () => {
      expect(await footerAt(page, 'performance', day(1, 15))).toEqual([WORDS[2]]);
      expect(await footerAt(page, 'performance', day(1, 25))).toEqual([]);
      expect(await footerAt(page, 'coverage', day(3, 12))).toEqual([WORDS[0]]);
      await show('#/model/fare?grain=month');
      expect(await footerAt(page, 'performance', day(1, 1))).toEqual([WORDS[2], WORDS[3]]);
    });

    test('stand in words below the plot, for a screen reader and a phone; older ones open by a key', async () => {
      await show('#/model/fare', 390);
      const list = page.getByRole('list', { name: 'Experiments' });
      await list.first().waitFor();
      expect(await list.first().getByRole('listitem').allTextContents()).toEqual(WORDS.slice(0, 3));
      await page.getByText('1 earlier experiment', { exact: true }).press('Enter');
      expect(await list.last().getByRole('listitem').allTextContents()).toEqual(WORDS.slice(3));
      const wide = `document.documentElement.scrollWidth`;
      expect(await page.evaluate(wide)).toBe(390);
    });

    test('while one runs, the gates say that promote() is refused, and not how it is called', async () => {
      await show('#/model/fare');
      await page.locator('#gates tbody tr').first().waitFor();
      expect(await page.locator('#gates .body > p').allTextContents()).toEqual([
        'While the experiment runs, promote() is refused. stop_experiment() asks the gates, too.',
      ]);
      expect(await page.locator('#gates pre').count()).toBe(0);
    });

    test('do not stand on the plots of another model', async () => {
      await show('#/model/churn?grain=day');
      expect(await bandsIn(page, 'performance')).toEqual([]);
      expect(await page.getByRole('list', { name: 'Experiments' }).count()).toBe(0);
    });
  });
}
