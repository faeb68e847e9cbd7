import { readFile } from 'node:fs/promises';

import { beforeAll, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { serverVersionOf } from '../support/server-version.ts';

const { service, superuser, ada, alice } = await scoreFixture();
const serverVersion = await serverVersionOf(superuser);

const FEATURES = Array.from({ length: 20 }, (_, n) => `f${n}`);

beforeAll(async () => {
  await deployBytes(ada, 'trees', await readFile(new URL('../../bench/trees.onnx', import.meta.url)));
  await superuser.query('grant usage on schema alice to pgscore_owner');
  const columns = FEATURES.map((name, n) => `sin(i * ${n + 1})::real as ${name}`).join(', ');
  const create = `create table points as select i as id, ${columns} from generate_series(1, 20000) i`;
  await alice.query(create);
  await alice.query(`select pgscore.bind('trees', 'points')`);
  await alice.query('analyze points');
  // From here on nothing needs it.
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
