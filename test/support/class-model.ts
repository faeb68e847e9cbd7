import { floats, node, onnxModel, tensorValue } from './onnx-builder.ts';

/**
 * Probabilities of `classes` classes from one feature "x": class number x (rounded) is the most probable. To be deployed
 * with `task`, `class_labels` and, since the input is a matrix of one column, nothing else.
 */
export function classModel(classes: number): Uint8Array {
  const numbers = Array.from({ length: classes }, (_, index) => index);
  return onnxModel({
    inputs: [tensorValue('x', [null, 1])],
    outputs: [tensorValue('probabilities', [null, classes])],
    tensors: [floats('numbers', [1, classes], numbers)],
    nodes: [
      node('Sub', ['x', 'numbers'], ['distance']),
      node('Mul', ['distance', 'distance'], ['square']),
      node('Neg', ['square'], ['closeness']),
      node('Softmax', ['closeness'], ['probabilities'], { axis: 1 }),
    ],
  });
}
