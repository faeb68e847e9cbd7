import type { NodeProto, TensorProto } from 'onnx-buf';
import type { Client } from 'pg';
import type { Signature } from '../../src/inference/signature.ts';
import { DataType, floats, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { compiledAs, firstDifference } from './compiled.ts';

export const FLOAT = { to: DataType.FLOAT };

/** Three float columns a, b, c, an integer n and a text t; as many outputs as the operator gives. */
function signatureOf(width: number): Signature {
  const matrix = ['a', 'b', 'c'].map((name, position) => ({
    name,
    input: 'X',
    position,
    type: 'float32',
    nulls: 'nan',
  }));
  const others = [
    { name: 'n', input: 'n', position: 0, type: 'int64', nulls: 'default', default: 3 },
    { name: 't', input: 't', position: 0, type: 'string', nulls: 'default', default: 'none' },
    { name: 'f', input: 'f', position: 0, type: 'bool', nulls: 'default', default: true },
  ];
  return {
    task: 'multiclass',
    inputs: [
      { name: 'X', type: 'float32', width: 3, shape: [null, 3] },
      { name: 'n', type: 'int64', width: 1, shape: [null, 1] },
      { name: 't', type: 'string', width: 1, shape: [null, 1] },
      { name: 'f', type: 'bool', width: 1, shape: [null, 1] },
    ],
    features: [...matrix, ...others].map((feature) => ({ ...feature, width: 1 })) as Signature['features'],
    outputs: { probabilities: { name: 'seen', width } },
    classLabels: Array.from({ length: width }, (_, index) => String(index)),
    batch: null,
  };
}

/** A row with a NaN has no prediction, so that nothing else of it could be compared: here NaN and infinities are numbers. */
const VISIBLE = [
  node('Cast', ['y'], ['float'], FLOAT),
  node('IsNaN', ['float'], ['strange']),
  node('Where', ['strange', 'marker', 'float'], ['marked']),
  node('Clip', ['marked', 'lowest', 'highest'], ['seen']),
];

export type Graph = { nodes: NodeProto[]; tensors?: TensorProto[]; width?: number; opset?: number; classics?: number };

function modelOf({ nodes, tensors = [], width = 3, opset = 17, classics = 3 }: Graph): Uint8Array {
  return onnxModel({
    nodes: [...nodes, ...VISIBLE],
    tensors: [...tensors, floats('marker', [], [-777]), floats('lowest', [], [-3e7]), floats('highest', [], [3e7])],
    inputs: [
      tensorValue('X', [null, 3]),
      tensorValue('n', [null, 1], DataType.INT64),
      tensorValue('t', [null, 1], DataType.STRING),
      tensorValue('f', [null, 1], DataType.BOOL),
    ],
    outputs: [tensorValue('seen', [null, width])],
    opset,
    classics,
  });
}

/** The first difference of a graph from ONNX Runtime. */
export async function difference(client: Client, graph: Graph): Promise<string | undefined> {
  return firstDifference(await compiledAs(client, modelOf(graph), signatureOf(graph.width ?? 3)));
}
