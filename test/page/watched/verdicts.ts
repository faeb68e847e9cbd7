import { describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { addMonitoredModel, addRun } from '../../monitor/monitored-model.ts';
import { numbersIn } from '../../support/browser.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Stage } from '../stage.ts';

/** Half of the rows of the newest run of one model failed, and 5 of another. */
export async function failRows(superuser: Client): Promise<void> {
  await superuser.query(
    `update pgscore_data.run r set rows_done = 700, rows_failed = case m.name when 'animal' then 350 else 5 end, finished_at = '2026-04-01 10:00+00'
       from pgscore_data.version v join pgscore_data.model m using (model_id) where v.version_id = r.version_id and m.name in ('animal', 'churn')`,
  );
}

/** Scored anew each night: later predictions stand in the place of all of the first that have no label. */
export async function addNightly(superuser: Client): Promise<void> {
  const nightly = await addMonitoredModel(superuser, 'nightly', 'binary');
  for (const night of ['2026-01-10', '2026-01-11'])
    await addRun(
      superuser,
      nightly,
      Array.from({ length: 40 }, (_, n) => ({ id: n + 1, at: `${night}T02:00:00Z`, score: 0.9, label: 'yes' })),
    );
  await superuser.query(
    `select pgscore.record_label('nightly', id::text, 'yes', '2026-01-12 00:00+00') from generate_series(1, 40) id`,
  );
}

type Verdict = Record<'model_name' | 'verdict' | 'sentence' | 'value', string>;

export function verdicts({ superuser, page, show }: Stage): void {
  async function judged(): Promise<Verdict[]> {
    const read = `select model_name, verdict, sentence, case task when 'regression' then to_char(value, 'FM990.00') else to_char(100 * value, 'FM990.0" %"') end as value
      from pgscore_bi.model_verdict order by array_position('{act,watch,unknown,healthy}', verdict), model_name`;
    return (await superuser.query<Verdict>(read)).rows;
  }

  describe('which model needs somebody, and why', () => {
    test('is told on the first screen, those that need it most first, each with its sentence', async () => {
      await show('#/');
      await page.locator('.model').first().waitFor();
      const told = await judged();
      expect(new Set(told.map(({ verdict }) => verdict)).size).toBeGreaterThan(1);
      expect(told[0]).toMatchObject({ model_name: 'animal', verdict: 'act' });
      expect(await page.locator('.model h2').allTextContents()).toEqual(told.map((row) => row.model_name));
      expect(await page.locator('.model-head .chip').allTextContents()).toEqual(told.map((row) => row.verdict));
      expect(await page.locator('.model > p').allTextContents()).toEqual(told.map((row) => row.sentence));
      const toAct = told.filter(({ verdict }) => verdict === 'act').length;
      expect(await page.locator('.summary').textContent()).toContain(`${toAct} to act on`);
      const box = await page.locator('.model').first().boundingBox();
      expect((box?.y ?? 900) + (box?.height ?? 0)).toBeLessThan(900);
    });

    test('of more models than fit the screen, those that need somebody stand first in a line each, also on a phone', async () => {
      const needy = (await judged()).filter(({ verdict }) => verdict === 'act' || verdict === 'watch');
      expect(needy.length).toBeGreaterThan(0);
      await show('#/', 390);
      const lines = page.locator('.needs li');
      await lines.first().waitFor();
      expect(await lines.allTextContents()).toEqual(
        needy.map(({ verdict, model_name: name, sentence }) => `${verdict}${name}${sentence}`),
      );
      const box = await page.locator('.needs').boundingBox();
      expect((box?.y ?? 900) + (box?.height ?? 0)).toBeLessThan(900);
      await page.getByRole('list', { name: 'Models that need you' }).getByRole('link').first().click();
      await page.locator('#verdict', { hasText: needy[0]?.sentence ?? '' }).waitFor();
    });

    test.each(['churn', 'price'])('the metric of the card of %s is the one that its page opens with', async (model) => {
      await show('#/');
      const card = page.locator('.model', { has: page.getByRole('link', { name: model }) });
      const titled = await card.locator('.model-value').textContent();
      const own = (await judged()).find(({ model_name: name }) => name === model);
      const title = model === 'price' ? 'Mean absolute error' : 'Accuracy';
      const reading = model === 'price' ? 'lower is better, in units of the prediction' : 'higher is better';
      expect(titled).toMatch(new RegExp(`^${own?.value}${title}, ${reading}`));
      await card.getByRole('link').click();
      await page.locator('#verdict', { hasText: own?.sentence ?? '' }).waitFor();
      expect(await page.locator('#choose-metric option:checked').textContent()).toBe(title);
      await page.locator('#performance', { hasText: `${title}: ${model === 'price' ? 'lower' : 'higher'}` }).waitFor();
    });

    test('a run with failed rows is not as one without', async () => {
      await show('#/model/animal');
      await page.locator('#runs .chip.warn', { hasText: 'done, 350 failed' }).waitFor();
      await show('#/model/price');
      await page.locator('#runs .chip.good', { hasText: 'done' }).first().waitFor();
    });

    test('links lead to the groups of a model, and the address keeps which', async () => {
      await show('#/model/churn');
      await page.locator('#runs tbody tr').first().waitFor();
      const titles = page.locator('.group-title');
      expect(await titles.allTextContents()).toEqual(['Now', 'Why', 'Versions', 'Operations']);
      await page.getByRole('link', { name: 'Operations' }).click();
      await page.waitForURL(/part=operations/);
      const isSeen = async (): Promise<boolean> => {
        const box = await titles.last().boundingBox();
        return box !== null && box.y >= 0 && box.y < 900;
      };
      await waitFor(isSeen, { message: 'the group to be in sight' });
      await show('#/model/churn?part=operations');
      await waitFor(isSeen, { message: 'the group to be in sight' });
    });

    test('a day whose predictions were superseded waits for no labels', async () => {
      await show('#/model/nightly');
      await page.locator('#coverage', { hasText: 'Mature up to 11 Jan 2026.' }).waitFor();
      const days = (await numbersIn(page, 'coverage')).map((cells) => [cells[0], cells[3]]);
      expect(days).toEqual([
        ['10 Jan 2026', 'superseded'],
        ['11 Jan 2026', '100.0 %'],
      ]);
      expect(await page.locator('#coverage .body').textContent()).not.toContain('should be by');
    });

    test('says that it loads until an answer comes', async () => {
      let answer = (): void => undefined;
      const asked = new Promise<void>((resolve) => (answer = resolve));
      await page.route('**/page/api/verdicts', async (route) => {
        await asked;
        await route.continue();
      });
      await show('#/');
      await page.locator('#models[aria-busy=true]', { hasText: 'Loading …' }).waitFor();
      answer();
      await page.locator('.model').first().waitFor();
      expect(await page.locator('#models[aria-busy=true], #models :text("Loading")').count()).toBe(0);
      answer = () => undefined;
      const askedAgain = new Promise<void>((resolve) => (answer = resolve));
      await page.route('**/page/api/**', async (route) => {
        await askedAgain;
        await route.continue();
      });
      await show('#/model/churn');
      await page.locator('.title', { hasText: 'churnLoading …' }).waitFor();
      answer();
      await page.locator('#performance:not([aria-busy])', { hasText: 'Accuracy: ' }).waitFor();
      await page.getByText('Loading …').first().waitFor({ state: 'detached' });
      await page.unrouteAll({ behavior: 'wait' });
    });

    test('on a phone, a table that is cut off says so, until its end is in sight', async () => {
      await show('#/model/churn', 390);
      await page.locator('#performance summary').click();
      const frame = page.locator('#performance .scroll-frame');
      await page.locator('#performance .sideways').waitFor();
      expect(await frame.getAttribute('data-more')).toBe('right');
      await page.locator('#performance .scroll').evaluate((box) => box.scrollTo({ left: box.scrollWidth }));
      await page.locator('#performance .scroll-frame[data-more=left]').waitFor();
      await page.setViewportSize({ width: 1280, height: 900 });
      await page.locator('#performance .sideways').waitFor({ state: 'hidden' });
    });
  });
}
