import { afterAll, expect, test } from '@jest/globals';
import { Client } from 'pg';

import { classModel } from '../support/class-model.ts';
import { deployBytes } from '../support/deploy.ts';
import { createFaultDatabase } from '../support/fault-database.ts';
import { startFaultServer } from '../support/fault-server.ts';
import { passwordOf } from '../support/ordinary-roles.ts';
import { refusal } from '../support/refusal.ts';
import { startReplica } from '../support/replica.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const primary = await startFaultServer();
const database = await createFaultDatabase(primary);
const replica = await startReplica(primary);
const service = await startTestService(database, { PGSCORE_SCORERS: '1' });
const superuser = await database.client();
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
  await waitFor(async () => (await reader.query('select from pgscore.services')).rows.length > 0);
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

test('a standby that lags behind by minutes finds the service, beside one that is long gone', async () => {
  const onStandby = new Client({ connectionString: replica.url(database.name) });
  await onStandby.connect();
  process.kill(service.pid, 'SIGSTOP');
  try {
    await superuser.query(`update pgscore_data.service set heartbeat_at = clock_timestamp() - interval '5 minutes'`);
    await superuser.query(
      `with gone as (
         insert into pgscore_data.service (service_id, host, pid, version, scorers, state, heartbeat_at)
         values (gen_random_uuid(), 'gone', 1, '0', 1, 'running', clock_timestamp() - interval '1 hour') returning service_id
       )
       insert into pgscore_data.gateway (service_id, host, port, tls, login, password)
       select service_id, '192.0.2.1', 1, false, 'pgscore', '' from gone`,
    );
    const both = `select from pgscore_data.service having count(*) = 2 and max(heartbeat_at) < clock_timestamp() - interval '4 minutes'`;
    await waitFor(async () => (await onStandby.query(both)).rows.length === 1, { message: 'the old heartbeats' });
    await onStandby.query('select pg_wal_replay_pause()');
  } finally {
    process.kill(service.pid, 'SIGCONT');
  }
  try {
    const other = new Client({
      connectionString: replica.url(database.name, { user: 'alice', password: passwordOf('alice', primary.url()) }),
    });
    await other.connect();
    await other.query('set pgscore.execution = online');
    const began = performance.now();
    expect((await other.query(`select score('sum', '{"a": 1, "b": 2}') as score`)).rows).toEqual([{ score: 21 }]);
    // To try the other first would take two seconds.
    expect(performance.now() - began).toBeLessThan(1950);
    await other.end();
  } finally {
    await superuser.query(`delete from pgscore_data.gateway where host = '192.0.2.1'`);
    await superuser.query(`delete from pgscore_data.service where host = 'gone'`);
    await onStandby.query('select pg_wal_replay_resume()');
    await onStandby.end();
  }
});

test('a standby computes the functions of a bound table, and native models whose service is gone', async () => {
  const owner = await database.client('alice');
  await deployBytes(ada, 'kind', classModel(3), {
    task: 'multiclass',
    class_labels: ['small', 'middle', 'large'],
    features: ['x'],
  });
  await superuser.query('grant usage on schema alice to pgscore_owner');
  await owner.query('create table points (a real, b real, x real)');
  await owner.query('insert into points values (1, 2, 0), (3, 4, 1), (5, 6, 2)');
  await owner.query(`select pgscore.bind('sum', 'points')`);
  await service.stop();
  const bound = `select from pgscore.bindings where model = 'sum'`;
  await waitFor(async () => (await reader.query(bound)).rows.length === 1, { message: 'the binding on the standby' });
  await reader.query('reset pgscore.execution');
  const text = `select pgscore_models.sum(p) as champion, pgscore_models.sum_v1(p) as version, pgscore_models.sum_v1(a, b) as features,
      score('sum', p) as score, score('sum', to_jsonb(p)) as json, pgscore.predict('sum', p) ->> 'value' as value
    from points p order by a`;
  expect((await reader.query(text)).rows).toEqual(
    [21, 43, 65].map((sum) => ({
      champion: sum,
      version: sum,
      features: sum,
      score: sum,
      json: sum,
      value: String(sum),
    })),
  );
  const kinds = `select pgscore.classify('kind', p) as kind, score('kind', p, class => 'large') > 0.3 as large from points p order by a`;
  expect((await reader.query(kinds)).rows).toEqual([
    { kind: 'small', large: false },
    { kind: 'middle', large: false },
    { kind: 'large', large: true },
  ]);
  await reader.query('set pgscore.execution = online');
  expect((await refusal(reader, `select score('sum', to_jsonb(p)) from points p limit 1`)).code).toBe('08001');
});
