import { request } from 'node:http';

import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { PAGE_QUERIES } from '../../src/http/page-queries.ts';
import { addMonitoredModel, addRun } from '../monitor/monitored-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const service = await startTestService(database);

type Answer = { status: number; headers: Record<string, unknown>; body: string };

/** A request with any Host header, which fetch would not send. */
function ask(url: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(new URL(path, url), { headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    asked.on('error', reject).end();
  });
}

const VALUES: Readonly<Record<string, string>> = {
  model: 'churn',
  version: '1',
  versions: '1',
  experiment: '1',
  month: '2026-02-01',
  day: '2026-02-01',
  feature: 'x',
};

/** A classifier, a regression and a model of three classes, with a prediction each. */
async function addModels(): Promise<void> {
  const row = { id: 1, at: '2026-02-03 09:00+00', score: 0.5 };
  await addRun(superuser, await addMonitoredModel(superuser, 'churn', 'binary'), [{ ...row, label: 'yes' }]);
  await addRun(superuser, await addMonitoredModel(superuser, 'price', 'regression'), [row]);
  await addRun(superuser, await addMonitoredModel(superuser, 'animal', 'multiclass'), [
    { ...row, label: 'a', probabilities: [0.5, 0.3, 0.2] },
  ]);
  await superuser.query('select pgscore.refresh()');
}

describe('the questions of the page', () => {
  test('are answered from the views, over all models, whoever they are granted to', async () => {
    await addModels();
    await superuser.query('delete from pgscore_data.model_grant');
    for (const [name, { parameters }] of Object.entries(PAGE_QUERIES)) {
      const search = new URLSearchParams(Object.fromEntries(parameters.map(([key]) => [key, VALUES[key] ?? ''])));
      const { status, headers, body } = await ask(service.url, `/page/api/${name}?${search.toString()}`);
      expect([name, status, headers['cache-control']]).toEqual([name, 200, 'no-store']);
      expect(Object.keys(JSON.parse(body) as object)).toEqual(['columns', 'rows']);
    }
    const { body } = await ask(service.url, '/page/api/health');
    expect((JSON.parse(body) as { rows: unknown[][] }).rows.map(([model]) => model)).toEqual([
      'animal',
      'churn',
      'price',
    ]);
  });

  test.each([
    ['/page/api/nothing', 404],
    ['/page/api/constructor', 404],
    ['/page/api/coverage?model=churn', 400],
    ['/page/api/coverage?model=churn&version=1%20or%20true', 400],
    ['/page/api/reliability?model=churn&version=1&month=2026-02-31', 400],
    ['/page/api/coverage?model=churn&model=price&version=1', 400],
  ])('%s is refused', async (path, status) => {
    const answer = await ask(service.url, path);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ error: expect.any(String), message: expect.any(String) });
  });

  test('are put in a session that cannot write and does not wait for long', async () => {
    const { rows } = await superuser.query<{ pid: number }>(
      `select pid from pg_stat_activity where application_name = 'pgscore page' and datname = current_database()`,
    );
    expect(rows.length).toBe(1);
    await superuser.query('begin');
    await superuser.query('lock table pgscore_data.schedule in access exclusive mode');
    const { status, body } = await ask(service.url, '/page/api/model-runs?model=another');
    await superuser.query('rollback');
    expect([status, JSON.parse(body)]).toEqual([503, { error: 'busy', message: expect.any(String) }]);
  });

  test('survive the loss of their connection', async () => {
    await superuser.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgscore page' and datname = current_database()`,
    );
    await waitFor(async () => (await ask(service.url, '/page/api/health')).status === 200, { message: 'an answer' });
  });
});

describe('everything of the page', () => {
  test.each(['/', '/page/style.css', '/page/main.js', '/page/chart.umd.js', '/page/api/health', '/page/api/nothing'])(
    '%s comes with a policy that lets nothing else in',
    async (path) => {
      const { headers } = await ask(service.url, path);
      expect(headers).toMatchObject({
        'content-security-policy':
          "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
      });
    },
  );

  test('a file that did not change is not sent again', async () => {
    const { headers } = await ask(service.url, '/page/chart.umd.js');
    const again = await ask(service.url, '/page/chart.umd.js', { 'if-none-match': String(headers['etag']) });
    expect([again.status, again.body]).toEqual([304, '']);
  });

  test('a name that a stranger made mean this machine gets nothing of it', async () => {
    for (const path of ['/', '/page/style.css', '/page/api/health']) {
      const { status, body } = await ask(service.url, path, { host: 'evil.example' });
      expect(status).toBe(421);
      expect(body).toContain('localhost only');
    }
    expect((await ask(service.url, '/healthz', { host: 'evil.example' })).status).toBe(200);
  });

  test('on an address that others reach it is closed, and says how to open it; health and metrics stay', async () => {
    const open = await startTestService(database, { PGSCORE_HTTP_HOST: '0.0.0.0' });
    const origin = open.url.replace('0.0.0.0', '127.0.0.1');
    const refused = await ask(origin, '/');
    expect([refused.status, refused.body]).toEqual([403, expect.stringContaining('Set PGSCORE_PAGE_TOKEN')]);
    expect((await ask(origin, '/page/api/health')).status).toBe(403);
    expect((await ask(origin, '/page/main.js')).status).toBe(403);
    for (const path of ['/healthz', '/metrics']) expect((await ask(origin, path)).status).toBe(200);
    await open.stop();
  });

  test('behind a proxy it is open to whom the proxy names, and to nobody else', async () => {
    const settings = { PGSCORE_HTTP_HOST: '0.0.0.0', PGSCORE_PAGE_USER_HEADER: 'X-Forwarded-User' };
    const behind = await startTestService(database, settings);
    const origin = behind.url.replace('0.0.0.0', '127.0.0.1');
    const statuses = async (headers: Record<string, string>) =>
      Promise.all(
        ['/', '/page/main.js', '/page/api/health'].map(async (path) => (await ask(origin, path, headers)).status),
      );
    expect(await statuses({ 'x-forwarded-user': 'ada' })).toEqual([200, 200, 200]);
    expect(await statuses({})).toEqual([403, 403, 403]);
    expect(await statuses({ 'x-forwarded-user': '' })).toEqual([403, 403, 403]);
    await behind.stop();
  });
});
