import { describe, expect, test } from '@jest/globals';
import { refuseUnsafe } from '../../src/onnx/refuse.ts';
import { caught } from '../support/caught.ts';
import { floats, graph, localFunction, node, onnxModel } from '../support/onnx-builder.ts';

type Attributes = Parameters<typeof node>[3];

/** A node that reads X and initializers of these dimensions; null is an input that is left out, 'X' one that is no constant. */
type Form = { inputs: (number[] | null | 'X')[]; attributes?: Attributes; outputs?: number };

function nodeOf(op: string, { inputs, attributes = {}, outputs = 1 }: Form): ReturnType<typeof node> {
  const name = (input: Form['inputs'][number], at: number): string =>
    input === 'X' ? 'X' : input === null ? '' : `w${at}`;
  const results = Array.from({ length: outputs }, (_, at) => (at === 0 ? 'y' : `y${at}`));
  return node(op, inputs.map(name), results, attributes, 'com.microsoft');
}

function modelOf(op: string, form: Form): Uint8Array {
  const tensors = form.inputs.flatMap((dims, at) => (Array.isArray(dims) ? [floats(`w${at}`, dims, [])] : []));
  return onnxModel({ nodes: [nodeOf(op, form)], tensors });
}

const attention = { inputs: ['X', [3, 12], [12]], attributes: { num_heads: 2 } } satisfies Form;
const blocks = { K: 40, N: 2, bits: 4, block_size: 32 };
const byBlocks = { inputs: ['X', [2, 2, 16], [2, 2]], attributes: blocks } satisfies Form;
const product = { inputs: ['X', [3, 4], [4], [4], [4]] } satisfies Form;

describe('operators of ONNX Runtime that are let in', () => {
  test.each<[string, Form]>([
    ['Gelu', { inputs: ['X'] }],
    ['SkipLayerNormalization', { inputs: ['X', 'X', 'X'] }],
    ['Attention', attention],
    ['Attention', { inputs: ['X', [3, 10], [10]], attributes: { num_heads: 2, qkv_hidden_sizes: [4, 4, 2] } }],
    ['MultiHeadAttention', { inputs: ['X', 'X', 'X'], attributes: { num_heads: 1 } }],
    ['MatMulNBits', byBlocks],
    ['MatMulNBits', { inputs: ['X', [2, 2, 16], [4], [2], null, [2]], attributes: blocks }],
    ['DynamicQuantizeMatMul', product],
    ['DynamicQuantizeMatMul', { inputs: ['X', [3, 4], [], null, [4]] }],
    ['MatMulIntegerToFloat', { inputs: ['X', [3, 4], 'X', [4], 'X', [4], [4]] }],
    ['EmbedLayerNormalization', { inputs: ['X', null, [9, 3], [5, 3], null, [3], [3]] }],
    ['QGemm', { inputs: ['X', [], [], [3, 4], [], [], null, [], []] }],
    ['QLinearSigmoid', { inputs: ['X', [], null, [], []] }],
    ['QLinearSoftmax', { inputs: ['X', [], [], [1], [1]] }],
  ])('%s of %j', (op, form) => {
    expect(() => refuseUnsafe(modelOf(op, form))).not.toThrow();
  });
});

describe('operators of ONNX Runtime that are refused', () => {
  test.each<[string, Form, RegExp]>([
    ['Inverse', { inputs: ['X'] }, /reads past its inputs/],
    ['GroupQueryAttention', { inputs: ['X'] }, /generates text/],
    ['Solve', { inputs: ['X', [3, 3]] }, /no kernel/],
    ['CropAndResize', { inputs: ['X'] }, /not tried/],
    ['Attention', { inputs: ['X', [3, 12]], attributes: { num_heads: 2 } }, /weights must be initializers/],
    ['Attention', { inputs: ['X', 'X', [12]], attributes: { num_heads: 2 } }, /weights must be initializers/],
    ['Attention', { ...attention, attributes: { num_heads: 5 } }, /weights must be initializers/],
    ['Attention', { ...attention, attributes: { num_heads: 2, qkv_hidden_sizes: [4, 6, 2] } }, /matching sizes/],
    ['Attention', { ...attention, attributes: { num_heads: 2, do_rotary: 1 } }, /keeps a state/],
    ['Attention', { ...attention, outputs: 2 }, /keeps a state/],
    ['MatMulNBits', { ...byBlocks, attributes: { ...blocks, bits: 2 } }, /4 or 8 bits/],
    ['MatMulNBits', { ...byBlocks, attributes: { ...blocks, K: 70 } }, /matching sizes/],
    ['MatMulNBits', { ...byBlocks, inputs: ['X', 'X', [2, 2]] }, /matching sizes/],
    ['MatMulNBits', { ...byBlocks, inputs: ['X', [2, 2, 16], [4], null, [40]] }, /index of groups/],
    ['DynamicQuantizeMatMul', { inputs: ['X', [3, 4], [5]] }, /matching sizes/],
    ['DynamicQuantizeMatMul', { inputs: ['X', [3, 4], [4], [], [4]] }, /matching sizes/],
    ['DynamicQuantizeMatMul', { inputs: ['X', 'X', [4]] }, /matching sizes/],
    ['DynamicQuantizeMatMul', { inputs: ['X', [3, 4], [4], [4], [3]] }, /matching sizes/],
    ['MatMulIntegerToFloat', { inputs: ['X', [3, 4], 'X', [5]] }, /matching sizes/],
    ['EmbedLayerNormalization', { inputs: ['X', null, [9, 3], [5, 3], null, [3], [3], null, [1, 2]] }, /position ids/],
    ['EmbedLayerNormalization', { inputs: ['X', null, 'X', [5, 3], null, [3], [3]] }, /matching sizes/],
    ['EmbedLayerNormalization', { inputs: ['X', null, [9, 3], [5, 3], null, [3], []] }, /matching sizes/],
    ['QLinearSoftmax', { inputs: ['X', [], [], [0], []] }, /matching sizes/],
    [
      'MultiHeadAttention',
      { inputs: ['X', 'X', 'X', null, null, null, 'X', 'X'], attributes: { num_heads: 1 } },
      /a state/,
    ],
    ['QGemm', { inputs: ['X', [], [], [3, 4], [], [], null, null, []] }, /without a scale/],
    ['QLinearSigmoid', { inputs: ['X', [], null, []] }, /five inputs/],
    ['QLinearConcat', { inputs: [[], [], 'X', [], []] }, /never wrote/],
  ])('%s of %j', (op, form, reason) => {
    const error = caught(() => refuseUnsafe(modelOf(op, form)));
    expect(error.code).toBe('model_refused_operator');
    expect(error.message).toMatch(reason);
    expect(error.remedy).toBeTruthy();
  });

  test('are refused in a body, where they must have weights', () => {
    const body = graph({ nodes: [nodeOf('Attention', attention)] });
    const tensors = [floats('w1', [3, 12], []), floats('w2', [12], [])];
    const branches = node('If', ['X'], ['y'], { then_branch: body, else_branch: body });
    expect(caught(() => refuseUnsafe(onnxModel({ nodes: [branches], tensors }))).code).toBe('model_refused_operator');
  });

  test.each<[string, Partial<Parameters<typeof onnxModel>[0]>]>([
    ['a Constant', { nodes: [node('Constant', [], ['w2'], { value: floats('', [1], [1]) })] }],
    ['an initializer', { tensors: [floats('w2', [1], [1])] }],
  ])('are refused where %s has the name of a weight, which ONNX Runtime would take instead', (_, other) => {
    const tensors = [floats('w1', [3, 12], []), floats('w2', [12], []), ...(other.tensors ?? [])];
    const model = onnxModel({ nodes: [...(other.nodes ?? []), nodeOf('Attention', attention)], tensors });
    expect(caught(() => refuseUnsafe(model)).message).toMatch(/weights must be initializers/);
  });
});

describe('a part of Concat that has no elements', () => {
  const joined = (dims: number[], axis: number): Uint8Array =>
    onnxModel({ nodes: [node('Concat', ['X', 'part'], ['y'], { axis })], tensors: [floats('part', dims, [])] });

  test.each<[number[], number]>([
    [[0, 5], 1],
    [[0, 5], -1],
    [[5, 0], 0],
  ])('%j along axis %d is refused: its place in the result would be left as it was in memory', (dims, axis) => {
    const error = caught(() => refuseUnsafe(joined(dims, axis)));
    expect(error.code).toBe('model_refused_operator');
    expect(error.message).toContain("part 'part' of dimensions");
  });

  const part = floats('part', [0, 5], []);
  const constant = node('Constant', [], ['part'], { value: floats('', [0, 5], []) });
  const concat = node('Concat', ['X', 'part'], ['y'], { axis: 1 });
  const branch = (parts: Partial<Parameters<typeof graph>[0]>): ReturnType<typeof node> =>
    node('If', ['c'], ['y'], { then_branch: graph({ nodes: [concat], ...parts }) });

  test.each<[string, Parameters<typeof onnxModel>[0]]>([
    ['a Constant makes', { nodes: [constant, concat] }],
    ['a branch takes from the main graph', { nodes: [branch({})], tensors: [part] }],
    ['a branch has', { nodes: [branch({ tensors: [part] })] }],
    ['a Constant of a branch makes', { nodes: [branch({ nodes: [constant, concat] })] }],
    ['a local function makes', { nodes: [concat], functions: [localFunction('mine', 'Joined', [constant, concat])] }],
  ])('is refused where %s it', (_, parts) => {
    expect(caught(() => refuseUnsafe(onnxModel(parts))).message).toContain("part 'part' of dimensions 0 x 5");
  });

  test.each<[number[], number]>([
    [[0, 3], 0],
    [[7, 0], 1],
    [[1, 2], 1],
  ])('%j along axis %d has no place there, or elements, and is let in', (dims, axis) => {
    expect(() => refuseUnsafe(joined(dims, axis))).not.toThrow();
  });
});
