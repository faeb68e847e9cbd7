import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { day, decimal } from '../../../src/page/format.ts';
import { numbersIn } from '../../support/browser.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Stage } from '../stage.ts';

const REASON = 'the old one is off by more, says finance';

/** A gate, and what was done to the model: a promotion, one that was forced, and a rollback. */
export async function promoteVersions(superuser: Client, ada: Client): Promise<void> {
  await ada.query(`select pgscore.set_gate('fare', 'not_worse', metric => 'mae', margin => 0, minimum_labels => 9999)`);
  await ada.query(`select pgscore.promote('fare@1')`);
  await ada.query(`select pgscore.promote('fare@2', force => true, reason => $1)`, [REASON]);
  await ada.query(`select pgscore.rollback('fare')`);
  await addEvents(superuser, 12);
}

async function addEvents(superuser: Client, n: number): Promise<void> {
  await superuser.query(
    `insert into pgscore_data.audit (at, actor, action, model, detail)
     select '2025-12-01'::timestamptz + n * interval '1 hour', 'ada', 'rebuild', 'fare', '{}' from generate_series(1, $1::int) n`,
    [n],
  );
}

export function lists({ superuser, service, page, show }: Stage): void {
  describe('lists on the page', () => {
    beforeAll(() => show('#/model/fare'));

    test('say of a promotion that it was forced, why, and which gate it had not passed', async () => {
      await page.locator('#events tbody tr').first().waitFor();
      const said = (await numbersIn(page, 'events')).map(([, what]) => what);
      const forced = said.find((what) => what?.startsWith('fare@2: promote'));
      expect(forced).toContain(`fare@2: promote by ada, forced: ${REASON}, not passed: not_worse_mae: `);
      expect(said).toContain('fare@1: promote by ada');
      expect(await page.locator('#events .sideways').isVisible()).toBe(false);
    });

    test('say which version is better, by how much at least, and by which predictions', async () => {
      type Compared = Record<'value_a' | 'value_b' | 'difference' | 'ci_low' | 'ci_high' | 'n_a', number> &
        Record<'verdict' | 'first_date' | 'last_date' | 'compared_at', string>;
      const read = `select value_a, value_b, difference, ci_low, ci_high, verdict, n_a, first_date::text, last_date::text, compared_at::text from pgscore_bi.version_comparison
        where model_name = 'fare' and model_version = 2 and compared_with = 'predecessor' and difference is not null and not is_replayed order by metric`;
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
          day(row.compared_at),
        ]),
      );
      expect(await page.locator('#comparison .sideways').isVisible()).toBe(false);
      // Version 1 does not say until when it was trained: what is older than its deploy may be training data.
      const deploy = `update pgscore_data.version v set deployed_at = $1 from pgscore_data.model m
        where m.model_id = v.model_id and m.name = 'fare' and v.number = 1`;
      await superuser.query(deploy, ['2026-02-01']);
      // What was asked a moment ago is answered as before.
      await waitFor(
        async () => {
          await page.reload();
          await page.locator('#comparison tbody tr').first().waitFor();
          return page.locator('#comparison').getByText('to 30 Mar 2026, maybe training data').first().isVisible();
        },
        { message: 'the comparison as it is now' },
      );
      await superuser.query(deploy, ['2020-01-01']);
    });

    test('show the first ten rows and all at a press, which lasts while rows are added', async () => {
      const rows = page.locator('#events tbody tr:visible');
      const button = page.locator('#events button.more');
      await button.waitFor();
      expect(await rows.count()).toBe(10);
      const all = await page.locator('#events tbody tr').count();
      expect(await button.textContent()).toBe(`Show all ${all} rows`);
      await button.focus();
      await page.keyboard.press('Enter');
      expect(await rows.count()).toBe(all);
      await addEvents(superuser, 1);
      const answer = async (): Promise<unknown[]> => {
        const { rows: told } = (await (await fetch(`${service.url}/page/api/events?model=fare`)).json()) as {
          rows: unknown[];
        };
        return told;
      };
      await waitFor(async () => (await answer()).length === all + 1, { message: 'an answer with the row' });
      await page.goto(`${page.url()}?grain=week`);
      await waitFor(async () => (await rows.count()) === all + 1, { message: 'the row that was added' });
      expect(await button.getAttribute('aria-expanded')).toBe('true');
      expect(await button.evaluate((element) => element === element.ownerDocument.activeElement)).toBe(true);
      await button.click();
      expect(await rows.count()).toBe(10);
    });

    test('hide nothing on a phone, and name what each value is of', async () => {
      await show('#/model/fare', 390);
      for (const panel of ['comparison', 'gates', 'versions', 'runs', 'events']) {
        const list = page.locator(`#${panel}`);
        await list.locator('tbody tr').first().waitFor();
        const boxes = await list.locator('tbody td:visible').evaluateAll((all) =>
          all.map((cell) => {
            const of = cell as unknown as { getBoundingClientRect(): { left: number; right: number } };
            const { left, right } = of.getBoundingClientRect();
            return left >= 0 && right <= 390;
          }),
        );
        expect(boxes.length).toBeGreaterThan(0);
        expect([panel, boxes]).toEqual([panel, boxes.map(() => true)]);
        expect([panel, await list.locator('.sideways').isVisible()]).toEqual([panel, false]);
        const heads = await list.locator('th').allTextContents();
        const cells = list.locator('tbody tr').first().locator('td');
        const named = await cells.evaluateAll((all) =>
          all.map((cell) => (cell as unknown as { dataset: Record<string, string> }).dataset['head']),
        );
        expect([panel, named]).toEqual([panel, heads]);
        expect([panel, await list.getByRole('columnheader').count()]).toEqual([panel, heads.length]);
      }
    });
  });
}
