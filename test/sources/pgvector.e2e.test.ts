import { beforeAll, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { floats, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
const available = await superuser.query(`select from pg_available_extensions where name = 'vector'`);
const isInstalled = available.rowCount === 1;
if (!isInstalled) console.log('skipped, as the server has no pgvector');
const testIfInstalled = isInstalled ? test : test.skip;

/** The vector of a place (a, b) is (a, b, a + b). */
const PLACES = onnxModel({
  inputs: [tensorValue('X', [null, 2])],
  outputs: [tensorValue('embedding', [null, 3])],
  tensors: [floats('w', [2, 3], [1, 0, 1, 0, 1, 1])],
  nodes: [node('MatMul', ['X', 'w'], ['embedding'])],
});

const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

beforeAll(async () => {
  if (!isInstalled) return;
  await startTestService(database);
  await superuser.query('create extension vector');
  await deployBytes(ada, 'place', PLACES, { task: 'embedding', features: ['a', 'b'] });
  // The mean of three elements.
  await deployBytes(ada, 'mean', weightedModel({ x: 3 }));
  await deployBytes(ada, 'online_mean', weightedModel({ x: 3 }), { native: false });
  await alice.query(
    'create table places as select n as id, n::real as a, (n % 3)::real as b from generate_series(1, 200) n',
  );
  await alice.query('alter table places add primary key (id)');
  await scoreTable(alice, 'place', 'places');
});

testIfInstalled('the vectors of a run become vectors, which an index finds', async () => {
  await alice.query('create table found as select id, embedding::vector(3) as v from places_scores');
  await alice.query('create index on found using hnsw (v vector_l2_ops)');
  const { rows } = await alice.query(`select id, v::text from found order by v <-> '[7.1,1,8]' limit 1`);
  expect(rows).toEqual([{ id: 7, v: '[7,1,8]' }]);
});

testIfInstalled('the nearest rows are found by what embed() says of one', async () => {
  const { rows } = await alice.query(
    `select f.id from places_scores f order by f.embedding::vector <->
       (select pgscore.embed('place', p)::vector(3) from places p where p.id = 50), f.id limit 1`,
  );
  expect(rows).toEqual([{ id: 50 }]);
});

testIfInstalled('a column of vectors feeds an array, through a run and through score()', async () => {
  await alice.query('create table vectors (id int primary key, x vector)');
  await alice.query(`insert into vectors values (1, '[1,2,6]'), (2, '[0.5,0.5,0.5]'), (3, '[1,2]'), (4, null)`);
  await scoreTable(alice, 'mean', 'vectors');
  const { rows } = await alice.query('select id, score, error_code from vectors_scores order by id');
  expect(rows).toEqual([
    { id: 1, score: 3, error_code: null },
    { id: 2, score: 0.5, error_code: null },
    { id: 3, score: null, error_code: 'wrong_length' },
    { id: 4, score: null, error_code: 'null_feature' },
  ]);
  for (const model of ['mean', 'online_mean']) {
    const called = await alice.query(`select score($1, v) as score from vectors v where id < 3 order by id`, [model]);
    expect(called.rows).toEqual([{ score: 3 }, { score: 0.5 }]);
  }
});

testIfInstalled.each(['mean', 'online_mean'])('a bound table of vectors is scored by %s', async (model) => {
  await superuser.query('grant usage on schema alice to pgscore_owner');
  await alice.query('create table bound as select id, x from vectors where id < 3');
  await alice.query('select pgscore.bind($1, $2)', [model, 'bound']);
  const { rows } = await alice.query('select score($1, b) as score from bound b order by id', [model]);
  await alice.query('select pgscore.unbind($1, $2)', [model, 'bound']);
  await alice.query('drop table bound');
  expect(rows).toEqual([{ score: 3 }, { score: 0.5 }]);
});
