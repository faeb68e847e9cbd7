import { create, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  FunctionProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_MapSchema,
  TypeProto_SequenceSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  NodeProto,
  TensorProto,
  TypeProto,
  ValueInfoProto,
} from 'onnx-buf';

export { DataType };

type AttributeValue = number | string | boolean | number[] | string[] | TensorProto | GraphProto;

export function node(
  opType: string,
  input: string[],
  output: string[],
  attributes: Record<string, AttributeValue> = {},
  domain = '',
): NodeProto {
  const attribute = Object.entries(attributes).map(([name, value]) => attributeOf(name, value));
  return create(NodeProtoSchema, { opType, input, output, attribute, domain });
}

/** An operator of ai.onnx.ml. */
export function classic(
  opType: string,
  input: string[],
  output: string[],
  attributes: Record<string, AttributeValue> = {},
): NodeProto {
  return node(opType, input, output, attributes, 'ai.onnx.ml');
}

/** Names that hold floats even where the numbers are whole. */
const FLOAT_ATTRIBUTES =
  /values$|weights|coefficients|intercepts|offset|scale|hitrates|params|rho|support_vectors|floats?$|alpha|beta|epsilon|^threshold$/;

function attributeOf(name: string, value: AttributeValue): AttributeProto {
  if (Array.isArray(value)) return listAttribute(name, value);
  if (typeof value === 'string') {
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: bytes(value) });
  }
  if (typeof value === 'object') {
    return '$typeName' in value && value.$typeName === 'onnx.GraphProto'
      ? create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g: value })
      : create(AttributeProtoSchema, { name, type: AttributeType.TENSOR, t: value as TensorProto });
  }
  const number = Number(value);
  if (FLOAT_ATTRIBUTES.test(name)) return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: number });
  return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(number) });
}

function listAttribute(name: string, values: (number | string)[]): AttributeProto {
  if (values.every((value) => typeof value === 'string')) {
    return create(AttributeProtoSchema, { name, type: AttributeType.STRINGS, strings: values.map(bytes) });
  }
  const numbers = values.map(Number);
  if (FLOAT_ATTRIBUTES.test(name)) {
    return create(AttributeProtoSchema, { name, type: AttributeType.FLOATS, floats: numbers });
  }
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: numbers.map(BigInt) });
}

export function floats(name: string, dims: number[], values: number[]): TensorProto {
  return create(TensorProtoSchema, { name, dims: dims.map(BigInt), dataType: DataType.FLOAT, floatData: values });
}

export function doubles(name: string, values: number[]): TensorProto {
  const dims = [BigInt(values.length)];
  return create(TensorProtoSchema, { name, dims, dataType: DataType.DOUBLE, doubleData: values });
}

export function integers(name: string, dims: number[], values: number[]): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: dims.map(BigInt),
    dataType: DataType.INT64,
    int64Data: values.map(BigInt),
  });
}

/** Whole numbers of any type, as numbers of few bits are kept, or floats. */
export function tensorOf(name: string, dataType: DataType, dims: number[], values: number[]): TensorProto {
  if (dataType === DataType.FLOAT) return floats(name, dims, values);
  if (dataType === DataType.INT64) return integers(name, dims, values);
  return create(TensorProtoSchema, { name, dims: dims.map(BigInt), dataType, int32Data: values });
}

/** A single int32. */
export function int32(name: string, value: number): TensorProto {
  return create(TensorProtoSchema, { name, dims: [], dataType: DataType.INT32, int32Data: [value] });
}

export function strings(name: string, values: string[]): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: [BigInt(values.length)],
    dataType: DataType.STRING,
    stringData: values.map(bytes),
  });
}

/** A float tensor whose values lie in a file beside the model. */
export function external(name: string, dims: number[], place: Record<string, string>): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: dims.map(BigInt),
    dataType: DataType.FLOAT,
    dataLocation: DataLocation.EXTERNAL,
    externalData: Object.entries(place).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value })),
  });
}

/** A dimension of null is left open; a text names it. */
export type Shape = (number | string | null)[];

export function tensorValue(name: string, shape: Shape | null, elemType: DataType = DataType.FLOAT): ValueInfoProto {
  const dim = shape?.map((size) => {
    if (size === null) return create(TensorShapeProto_DimensionSchema);
    const value =
      typeof size === 'number'
        ? { case: 'dimValue' as const, value: BigInt(size) }
        : { case: 'dimParam' as const, value: size };
    return create(TensorShapeProto_DimensionSchema, { value });
  });
  const tensor = create(
    TypeProto_TensorSchema,
    dim === undefined ? { elemType } : { elemType, shape: create(TensorShapeProtoSchema, { dim }) },
  );
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }),
  });
}

/** The sequence of maps that a ZipMap makes. */
export function mapsValue(name: string): ValueInfoProto {
  const element = tensorValue('', []).type as TypeProto;
  const map = create(TypeProto_MapSchema, { keyType: DataType.INT64, valueType: element });
  const elemType = create(TypeProtoSchema, { value: { case: 'mapType', value: map } });
  const sequence = create(TypeProto_SequenceSchema, { elemType });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'sequenceType', value: sequence } }),
  });
}

export type GraphParts = {
  nodes: NodeProto[];
  inputs?: ValueInfoProto[];
  outputs?: ValueInfoProto[];
  tensors?: TensorProto[];
  intermediates?: ValueInfoProto[];
};

/** By default from a matrix X of 3 columns to one number y a row. */
export function graph({ nodes, inputs, outputs, tensors = [], intermediates = [] }: GraphParts): GraphProto {
  return create(GraphProtoSchema, {
    name: 'g',
    node: nodes,
    input: inputs ?? [tensorValue('X', [null, 3])],
    output: outputs ?? [tensorValue('y', [null, 1])],
    initializer: tensors,
    valueInfo: intermediates,
  });
}

export type ModelParts = GraphParts & {
  metadata?: Record<string, string>;
  functions?: FunctionProto[];
  opset?: number;
  /** The version of ai.onnx.ml. */
  classics?: number;
  producer?: string;
};

/** The bytes of a model. */
export function onnxModel({
  metadata = {},
  functions = [],
  opset = 17,
  classics = 3,
  producer = 'onnx-builder',
  ...parts
}: ModelParts): Uint8Array {
  const domains = new Set(['', 'ai.onnx.ml', 'com.microsoft', ...functions.map(({ domain }) => domain)]);
  const model = create(ModelProtoSchema, {
    irVersion: 8n,
    producerName: producer,
    graph: graph(parts),
    functions,
    metadataProps: Object.entries(metadata).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value })),
    opsetImport: [...domains].map((domain) =>
      create(OperatorSetIdProtoSchema, { domain, version: BigInt(versionOf(domain, opset, classics)) }),
    ),
  });
  return toBinary(ModelProtoSchema, model);
}

function versionOf(domain: string, opset: number, classics: number): number {
  if (domain === '') return opset;
  return domain === 'ai.onnx.ml' ? classics : 1;
}

export function localFunction(domain: string, name: string, nodes: NodeProto[]): FunctionProto {
  const opsetImport = [create(OperatorSetIdProtoSchema, { domain: '', version: 17n })];
  return create(FunctionProtoSchema, { domain, name, input: ['a'], output: ['b'], node: nodes, opsetImport });
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(text));
}
