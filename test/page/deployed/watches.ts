import { beforeAll, describe, expect, test } from '@jest/globals';

import { deployBytes } from '../../support/deploy.ts';
import { waitFor } from '../../support/wait-for.ts';
import { weightedModel } from '../../support/weighted-model.ts';
import { atRest } from '../../watches/watching.ts';
import type { Stage } from '../stage.ts';

export function watches({ ada, alice, page, show }: Stage): void {
  /** What the panel says of a watch, without the model, source and capture that do not change. */
  async function lineOf(target: string): Promise<string[]> {
    const cells = await page.locator('#watches tr', { hasText: target }).locator('td').allTextContents();
    return cells.slice(0, 7);
  }

  async function showsOf(target: string, ...expected: readonly RegExp[]): Promise<void> {
    let line: string[] = [];
    await waitFor(
      async () => {
        line = await lineOf(target);
        return expected.every((pattern, at) => pattern.test(line[at + 1] ?? ''));
      },
      { message: `the line of ${target}`, timeout: 20_000 },
    ).catch((cause: unknown) => {
      throw new Error(`the panel says ${line.join(' | ')}`, { cause });
    });
  }

  describe('the panel of watches', () => {
    beforeAll(async () => {
      await deployBytes(ada, 'scales', weightedModel({ x: 'float64' }));
      await alice.query(`
        create table live (id int primary key, x float8);
        create table broken (id int primary key, x float8);
        insert into live select i, i from generate_series(1, 1200) i`);
    });

    test('is not there where nothing is watched', async () => {
      await show('#/', 700);
      await page.locator('#schedules pre').waitFor();
      await page.locator('#watches').waitFor({ state: 'hidden' });
    });

    test('shows how far a watch is, and moves while one looks', async () => {
      await alice.query(`select pgscore.watch('scales', 'live', target => 'live_scores')`);
      await atRest(alice, 'alice.live_scores');
      const delay = /^\d+(\.\d)? m?s$/;
      await showsOf('alice.live_scores', /^following$/, /^1,200$/, /^0$/, /^–$/, delay, delay);
      await alice.query('insert into live select i, i from generate_series(2001, 2034) i');
      await showsOf('alice.live_scores', /^following$/, /^1,234$/, /^0$/);
      await alice.query(`select pgscore.pause_watch('live_scores')`);
      await alice.query('insert into live values (3000, 1), (3001, 2)');
      await showsOf('alice.live_scores', /^paused$/, /^1,234$/, /^2$/, delay);
      expect(await page.locator('#watches td').nth(7).textContent()).toBe('scales');
    });

    test('stays scrolled, opened and focused while its numbers move', async () => {
      const box = page.locator('#watches .scroll');
      await box.focus();
      await box.evaluate((element) => (element.scrollLeft = 120));
      const oldest = (await lineOf('alice.live_scores'))[4];
      await waitFor(async () => (await lineOf('alice.live_scores'))[4] !== oldest, { message: 'another age' });
      expect(
        await box.evaluate((element) => [element.scrollLeft, element === element.ownerDocument.activeElement]),
      ).toEqual([120, true]);
    });

    test('leaves the runs of watches out of the panel of runs', async () => {
      await page.locator('#runs :text-matches("Nothing was scored yet|^done")').first().waitFor();
      expect(await page.locator('#runs td', { hasText: 'alice.live' }).count()).toBe(0);
    });

    test('says first which watch fails, and what to do', async () => {
      await alice.query(`select pgscore.watch('scales', 'broken', target => 'broken_scores')`);
      await alice.query('alter table broken rename x to y');
      await show('#/model/scales', 700);
      await showsOf(
        'alice.broken_scores',
        /^failing source alice\.broken lacks a feature of the model: "x"\. Where a column/,
      );
      expect(await page.locator('#watches td').first().textContent()).toBe('alice.broken_scores');
      await show('#/model/other', 700);
      await page.getByText('There is no model of this name').waitFor();
      // Until the answer comes, the panel says that it loads.
      await page.locator('#watches').waitFor({ state: 'hidden' });
    });
  });
}
