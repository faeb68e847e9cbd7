import { describe, expect, test } from '@jest/globals';
import { fastestGraph } from '../../../src/model/fastest-graph.ts';
import { GraphSession } from '../../../src/model/graph-session.ts';
import type { Graph, RunInput } from '../../../src/model/graph.ts';
import { haveSameAnswers } from '../../../src/model/trees/same-answers.ts';
import { TreeGraph } from '../../../src/model/trees/tree-graph.ts';
import { checkModel } from '../../../src/probe/check-model.ts';
import { deployOptions, goldenBytes, goldenModels } from '../../support/golden-models.ts';
import { regressionSignature, regressor, treeNodes, weights } from '../../support/tree-models.ts';
import { walked } from './walked.ts';

const bytes = regressor({ ...treeNodes({ missing: 1 }), ...weights('target', [0]) });
const trees = walked(bytes, regressionSignature)!;

/** ONNX Runtime, were it to say something else of some rows. */
async function differing(change: (value: number, row: number[]) => number): Promise<Graph> {
  const session = await GraphSession.load(bytes, 1);
  return {
    async run(inputs: readonly RunInput[], rows, outputs) {
      const cells = Array.from((inputs[0]?.data ?? []) as Float32Array);
      const [output] = await session.run(inputs, rows, outputs);
      const data = Float32Array.from(output?.data as Float32Array, (value, row) =>
        change(value, cells.slice(3 * row, 3 * row + 3)),
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

  test('a difference at one threshold alone is seen, and one of NaN', async () => {
    const atThreshold = await differing((value, [a]) => (a === Math.fround(0.1) ? value + 1 : value));
    expect(await haveSameAnswers(trees, atThreshold, null)).toBe(false);
    const ofNaN = await differing((value, row) => (row.some(Number.isNaN) ? value + 1 : value));
    expect(await haveSameAnswers(trees, ofNaN, null)).toBe(false);
  });

  test('not where ONNX Runtime refuses the rows', async () => {
    const refusing: Graph = { run: () => Promise.reject(new Error('no')), release: () => Promise.resolve() };
    expect(await haveSameAnswers(trees, refusing, null)).toBe(false);
  });
});

describe('which of the bundled models are walked', () => {
  const WALKED = ['catboost', 'gradient_boosting', 'hist_gradient_boosting', 'lightgbm', 'random_forest', 'xgboost'];

  test.each(goldenModels.filter(({ file }) => !file.includes('pytorch')).map((model) => [model.name, model] as const))(
    '%s',
    async (name, model) => {
      const file = goldenBytes(model);
      const { signature, served } = await checkModel(file, deployOptions(model.deploy));
      const graph = await fastestGraph(served ?? file, signature, 1);
      expect(graph instanceof TreeGraph).toBe(WALKED.some((own) => name.startsWith(own)) || name === 'bench_trees');
      await graph.release();
    },
  );
});
