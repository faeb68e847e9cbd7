import { create, toBinary } from '@bufbuild/protobuf';
import {
  TensorProto_DataType as DataType,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
  type ValueInfoProto,
} from 'onnx-buf';
import { decode, type Part } from './wire.ts';

/** The element types that a feature or an input can have. */
export type TensorType = 'float32' | 'float64' | 'int32' | 'int64' | 'bool' | 'string';

/** An input or output as the graph declares it. A shape of null, or a dimension of null, is left open there. */
export type GraphValue = {
  readonly name: string;
  /** undefined for sequences, maps and element types that pgscore does not feed. */
  readonly type: TensorType | undefined;
  /** The declared type in words, for messages. */
  readonly declared: string;
  readonly shape: (number | null)[] | null;
  readonly part: Part;
};

const TENSOR_TYPES: Partial<Record<DataType, TensorType>> = {
  [DataType.FLOAT]: 'float32',
  [DataType.DOUBLE]: 'float64',
  [DataType.INT32]: 'int32',
  [DataType.INT64]: 'int64',
  [DataType.BOOL]: 'bool',
  [DataType.STRING]: 'string',
};

export function readValueInfo(part: Part): GraphValue {
  const info = decode(ValueInfoProtoSchema, part.payload);
  const type = info.type?.value;
  if (type?.case !== 'tensorType') {
    return { name: info.name, type: undefined, declared: type?.case ?? 'no type', shape: null, part };
  }
  return {
    name: info.name,
    type: TENSOR_TYPES[type.value.elemType as DataType],
    declared: `tensor(${(DataType[type.value.elemType] ?? 'unknown').toLowerCase()})`,
    shape: type.value.shape?.dim.map(dimension) ?? null,
    part,
  };
}

function dimension({
  value,
}: {
  value: { case: string | undefined; value?: bigint | string | undefined };
}): number | null {
  // Some exporters write 0 or -1 for "any".
  return typeof value.value === 'bigint' && value.value > 0n ? Number(value.value) : null;
}

/** The same value with its first dimension left open, as the payload of a ValueInfoProto. */
export function withOpenBatch(value: GraphValue): Uint8Array {
  const info = decode(ValueInfoProtoSchema, value.part.payload);
  const first = tensorShape(info)?.dim[0];
  if (first !== undefined) first.value = { case: 'dimParam', value: 'batch' };
  return toBinary(ValueInfoProtoSchema, info);
}

function tensorShape(info: ValueInfoProto) {
  return info.type?.value.case === 'tensorType' ? info.type.value.value.shape : undefined;
}

/** The payload of a ValueInfoProto for a float32 matrix of any number of rows and `width` columns. */
export function floatMatrix(name: string, width: number): Uint8Array {
  const dimensions = [
    create(TensorShapeProto_DimensionSchema, { value: { case: 'dimParam', value: 'batch' } }),
    create(TensorShapeProto_DimensionSchema, { value: { case: 'dimValue', value: BigInt(width) } }),
  ];
  const tensor = create(TypeProto_TensorSchema, {
    elemType: DataType.FLOAT,
    shape: create(TensorShapeProtoSchema, { dim: dimensions }),
  });
  const type = create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } });
  return toBinary(ValueInfoProtoSchema, create(ValueInfoProtoSchema, { name, type }));
}
