import { expect } from '@jest/globals';

import { classModel } from '../support/class-model.ts';
import { deployBytes } from '../support/deploy.ts';
import { DataType, floats, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { scoreFixture, type ScoreFixture } from '../support/score-fixture.ts';
import { weightedModel } from '../support/weighted-model.ts';

/** How many rows the tables loose and bound have. */
export const ROWS = 200;

/** A regression that is not compiled: so many times erf(a). */
function erfModel(times: number): Uint8Array {
  return onnxModel({
    inputs: [tensorValue('a', [null, 1])],
    outputs: [tensorValue('y', [null, 1])],
    tensors: [floats('times', [1], [times])],
    nodes: [node('Erf', ['a'], ['erf']), node('Mul', ['erf', 'times'], ['y'])],
  });
}

function vectorModel(sign: number): Uint8Array {
  return onnxModel({
    inputs: [tensorValue('x', [null, 2])],
    outputs: [tensorValue('y', [null, 3], DataType.FLOAT)],
    tensors: [
      floats(
        'w',
        [2, 3],
        [1, 2, 3, 4, 5, 6].map((weight) => sign * weight),
      ),
    ],
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
  });
}

/** Deploys models whose versions say different things of a row, and makes two alike tables, one of which is bound. */
async function deployVersions({ superuser, ada, alice }: ScoreFixture): Promise<void> {
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32' }));
  await deployBytes(ada, 'sum', weightedModel({ b: 'float32', a: 'float32' }));
  await deployBytes(ada, 'sum', weightedModel({ a: 'float32', b: 'float32', c: 'float32' }));
  await deployBytes(ada, 'erf', erfModel(1), { features: ['a'] });
  await deployBytes(ada, 'erf', erfModel(2), { features: ['a'] });
  const kind = { task: 'multiclass', class_labels: ['small', 'middle', 'large'], features: ['a'] };
  await deployBytes(ada, 'kind', classModel(3), kind);
  await deployBytes(ada, 'kind', classModel(3), { ...kind, features: ['b'] });
  await deployBytes(ada, 'vector', vectorModel(1), { task: 'embedding', features: ['a', 'b'] });
  await deployBytes(ada, 'vector', vectorModel(-1), { task: 'embedding', features: ['a', 'b'] });
  await alice.query(
    `create table loose as select n as id, 'k ' || n as code, md5(n::text)::uuid as uid, ('c' || n % 7)::char(8) as padded,
       1::real as a, 2::real as b, 3::real as c from generate_series(1, $1::bigint) n`,
    [ROWS],
  );
  await alice.query('create table bound as table loose');
  await superuser.query('grant usage on schema alice to pgscore_owner');
  for (const model of ['sum', 'erf', 'kind', 'vector']) await alice.query(`select pgscore.bind($1, 'bound')`, [model]);
}

/** What a test of arms begins with; to be called at the top of a test file. */
export async function armsFixture() {
  const fixture = await scoreFixture();
  const { ada, alice } = fixture;
  await deployVersions(fixture);

  /** Starts an experiment with these arms. */
  const start = (model: string, arms: object, splitBy = '{id}'): Promise<unknown> =>
    ada.query('select pgscore.start_experiment($1, $2, $3, $4)', [model, 'ab', arms, splitBy]);
  const stop = (model: string): Promise<unknown> => ada.query('select pgscore.stop_experiment($1)', [model]);
  /** Ends what earlier tests began. */
  const stopAll = (): Promise<unknown> =>
    ada.query(`select pgscore.stop_experiment(model) from pgscore.experiments where is_running`);

  async function saltOf(model: string): Promise<string> {
    const { rows } = await alice.query('select salt from pgscore.experiments where model = $1 and is_running', [model]);
    return rows[0].salt;
  }

  /** What each row of a query says, by its id. */
  async function answers(text: string): Promise<Map<number, unknown>> {
    const { rows } = await alice.query<{ id: string; answer: unknown }>(text);
    expect(rows.length).toBe(ROWS);
    return new Map(rows.map(({ id, answer }) => [Number(id), answer]));
  }

  return { ...fixture, start, stop, stopAll, saltOf, answers };
}
