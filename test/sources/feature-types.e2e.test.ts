import { beforeAll, describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { DataType, integers, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { TEXTS, weightedModel, type FeatureType } from '../support/weighted-model.ts';

const database = await cloneDatabase();
await startTestService(database);
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

const MODELS: Record<string, FeatureType> = {
  float32: 'float32',
  float64: 'float64',
  int32: 'int32',
  int64: 'int64',
  bool: 'bool',
  string: 'string',
  vector: 3,
};

beforeAll(async () => {
  for (const [name, type] of Object.entries(MODELS)) await deployBytes(ada, name, weightedModel({ x: type }));
  await alice.query(`
    create type colour as enum ('red', 'green', 'blue', 'Grün ☃');
    create domain positive as real check (value > 0);
    create domain very_positive as positive check (value > 1);
    create domain colour_name as text;
    create domain coloured as colour;
    create domain flag as boolean`);
});

/** Scores one row for each value; a failed row gives its error code. */
async function outcomes(model: string, type: string, values: readonly string[]): Promise<(number | string | null)[]> {
  await alice.query('drop table if exists typed');
  const create = `create table typed (id int primary key, x ${type})`;
  await alice.query(create);
  for (const [id, value] of values.entries()) {
    const insert = `insert into typed values ($1, ${value})`;
    await alice.query(insert, [id]);
  }
  const run = await scoreTable(alice, model, 'typed', { target: `${model}_scores` });
  expect(run).toMatchObject({ state: 'done', rows_done: String(values.length) });
  const read = `select score, error_code from ${model}_scores order by id`;
  const { rows } = await alice.query<{ score: number | null; error_code: string | null }>(read);
  return rows.map(({ score, error_code }) => error_code ?? score);
}

type Case = [model: string, type: string, values: string[], expected: (number | string | null)[]];

const f = Math.fround;
const { red = 0, green = 0, blue = 0 } = TEXTS;
const empty = TEXTS[''] ?? 0;
const strange = TEXTS['Grün ☃'] ?? 0;

const NUMBERS: Case[] = [
  ['float32', 'boolean', ['true', 'false'], [1, 0]],
  ['float64', 'boolean', ['true', 'false'], [1, 0]],
  ['bool', 'boolean', ['true', 'false'], [1, 0]],
  ['bool', 'flag', ['true', 'false'], [1, 0]],
  ['float32', 'smallint', ['-32768', '32767'], [-32768, 32767]],
  ['int32', 'smallint', ['-32768', '32767'], [-32768, 32767]],
  ['int64', 'smallint', ['-32768', '32767'], [-32768, 32767]],
  ['float64', 'integer', ['-2147483648', '2147483647'], [-2147483648, 2147483647]],
  ['float32', 'integer', ['16777217'], [16777216]],
  ['int32', 'integer', ['-2147483648', '2147483647'], [-2147483648, 2147483647]],
  ['int64', 'integer', ['-2147483648', '2147483647'], [-2147483648, 2147483647]],
  ['int64', 'bigint', ['-9007199254740992', '4294967296', '-1'], [-9007199254740992, 4294967296, -1]],
  ['float64', 'bigint', ['9007199254740993', '-9223372036854775808'], [9007199254740992, -9223372036854775808]],
  ['float32', 'bigint', ['16777217'], [16777216]],
  ['float32', 'real', ['0.1', '-1e-45', '3.4028235e38'], [f(0.1), f(-1e-45), f(3.4028235e38)]],
  ['float64', 'real', ['0.1'], [f(0.1)]],
  ['float32', 'double precision', ['0.1', '1e-300'], [f(0.1), 0]],
  ['float64', 'double precision', ['0.1', '1.7e308'], [0.1, 1.7e308]],
  ['float32', 'numeric', ['0.1', '-12345.6789', '0'], [f(0.1), f(-12345.6789), 0]],
  ['float64', 'numeric', ['0.1', '123456789012345678.9', '1e-400'], [0.1, 123456789012345680, 0]],
  ['float64', 'numeric(10,2)', ['0.1', '99999999.99'], [0.1, 99999999.99]],
  ['float32', 'positive', ['0.5'], [0.5]],
  ['float32', 'very_positive', ['2.5'], [2.5]],
];

const TEXT_CASES: Case[] = [
  [
    'string',
    'text',
    [`'red'`, `'green'`, `''`, `'Grün ☃'`, `'unknown'`, `'Red'`],
    [red, green, empty, strange, -1, -1],
  ],
  ['string', 'varchar', [`'red'`, `'red '`], [red, -1]],
  ['string', 'varchar(5)', [`'green'`], [green]],
  ['string', 'char(5)', [`'red'`, `'green'`, `''`], [red, green, empty]],
  ['string', 'name', [`'blue'`, `''`], [blue, empty]],
  ['string', 'colour', [`'red'`, `'Grün ☃'`], [red, strange]],
  ['string', 'coloured', [`'blue'`], [blue]],
  ['string', 'colour_name', [`'blue'`], [blue]],
];

const ARRAYS: Case[] = [
  ['vector', 'real[]', [`'{1,2,3}'`, `'{0.5,0.5,0.5}'`], [2, 0.5]],
  ['vector', 'double precision[]', [`'{1,2,3}'`, `'[5:7]={1,2,3}'`], [2, 2]],
  ['vector', 'real[3]', [`'{1,2,6}'`], [3]],
];

describe('a column of each type of pgscore.feature_casts feeds its feature', () => {
  test.each([...NUMBERS, ...TEXT_CASES, ...ARRAYS])('%s from %s', async (model, type, values, expected) => {
    const scores = await outcomes(model, type, values);
    expect(scores).toEqual(expected.map((value) => (typeof value === 'number' ? expect.closeTo(value, 12) : value)));
  });

  test('and int64 takes every bigint exactly', async () => {
    const tensors = [integers('base', [1], [2 ** 53])];
    const nodes = [node('Sub', ['x', 'base'], ['d']), node('Cast', ['d'], ['y'], { to: DataType.DOUBLE })];
    const inputs = [tensorValue('x', [null, 1], DataType.INT64)];
    const outputs = [tensorValue('y', [null, 1], DataType.DOUBLE)];
    await deployBytes(ada, 'exact', onnxModel({ inputs, outputs, tensors, nodes }));
    const values = ['9007199254740993', '9007199254740995', '9007199254740992'];
    expect(await outcomes('exact', 'bigint', values)).toEqual([1, 3, 0]);
  });
});

describe('a vector of pgvector, which to_jsonb() writes as a text, feeds an array', () => {
  beforeAll(() => deployBytes(ada, 'online_vector', weightedModel({ x: 3 }), { native: false }));
  const ask = `select pgscore.score_or_null($1, jsonb_build_object('x', $2::text)) as score,
                      pgscore.why_not($1, jsonb_build_object('x', $2::text)) as reason`;

  test.each(['vector', 'online_vector'])('natively and online: %s', async (model) => {
    for (const [given, score] of [
      ['[1,2,6]', 3],
      ['[0,-0.5,1e-05]', -0.16666333],
    ] as const) {
      const { rows } = await alice.query(`select score($1, jsonb_build_object('x', $2::text)) as score`, [
        model,
        given,
      ]);
      expect(rows).toEqual([{ score: expect.closeTo(score, 6) }]);
      expect((await alice.query(ask, [model, given])).rows).toEqual([
        { score: expect.closeTo(score, 6), reason: null },
      ]);
    }
  });

  test.each(['vector', 'online_vector'])('and nothing else does: %s', async (model) => {
    for (const given of ['[1,2]', '[1,2,', '[1,,2,3]', '[1,2,x]', '{1,2,3}', '[01,2,3]', '[[1],[2],[3]]', '[]', '']) {
      const { rows } = await alice.query(ask, [model, given]);
      expect(rows).toEqual([{ score: null, reason: expect.stringMatching(/x .* not an array of 3 numbers/) }]);
    }
  });
});

describe('a value that its feature cannot hold is a failed row, never a wrong number', () => {
  const failing: Case[] = [
    ['float32', 'double precision', ['1e39', '-1e39', '1'], ['out_of_range', 'out_of_range', 1]],
    ['float32', 'numeric', ['1e39', `'NaN'`, '2'], ['out_of_range', 'null_feature', 2]],
    ['float64', 'numeric', ['1e400', '-1e400', `'NaN'`, '3'], ['out_of_range', 'out_of_range', 'null_feature', 3]],
    ['float64', 'numeric', [`'Infinity'`, `'-Infinity'`, '3'], ['non_finite_output', 'non_finite_output', 3]],
    [
      'float32',
      'real',
      [`'NaN'`, `'Infinity'`, `'-Infinity'`, '4'],
      ['null_feature', 'non_finite_output', 'non_finite_output', 4],
    ],
    ['float64', 'double precision', [`'NaN'`, `'Infinity'`, '5'], ['null_feature', 'non_finite_output', 5]],
    ['int64', 'bigint', ['null', '6'], ['null_feature', 6]],
    ['int32', 'integer', ['null', '7'], ['null_feature', 7]],
    ['bool', 'boolean', ['null', 'true'], ['null_feature', 1]],
    ['string', 'text', ['null', `'red'`], ['null_feature', red]],
    ['string', 'colour', ['null', `'red'`], ['null_feature', red]],
    [
      'vector',
      'real[]',
      [`'{1,2}'`, `'{1,2,3,4}'`, `'{}'`, 'null', `'{1,null,3}'`, `'{{1,2,3}}'`, `'{1,2,3}'`],
      ['wrong_length', 'wrong_length', 'wrong_length', 'null_feature', 'null_feature', 'wrong_length', 2],
    ],
    ['vector', 'double precision[]', [`'{1,2,1e39}'`, `'{1,2,3}'`], ['out_of_range', 2]],
  ];
  test.each(failing)('%s from %s', async (model, type, values, expected) => {
    expect(await outcomes(model, type, values)).toEqual(expected);
    const { rows } = await alice.query<{ key: { id: number }; code: string; reason: string; feature: string | null }>(
      `select key, code, reason, feature from pgscore.run_errors where run = (select max(run) from pgscore.runs) order by key`,
    );
    const failed = expected.flatMap((outcome, id) =>
      typeof outcome === 'string' ? [{ key: { id }, code: outcome }] : [],
    );
    expect(rows.map(({ key, code }) => ({ key, code }))).toEqual(failed);
    expect(rows.filter(({ reason }) => reason === '')).toEqual([]);
    expect(rows.filter(({ code, feature }) => code !== 'non_finite_output' && feature !== 'x')).toEqual([]);
  });
});
