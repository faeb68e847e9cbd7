import { beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';

import { describeOnCitus } from '../support/citus.ts';
import { deployModel } from '../support/deploy.ts';
import { startTestService } from '../support/service.ts';

const FEATURES = Array.from({ length: 20 }, (_, n) => `f${n}`);
const COLUMNS = FEATURES.map((name) => `${name} real`).join(', ');
const VALUES = FEATURES.map((_, n) => `sin(g * ${n + 1})::real`).join(', ');

const TABLES = `create table customers (id bigint primary key, ${COLUMNS});
  select create_distributed_table('customers', 'id');
  insert into customers select g, ${VALUES} from generate_series(1, 500) g;
  create table local_customers as select * from customers;
  grant select on customers, local_customers to alice, ada`;

await describeOnCitus('native models on the nodes', (database) => {
  let superuser: Client;
  let ada: Client;
  let alice: Client;

  async function planOf(client: Client, query: string): Promise<string> {
    const explained = `explain (verbose, costs off) ${query}`;
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(explained);
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  }

  async function valueOf(client: Client, query: string): Promise<unknown> {
    const { rows } = await client.query<Record<string, unknown>>(query);
    return Object.values(rows[0] ?? {})[0];
  }

  beforeAll(async () => {
    superuser = await database.client();
    ada = await database.client('ada');
    alice = await database.client('alice');
    await startTestService(database);
    await superuser.query(TABLES);
    await deployModel(ada, 'churn', 'bench/logistic.onnx');
    await deployModel(ada, 'churn', 'bench/trees.onnx');
    await deployModel(ada, 'online', 'bench/logistic.onnx', { native: false });
  });

  test('score() is computed where the rows are, to the last bit as on the coordinator', async () => {
    const plan = await planOf(alice, "select id, score('churn', c) from customers c");
    expect(plan).toMatch(
      /Custom Scan \(Citus Adaptive\)[^]*Query: SELECT id, pgscore_models\._score_row\(CASE .* ELSE '\{\d+\}'::/,
    );
    expect(plan).toMatch(/Seq Scan on public\.customers_\d+ c\n\s+Output: id, pgscore_models\._score_shaped_row/);
    for (const model of ['churn', 'churn@2']) {
      const differing = `select count(*)::int from (select id, score('${model}', c) s from customers c offset 0) a
        join (select id, score('${model}', l) s from local_customers l offset 0) b using (id) where a.s is distinct from b.s`;
      expect(await valueOf(alice, differing)).toBe(0);
    }
    expect(await valueOf(alice, "select count(*)::int from customers c where score('churn', to_jsonb(c)) >= 0")).toBe(
      500,
    );
  });

  test('a promotion and a rollback change plans that are kept', async () => {
    await alice.query("prepare largest as select max(score('churn', c)) from customers c");
    const first = await valueOf(alice, 'execute largest');
    await ada.query("select pgscore.promote('churn@2')");
    const second = await valueOf(alice, 'execute largest');
    expect(second).not.toBe(first);
    expect(second).toBe(await valueOf(alice, "select max(score('churn@2', c)) from customers c"));
    await ada.query("select pgscore.rollback('churn')");
    expect(await valueOf(alice, 'execute largest')).toBe(first);
  });

  test('a revoked model is refused, by plans that are kept as well', async () => {
    await ada.query("select pgscore.revoke_model('churn', 'pgscore_user')");
    await expect(alice.query('execute largest')).rejects.toThrow('model "churn" is not granted');
    await expect(alice.query("select score('churn', c) from customers c")).rejects.toThrow('not granted');
    await ada.query("select pgscore.grant_model('churn', 'pgscore_user')");
    await alice.query('execute largest');
  });

  test('in an experiment the nodes refuse the model, and compute versions that are named', async () => {
    await ada.query(`select pgscore.start_experiment('churn', 'canary', '{"churn@2": 50}', split_by => '{id}')`);
    await expect(alice.query("select score('churn', c) from customers c")).rejects.toMatchObject({
      code: '0A000',
      message: expect.stringMatching(/the nodes of Citus cannot compute the arms of an experiment/),
    });
    await alice.query("select score('churn@1', c) from customers c");
    const differing = `select count(*)::int from local_customers l
      where score('churn', l) is distinct from case pgscore.arm('churn', id) when 'churn@2' then score('churn@2', l) else score('churn@1', l) end`;
    expect(await valueOf(alice, differing)).toBe(0);
    await ada.query("select pgscore.stop_experiment('churn')");
    await alice.query("select score('churn', c) from customers c");
  });

  test('a version that is not among the newest is computed all the same', async () => {
    // What nodes have where no version is among them.
    const { rows } = await superuser.query<{ definition: string }>(
      `select format('create or replace function %s returns %s language plpgsql volatile as %L', signature, result, source) as definition
         from pgscore_data._node_calls('{}') where signature ~ '_score_(shaped_row|json)\\('`,
    );
    expect(rows).toHaveLength(2);
    for (const worker of [await database.worker(0), await database.worker(1)]) {
      await worker.query('set citus.enable_ddl_propagation = off');
      for (const { definition } of rows) await worker.query(definition);
    }
    await alice.query("select score('churn', c), score('churn', to_jsonb(c)) from customers c");
    await expect(alice.query("select score('online', c) from customers c")).rejects.toMatchObject({ code: '0A000' });
  });

  test('what the nodes cannot do is refused in a sentence', async () => {
    for (const [query, message] of [
      ["select score('online', c) from customers c", /nodes of Citus have no such native version/],
      ["select pgscore.predict('churn', c) from customers c", /this call is for the coordinator of Citus/],
      ["select score('churn', c) from customers c where id = 5", /before pgscore has chosen a version/],
      ["select avg(s) from (select score('churn', c) s from customers c) x", /before pgscore has chosen a version/],
      ["select score('churn', x) from (select f0, f1 from customers) x", /without the names of their columns/],
    ] as const) {
      await expect(alice.query(query)).rejects.toMatchObject({
        code: '0A000',
        message: expect.stringMatching(message),
      });
    }
    await alice.query('set citus.enable_router_execution = off');
    expect(await valueOf(alice, "select score('churn', c) from customers c where id = 5")).toEqual(expect.any(Number));
    await alice.query('reset citus.enable_router_execution');
  });

  test('a bound table is scored by its typed functions', async () => {
    await superuser.query("select pgscore.bind('churn', 'customers')");
    const plan = await planOf(alice, 'select id, pgscore_models.churn(c) from customers c');
    expect(plan).toMatch(/Seq Scan on public\.customers_\d+ c/);
    const bound = 'select max(pgscore_models.churn(c)) from customers c';
    expect(await valueOf(alice, bound)).toBeCloseTo(Number(await valueOf(alice, 'execute largest')), 9);
    expect(await valueOf(alice, "select max(score('churn', c)) from customers c")).toBeCloseTo(
      Number(await valueOf(alice, bound)),
      9,
    );
  });

  test('the typed functions of a bound table give each row its arm', async () => {
    await ada.query(`select pgscore.start_experiment('churn', 'canary', '{"churn@2": 50}', split_by => '{id}')`);
    const arms = `select count(*)::int from (select id, pgscore_models.churn(c) s from customers c offset 0) a join local_customers l using (id)
      where s is distinct from case pgscore.arm('churn', id) when 'churn@2' then score('churn@2', l) else score('churn@1', l) end`;
    expect(await valueOf(alice, arms)).toBe(0);
    await ada.query("select pgscore.stop_experiment('churn')");
  });

  test('dropped versions leave the nodes, and lost functions come back', async () => {
    await ada.query("select pgscore.drop_version('churn@2')");
    const worker = await database.worker(0);
    const dropped = await valueOf(superuser, "select version_id from pgscore_data.version where state = 'dropped'");
    await superuser.query('select pgscore.sync_nodes()');
    const left = "select count(*)::int from pg_proc where proname ~ ('^_v' || $1 || '(_|$)')";
    expect((await worker.query(left, [dropped])).rows).toEqual([{ count: 0 }]);
    await worker.query('drop function pgscore_models._score_row');
    await superuser.query('select pgscore.sync_nodes()');
    await alice.query("select score('churn@1', c) from customers c");
  });

  (database.servers.length === 0 ? test.skip : test)('a version is refused while a node is away', async () => {
    const [, , worker] = database.servers;
    await worker?.stop();
    await expect(deployModel(ada, 'later', 'bench/logistic.onnx')).rejects.toThrow(
      /node_unavailable|node 127\.0\.0\.1:\d+/,
    );
    await worker?.start();
    await deployModel(ada, 'later', 'bench/logistic.onnx');
  });
});
