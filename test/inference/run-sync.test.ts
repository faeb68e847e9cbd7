import { expect, test } from '@jest/globals';
import type { Graph, RunInput, RunOutput } from '../../src/inference/graph.ts';
import { type FeatureRows, NumberRows } from '../../src/inference/number-rows.ts';
import { ModelSession } from '../../src/inference/session.ts';
import type { Signature } from '../../src/inference/signature.ts';

const SIGNATURE: Signature = {
  task: 'binary',
  inputs: [{ name: 'X', type: 'float32', width: 2, shape: [null, 2] }],
  features: [
    { name: 'p', input: 'X', position: 0, type: 'float32', width: 1, nulls: 'error' },
    { name: 'other', input: 'X', position: 1, type: 'float32', width: 1, nulls: 'nan' },
  ],
  outputs: { probabilities: { name: 'y', width: 1 } },
  classLabels: ['no', 'yes'],
  positiveClass: 'yes',
  threshold: 0.5,
  batch: null,
};

/** P(yes) is the first feature, and nothing finite where it is past 1. */
function run([input]: readonly RunInput[], rows: number): RunOutput[] {
  const cells = input?.data as Float32Array;
  const data = Float32Array.from({ length: rows }, (_, row) => {
    const p = cells[2 * row] ?? Number.NaN;
    return p > 1 ? Number.NaN : p;
  });
  return [{ name: 'y', type: 'float32', dims: [rows, 1], data }];
}

const GRAPH = {
  runSync: run,
  run: (inputs: readonly RunInput[], rows: number) => Promise.resolve(run(inputs, rows)),
} as unknown as Graph;

/** Rows of each call, a few of them without what they need or refused by the model. */
const CALLS = Array.from({ length: 400 }, (_, call) =>
  Array.from({ length: call % 9 === 0 ? 3 : 1 }, (__, row) => {
    const n = (call * 31 + row * 7) % 100;
    return n === 13 ? null : n === 27 ? 2 : n / 100;
  }),
);

const WAYS: Readonly<Record<string, (ps: readonly (number | null)[]) => FeatureRows>> = {
  numbers: (ps) =>
    new NumberRows(
      ps.length,
      2,
      Float64Array.from(ps.flatMap((p) => [p ?? 0, 5])),
      ps.includes(null) ? Uint8Array.from(ps.flatMap((p) => [Number(p === null), 0])) : null,
      new Set(),
    ),
  JSON: (ps) => ps.map((p) => ({ p, other: 5 })),
};

test.each(Object.keys(WAYS))(
  'what is answered at once is what a run says, and stays as it is while others are answered: rows as %s',
  async (way) => {
    const session = new ModelSession(GRAPH, SIGNATURE);
    const rowsOf = WAYS[way] ?? (() => []);
    const atOnce = CALLS.map((ps) => session.predictRowsSync(rowsOf(ps)));
    const told = CALLS.map((ps, call) => {
      const { predictions, from = 0 } = atOnce[call] ?? {};
      return ps.map((_, row) => [
        predictions?.score[from + row],
        predictions?.label?.[from + row],
        ...(predictions?.probabilities?.subarray(2 * (from + row), 2 * (from + row + 1)) ?? []),
        predictions?.errors.get(from + row)?.code,
      ]);
    });
    const expected = await Promise.all(
      CALLS.map(async (ps) => {
        const { score, label, probabilities, errors } = await session.predictRows(rowsOf(ps));
        return ps.map((_, row) => [
          score[row],
          label?.[row],
          ...(probabilities?.subarray(2 * row, 2 * row + 2) ?? []),
          errors.get(row)?.code,
        ]);
      }),
    );
    expect(told).toEqual(expected);
    expect(new Set(expected.flat().map((row) => row.at(-1)))).toEqual(
      new Set([undefined, 'null_feature', 'non_finite_output']),
    );
  },
);
