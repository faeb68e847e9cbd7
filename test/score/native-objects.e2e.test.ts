import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { deployBytes } from '../support/deploy.ts';
import { DataType, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { serverVersionOf } from '../support/server-version.ts';
import { weightedModel } from '../support/weighted-model.ts';

const { service, superuser, ada, alice } = await scoreFixture();
const serverVersion = await serverVersionOf(superuser);

const FEATURES = Array.from({ length: 20 }, (_, n) => `f${n}`);

const NUMBERS = 10_000;

beforeAll(async () => {
  await deployBytes(ada, 'trees', await readFile(new URL('../../bench/trees.onnx', import.meta.url)));
  await superuser.query('grant usage on schema alice to pgscore_owner');
  const columns = FEATURES.map((name, n) => `sin(i * ${n + 1})::real as ${name}`).join(', ');
  const create = `create table points as select i as id, ${columns} from generate_series(1, 20000) i`;
  await alice.query(create);
  await alice.query(`select pgscore.bind('trees', 'points')`);
  await alice.query('analyze points');
  await deployBytes(ada, 'native', weightedModel({ a: 'float32' }));
  const erf = onnxModel({
    inputs: [tensorValue('a', [null, 1], DataType.FLOAT)],
    nodes: [node('Erf', ['a'], ['y'])],
  });
  await deployBytes(ada, 'online', erf, { features: ['a'] });
  await alice.query(`create table numbers as select n as id, n::real as a from generate_series(1, $1::int) n`, [
    NUMBERS,
  ]);
  await alice.query('analyze numbers');
  await alice.query(`create table bound (like numbers); insert into bound select * from numbers; analyze bound`);
  await alice.query(`select pgscore.bind('native', 'bound'), pgscore.bind('online', 'bound')`);
  // From here on nothing needs it: to plan is to ask nothing, too.
  await service.stop();
});

async function plan(text: string): Promise<string> {
  const { rows } = await alice.query<{ 'QUERY PLAN': string }>(text);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

test.each(['pgscore_models.trees(p)', 'pgscore_models.trees_v1(p)', `score('trees', p)`])(
  '%s is computed by parallel workers, as one process computes it',
  async (call) => {
    const sum = `select round(sum(${call})::numeric, 6) as sum from points p`;
    await alice.query('set max_parallel_workers_per_gather = 0');
    const alone = (await alice.query(sum)).rows;
    await alice.query(
      'set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set min_parallel_table_scan_size = 0',
    );
    const executed = await plan(`explain (analyze, costs off, verbose) ${sum}`);
    // Before 17, score() may ask the service only where there are no workers, and PostgreSQL asks before it looks inside.
    if (call.startsWith('score') && serverVersion < 170_000) expect(executed).not.toContain('Workers');
    else expect(executed).toMatch(/Workers Launched: [12]/);
    expect((await alice.query(sum)).rows).toEqual(alone);
    await alice.query('reset all');
  },
);

test('a trigger stores the score of each row that is written, and a filter over it finds them', async () => {
  await alice.query(`create table scored (like points, score double precision)`);
  const keepScore = `create function keep_score() returns trigger language plpgsql as $$ begin new.score := pgscore_models.trees_v1(${FEATURES.map((name) => `new.${name}`).join(', ')}); return new; end $$`;
  await alice.query(keepScore);
  await alice.query('create trigger keep before insert or update on scored for each row execute function keep_score()');
  await alice.query('insert into scored select p.*, null from points p where id <= 100');
  const { rows } = await alice.query(
    'select count(*)::int as same from scored s join points p using (id) where s.score = pgscore_models.trees(p)',
  );
  expect(rows).toEqual([{ same: 100 }]);
});

test('a trigger may score the row that it is about to write as it is', async () => {
  await alice.query('create table rows (like points, score double precision)');
  await alice.query(
    `create function keep_score_of_row() returns trigger language plpgsql as $$ begin new.score := score('trees', new); return new; end $$`,
  );
  await alice.query(
    'create trigger keep before insert or update on rows for each row execute function keep_score_of_row()',
  );
  await alice.query('insert into rows select p.*, null from points p where id <= 100');
  await alice.query('update rows set f0 = f0 + 1 where id <= 50');
  const { rows } = await alice.query(
    'select count(r.score)::int as scored, count(*) filter (where r.score = pgscore_models.trees(p))::int as same from rows r join points p using (id) where id > 50',
  );
  expect(rows).toEqual([{ scored: 50, same: 50 }]);
  const { rows: updated } = await alice.query(
    `select count(*)::int as same from rows r where id <= 50 and r.score = score('trees', to_jsonb(r))`,
  );
  expect(updated).toEqual([{ same: 50 }]);
});

test('rows of a table that is not bound, of jsonb and of JSON are scored, predicted and classified as those of one that is', async () => {
  await alice.query('create table unbound as select * from points where id <= 200');
  const scores = async (text: string): Promise<number[]> =>
    (await alice.query<{ score: number }>(text)).rows.map(({ score }) => score);
  const bound = await scores('select pgscore_models.trees_v1(p) as score from points p where id <= 200 order by id');
  expect(bound).toHaveLength(200);
  for (const row of ['u', 'to_jsonb(u)', 'to_jsonb(u)::text']) {
    const text = `select score('trees', ${row}) as score, (pgscore.predict('trees', ${row}) -> 'probabilities' ->> '1')::float8 as predicted,
        pgscore.classify('trees', ${row}) as label from unbound u order by id`;
    const { rows } = await alice.query<Record<'score' | 'predicted' | 'label', unknown>>(text);
    expect(rows).toEqual(
      bound.map((score) => ({
        score: expect.closeTo(score, 9),
        predicted: expect.closeTo(score, 9),
        label: score >= 0.5 ? '1' : '0',
      })),
    );
  }
});

test('an index over the score is read by a query for the highest', async () => {
  await alice.query('create index on points (pgscore_models.trees_v1(points) desc)');
  const text = 'select id from points p order by pgscore_models.trees_v1(p) desc limit 3';
  expect(await plan(`explain (costs off) ${text}`)).toContain('Index Scan');
});

test('a large function has one search_path, or callers under two in turns would have it planned anew for each row', async () => {
  const large = `select p.oid::regprocedure::text as name, p.proconfig as settings from pg_proc p
    where p.pronamespace = 'pgscore_models'::regnamespace and p.proname in ('_v1', '_v1_json') order by p.proname`;
  const { rows } = await superuser.query<{ settings: string[] | null }>(large);
  expect(rows.map(({ settings }) => settings)).toEqual([
    ['search_path=pg_catalog, pg_temp'],
    ['search_path=pg_catalog, pg_temp'],
  ]);
});

describe('the planner', () => {
  beforeAll(() => alice.query('set max_parallel_workers_per_gather = 0'));

  const MANY = `pgscore.score_rows('online', array(select p from numbers p))`;

  test.each([`select s.score from ${MANY} s`, `select (${MANY}).score`])(
    'EXPLAIN of score_rows() asks no service: %s',
    async (text) => {
      await expect(planOf(text)).resolves.toHaveProperty('Plan Rows');
    },
  );

  test('score_rows() is estimated at as much as score() of the rows that it is taken to have', async () => {
    const plan = await planOf(`select s.score from ${MANY} s`);
    expect(plan['Plan Rows']).toBe(1000);
    const each = await planOf(`select score('online', p) from numbers p limit 1000`);
    expect(plan['Total Cost'] / each['Total Cost']).toBeCloseTo(1, 1);
  });

  type Plan = { 'Total Cost': number; 'Plan Rows': number; Filter?: string };

  async function planOf(text: string): Promise<Plan> {
    const explain = `explain (format json) ${text}`;
    const { rows } = await alice.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(explain);
    return rows[0]!['QUERY PLAN'][0].Plan;
  }

  /** What a call adds to a row, in pages read. */
  async function costOf(call: string): Promise<number> {
    const [plain, scored] = [await planOf('select id from bound b'), await planOf(`select ${call} from bound b`)];
    return (scored['Total Cost'] - plain['Total Cost']) / NUMBERS;
  }

  const CALLS = [`score('native', p)`, `score('online', p)`, `(pgscore.predict('online', p) ->> 'value')::real`];

  test.each(CALLS)('EXPLAIN of %s asks no service, wherever in the query it stands', async (call) => {
    const everywhere = planOf(`select ${call} from numbers p where ${call} > 1 order by ${call}`);
    await expect(everywhere).resolves.toHaveProperty('Plan Rows');
  });

  test.each(CALLS)('every other condition is tried before %s', async (call) => {
    const { Filter } = await planOf(`select from numbers p where ${call} > 0.5 and a < 10 and id % 7 = 3`);
    expect(Filter).toMatch(/^\(\(a < .*\) AND \(\(id % 7\) = 3\) AND .*pgscore_models\./);
  });

  test('a call of the service is estimated at far more than a computed one, and that at more than a comparison', async () => {
    expect(await costOf(`b.a > 1`)).toBeLessThan(0.1);
    const [native, online] = [await costOf(`pgscore_models.native(b)`), await costOf(`pgscore_models.online(b)`)];
    expect(native).toBeGreaterThan(0.1);
    expect(native).toBeLessThan(20);
    expect(online).toBeGreaterThan(100);
  });
});
