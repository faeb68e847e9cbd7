import { describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { deployBytes } from '../../support/deploy.ts';
import { endOfRun, submitRun } from '../../support/run.ts';
import { waitFor } from '../../support/wait-for.ts';
import { weightedModel } from '../../support/weighted-model.ts';
import type { Stage } from '../stage.ts';

const HOSTILE = '"><img src=x onerror=alert(1)>';

/** A run in the hands of another service, as it stands in the database. */
async function beginRun(superuser: Client, model: string, rows: number): Promise<string> {
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

export function emptyPage({ superuser, ada, alice, service, page }: Stage): void {
  /** In the page that is open, as a click on a link would. */
  const go = (hash: string) => page.goto(`${service.url}/${hash}`);

  /** Waits until an answer has the text: what was asked a moment before may be answered from then. */
  async function answerNames(question: string, part: string): Promise<void> {
    const answer = async (): Promise<string> => (await fetch(`${service.url}/page/api/${question}`)).text();
    await waitFor(async () => (await answer()).includes(part), { message: `${part} in ${question}` });
  }

  describe('the page of a database that begins', () => {
    test('says what to do where there is nothing yet', async () => {
      await go('#/');
      await page.getByText('No model yet').waitFor();
      expect(await page.locator('#models pre').textContent()).toContain('select pgscore.deploy(');
      expect(await page.locator('#runs pre').textContent()).toContain('select pgscore.score_table(');
      expect(await page.locator('#schedules pre').textContent()).toContain('select pgscore.schedule(');
      await page.locator('#alerts').waitFor({ state: 'hidden' });
      await go('#/model/nothing');
      await page.getByText('There is no model of this name').waitFor();
    });

    test('shows a model without a ready version as one card, that of its newest', async () => {
      await superuser.query(`with model as (insert into pgscore_data.model (name, created_by) values ('turned-away', current_user) returning model_id)
        insert into pgscore_data.version (model_id, number, state, sha256, size_bytes, signature, deployed_by, reason)
        select model_id, number, 'rejected', '', 1, '{}', current_user, 'No ' || number || '.' from model, generate_series(1, 3) number`);
      await answerNames('verdicts', 'turned-away');
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
      const run = await beginRun(superuser, 'weigh', 1000);
      await go('#/');
      const bar = page.locator('#runs progress');
      const shown = async (): Promise<string> =>
        `${await bar.getAttribute('value')} of ${await bar.getAttribute('max')}`;
      expect(await shown()).toBe('0 of 1000');
      await superuser.query('update pgscore_data.shard set rows_done = 400 where run_id = $1', [run]);
      await waitFor(async () => (await shown()) === '400 of 1000', { message: 'progress' });
      expect(await page.locator('#runs td', { hasText: 'left' }).textContent()).toMatch(
        /^running scoring, \d+ s left$/,
      );
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
      for (const question of ['verdicts', 'versions', 'runs']) await answerNames(question, 'onerror');
      await page.reload();
      await page.locator('.model h2', { hasText: HOSTILE }).waitFor();
      await page.locator('#runs td', { hasText: HOSTILE }).first().waitFor();
      await page.locator('.model a', { hasText: HOSTILE }).click();
      await page.locator('h1', { hasText: HOSTILE }).waitFor();
      expect(await page.locator('img[src=x]').count()).toBe(0);
      await superuser.query('delete from pgscore_data.version where reason = $1', [HOSTILE]);
      await superuser.query('delete from pgscore_data.model where name = $1', [HOSTILE]);
    });
  });
}
