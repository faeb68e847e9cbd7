import { expect, test } from '@jest/globals';
import { Client } from 'pg';

import { atEnd } from '../support/at-end.ts';
import { deployModel } from '../support/deploy.ts';
import { createFaultDatabase } from '../support/fault-database.ts';
import { startFaultServer } from '../support/fault-server.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { atRest, differences } from './watching.ts';

const server = await startFaultServer({ fsync: 'off', wal_level: 'logical' });
const database = await createFaultDatabase(server);
await startTestService(database, { PGSCORE_POLL: '0.2' });
const [superuser, alice] = [await database.client(), await database.client('alice')];
await deployModel(await database.client('ada'), 'iris', 'test/models/iris_multiclass.onnx');

await superuser.query('create database elsewhere template template0');
const elsewhere = new Client({ connectionString: server.url('elsewhere') });
await elsewhere.connect();
atEnd(() => elsewhere.end());

const COLUMNS = 'sepal_length real, sepal_width real, petal_length real, petal_width real';

function connection(name: string): string {
  const { hostname, port, username, password } = new URL(server.url(name));
  return `host=${hostname} port=${port} dbname=${name} user=${username} password=${password}`;
}

/** Has one database apply what another publishes. Both are on one server, where to make the slot is not left to the subscription. */
async function subscribe(from: Client, fromName: string, to: Client, name: string): Promise<void> {
  await from.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [name]);
  const create = `create subscription ${name} connection '${connection(fromName)}' publication ${name}
    with (create_slot = false, slot_name = ${name}, copy_data = false)`;
  await to.query(create);
  atEnd(async () => {
    const drop = `alter subscription ${name} disable; alter subscription ${name} set (slot_name = none); drop subscription ${name}`;
    await to.query(drop);
  });
}

test('what logical replication applies is found by a comparison, and a target can be published', async () => {
  const create = `create table alice.flowers (id bigint primary key, ${COLUMNS})`;
  await elsewhere.query('create schema alice');
  await elsewhere.query(create);
  await elsewhere.query('create publication arriving for table alice.flowers');
  await alice.query(create);
  await alice.query('insert into flowers values (1, 5, 3, 4, 1)');
  await alice.query(`select pgscore.watch('iris', 'flowers', target => 'live')`);
  await atRest(alice, 'alice.live');
  await subscribe(elsewhere, 'elsewhere', superuser, 'arriving');

  const { rows } = await superuser.query<{ name: string; columns: string }>(
    `select c.oid::regclass::text as name, string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ') as columns
       from pgscore_data.target t join pg_class c on c.relname = format('target_%s_g%s', t.target_id, t.current_generation)
       join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 group by 1`,
  );
  const [stored = { name: '', columns: '' }] = rows;
  const publish = `create publication leaving for table ${stored.name}`;
  await superuser.query(publish);
  const receive = `create schema pgscore_predictions; create table ${stored.name} (${stored.columns})`;
  await elsewhere.query(receive);
  await subscribe(superuser, 'faults', elsewhere, 'leaving');

  await elsewhere.query('insert into alice.flowers select i, 5, 3, i % 7, 1 from generate_series(2, 20) i');
  await waitFor(async () => (await alice.query('select from flowers')).rowCount === 20, {
    message: 'rows to be applied',
  });
  expect((await alice.query(`select pending::int, state from pgscore.watches`)).rows).toEqual([
    { pending: 0, state: 'following' },
  ]);
  await superuser.query('update pgscore_data.watch set compare_after = now()');
  await waitFor(async () => (await alice.query('select from live')).rowCount === 20, { message: 'rows to be found' });
  await alice.query('update flowers set petal_length = 6 where id = 1');
  await atRest(alice, 'alice.live');
  expect(await differences(alice, 'iris', 'flowers', 'live')).toEqual([]);

  const published = `select id, score, run_id from ${stored.name} order by id`;
  await waitFor(
    async () => {
      expect((await elsewhere.query(published)).rows).toEqual((await superuser.query(published)).rows);
      return true;
    },
    { message: 'predictions to be published elsewhere' },
  );
  expect((await elsewhere.query(published)).rowCount).toBe(20);
});
