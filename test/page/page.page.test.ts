import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';

import { chromiumHere, drawnIn, openPage, type TestPage } from '../support/browser.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { endOfRun, submitRun } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { OTHER_VIEWS } from './other-views.ts';
import { addWatchedModels } from './watched-models.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const service = await startTestService(database);
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

const HOSTILE = '"><img src=x onerror=alert(1)>';

let opened: TestPage;
let page: Page;

/** In the page that is open, as a click on a link would. */
async function go(hash: string): Promise<void> {
  await page.goto(`${service.url}/${hash}`);
}

/** Waits until an answer has the text: what was asked a moment before may be answered from then. */
async function answerNames(question: string, part: string): Promise<void> {
  const answer = async (): Promise<string> => (await fetch(`${service.url}/page/api/${question}`)).text();
  await waitFor(async () => (await answer()).includes(part), { message: `${part} in ${question}` });
}

async function focusedKey(): Promise<string | null> {
  return page.evaluate(`document.activeElement.getAttribute('data-key')`);
}

/** A run in the hands of another service, as it stands in the database. */
async function beginRun(model: string, rows: number): Promise<string> {
  const { rows: begun } = await superuser.query<{ run_id: string }>(
    `with run as (
       insert into pgscore_data.run (requested_by, version_id, source_schema, source_name, source_kind, plan, rls, state, phase, attempt, claimed_by, lease_until, rows_expected, started_at)
       select 'alice', v.version_id, 'public', 'many', 'ctid', '{}', 'error', 'running', 'scoring', 1, gen_random_uuid(), now() + interval '1 hour', $2, now()
         from pgscore_data.version v join pgscore_data.model m using (model_id) where m.name = $1 returning *
     )
     insert into pgscore_data.shard (run_id, attempt, shard, state, claimed_by, lease_until) select run_id, 1, 0, 'running', claimed_by, lease_until from run returning run_id`,
    [model, rows],
  );
  return begun[0]?.run_id ?? '';
}

(chromiumHere === undefined ? describe.skip : describe)('the page', () => {
  beforeAll(async () => {
    opened = await openPage(service.url);
    ({ page } = opened);
  });

  afterEach(() => {
    expect(opened.complaints.splice(0)).toEqual([]);
  });

  test('says what to do where there is nothing yet', async () => {
    await go('#/');
    await page.getByText('No model yet').waitFor();
    expect(await page.locator('#models pre').textContent()).toContain('select pgscore.deploy(');
    expect(await page.locator('#runs pre').textContent()).toContain('select pgscore.score_table(');
    expect(await page.locator('#schedules pre').textContent()).toContain('select pgscore.schedule(');
    expect(await page.locator('#alerts').isVisible()).toBe(false);
    await go('#/model/nothing');
    await page.getByText('There is no model of this name').waitFor();
  });

  test('shows a model without a ready version as one card, that of its newest', async () => {
    await superuser.query(`with model as (insert into pgscore_data.model (name, created_by) values ('turned-away', current_user) returning model_id)
      insert into pgscore_data.version (model_id, number, state, sha256, size_bytes, signature, deployed_by, reason)
      select model_id, number, 'rejected', '', 1, '{}', current_user, 'No ' || number || '.' from model, generate_series(1, 3) number`);
    await answerNames('versions', 'turned-away');
    await go('#/');
    const cards = page.locator('.model', { hasText: 'turned-away' });
    await cards.first().waitFor();
    expect(await cards.allTextContents()).toEqual(['turned-awayrejectedVersion 3. No 3.']);
    await superuser.query(`delete from pgscore_data.version where reason ~ '^No '`);
    await superuser.query(`delete from pgscore_data.model where name = 'turned-away'`);
  });

  test('shows a run go on, live, and its end', async () => {
    await deployBytes(ada, 'weigh', weightedModel({ x: 'float64' }));
    const run = await beginRun('weigh', 1000);
    await go('#/');
    const bar = page.locator('#runs progress');
    const shown = async (): Promise<string> => `${await bar.getAttribute('value')} of ${await bar.getAttribute('max')}`;
    expect(await shown()).toBe('0 of 1000');
    await superuser.query('update pgscore_data.shard set rows_done = 400 where run_id = $1', [run]);
    await waitFor(async () => (await shown()) === '400 of 1000', { message: 'progress' });
    expect(await page.locator('#runs td', { hasText: 'left' }).textContent()).toMatch(/^running scoring, \d+ s left$/);
    await superuser.query(
      `update pgscore_data.run set state = 'done', rows_done = 1000, finished_at = clock_timestamp() where run_id = $1`,
      [run],
    );
    await page.locator('#runs', { hasText: 'done' }).waitFor();
    expect(await page.locator('#runs tbody tr').first().textContent()).toContain('1,000');
    expect(await bar.count()).toBe(0);
  });

  test('takes names for text, however they read', async () => {
    const source = alice.escapeIdentifier(HOSTILE);
    const table = `create table ${source} (id int primary key, x float8)`;
    await alice.query(table);
    await endOfRun(alice, await submitRun(alice, 'weigh', source, { target: 'hostile' }));
    await superuser.query('alter table pgscore_data.model drop constraint model_name_check');
    await superuser.query('insert into pgscore_data.model (name, created_by) values ($1, current_user)', [HOSTILE]);
    await superuser.query(
      `insert into pgscore_data.version (model_id, number, state, sha256, size_bytes, signature, deployed_by, reason)
       select model_id, 1, 'rejected', '', 1, '{}', current_user, $1 from pgscore_data.model where name = $1`,
      [HOSTILE],
    );
    await answerNames('versions', 'onerror');
    await page.reload();
    await page.locator('.model h2', { hasText: HOSTILE }).waitFor();
    await page.locator('#runs td', { hasText: HOSTILE }).first().waitFor();
    await page.locator('.model a', { hasText: HOSTILE }).click();
    await page.locator('h1', { hasText: HOSTILE }).waitFor();
    expect(await page.locator('img[src=x]').count()).toBe(0);
    await superuser.query('delete from pgscore_data.version where reason = $1', [HOSTILE]);
    await superuser.query('delete from pgscore_data.model where name = $1', [HOSTILE]);
  });

  describe('with models that are watched', () => {
    beforeAll(async () => {
      await addWatchedModels(superuser);
      await answerNames('health', 'animal');
    });

    test('is used with the keyboard alone', async () => {
      await go('#/');
      const link = page.locator('.model a', { hasText: 'price' });
      await link.waitFor();
      await link.focus();
      await page.keyboard.press('Enter');
      await page.locator('h1', { hasText: 'price' }).waitFor();
      await drawnIn(page, 'performance');
      expect(await page.evaluate('document.activeElement.id')).toBe('main');
      const keys: (string | null)[] = [];
      for (let presses = 0; presses < 12; presses += 1) {
        await page.keyboard.press('Tab');
        keys.push(await focusedKey());
      }
      expect(keys).toEqual(expect.arrayContaining(['version 1', 'version 2', 'metric', 'day', 'week', 'month']));
      await page.locator('[data-key=week]').focus();
      await page.keyboard.press('Enter');
      await page.locator('[data-key=week][aria-pressed=true]').waitFor();
      expect(await focusedKey()).toBe('week');
      await page.keyboard.press('Shift+Tab');
      await page.keyboard.press('Space');
      await page.waitForURL(/grain=day/);
      await page.goBack();
      await page.locator('[data-key=week][aria-pressed=true]').waitFor();
    });

    test('keeps what it shows in its address', async () => {
      await go('#/model/price');
      await page.locator('[data-key=metric]').selectOption('bias');
      await page.locator('[data-key="version 2"]').click();
      await page.locator('[data-key="version 2"][aria-pressed=false]').waitFor();
      const { page: other, complaints } = await openPage(service.url);
      await other.goto(page.url());
      const labels = (await drawnIn(other, 'performance')).map(({ label }) => label);
      expect(labels).toEqual(['version 1', 'labelled']);
      expect(await other.locator('[data-key=metric]').inputValue()).toBe('bias');
      expect(complaints).toEqual([]);
      await other.close();
    });

    test('shows estimates, comparisons and alerts where their views are there', async () => {
      await superuser.query(OTHER_VIEWS);
      await go('#/model/churn?grain=day&metric=accuracy');
      await page.reload();
      const performance = await drawnIn(page, 'performance');
      expect(performance.find(({ label }) => label === 'version 1, estimated')?.data.length).toBe(10);
      expect(await page.locator('#alerts tbody').first().textContent()).toMatch(
        /^firingchurn@1accuracy lowaccuracy0.610≥ 0.700224/,
      );
      // Each panel asks for itself.
      await page.locator('#rules summary').nth(1).waitFor();
      expect(await page.locator('#rules summary').allTextContents()).toEqual([
        '1 at rest, 1 without enough data of late',
        '1 before',
      ]);
      expect(await page.locator('#rules tbody').last().textContent()).toContain('resolved');
      expect(await page.locator('#comparison tbody').textContent()).toMatch(/better0\.\d+0\.050 to 0\.150/);
      await go('#/');
      await page.locator('#alerts', { hasText: 'firing' }).waitFor();
      expect(await page.locator('#alerts tbody tr').count()).toBe(1);
    });

    test.each([
      [390, 'dark'],
      [390, 'light'],
      [1280, 'dark'],
    ] as const)('fits a window %i wide, %s', async (width, colorScheme) => {
      const { page: other, complaints } = await openPage(service.url, { width, colorScheme });
      for (const hash of ['#/', '#/model/churn', '#/model/price', '#/model/animal']) {
        await other.goto(`${service.url}/${hash}`);
        await other.locator('#runs tbody tr').first().waitFor();
        expect([hash, await other.evaluate('document.documentElement.scrollWidth')]).toEqual([hash, width]);
      }
      expect(complaints).toEqual([]);
      await other.close();
    });
  });
});

(chromiumHere === undefined ? describe.skip : describe)('the page on an address that others reach', () => {
  test('asks for its token, once', async () => {
    const token = 'a token that nobody guesses';
    const guarded = await startTestService(database, { PGSCORE_HTTP_HOST: '0.0.0.0', PGSCORE_PAGE_TOKEN: token });
    const origin = guarded.url.replace('0.0.0.0', '127.0.0.1');
    const { page: visitor } = await openPage(origin);
    await visitor.goto(`${origin}/#/model/price`);
    await visitor.locator('#token').fill('another token, as long');
    await visitor.keyboard.press('Enter');
    await visitor.getByText('That is not the token').waitFor();
    await waitFor(() => visitor.locator('#token').evaluate((field) => field.matches(':focus')), {
      message: 'the focus',
    });
    await visitor.keyboard.type(token);
    await visitor.keyboard.press('Enter');
    await visitor.locator('#models').waitFor();
    await visitor.goto(`${origin}/#/model/price`);
    await drawnIn(visitor, 'performance');
    expect(await visitor.evaluate('document.cookie')).toBe('');
    const { page: invited } = await openPage(origin);
    await invited.goto(`${origin}/?token=${encodeURIComponent(token)}#/model/price`);
    await drawnIn(invited, 'performance');
    expect(invited.url()).toBe(`${origin}/#/model/price`);
    await guarded.stop();
  });
});
