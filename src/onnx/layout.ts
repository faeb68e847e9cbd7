/** Field numbers of onnx.proto, those that pgscore reads. */
export const MODEL = {
  irVersion: 1,
  producerName: 2,
  producerVersion: 3,
  graph: 7,
  opsetImport: 8,
  metadata: 14,
  training: 20,
  functions: 25,
} as const;
export const OPSET = { domain: 1, version: 2 } as const;
export const ENTRY = { key: 1, value: 2 } as const;
export const GRAPH = { node: 1, initializer: 5, input: 11, output: 12, valueInfo: 13, sparseInitializer: 15 } as const;
export const NODE = { input: 1, output: 2, opType: 4, attribute: 5, domain: 7 } as const;
export const ATTRIBUTE = {
  name: 1,
  float: 2,
  integer: 3,
  text: 4,
  tensor: 5,
  graph: 6,
  floats: 7,
  integers: 8,
  texts: 9,
  tensors: 10,
  graphs: 11,
  kind: 20,
  sparse: 22,
  sparses: 23,
} as const;
export const TENSOR = {
  dims: 1,
  dataType: 2,
  floats: 4,
  integers32: 5,
  texts: 6,
  integers64: 7,
  name: 8,
  rawData: 9,
  doubles: 10,
  externalData: 13,
  dataLocation: 14,
} as const;
export const VALUE_INFO = { name: 1, type: 2 } as const;
/** The kinds of a type, by the names that messages call them. */
export const TYPE = { tensorType: 1, sequenceType: 4, mapType: 5, sparseTensorType: 8, optionalType: 9 } as const;
export const TENSOR_TYPE = { elementType: 1, shape: 2 } as const;
export const SHAPE = { dimension: 1 } as const;
export const DIMENSION = { value: 1, name: 2 } as const;
export const SPARSE = { values: 1, indices: 2, dims: 3 } as const;
export const FUNCTION = { name: 1, node: 7, domain: 10, attributeDefault: 11 } as const;
const TRAINING = { initialization: 1, algorithm: 2 } as const;

export type MessageKind = 'model' | 'graph' | 'node' | 'attribute' | 'tensor' | 'sparse' | 'function' | 'training';

/** Which fields hold messages that can hold a tensor or a node, however deep: the map of every walk. */
export const CHILDREN: Record<MessageKind, Readonly<Record<number, MessageKind>>> = {
  model: { [MODEL.graph]: 'graph', [MODEL.training]: 'training', [MODEL.functions]: 'function' },
  training: { [TRAINING.initialization]: 'graph', [TRAINING.algorithm]: 'graph' },
  function: { [FUNCTION.node]: 'node', [FUNCTION.attributeDefault]: 'attribute' },
  graph: { [GRAPH.node]: 'node', [GRAPH.initializer]: 'tensor', [GRAPH.sparseInitializer]: 'sparse' },
  node: { [NODE.attribute]: 'attribute' },
  attribute: {
    [ATTRIBUTE.tensor]: 'tensor',
    [ATTRIBUTE.graph]: 'graph',
    [ATTRIBUTE.tensors]: 'tensor',
    [ATTRIBUTE.graphs]: 'graph',
    [ATTRIBUTE.sparse]: 'sparse',
    [ATTRIBUTE.sparses]: 'sparse',
  },
  sparse: { [SPARSE.values]: 'tensor', [SPARSE.indices]: 'tensor' },
  tensor: {},
};
