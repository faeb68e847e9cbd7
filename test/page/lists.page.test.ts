import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';

import { day, decimal } from '../../src/page/format.ts';
import { chromiumHere, numbersIn, openPage, type TestPage } from '../support/browser.ts';
import { cloneDatabase } from '../support/database.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { addWatchedModels } from './watched-models.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const ada = await database.client('ada');
await addWatchedModels(superuser);
const service = await startTestService(database);

const REASON = 'the old one is off by more, says finance';

async function addEvents(n: number): Promise<void> {
  await superuser.query(
    `insert into pgscore_data.audit (at, actor, action, model, detail)
     select '2026-01-01'::timestamptz + n * interval '1 hour', 'ada', 'rebuild', 'price', '{}' from generate_series(1, $1::int) n`,
    [n],
  );
}

(chromiumHere === undefined ? describe.skip : describe)('lists on the page', () => {
  let opened: TestPage;
  let page: Page;

  beforeAll(async () => {
    const known = `select from pgscore_bi.version_comparison where model_name = 'price' and difference is not null`;
    await waitFor(async () => (await superuser.query(known)).rows.length > 0, { message: 'the comparison' });
    await ada.query(
      `select pgscore.set_gate('price', 'not_worse', metric => 'mae', margin => 0, minimum_labels => 9999)`,
    );
    await ada.query(`select pgscore.promote('price@1')`);
    await ada.query(`select pgscore.promote('price@2', force => true, reason => $1)`, [REASON]);
    await ada.query(`select pgscore.rollback('price')`);
    opened = await openPage(service.url);
    ({ page } = opened);
    await page.goto(`${service.url}/#/model/price`);
  });

  afterEach(() => {
    expect(opened.complaints.splice(0)).toEqual([]);
  });

  test('say of a promotion that it was forced, why, and which gate it had not passed', async () => {
    await page.locator('#events tbody tr').first().waitFor();
    const said = (await numbersIn(page, 'events')).map(([, what]) => what);
    const forced = said.find((what) => what?.startsWith('price@2: promote'));
    expect(forced).toContain(`price@2: promote by ada, forced: ${REASON}, not passed: not_worse_mae: `);
    expect(said).toContain('price@1: promote by ada');
  });

  test('say which version is better, by how much at least, and by which predictions', async () => {
    type Compared = Record<'value_a' | 'value_b' | 'difference' | 'ci_low' | 'ci_high' | 'n_a', number> &
      Record<'verdict' | 'first_date' | 'last_date', string>;
    const read = `select value_a, value_b, difference, ci_low, ci_high, verdict, n_a, first_date::text, last_date::text from pgscore_bi.version_comparison
      where model_name = 'price' and model_version = 2 and compared_with = 'predecessor' and difference is not null order by metric`;
    const { rows } = await superuser.query<Compared>(read);
    await page.locator('#comparison tbody tr').first().waitFor();
    const shown = (await numbersIn(page, 'comparison')).filter(([version]) => version === '2');
    expect(rows.length).toBe(2);
    expect(shown.map((cells) => cells.slice(3))).toEqual(
      rows.map((row) => [
        row.verdict.replaceAll('_', ' '),
        decimal(row.difference),
        `${decimal(row.ci_low)} to ${decimal(row.ci_high)}`,
        ...[row.value_a, row.value_b].map(decimal),
        String(row.n_a),
        `${day(row.first_date)} to ${day(row.last_date)}`,
      ]),
    );
  });

  test('show the first ten rows and all at a press, which lasts while rows are added', async () => {
    await addEvents(12);
    await page.reload();
    const rows = page.locator('#events tbody tr:visible');
    const button = page.locator('#events button.more');
    await button.waitFor();
    expect(await rows.count()).toBe(10);
    const all = await page.locator('#events tbody tr').count();
    expect(await button.textContent()).toBe(`Show all ${all} rows`);
    await button.focus();
    await page.keyboard.press('Enter');
    expect(await rows.count()).toBe(all);
    await addEvents(1);
    const answer = async (): Promise<unknown[]> => {
      const { rows: told } = (await (await fetch(`${service.url}/page/api/events?model=price`)).json()) as {
        rows: unknown[];
      };
      return told;
    };
    await waitFor(async () => (await answer()).length === all + 1, { message: 'an answer with the row' });
    await page.goto(`${service.url}/#/model/price?grain=week`);
    await waitFor(async () => (await rows.count()) === all + 1, { message: 'the row that was added' });
    expect(await button.getAttribute('aria-expanded')).toBe('true');
    expect(await button.evaluate((element) => element === element.ownerDocument.activeElement)).toBe(true);
    await button.click();
    expect(await rows.count()).toBe(10);
  });

  test.each(['comparison', 'gates', 'versions', 'runs', 'events'])(
    'hide nothing on a phone, and name what each value is of: %s',
    async (panel) => {
      const { page: phone, complaints } = await openPage(service.url, { width: 390 });
      await phone.goto(`${service.url}/#/model/price`);
      const list = phone.locator(`#${panel}`);
      await list.locator('tbody tr').first().waitFor();
      const cells = list.locator('tbody td:visible');
      const boxes = await cells.evaluateAll((all) =>
        all.map((cell) => {
          const of = cell as unknown as { getBoundingClientRect(): { left: number; right: number } };
          const { left, right } = of.getBoundingClientRect();
          return left >= 0 && right <= 390;
        }),
      );
      expect(boxes.length).toBeGreaterThan(0);
      expect(boxes).toEqual(boxes.map(() => true));
      expect(await list.locator('.sideways').isVisible()).toBe(false);
      const heads = await list.locator('th').allTextContents();
      const named = await list
        .locator('tbody tr')
        .first()
        .locator('td')
        .evaluateAll((all) =>
          all.map((cell) => (cell as unknown as { dataset: Record<string, string> }).dataset['head']),
        );
      expect(named).toEqual(heads);
      expect(await list.getByRole('columnheader').count()).toBe(heads.length);
      expect(complaints).toEqual([]);
      await phone.close();
    },
  );
});
