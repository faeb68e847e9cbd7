import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';

import { chromiumHere, openPage, type TestPage } from '../support/browser.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { atRest } from '../watches/watching.ts';

const database = await cloneDatabase();
const service = await startTestService(database);
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

let opened: TestPage;
let page: Page;

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

(chromiumHere === undefined ? describe.skip : describe)('the panel of watches', () => {
  beforeAll(async () => {
    await deployBytes(ada, 'weigh', weightedModel({ x: 'float64' }));
    await alice.query(`
      create table live (id int primary key, x float8);
      create table broken (id int primary key, x float8);
      insert into live select i, i from generate_series(1, 1200) i`);
    opened = await openPage(service.url, { width: 700 });
    ({ page } = opened);
  });

  afterEach(() => {
    expect(opened.complaints.splice(0)).toEqual([]);
  });

  test('is not there where nothing is watched', async () => {
    await page.goto(`${service.url}/#/`);
    await page.locator('#schedules pre').waitFor();
    expect(await page.locator('#watches').isVisible()).toBe(false);
  });

  test('shows how far a watch is, and moves while one looks', async () => {
    await alice.query(`select pgscore.watch('weigh', 'live', target => 'live_scores')`);
    await atRest(alice, 'alice.live_scores');
    const delay = /^\d+(\.\d)? m?s$/;
    await showsOf('alice.live_scores', /^following$/, /^1,200$/, /^0$/, /^–$/, delay, delay);
    await alice.query('insert into live select i, i from generate_series(2001, 2034) i');
    await showsOf('alice.live_scores', /^following$/, /^1,234$/, /^0$/);
    await alice.query(`select pgscore.pause_watch('live_scores')`);
    await alice.query('insert into live values (3000, 1), (3001, 2)');
    await showsOf('alice.live_scores', /^paused$/, /^1,234$/, /^2$/, delay);
    expect(await page.locator('#watches td').nth(7).textContent()).toBe('weigh');
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
    await page.locator('#runs', { hasText: 'Nothing was scored yet.' }).waitFor();
  });

  test('says first which watch fails, and what to do', async () => {
    await alice.query(`select pgscore.watch('weigh', 'broken', target => 'broken_scores')`);
    await alice.query('alter table broken rename x to y');
    await page.goto(`${service.url}/#/model/weigh`);
    await showsOf(
      'alice.broken_scores',
      /^failing source alice\.broken lacks a feature of the model: "x"\. Where a column/,
    );
    expect(await page.locator('#watches td').first().textContent()).toBe('alice.broken_scores');
    await page.goto(`${service.url}/#/model/other`);
    await page.getByText('There is no model of this name').waitFor();
    expect(await page.locator('#watches').isVisible()).toBe(false);
  });
});
