import { describe, expect, test } from '@jest/globals';
import type { Signature } from '../../src/inference/signature.ts';
import { compiled } from '../../src/to-sql/compile.ts';
import { classic, floats, integers, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { nestedTrees, regressionSignature, type Nested } from '../support/tree-models.ts';
import { reasonFor } from './reason-for.ts';

/** So many stumps. */
function stumps(count: number, of: 'LEAF' | 'BRANCH_ODD' = 'LEAF') {
  const trees = Array.from({ length: count }, (_, tree) => tree);
  return classic('TreeEnsembleRegressor', ['X'], ['y'], {
    n_targets: 1,
    nodes_treeids: trees.flatMap((tree) => [tree, tree, tree]),
    nodes_nodeids: trees.flatMap(() => [0, 1, 2]),
    nodes_modes: trees.flatMap(() => [of === 'LEAF' ? 'BRANCH_LEQ' : of, 'LEAF', 'LEAF']),
    nodes_featureids: trees.flatMap((tree) => [tree % 3, 0, 0]),
    nodes_values: trees.flatMap((tree) => [tree / 7, 0, 0]),
    nodes_truenodeids: trees.flatMap(() => [1, 0, 0]),
    nodes_falsenodeids: trees.flatMap(() => [2, 0, 0]),
    target_treeids: trees.flatMap((tree) => [tree, tree]),
    target_nodeids: trees.flatMap(() => [1, 2]),
    target_ids: trees.flatMap(() => [0, 0]),
    target_weights: trees.flatMap((tree) => [tree / 3, -tree / 3]),
  });
}

/** A tree of so many tests, each under the one before. */
function vine(depth: number) {
  const tests = Array.from({ length: depth }, (_, number) => number);
  const leaves = [...tests, depth].map((number) => depth + number);
  return classic('TreeEnsembleRegressor', ['X'], ['y'], {
    n_targets: 1,
    nodes_treeids: [...tests, ...leaves].map(() => 0),
    nodes_nodeids: [...tests, ...leaves],
    nodes_modes: [...tests.map(() => 'BRANCH_LEQ'), ...leaves.map(() => 'LEAF')],
    nodes_featureids: [...tests, ...leaves].map(() => 0),
    nodes_values: [...tests, ...leaves.map(() => 0)],
    nodes_truenodeids: [...tests.map((number) => depth + number), ...leaves.map(() => 0)],
    nodes_falsenodeids: [
      ...tests.map((number) => (number + 1 < depth ? number + 1 : 2 * depth)),
      ...leaves.map(() => 0),
    ],
    target_treeids: leaves.map(() => 0),
    target_nodeids: leaves,
    target_ids: leaves.map(() => 0),
    target_weights: leaves,
  });
}

const square = (size: number) =>
  floats(
    'W',
    [3, size],
    Array.from({ length: 3 * size }, (_, index) => Math.sin(index)),
  );

const REFUSED: [string, Parameters<typeof onnxModel>[0]][] = [
  ['operator Erf is not compiled', { nodes: [node('Erf', ['X'], ['y'])] }],
  ['operator SVMClassifier is not compiled', { nodes: [classic('SVMClassifier', ['X'], ['l', 'y'])] }],
  [
    'operator SVMRegressor with another kernel than RBF is not compiled',
    {
      nodes: [
        classic('SVMRegressor', ['X'], ['y'], {
          kernel_type: 'SIGMOID',
          n_supports: 1,
          coefficients: [1],
          support_vectors: [1, 2, 3],
        }),
      ],
    },
  ],
  ['20,001 tree nodes are more than the 20,000 that a function may have', { nodes: [stumps(6667)] }],
  ['operator TreeEnsembleRegressor with nodes BRANCH_ODD is not compiled', { nodes: [stumps(1, 'BRANCH_ODD')] }],
  ['operator ReduceSum over all rows is not compiled', { nodes: [node('ReduceSum', ['X'], ['y'])] }],
  ['operator Concat of rows is not compiled', { nodes: [node('Concat', ['X', 'X'], ['y'], { axis: 0 })] }],
  [
    'operator Reshape across rows is not compiled',
    { nodes: [node('Reshape', ['X', 'shape'], ['y'])], tensors: [integers('shape', [2], [-1, 1])] },
  ],
  [
    'operator Add across rows is not compiled',
    { nodes: [node('Add', ['X', 'W'], ['y'])], tensors: [floats('W', [2, 3], [1, 2, 3, 4, 5, 6])] },
  ],
  [
    '1.2 MB of weights are more than the 1.0 MB that a function may have',
    { nodes: [node('MatMul', ['X', 'W'], ['y'])], tensors: [square(100_000)] },
  ],
  [
    '5,001 products with weights in a row are more than the 5,000 that pay',
    { nodes: [node('MatMul', ['X', 'W'], ['h']), node('ReduceSum', ['h'], ['y'])], tensors: [square(1667)] },
  ],
  [
    'a number that depends on how many rows there are is not compiled',
    {
      nodes: [
        node('Shape', ['X'], ['s']),
        node('Cast', ['s'], ['f'], { to: 1 }),
        node('Gather', ['f', 'first'], ['n']),
        node('Add', ['X', 'n'], ['z']),
        node('ReduceMax', ['z'], ['y'], { axes: [1] }),
      ],
      tensors: [integers('first', [], [0])],
    },
  ],
  [
    'operator Expand with 3000000000 values a row is not compiled',
    {
      nodes: [node('Expand', ['X', 'wide'], ['w']), node('ReduceMax', ['w'], ['y'], { axes: [0, 2] })],
      tensors: [integers('wide', [3], [1_000_000_000, 1, 3])],
    },
  ],
  [
    'operator Gemm with a beta other than 1 is not compiled',
    {
      nodes: [node('Gemm', ['X', 'M', 'b'], ['y'], { beta: 0.5 })],
      tensors: [floats('M', [3, 1], [1, -2, 0.5]), floats('b', [1], [1])],
    },
  ],
  [
    'operator ArgMax that takes the last of equals is not compiled',
    { nodes: [node('ArgMax', ['X'], ['i'], { axis: 1, select_last_index: 1 }), node('Cast', ['i'], ['y'], { to: 1 })] },
  ],
  [
    'operator Slice of rows, or with steps is not compiled',
    {
      nodes: [node('Slice', ['X', 'from', 'to', 'axis', 'step'], ['y'])],
      tensors: Object.entries({ from: 0, to: 3, axis: 1, step: 3 }).map(([name, value]) =>
        integers(name, [1], [value]),
      ),
    },
  ],
  ['a tree is more than 200 levels deep', { nodes: [vine(201)] }],
  ['an output of 3 values where 1 are read is not compiled', { nodes: [node('Identity', ['X'], ['y'])] }],
  [
    'a category or a name of the model holds a zero byte',
    {
      nodes: [
        node('Cast', ['X'], ['n'], { to: 7 }),
        classic('LabelEncoder', ['n'], ['t'], { keys_int64s: [1], values_strings: ['a\0b'] }),
        classic('LabelEncoder', ['t'], ['e'], { keys_strings: ['a\0b'], values_floats: [1] }),
        node('ReduceSum', ['e', 'axis'], ['y'], { keepdims: 1 }),
      ],
      tensors: [integers('axis', [1], [1])],
    },
  ],
];

describe('a model that is not compiled says why', () => {
  test.each(REFUSED)('%s', (reason, model) => {
    expect(reasonFor(model)).toBe(reason);
  });

  test('what has as many tree nodes as a function may have is compiled', () => {
    expect(reasonFor({ nodes: [stumps(6666)] })).toBe('none');
  });

  test('a tree of as many levels as one may have is compiled', () => {
    expect(reasonFor({ nodes: [vine(200)] })).toBe('none');
  });

  test('one of as many levels beside others that branch off from it is compiled', () => {
    const chain = (levels: number, at = 0): Nested =>
      levels === 0 ? 0.5 : { column: 0, threshold: -at, passed: chain(levels - 1, at + 1), failed: at };
    const off = (level: number, own: number): Nested =>
      Array.from({ length: level }).reduceRight<Nested>(
        (passed, _, at) => ({ column: 0, threshold: -at, passed, failed: own }),
        { column: 1, threshold: own, passed: own, failed: -1 },
      );
    const others = Array.from({ length: 300 }, (_, index) => off(index % 20, 1 + Math.floor(index / 20)));
    const attributes = { n_targets: 1, ...nestedTrees([chain(199), ...others]) };
    expect(reasonFor({ nodes: [classic('TreeEnsembleRegressor', ['X'], ['y'], attributes)] })).toBe('none');
  });

  test('more features than a function has arguments are refused', () => {
    const outcome = (width: number) => {
      const names = Array.from({ length: width }, (_, position) => ({ name: `f${position}`, position }));
      const wide: Signature = {
        ...regressionSignature,
        inputs: [{ name: 'X', type: 'float32', width, shape: [null, width] }],
        features: names.map((own) => ({ ...own, input: 'X', type: 'float32', width: 1, nulls: 'error' })),
      };
      const nodes = [classic('LinearRegressor', ['X'], ['y'], { coefficients: names.map(() => 0.5) })];
      const bytes = onnxModel({ nodes, inputs: [tensorValue('X', [null, width])] });
      return [...compiled({ bytes, signature: wide, given: [] })].at(-1);
    };
    expect(outcome(101)).toEqual({ refusal: '101 features are more than the 100 arguments that a function may have' });
    expect(outcome(100)).toHaveProperty('bodies.score');
  });

  test('a body that came out too long is refused', () => {
    const nodes = [
      node('Reshape', ['X', 'shape'], ['Z']),
      node('Mul', ['Z', 'W'], ['h']),
      node('Tanh', ['h'], ['g']),
      node('ReduceMean', ['g'], ['y'], { axes: [1, 2], keepdims: 0 }),
    ];
    expect(reasonFor({ nodes, tensors: [square(20_000), integers('shape', [3], [-1, 3, 1])] })).toMatch(
      /^a function of \d\.\d MB is longer than the 1.0 MB/,
    );
  });

  test('trees whose nodes share what is below them are refused, not unfolded', () => {
    const depth = 100;
    const numbers = Array.from({ length: depth + 1 }, (_, number) => number);
    const inner = numbers.map((number) => number < depth);
    const shared = classic('TreeEnsembleRegressor', ['X'], ['y'], {
      n_targets: 1,
      nodes_treeids: numbers.map(() => 0),
      nodes_nodeids: numbers,
      nodes_modes: inner.map((is) => (is ? 'BRANCH_LEQ' : 'LEAF')),
      nodes_featureids: numbers.map(() => 0),
      nodes_values: numbers,
      nodes_truenodeids: numbers.map((number) => Math.min(number + 1, depth)),
      nodes_falsenodeids: numbers.map((number) => Math.min(number + 1, depth)),
      target_treeids: [0],
      target_nodeids: [depth],
      target_ids: [0],
      target_weights: [1],
    });
    expect(reasonFor({ nodes: [shared] })).toBe(
      'operator TreeEnsembleRegressor with a node that two others lead to is not compiled',
    );
  });

  test('a computation that nests too deep for PostgreSQL is refused', () => {
    const nodes = [node('MatMul', ['X', 'W'], ['h']), node('ReduceMax', ['h'], ['y'], { axes: [1] })];
    expect(reasonFor({ nodes, tensors: [square(600)] })).toBe('its computation nests more than 500 deep');
  });

  test('more operators than a function may have are refused', () => {
    const nodes = Array.from({ length: 1001 }, (_, index) =>
      node('Tanh', [index === 0 ? 'X' : `h${index}`], [index === 1000 ? 'y' : `h${index + 1}`]),
    );
    expect(reasonFor({ nodes })).toBe('1001 operators are more than the 1000 that a function may have');
  });

  test('an operator that no answer depends on does not matter', () => {
    const nodes = [node('Erf', ['X'], ['z']), classic('LinearRegressor', ['X'], ['y'], { coefficients: [1, 2, 3] })];
    expect(reasonFor({ nodes })).toBe('none');
  });
});
