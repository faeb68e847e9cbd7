import { beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { pause } from '../../src/lib/retry.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { SERVICE_PASSWORD } from '../support/service-passwords.ts';
import { startProxy } from '../support/proxy.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';
import { callsCounted, expectTotals } from '../monitor/calls.ts';

const database = await cloneDatabase();
const proxy = await startProxy(database.url());
const superuser = await database.client();
const environment = {
  PGSCORE_POLL: '0.1',
  PGSCORE_DATABASE_URL: proxy.url(database.url({ user: 'pgscore_service', password: SERVICE_PASSWORD })),
};
const service = await startTestService(database, environment);
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

async function asked(model: string): Promise<void> {
  await deployBytes(ada, model, weightedModel({ x: 'float64' }));
  const truth = `create table ${model}_truth (id bigint primary key, y float8); select pgscore.set_labels('${model}', '${model}_truth', label => 'y')`;
  await alice.query(truth);
}

beforeAll(async () => {
  await alice.query('set pgscore.execution = online');
  await asked('killed');
  await asked('unheard');
  await asked('many');
  await alice.query('create table xs as select n::float8 as x from generate_series(1, 1500) n');
  await alice.query('grant usage on schema alice to bob, ada; grant select on xs to bob, ada');
});

async function blocksOf(model: string): Promise<number> {
  const { rows } = await superuser.query<{ n: number }>(
    'select count(*)::int as n from pgscore_data.online_block b join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id) where m.name = $1',
    [model],
  );
  return rows[0]?.n ?? 0;
}

test('calls whose commit was not answered for are kept, and counted, once', async () => {
  await alice.query(`select score('unheard', '{"id": 0, "x": 1}')`);
  await callsCounted(superuser, 'unheard', 1);
  const lost = proxy.loseReplyToCommit('pgscore gateway log');
  await alice.query(`select score('unheard', jsonb_build_object('id', i, 'x', i)) from generate_series(1, 9) i`);
  await lost;
  await alice.query(`select score('unheard', '{"id": 10, "x": 10}')`);
  await alice.query(`insert into unheard_truth values (9, 8)`);
  await expectTotals(superuser, 'unheard', { predicted: 11, failed: 0, labeled: 1, mae: 1 });
  await callsCounted(superuser, 'unheard', 11);
});

test('blocks whose commit was not answered for are kept, and counted, once', async () => {
  const ask = `select count(s.score) from pgscore.score_rows('many', array(select r from xs r)) s`;
  await alice.query(ask);
  await callsCounted(superuser, 'many', 1500);
  const lost = proxy.loseReplyToCommit('pgscore gateway log');
  await alice.query(ask);
  await lost;
  await alice.query(ask);
  await callsCounted(superuser, 'many', 4500);
  await expectTotals(superuser, 'many', { predicted: 4500, failed: 0, labeled: 0, mae: null });
  expect(await blocksOf('many')).toBe(6);
});

const ROWS = `select count(s.score) from pgscore.score_rows('killed', array(select r from alice.xs r limit 150)) s`;

/** Calls until it is told to end, for one row at a time and for many; a call may find its gateway gone. */
async function call(client: Client, goesOn: () => boolean): Promise<void> {
  for (let id = 0; goesOn(); id += 1) {
    await client
      .query(`select score('killed', jsonb_build_object('id', $1::int, 'x', 1.5)) from generate_series(1, 20)`, [
        id % 50,
      ])
      .catch(() => undefined);
    if (id % 5 === 0) await client.query(ROWS).catch(() => undefined);
    await pause(10);
  }
}

test('a gateway that is killed under load leaves as many counted as it kept', async () => {
  const kept = `select count(*)::int as n from pgscore.online_predictions where model = 'killed'`;
  const clients = await Promise.all((['alice', 'bob', 'ada'] as const).map((role) => database.client(role)));
  for (const client of clients) await client.query('set pgscore.execution = online');
  let goesOn = true;
  const load = Promise.all(clients.map((client) => call(client, () => goesOn)));
  const n = async (): Promise<number> => (await superuser.query<{ n: number }>(kept)).rows[0]?.n ?? 0;
  for (let death = 0; death < 2; death += 1) {
    const before = await n();
    await waitFor(async () => (await n()) > before + 300, { message: 'kept calls' });
    const gateway = await waitFor(() => service.gateway(), { message: 'a gateway' });
    process.kill(gateway.pid, 'SIGKILL');
    await waitFor(async () => (await service.gateway())?.pid !== gateway.pid, { message: 'the end of the gateway' });
  }
  await alice.query('insert into killed_truth select i, 1 from generate_series(0, 49) i');
  goesOn = false;
  await load;
  await service.stop();
  await superuser.query('select pgscore.refresh()');
  await callsCounted(superuser, 'killed', await n());
  expect(await blocksOf('killed')).toBeGreaterThan(1);
  const labeled =
    (await superuser.query<{ n: number }>(`select count(*)::int as n from pgscore_data.evaluation`)).rows[0]?.n ?? 0;
  expect(labeled).toBeGreaterThan(1);
  const volume = `select sum(c.n_predictions + c.n_failed)::int as n from pgscore_data.cell_volume c join pgscore_data.version v using (version_id)
     join pgscore_data.model m using (model_id) where m.name = 'killed'`;
  expect((await superuser.query(volume)).rows).toEqual([{ n: await n() }]);
}, 60_000);
