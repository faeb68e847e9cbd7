import type { TensorProto } from 'onnx-buf';
import type { Signature } from '../../src/inference/signature.ts';
import { DataType, floats, graph, integers, node, onnxModel, tensorValue } from './onnx-builder.ts';

/** The row that takes long. */
export const SLOW_X = 123_457;
/** So many steps are never done. */
export const ENDLESS = 2 ** 40;

const SIDE = 256;

/** What the check of slowModel() would find. */
export const SLOW_SIGNATURE: Signature = {
  task: 'regression',
  inputs: [{ name: 'x', type: 'float32', width: 1, shape: [null, 1] }],
  features: [{ name: 'x', input: 'x', position: 0, type: 'float32', width: 1, nulls: 'error' }],
  outputs: { value: { name: 'y' } },
  classLabels: [],
  batch: null,
};

/** A regression that predicts x, after `steps` multiplications of large matrices where a row has SLOW_X; one takes a millisecond or so. */
export function slowModel(steps: number): Uint8Array {
  return modelOf(steps, []);
}

/** The same, but that it adds to a row of `curious` the largest x of its run. */
export function curiousModel(steps: number, curious: number): Uint8Array {
  return modelOf(steps, [floats('curious', [], [curious])]);
}

function modelOf(steps: number, curious: readonly TensorProto[]): Uint8Array {
  const matrix = tensorValue('m', [SIDE, SIDE]);
  const body = graph({
    inputs: [tensorValue('step', [], DataType.INT64), tensorValue('on', [], DataType.BOOL), matrix],
    outputs: [tensorValue('still', [], DataType.BOOL), tensorValue('next', [SIDE, SIDE])],
    nodes: [node('Identity', ['on'], ['still']), node('MatMul', ['m', 'weights'], ['next'])],
  });
  const long = graph({
    inputs: [],
    outputs: [tensorValue('added', [])],
    nodes: [
      node('Identity', ['weights'], ['first']),
      node('Loop', ['steps', '', 'first'], ['last'], { body }),
      node('ReduceMax', ['last'], ['added'], { keepdims: 0 }),
    ],
  });
  const short = graph({
    inputs: [],
    outputs: [tensorValue('nothing', [])],
    nodes: [node('Identity', ['zero'], ['nothing'])],
  });
  return onnxModel({
    metadata: { 'pgscore.features': JSON.stringify(['x']) },
    inputs: [tensorValue('x', [null, 1])],
    outputs: [tensorValue('y', [null, 1])],
    tensors: [
      floats(
        'weights',
        [SIDE, SIDE],
        Array.from({ length: SIDE * SIDE }, () => 0),
      ),
      floats('zero', [], [0]),
      floats('slow', [], [SLOW_X]),
      integers('steps', [], [steps]),
      ...curious,
    ],
    nodes: [
      node('ReduceMax', ['x'], ['highest'], { keepdims: 0 }),
      node('Equal', ['highest', 'slow'], ['is_slow']),
      node('If', ['is_slow'], ['of_branch'], { then_branch: long, else_branch: short }),
      ...(curious.length === 0
        ? [node('Add', ['x', 'of_branch'], ['y'])]
        : [
            node('Equal', ['x', 'curious'], ['is_curious']),
            node('Where', ['is_curious', 'highest', 'of_branch'], ['told']),
            node('Add', ['x', 'told'], ['y']),
          ]),
    ],
  });
}
