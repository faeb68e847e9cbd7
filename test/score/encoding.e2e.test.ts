import { afterAll, expect, test } from '@jest/globals';
import { Client } from 'pg';

import { ident } from '../../src/lib/ident.ts';
import { migrate } from '../../src/install/migrate.ts';
import { checkOnline } from '../../src/commands/doctor/online.ts';
import { emptyDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { READER_PASSWORD, SERVICE_PASSWORD } from '../support/prepare-database.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const beside = await emptyDatabase();
const superuser = await beside.client();
const name = `${beside.name}_latin1`;
const create = `create database ${ident(name)} template template0 encoding 'LATIN1' locale 'C'`;
await superuser.query(create);
afterAll(async () => {
  const drop = `drop database ${ident(name)} with (force)`;
  await superuser.query(drop);
});
const at = (url: string): string => {
  const other = new URL(url);
  other.pathname = name;
  return other.href;
};

test('a database that is not UTF8 computes native models, and says why it asks no service', async () => {
  await migrate({ url: at(beside.url()), servicePassword: SERVICE_PASSWORD, readerPassword: READER_PASSWORD });
  const service = await startTestService(beside, {
    PGSCORE_DATABASE_URL: at(beside.url({ user: 'pgscore_service', password: SERVICE_PASSWORD })),
    PGSCORE_READER_URL: at(beside.url({ user: 'pgscore_reader', password: READER_PASSWORD })),
  });
  const client = new Client({ connectionString: at(beside.url()) });
  await client.connect();
  try {
    await deployBytes(client, 'words', weightedModel({ word: 'string', n: 'float32' }));
    const call = `select score('words', r) as score from (select 'Grün' as word, 2 as n) r`;
    expect((await client.query(call)).rows).toEqual([{ score: 19 }]);
    await client.query('set pgscore.execution = online');
    expect(await refusal(client, call)).toMatchObject({
      code: '0A000',
      message: expect.stringContaining('LATIN1'),
      hint: expect.stringContaining('UTF8'),
    });
    expect(await checkOnline(client)).toMatchObject([{ level: 'warn', message: expect.stringContaining('LATIN1') }]);
  } finally {
    await client.end();
    await service.stop();
  }
});
