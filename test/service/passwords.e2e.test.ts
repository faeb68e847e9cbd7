import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployModel } from '../support/deploy.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';

const database = await cloneDatabase();
const alice = await database.client('alice');
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
  await deployModel(await database.client('ada'), 'iris', 'test/models/iris_multiclass.onnx');
  await alice.query(`create table t as select 1 as id, 1::real as sepal_length, 2::real as sepal_width, 3::real as petal_length,
    4::real as petal_width`);
  expect(await scoreTable(alice, 'iris', 't', { key: 'id' })).toMatchObject({ state: 'done', error: null });
});

test('reading the password file is nothing to warn of', () => {
  expect(service.log()).not.toMatch(/Deprecation|pgpass/);
});
