import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployModel, submitDeploy } from '../support/deploy.ts';
import { node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { refusal } from '../support/refusal.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';

const database = await cloneDatabase();
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);
const { hostname, port, pathname } = new URL(database.url());
const directory = await mkdtemp(join(tmpdir(), 'pgscore-passwords-'));
afterAll(() => rm(directory, { recursive: true }));
const file = join(directory, 'pgpass');
const line = (role: string, password: string) => `${hostname}:${port}:*:${role}:${password}\n`;
const lines = line('pgscore_service', SERVICE_PASSWORD) + line('pgscore_reader', READER_PASSWORD);
await writeFile(file, lines, { mode: 0o600 });

/** A service that is told of its database by these variables alone. */
const service = await startTestService(database, {
  PGSCORE_DATABASE_URL: '',
  PGSCORE_READER_URL: '',
  PGHOST: hostname,
  PGPORT: port,
  PGDATABASE: pathname.slice(1),
  PGUSER: 'pgscore_service',
  PGPASSFILE: file,
});

test('a service that finds its database by PG* variables and its passwords in the password file scores', async () => {
  await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx');
  await alice.query(`create table t as select 1 as id, 1::real as sepal_length, 2::real as sepal_width, 3::real as petal_length,
    4::real as petal_width`);
  expect(await scoreTable(alice, 'iris', 't', { key: 'id' })).toMatchObject({ state: 'done', error: null });
});

test('reading the password file is nothing to warn of', () => {
  expect(service.log()).not.toMatch(/Deprecation|pgpass/);
});

/** Whether a process has ONNX Runtime in its memory. */
const hasOnnxRuntime = (pid: number): boolean => readFileSync(`/proc/${pid}/maps`, 'utf8').includes('libonnxruntime');

test('scorers load ONNX Runtime; the service and its gateway, which run no model in it, do not', async () => {
  const gateway = await waitFor(() => service.gateway());
  await waitFor(async () => (await service.scorerPids()).some(hasOnnxRuntime), { message: 'a scorer to load it' });
  expect([service.pid, gateway.pid].map(hasOnnxRuntime)).toEqual([false, false]);
});

test('a model is rejected with its reason also where that quotes a name with a zero byte', async () => {
  const bytes = onnxModel({
    inputs: [tensorValue('x', [null, 1])],
    outputs: [tensorValue('y', [null, 1])],
    nodes: [node('Evil\0Operator', ['x'], ['y'])],
  });
  const version = await submitDeploy(ada, 'evil', bytes);
  expect(await refusal(ada, `call pgscore.wait_for_version('${version}', '60 seconds')`)).toMatchObject({
    message: expect.stringContaining('Evil\\0Operator'),
  });
  const { rows } = await ada.query(`select state, reason_code, reason from pgscore.models where model = 'evil'`);
  expect(rows).toEqual([
    { state: 'rejected', reason_code: 'model_unknown_operator', reason: expect.stringContaining('Evil\\0Operator') },
  ]);
});
