import { describe, expect, test } from '@jest/globals';
import { fastestGraph } from '../../../src/inference/load-model-session.ts';
import { GraphSession } from '../../../src/inference/graph-session.ts';
import type { Graph, RunInput } from '../../../src/inference/graph.ts';
import { mulberry32 } from '../../../src/lib/random.ts';
import { haveSameAnswers } from '../../../src/inference/trees/same-answers.ts';
import { TreeGraph } from '../../../src/inference/trees/tree-graph.ts';
import type { Signature } from '../../../src/inference/signature.ts';
import { checkModel } from '../../../src/check/check-model.ts';
import { deployOptions, goldenBytes, goldenModels } from '../../support/golden-models.ts';
import { oneIn } from '../../support/night.ts';
import { classic, onnxModel, tensorValue } from '../../support/onnx-builder.ts';
import { regressionSignature, regressor, treeNodes, weights } from '../../support/tree-models.ts';
import { walked } from './walked.ts';

const bytes = regressor({ ...treeNodes({ missing: 1 }), ...weights('target', [0]) });
const trees = walked(bytes, regressionSignature)!;

/** ONNX Runtime, were it to say something else of some rows. */
async function differing(change: (value: number, row: number[], rows: number) => number): Promise<Graph> {
  const session = await GraphSession.load(bytes, 1);
  return {
    async run(inputs: readonly RunInput[], rows, outputs) {
      const cells = Array.from((inputs[0]?.data ?? []) as Float32Array);
      const [output] = await session.run(inputs, rows, outputs);
      const data = Float32Array.from(output?.data as Float32Array, (value, row) =>
        change(value, cells.slice(3 * row, 3 * row + 3), rows),
      );
      return [{ name: 'y', type: 'float32', dims: [rows, 1], data }];
    },
    release: () => session.release(),
  };
}

describe('trees are walked only where they were seen to give the answers of ONNX Runtime', () => {
  test.each([null, 1, 3])('with batches of %j', async (batch) => {
    expect(await haveSameAnswers(trees, await differing((value) => value), batch)).toBe(true);
    expect(await haveSameAnswers(trees, await differing((value) => value + 1e-6), batch)).toBe(false);
  });

  test('a difference at one threshold alone is seen, one of NaN, and one of rows by themselves', async () => {
    const atThreshold = await differing((value, [a]) => (a === Math.fround(0.1) ? value + 1 : value));
    expect(await haveSameAnswers(trees, atThreshold, null)).toBe(false);
    const ofNaN = await differing((value, row) => (row.some(Number.isNaN) ? value + 1 : value));
    expect(await haveSameAnswers(trees, ofNaN, null)).toBe(false);
    const ofOne = await differing((value, _, rows) => (rows === 1 ? value + 1 : value));
    expect(await haveSameAnswers(trees, ofOne, null)).toBe(false);
  });

  test('however many rows a batch has, or columns, in a moment', async () => {
    const wide: Signature = {
      ...regressionSignature,
      inputs: [{ name: 'X', type: 'float32', width: 9000, shape: [null, 9000] }],
    };
    const bytes = onnxModel({
      inputs: [tensorValue('X', [null, 9000])],
      nodes: [
        classic('TreeEnsembleRegressor', ['X'], ['y'], {
          n_targets: 1,
          ...treeNodes({ missing: 1 }),
          ...weights('target', [0]),
        }),
      ],
    });
    const session = await GraphSession.load(bytes, 1);
    const began = process.cpuUsage();
    expect(await haveSameAnswers(walked(bytes, wide)!, session, null)).toBe(true);
    expect(await haveSameAnswers(trees, await differing((value) => value), 100_000)).toBe(true);
    const { user } = process.cpuUsage(began);
    expect(user / 1e6).toBeLessThan(20);
    await session.release();
  });

  test('not where they cannot be walked', async () => {
    const failing = Object.create(trees, {
      run: { value: () => Promise.reject(new RangeError('no memory')) },
    }) as TreeGraph;
    expect(await haveSameAnswers(failing, await differing((value) => value), null)).toBe(false);
  });

  test('not where ONNX Runtime refuses the rows', async () => {
    const refusing: Graph = { run: () => Promise.reject(new Error('no')), release: () => Promise.resolve() };
    expect(await haveSameAnswers(trees, refusing, null)).toBe(false);
  });
});

describe('which of the bundled models are walked', () => {
  const WALKED = [
    'catboost',
    'gradient_boosting',
    'hist_gradient_boosting',
    'lightgbm',
    'random_forest',
    'tied_forest',
    'xgboost',
  ];

  test.each(
    oneIn(
      2,
      goldenModels.filter(({ file }) => !file.includes('pytorch')),
    ).map((model) => [model.name, model] as const),
  )('%s', async (name, model) => {
    const file = goldenBytes(model);
    const { signature, served } = await checkModel(file, deployOptions(model.deploy));
    const graph = await fastestGraph(served ?? file, signature, 1);
    expect(graph instanceof TreeGraph).toBe(WALKED.some((own) => name.startsWith(own)) || name === 'bench_trees');
    if (graph instanceof TreeGraph) expectSameOfFew(graph);
    await graph.release();
  });
});

/** Rows by themselves, or some at a time, are told the same to the last bit as among many. */
function expectSameOfFew(trees: TreeGraph): void {
  const random = mulberry32(5);
  const { width } = trees.input;
  const rows = 24;
  const cells = Float32Array.from({ length: rows * width }, () => (random() < 0.1 ? Number.NaN : 20 * random() - 10));
  const say = (from: number, some: number): unknown[][] => {
    const data = cells.subarray(from * width, (from + some) * width);
    return trees.runSync([{ input: trees.input, data }], some).map((output) => Array.from<unknown>(output.data));
  };
  const all = say(0, rows);
  for (const some of [1, 2, 3, 4, 6, 8, 12]) {
    const said = Array.from({ length: rows / some }, (_, n) => say(n * some, some));
    expect(all.map((_, output) => said.flatMap((outputs) => outputs[output]))).toEqual(all);
  }
}
