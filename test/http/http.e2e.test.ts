import { execFileSync } from 'node:child_process';
import { get as httpGet } from 'node:http';

import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployModel } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';

const database = await cloneDatabase();
const service = await startTestService(database);

async function get(path: string): Promise<{ status: number; body: string }> {
  const response = await fetch(service.url + path);
  return { status: response.status, body: await response.text() };
}

describe('the HTTP side of a service', () => {
  test('says that the process lives and that it takes work', async () => {
    expect(await get('/healthz')).toEqual({ status: 200, body: '{"status":"ok"}' });
    expect(JSON.parse((await get('/readyz')).body)).toEqual({
      ready: true,
      state: 'running',
      listening: true,
      gateway: true,
    });
  });

  test('counts runs, rows, queue and compute time for each model', async () => {
    const ada = await database.client('ada');
    const alice = await database.client('alice');
    await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx', { features: ['a', 'b', 'c', 'd'] });
    await alice.query('create table counted (id int primary key, a real, b real, c real, d real)');
    await alice.query('insert into counted select i, i, i, i, nullif(i, 7) from generate_series(1, 10) i');
    await scoreTable(alice, 'iris', 'counted');
    // A run is done in the database a moment before its service has heard so.
    const body = await waitFor(
      async () => {
        const metrics = (await get('/metrics')).body;
        return metrics.includes('pgscore_runs_total{model="iris"') ? metrics : undefined;
      },
      { message: 'the run to be counted' },
    );
    expect(body).toContain('pgscore_runs_total{model="iris",state="done"} 1');
    expect(body).toContain('pgscore_rows_total{model="iris",result="scored"} 9');
    expect(body).toContain('pgscore_rows_total{model="iris",result="failed"} 1');
    expect(body).toMatch(/pgscore_compute_seconds_total\{model="iris"\} \d+\.\d+/);
    expect(body).toContain('pgscore_queue_seconds_count{model="iris"} 1');
    expect(body).toContain('pgscore_check_seconds_count{verdict="ready"} 1');
  });

  test('shows how far behind each watch is', async () => {
    const alice = await database.client('alice');
    await alice.query(`select pgscore.watch('iris', 'counted', target => 'followed')`);
    const body = await waitFor(
      async () => {
        const metrics = (await get('/metrics')).body;
        return metrics.includes('quantile="0.95"') ? metrics : undefined;
      },
      { message: 'the watch to be shown' },
    );
    expect(body).toContain('pgscore_watch_pending_rows{model="iris",target="alice.followed"} 0');
    expect(body).toContain('pgscore_watch_oldest_pending_seconds{model="iris",target="alice.followed"} 0');
    expect(body).toMatch(
      /pgscore_watch_delay_seconds\{model="iris",target="alice\.followed",quantile="0\.5"\} [\d.]+\n/,
    );
    expect(body).toContain('pgscore_watch_failing{model="iris",target="alice.followed"} 0');
    await alice.query(`select pgscore.unwatch('followed')`);
    expect((await get('/metrics')).body).not.toContain('alice.followed');
  });

  test.each(['/metrics', '/readyz'])('says %s to nobody who calls this machine by another name', async (path) => {
    const asked = (name: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const options = { headers: { host: `${name}:${new URL(service.url).port}` } };
        httpGet(service.url + path, options, (answer) => resolve(answer.resume().statusCode)).on('error', reject);
      });
    expect(await Promise.all(['evil.example', 'localhost', '[::1]'].map(asked))).toEqual([421, 200, 200]);
  });

  test('is reachable on loopback only', () => {
    const port = new URL(service.url).port;
    const listeners = execFileSync('node', ['-e', `console.log(require('fs').readFileSync('/proc/net/tcp', 'utf8'))`], {
      encoding: 'utf8',
    });
    const hex = Number(port).toString(16).toUpperCase().padStart(4, '0');
    const addresses = listeners.split('\n').flatMap((line) => {
      const [, local, , state] = line.trim().split(/\s+/);
      return state === '0A' && local?.endsWith(`:${hex}`) === true ? [local] : [];
    });
    expect(addresses).toEqual([`0100007F:${hex}`]);
  });

  test('answers nothing else', async () => {
    expect((await get('/index')).status).toBe(404);
    expect((await get('/page/%2e%2e/package.json')).status).toBe(404);
    expect(
      (await fetch(`${service.url}/healthz`, { method: 'POST', body: 'x'.repeat(5000) })).status,
    ).toBeGreaterThanOrEqual(400);
  });
});
