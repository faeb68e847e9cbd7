import { beforeAll, expect, test } from '@jest/globals';
import type { NodeProto } from 'onnx-buf';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { DataType, node, onnxModel } from '../support/onnx-builder.ts';
import { refusal } from '../support/refusal.ts';
import { startTestService } from '../support/service.ts';

const database = await cloneDatabase();
await startTestService(database);
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);

beforeAll(async () => {
  await superuser.query('grant usage on schema alice to pgscore_owner');
  await alice.query('create table rows as select 1::real as a, 3::real as b, 2::real as c');
});

const REAL = { to: DataType.FLOAT };
const ROW = `'{"a": 1, "b": 3, "c": 2}'`;

// What ONNX Runtime takes for the largest of a row with NaN depends on where in the row it is.
test.each<[string, NodeProto[], number, RegExp]>([
  [
    'differs from ONNX Runtime',
    [node('ArgMax', ['X'], ['n'], { axis: 1 }), node('Cast', ['n'], ['y'], REAL)],
    1,
    /^the compiled function differs: row \d+: the score is \d, ONNX Runtime says \d$/,
  ],
  [
    'is not compiled',
    [node('Erf', ['X'], ['e']), node('ReduceMax', ['e'], ['y'], { axes: [1] })],
    0.99998,
    /^operator Erf is not compiled$/,
  ],
])(
  'a version that %s is scored online, also by its typed functions, and says why',
  async (why, nodes, score, reason) => {
    const model = why.toLowerCase().replaceAll(' ', '_');
    await deployBytes(ada, model, onnxModel({ nodes }), { features: ['a', 'b', 'c'], nulls: 'nan' });
    const { rows } = await alice.query('select execution, not_native from pgscore.models where model = $1', [model]);
    expect(rows).toEqual([{ execution: 'batch, online', not_native: expect.stringMatching(reason) }]);
    const call = `select score('${model}', ${ROW}) as score`;
    expect((await alice.query(call)).rows).toEqual([{ score: expect.closeTo(score, 4) }]);
    await alice.query(`select pgscore.bind($1, 'rows')`, [model]);
    const typed = `select pgscore_models.${model}(r) as score, pgscore_models.${model}_v1(r) as own from rows r`;
    expect((await alice.query(typed)).rows).toEqual([
      { score: expect.closeTo(score, 4), own: expect.closeTo(score, 4) },
    ]);
    await alice.query('set pgscore.execution = native');
    expect(await refusal(alice, call)).toMatchObject({
      code: '55000',
      message: expect.stringContaining(`version "${model}@1" is not native: `),
    });
    await alice.query('reset pgscore.execution');
  },
);
