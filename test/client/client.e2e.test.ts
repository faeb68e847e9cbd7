import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';

import { deploy, waitForVersion } from '../../src/client/deploy.ts';
import { scoreTable, waitForRun, type Run } from '../../src/client/runs.ts';
import { score } from '../../src/client/score.ts';
import { cloneDatabase } from '../support/database.ts';
import { startTestService } from '../support/service.ts';

const FILE = fileURLToPath(new URL('../../bench/logistic.onnx', import.meta.url));
const FEATURES = Array.from({ length: 20 }, (_, index) => `f${index}`);
const ROWS = 5000;

const database = await cloneDatabase();
const service = await startTestService(database);
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

/** One row whose features have the same value. */
function row(value: number | null): Record<string, number | null> {
  return Object.fromEntries(FEATURES.map((name) => [name, value]));
}

beforeAll(async () => {
  await deploy(ada, FILE, { model: 'churn' });
  await ada.query(`select pgscore.grant_model('churn', 'alice')`);
  const features = FEATURES.map((name) => `random()::real as ${name}`).join(', ');
  const create = `create table customers as select i as id, ${features} from generate_series(1::bigint, ${ROWS}) i`;
  await alice.query(create);
  await alice.query('alter table customers add primary key (id)');
});

describe('deploy', () => {
  test('returns the ready version, with what the check found', async () => {
    const version = await deploy(ada, await readFile(FILE), { model: 'bytes', alias: 'challenger', native: false });
    expect(version).toEqual({
      version: 'bytes@1',
      state: 'ready',
      task: 'binary',
      execution: 'batch, online',
      warnings: expect.any(Array),
    });
    const { rows } = await ada.query(`select aliases from pgscore.models where model = 'bytes'`);
    expect(rows).toEqual([{ aliases: expect.arrayContaining(['challenger']) }]);
  });

  test('raises why a version was rejected, and what to do', async () => {
    await expect(deploy(ada, Buffer.from('no model'), { model: 'broken' })).rejects.toMatchObject({
      name: 'PgscoreError',
      code: 'model_unreadable',
      message: expect.stringContaining('broken@1 was rejected'),
      remedy: expect.any(String),
    });
  });

  test('raises what PostgreSQL refuses, with its hint and its SQLSTATE', async () => {
    await expect(deploy(alice, FILE, { model: 'churn' })).rejects.toMatchObject({
      code: 'statement_failed',
      remedy: expect.stringContaining('pgscore_deployer'),
      cause: { code: '42501' },
    });
  });

  test('without waiting, returns a version to wait for', async () => {
    const { version, state } = await deploy(ada, FILE, { model: 'later', wait: false });
    expect([version, state]).toEqual(['later@1', 'checking']);
    await expect(waitForVersion(ada, version)).resolves.toMatchObject({ state: 'ready' });
  });

  test('waits for nothing in an open transaction', async () => {
    await ada.query('begin');
    await expect(deploy(ada, FILE, { model: 'open' })).rejects.toMatchObject({ code: 'usage' });
    await ada.query('rollback');
  });

  test('names a file that cannot be read', async () => {
    await expect(deploy(ada, 'missing.onnx', { model: 'churn' })).rejects.toMatchObject({ code: 'file_unreadable' });
  });
});

describe('scoreTable', () => {
  test('returns the finished run and tells of its progress', async () => {
    const seen: Run[] = [];
    const run = await scoreTable(alice, { model: 'churn', source: 'customers', onProgress: (now) => seen.push(now) });
    expect(run).toMatchObject({ state: 'done', model: 'churn@1', rowsDone: ROWS, rowsFailed: 0, published: true });
    expect(seen.at(-1)).toEqual(run);
    const { rows } = await alice.query<{ n: number }>('select count(score)::int as n from customers_scores');
    expect(rows).toEqual([{ n: ROWS }]);
  });

  test('without waiting, returns a run to wait for, also by a pool', async () => {
    const pool = new pg.Pool({ connectionString: database.url('alice'), options: '-c search_path=alice' });
    try {
      const { run, state } = await scoreTable(pool, { model: 'churn', source: 'customers', wait: false });
      expect(['queued', 'running', 'done']).toContain(state);
      await expect(waitForRun(pool, run)).resolves.toMatchObject({ run, state: 'done' });
    } finally {
      await pool.end();
    }
  });

  test('raises why a run failed', async () => {
    await alice.query('create view bad as select id, f0, 1 / (id - id) as f1 from customers');
    const map = Object.fromEntries(FEATURES.slice(2).map((name) => [name, 'f0']));
    const run = scoreTable(alice, { model: 'churn', source: 'bad', key: ['id'], columnMap: map });
    await expect(run).rejects.toMatchObject({ code: 'source_error', message: expect.stringContaining('failed') });
  });

  test('an aborted signal cancels the run', async () => {
    await alice.query('create view slow as select c.*, pg_sleep(0.1)::text as slowness from customers c');
    const controller = new AbortController();
    const run = scoreTable(alice, {
      model: 'churn',
      source: 'slow',
      key: ['id'],
      eventTime: undefined,
      onProgress: () => controller.abort(),
      signal: controller.signal,
    });
    await expect(run).rejects.toMatchObject({ code: 'interrupted' });
  });

  test('gives up in time', async () => {
    await service.stop();
    const run = scoreTable(alice, { model: 'churn', source: 'customers', timeoutSeconds: 0.2 });
    await expect(run).rejects.toMatchObject({ code: 'still_waiting', retry: true });
  });
});

describe('score', () => {
  test('returns the predictions in the order of the rows', async () => {
    await alice.query('set pgscore.execution = native');
    const predictions = await score(alice, 'churn@1', [row(1), row(-1)]);
    const single = await alice.query<{ score: number }>(`select pgscore.score('churn', $1::jsonb) as score`, [row(1)]);
    expect(predictions).toEqual([
      {
        score: single.rows[0]?.score,
        label: expect.any(String),
        probabilities: [expect.any(Number), expect.any(Number)],
        values: null,
        labels: null,
        embedding: null,
        version: 'churn@1',
      },
      expect.objectContaining({ version: 'churn@1' }),
    ]);
    expect(predictions[0]?.score).not.toBe(predictions[1]?.score);
  });

  test('refuses a number that JSON cannot hold, in place of scoring another row', async () => {
    const scored = score(alice, 'churn', [{ ...row(0), f3: Number.NaN }]);
    await expect(scored).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('f3') });
  });

  test('of no rows is no prediction', async () => {
    await expect(score(alice, 'churn', [])).resolves.toEqual([]);
  });

  test('raises which value cannot be scored', async () => {
    await expect(score(alice, 'churn', [row(1), row(null)])).rejects.toMatchObject({
      code: 'statement_failed',
      message: expect.stringContaining('f0'),
      cause: { code: '22004' },
    });
  });

  test('raises what is missing', async () => {
    await expect(score(alice, 'nothing', [row(1)])).rejects.toMatchObject({ code: 'statement_failed' });
  });
});
