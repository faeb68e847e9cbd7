import { beforeAll, expect, test } from '@jest/globals';

import { classModel } from '../support/class-model.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { layOperatorsInWait } from '../support/operators-in-wait.ts';
import { startTestService } from '../support/service.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database);
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);

const COLUMNS = 'a real, b double precision, n bigint, i int, flag boolean, word text, x real';
const ROWS = [
  `(1, 2, 3, 4, true, 'red', 1)`,
  `(0, 0, 0, 0, false, 'none of them', 2)`,
  `(-1.5, 0.1, -3, 5, false, '', 0)`,
];

beforeAll(async () => {
  const types = { a: 'float32', b: 'float64', n: 'int64', i: 'int32', flag: 'bool', word: 'string' } as const;
  await deployBytes(ada, 'mixed', weightedModel(types));
  await deployBytes(ada, 'reals', weightedModel({ a: 'float32', x: 'float32' }));
  await deployBytes(ada, 'kind', classModel(3), {
    task: 'multiclass',
    class_labels: ['small', 'middle', 'large'],
    features: ['x'],
  });
  await superuser.query('grant usage on schema alice to pgscore_owner');
  for (const name of ['bound', 'loose', 'typed']) {
    const create = `create table ${name} (id int generated always as identity, ${COLUMNS})`;
    await alice.query(create);
    const fill = `insert into ${name} (a, b, n, i, flag, word, x) values ${ROWS.join()}`;
    await alice.query(fill);
  }
  await alice.query('alter table typed alter n type numeric, alter i type smallint, alter a type numeric');
  for (const model of ['mixed', 'reals', 'kind']) await alice.query(`select pgscore.bind($1, 'bound')`, [model]);
  await layOperatorsInWait(superuser, 'in_wait');
});

const TABLES = ['bound', 'loose', 'typed', '(select * from typed offset 0)'];
const CALLS = [
  ...['mixed', 'reals'].flatMap((model) => [
    `score('${model}', t)`,
    `score('${model}', to_jsonb(t))`,
    `score('${model}', to_jsonb(t)::text)`,
    `pgscore.predict('${model}', t)`,
  ]),
  `pgscore.classify('kind', t)`,
  `pgscore.predict('kind', to_jsonb(t))`,
  `score('kind', t, class => 'large')`,
].flatMap((call) => TABLES.map((table) => `select ${call} as answer from ${table} t order by t.id`));
const TYPED = [
  `select pgscore_models.mixed(t) as answer from bound t order by id`,
  `select pgscore_models.reals_v1(t) as answer from bound t order by id`,
  `select pgscore_models.kind(t) as answer from bound t order by id`,
  `select pgscore_models.mixed_v1(a, b, n, i, flag, word) as answer from bound order by id`,
  `select pgscore_models.kind_v1(x) as answer from bound order by id`,
];
const MANY = TABLES.slice(0, 3).map(
  (table) => `select s.score as answer from pgscore.score_rows('mixed', array(select t from ${table} t order by id)) s`,
);

test.each(['native', 'online'].flatMap((way) => [...CALLS, ...TYPED, ...MANY].map((text) => [way, text] as const)))(
  'no operator of a schema behind pg_catalog is used for one that takes a cast: %s, %s',
  async (way, text) => {
    await alice.query(`select set_config('pgscore.execution', $1, false)`, [way]);
    await alice.query('set search_path = alice, public');
    const usual = await alice.query(text);
    await alice.query('discard plans');
    await alice.query('set search_path = alice, public, in_wait');
    const beset = await alice.query(text);
    expect(usual.rows.length).toBe(ROWS.length);
    expect(usual.rows[0]).toEqual({ answer: expect.anything() });
    expect(beset.rows).toEqual(usual.rows);
  },
);
