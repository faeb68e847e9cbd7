import { afterAll, expect, test } from '@jest/globals';
import { Client } from 'pg';

import { deployBytes } from '../support/deploy.ts';
import { createFaultDatabase } from '../support/fault-database.ts';
import { startFaultServer } from '../support/fault-server.ts';
import { passwordOf } from '../support/ordinary-roles.ts';
import { startReplica } from '../support/replica.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const primary = await startFaultServer();
const database = await createFaultDatabase(primary);
const replica = await startReplica(primary);
await startTestService(database, { PGSCORE_SCORERS: '1' });
const ada = await database.client('ada');

const reader = new Client({
  connectionString: replica.url(database.name, { user: 'alice', password: passwordOf('alice', primary.url()) }),
});
reader.on('error', () => undefined);
afterAll(() => reader.end());

test('a standby computes native models and asks the service, whose log is on the primary', async () => {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await reader.connect();
  const { rows } = await reader.query('select pg_is_in_recovery() as standby');
  expect(rows).toEqual([{ standby: true }]);
  const call = `select score('sum', '{"a": 1, "b": 2}') as score`;
  await reader.query('set pgscore.execution = native');
  await waitFor(async () => (await reader.query(call)).rows.length === 1, { message: 'the model on the standby' });
  expect((await reader.query(call)).rows).toEqual([{ score: 21 }]);
  await reader.query(`set pgscore.execution = online; set pgscore.request_id = 'of the standby'`);
  await waitFor(async () => (await reader.query('select from pgscore.workers')).rows.length > 0);
  expect((await reader.query(call)).rows).toEqual([{ score: 21 }]);
  await reader.query('reset pgscore.request_id');
  const owner = await database.client('alice');
  await owner.query('create type numbers as (a real, b int)');
  const many = `select count(s.score)::int as scores from pgscore.score_rows('sum', array(select jsonb_build_object('a', n, 'b', 1) from generate_series(1, 2500) n)) s`;
  expect((await reader.query(many)).rows).toEqual([{ scores: 2500 }]);
  const arrived = `select from pg_type where typname = 'numbers'`;
  await waitFor(async () => (await reader.query(arrived)).rows.length === 1, { message: 'the type on the standby' });
  const numbers = many.replace(/jsonb_build_object.*?\)/, 'row(n, 1)::numbers');
  expect((await reader.query(numbers)).rows).toEqual([{ scores: 2500 }]);
  const logged = `select score from pgscore.online_predictions where request_id = 'of the standby'`;
  await waitFor(async () => (await ada.query(logged)).rows.length === 1, { message: 'the log on the primary' });
  await waitFor(async () => (await reader.query(logged)).rows.length === 1, { message: 'the log on the standby' });
});
