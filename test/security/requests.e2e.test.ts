import { describe, expect, test } from '@jest/globals';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database);
const [superuser, ada, alice, mallory] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
  database.client('mallory'),
]);
await deployBytes(ada, 'sum', weightedModel({ a: 'float32' }));
for (const client of [alice, mallory]) {
  await client.query('create table flights (id int primary key, a real)');
  await client.query('insert into flights values (1, 10), (2, 20), (3, null)');
  await scoreTable(client, 'sum', 'flights');
}
await alice.query(`select pgscore.schedule('yearly', '0 0 1 1 *', 'sum', 'flights')`);

type Request = {
  version_id: number;
  target_id: number;
  source_schema: string;
  source_name: string;
  source_kind: string;
  handle_id: string;
  plan: { columns: Record<string, unknown>[]; pages: unknown };
};

/** What score_table() stored for the only run of a role. */
async function requestOf(role: string): Promise<Request> {
  const { rows } = await superuser.query<Request>(
    `select version_id, target_id, source_schema, source_name, source_kind, handle_id, plan
       from pgscore_data.run where requested_by = $1`,
    [role],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`${role} has no run`);
  return row;
}

const INSERT = `insert into pgscore._run_request (version_id, target_id, source_schema, source_name, source_kind, handle_id, plan, rls)
  values ($1, $2, $3, $4, $5, $6, $7, 'error')`;

const values = (request: Request): unknown[] => [...Object.values(request).slice(0, 6), JSON.stringify(request.plan)];

describe('a request that goes round score_table()', () => {
  test('is refused with the read handle of another role', async () => {
    const hers = await requestOf('alice');
    const mine = await requestOf('mallory');
    const refused = await refusal(mallory, INSERT, values({ ...mine, handle_id: hers.handle_id }));
    expect(refused).toMatchObject({ code: '42501', message: 'the read handle belongs to another role' });
  });

  test('is refused with the target of another role', async () => {
    const hers = await requestOf('alice');
    const mine = await requestOf('mallory');
    const refused = await refusal(mallory, INSERT, values({ ...mine, target_id: hers.target_id }));
    expect(refused).toMatchObject({ code: '42501', message: 'the target belongs to another role' });
  });

  test.each([
    ['pgscore._run_request', 'requested_by'],
    ['pgscore._handle_request', 'requested_by'],
    ['pgscore._target_request', 'requested_by'],
    ['pgscore._schedule_request', 'requested_by'],
    ['pgscore._cancel_request', 'requested_by'],
    ['pgscore._drop_request', 'requested_by'],
    ['pgscore._history_request', 'requested_by'],
    ['pgscore._schedule_command', 'requested_by'],
    ['pgscore._deployment', 'requested_by'],
    ['pgscore._command', 'requested_by'],
  ])('cannot say in %s who makes it', async (view, column) => {
    const text = `insert into ${view} (${column}) values ('alice')`;
    expect((await refusal(mallory, text)).code).toBe('42501');
  });

  const key = { name: 'id', role: 'key', type: 'raw', width: 1, sql_type: 'integer' };
  const feature = { name: 'a', role: 'feature', feature: 'a', type: 'float4', width: 1, sql_type: 'real' };
  const segment = { name: 'a', role: 'segment', segment: 's', type: 'text', width: 1, sql_type: 'text' };
  test.each([
    ['no columns', { columns: [], pages: 1 }],
    ['pages that are no number', { columns: [key, feature], pages: 'many' }],
    ['another key', { columns: [{ ...key, name: 'x' }, feature], pages: 1 }],
    ['a key type of its own wording', { columns: [{ ...key, sql_type: 'int); drop table x; --' }, feature], pages: 1 }],
    ['a feature twice', { columns: [key, feature, feature], pages: 1 }],
    ['a feature of another model', { columns: [key, { ...feature, feature: 'b' }], pages: 1 }],
    ['a type that cannot feed the feature', { columns: [key, { ...feature, type: 'text' }], pages: 1 }],
    ['another width', { columns: [key, { ...feature, width: 2 }], pages: 1 }],
    [
      'two event times',
      { columns: [key, feature, ...['b', 'c'].map((name) => ({ name, role: 'event_time' }))], pages: 1 },
    ],
    ['nine segments', { columns: [key, feature, ...Array.from({ length: 9 }, () => segment)], pages: 1 }],
    ['a segment before a feature', { columns: [key, segment, feature], pages: 1 }],
    ['a segment without a name', { columns: [key, feature, { ...segment, segment: undefined }], pages: 1 }],
    ['an unknown role', { columns: [key, feature, { name: 'b', role: 'spy' }], pages: 1 }],
  ])('is refused with a plan that has %s', async (_, plan) => {
    const refused = await refusal(mallory, INSERT, values({ ...(await requestOf('mallory')), plan }));
    expect(refused).toMatchObject({ code: '22023', message: 'the plan does not fit the version and the target' });
  });

  test.each([['null'], ['"x"'], ['{"columns": {}, "pages": 1}']])('is refused with the plan %s', async (plan) => {
    const mine = await requestOf('mallory');
    const refused = await refusal(mallory, INSERT, [...values(mine).slice(0, 6), plan]);
    expect(refused.code).toMatch(/^22/);
  });
});

describe('a target that goes round score_table()', () => {
  const INSERT_TARGET = `insert into pgscore._target_request (view_schema, view_name, task, key_columns, class_labels)
    values ($1, 'taken', 'regression', $2, '{}')`;

  test('cannot smuggle a statement in as the type of a key', async () => {
    const type =
      'int) partition by list (generation); grant usage on schema pgscore_data to mallory; create table pgscore_data.x (i int';
    const refused = await refusal(mallory, INSERT_TARGET, [
      'mallory',
      JSON.stringify([{ name: 'id', sql_type: type }]),
    ]);
    expect(refused.code).toBe('42601');
    const { rows } = await superuser.query(
      `select has_schema_privilege('mallory', 'pgscore_data', 'usage') as usage, to_regclass('pgscore_data.x') as made`,
    );
    expect(rows).toEqual([{ usage: false, made: null }]);
  });

  test.each([
    ['[]'],
    ['[{"sql_type": "integer"}]'],
    ['[{"name": "id", "sql_type": "pg_class"}]'],
    ['[{"name": "id"}]'],
  ])('is refused with the key %s', async (keys) => {
    expect((await refusal(mallory, INSERT_TARGET, ['mallory', keys])).code).toMatch(/^42/);
  });

  test('cannot take a name in a schema where its owner may create nothing', async () => {
    const refused = await refusal(mallory, INSERT_TARGET, ['alice', '[{"name": "id", "sql_type": "integer"}]']);
    expect(refused).toMatchObject({ code: '42501', message: 'permission denied for schema alice' });
  });
});

describe('the private views', () => {
  test.each([
    ['pgscore._run_request', 'run_id'],
    ['pgscore._run_control', 'run_id'],
    ['pgscore._handle_request', 'guard_hash'],
    ['pgscore._target_request', 'view_name'],
    ['pgscore._schedule_request', 'arguments'],
    ['pgscore._schedule_control', 'name'],
    ['pgscore.runs', 'source'],
    ['pgscore.run_errors', 'key'],
    ['pgscore.targets', 'target'],
    ['pgscore.schedules', 'model'],
    ['pgscore.schedule_history', 'name'],
  ])('show %s of others not even to a cheap function in the WHERE clause', async (view, column) => {
    await mallory.query(`create table if not exists seen (what text)`);
    await mallory.query(`create or replace function note(what anyelement) returns boolean language plpgsql cost 0.000001
      as $$ begin insert into mallory.seen values (what::text); return true; end $$`);
    await mallory.query('truncate seen');
    const text = `select count(${column}) from ${view} where mallory.note(${column})`;
    const { rows } = await mallory.query<{ count: string }>(text);
    const { rows: seen } = await mallory.query('select what from seen');
    expect(seen).toHaveLength(Number(rows[0]?.count));
  });

  test('outlive a role that was dropped', async () => {
    await superuser.query(`update pgscore_data.run set requested_by = 'gone' where requested_by = 'alice'`);
    await superuser.query(`update pgscore_data.target set owner = 'gone' where owner = 'alice'`);
    await superuser.query(`update pgscore_data.schedule set owner = 'gone' where owner = 'alice'`);
    const { rows } = await mallory.query(
      `select (select count(*) from pgscore.runs)::int as runs, (select count(*) from pgscore.run_errors)::int as errors,
              (select count(*) from pgscore.targets)::int as targets, (select count(*) from pgscore.schedules)::int as schedules`,
    );
    expect(rows).toEqual([{ runs: 1, errors: 1, targets: 1, schedules: 0 }]);
  });

  test.each([
    'select * from pgscore_data.handle',
    'select * from pgscore_data.run',
    'select bytes from pgscore_data.artifact',
    'select * from pgscore_predictions.target_1',
    'select * from pgscore_predictions.target_1_latest',
    'select pgscore_data._wake()',
    'select pgscore_data._drop_generation(1, 1)',
    'select pgscore_data._create_generation(1, 1)',
  ])('and the storage behind them is closed: %s', async (text) => {
    expect((await refusal(mallory, text)).code).toBe('42501');
  });
});
