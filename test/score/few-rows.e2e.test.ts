import { beforeAll, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { fullTrees, nestedTrees, regressor } from '../support/tree-models.ts';

const { superuser, ada, alice } = await scoreFixture();

const ROWS = 3000;
const TRIES = 200;

beforeAll(async () => {
  await superuser.query('grant usage on schema alice to pgscore_owner');
  await deployBytes(ada, 'forest', regressor(nestedTrees(fullTrees({ spread: 12 }))), { features: ['a', 'b', 'c'] });
  await alice.query(
    `create table points as
    select n as id, sin(n)::real * 5 as a, cos(n * 7)::real * 5 as b, sin(n * 3)::real * 5 as c from generate_series(1, $1::int) n`,
    [ROWS],
  );
  await alice.query(`alter table points add primary key (id); analyze points`);
  await alice.query(`select pgscore.bind('forest', 'points')`);
  await superuser.query(`set track_functions = 'pl'`);
});

type Calls = { few: number; many: number };

const COUNTED = `select coalesce(sum(calls) filter (where funcname like '%_few'), 0)::int as few, coalesce(sum(calls) filter (where funcname like '%_many'), 0)::int as many
   from pg_stat_xact_user_functions where schemaname = 'pgscore_models'`;

/** How often each form was called by a statement about some rows. */
async function callsOf(statement: string, values: unknown[] = []): Promise<Calls> {
  await superuser.query('begin');
  const before = await superuser.query<Calls>(COUNTED);
  await superuser.query(statement, values);
  const after = await superuser.query<Calls>(COUNTED);
  await superuser.query('commit');
  const since = (form: keyof Calls): number => (after.rows[0]?.[form] ?? 0) - (before.rows[0]?.[form] ?? 0);
  return { few: since('few'), many: since('many') };
}

test('a statement of many rows goes over to the form that is made ready once', async () => {
  const { few, many } = await callsOf(`select count(public.score('forest', p)) from alice.points p`);
  expect(few + many).toBe(ROWS);
  expect(many).toBeGreaterThan(ROWS / 2);
});

test('a statement of one row takes the form that needs not be made ready', async () => {
  // On a machine that stands still for a moment, the statement is old before it comes to its row.
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    const { few, many } = await callsOf(`select public.score('forest', p) from alice.points p where id = $1`, [
      attempt,
    ]);
    expect(few + many).toBe(1);
    if (few === 1) return;
  }
  throw new Error(`none of ${TRIES} statements took it`);
});

test('what an index holds of many rows is found by what one row comes to', async () => {
  await alice.query('create index kept on points (pgscore_models.forest_v1(points))');
  await alice.query('set enable_seqscan = off');
  for (let id = 1; id <= 100; id += 1) {
    const { rows } = await alice.query<{ one: number }>(
      `select score('forest', p) as one from points p where id = $1`,
      [id],
    );
    const { rows: found } = await alice.query(
      'select id from points p where pgscore_models.forest_v1(p) = $1 and id = $2',
      [rows[0]?.one, id],
    );
    expect([id, found]).toEqual([id, [{ id }]]);
  }
  const plan = await alice.query('explain select id from points p where pgscore_models.forest_v1(p) = 1');
  expect(JSON.stringify(plan.rows)).toContain('kept');
});

test('nobody may call a form who may not call the model', async () => {
  const { rows } = await superuser.query(
    `select p.proname, has_function_privilege('pgscore_user', p.oid, 'execute') as user, has_function_privilege('pgscore_reader', p.oid, 'execute') as reader
       from pg_proc p where p.pronamespace = 'pgscore_models'::regnamespace and p.proname ~ '^_v[0-9]+(_few|_many)?$' order by 1`,
  );
  expect(rows.map(({ user, reader }) => [user, reader])).toEqual([
    [true, false],
    [true, false],
    [true, false],
  ]);
});
