import { DIMENSION, SHAPE, TENSOR_TYPE, TYPE, VALUE_INFO } from './layout.ts';
import { DATA_TYPE, dataTypeName } from './messages.ts';

import {
  Fields,
  LENGTH,
  lengthField,
  parts,
  textField,
  integerField,
  VARINT,
  varintField,
  type Part,
  type Span,
} from './wire.ts';

/** The element types that a feature or an input can have. */
export type TensorType = 'float32' | 'float64' | 'int32' | 'int64' | 'bool' | 'string';

/** Element types that are fed by way of a wider one, which holds all of their values. */
export type NarrowType = 'float16' | 'uint8' | 'int8' | 'uint16' | 'int16' | 'uint32' | 'uint64';

/** The type that each is fed by. */
const WIDENED = {
  float16: 'float32',
  uint8: 'int32',
  int8: 'int32',
  uint16: 'int32',
  int16: 'int32',
  uint32: 'int64',
  uint64: 'int64',
} as const satisfies Record<NarrowType, TensorType>;

/** An input or output as the graph declares it. A shape of null, or a dimension of null, is left open there. */
export type GraphValue = {
  readonly name: string;
  /** undefined for sequences, maps and element types that pgscore does not feed. */
  readonly type: TensorType | undefined;
  /** The declared type, where `type` is the wider one that it is fed by. */
  readonly element?: NarrowType;
  /** The declared type in words, for messages. */
  readonly declared: string;
  readonly shape: (number | null)[] | null;
  readonly part: Part;
};

const TENSOR_TYPES: Readonly<Record<number, TensorType>> = {
  [DATA_TYPE.FLOAT]: 'float32',
  [DATA_TYPE.DOUBLE]: 'float64',
  [DATA_TYPE.INT32]: 'int32',
  [DATA_TYPE.INT64]: 'int64',
  [DATA_TYPE.BOOL]: 'bool',
  [DATA_TYPE.STRING]: 'string',
};

const NARROW_TYPES: Readonly<Record<number, NarrowType>> = {
  [DATA_TYPE.FLOAT16]: 'float16',
  [DATA_TYPE.UINT8]: 'uint8',
  [DATA_TYPE.INT8]: 'int8',
  [DATA_TYPE.UINT16]: 'uint16',
  [DATA_TYPE.INT16]: 'int16',
  [DATA_TYPE.UINT32]: 'uint32',
  [DATA_TYPE.UINT64]: 'uint64',
};

export function readValueInfo(part: Part): GraphValue {
  const name = textField(part.payload, VALUE_INFO.name);
  const { kind, type } = kindOf(part.payload);
  if (kind !== 'tensorType' || type === undefined) {
    return { name, type: undefined, declared: kind ?? 'no type', shape: null, part };
  }
  const element = integerField(type, TENSOR_TYPE.elementType);
  const shape = parts(type, TENSOR_TYPE.shape).at(-1);
  const narrow = NARROW_TYPES[element];
  return {
    name,
    type: narrow === undefined ? TENSOR_TYPES[element] : WIDENED[narrow],
    ...(narrow === undefined ? {} : { element: narrow }),
    declared: `tensor(${dataTypeName(element)})`,
    shape: shape === undefined ? null : parts(shape.payload, SHAPE.dimension).map(({ payload }) => dimension(payload)),
    part,
  };
}

type TypeKind = keyof typeof TYPE;
const KINDS = new Map(Object.entries(TYPE).map(([kind, number]) => [number as number, kind as TypeKind]));

/** Which kind of type a value has, and what is said of it; of several the last counts. */
function kindOf(info: Span): { readonly kind?: TypeKind; readonly type?: Span } {
  const declared = parts(info, VALUE_INFO.type).at(-1);
  if (declared === undefined) return {};
  let found: { readonly kind?: TypeKind; readonly type?: Span } = {};
  const fields = new Fields(declared.payload);
  while (fields.next()) {
    const kind = KINDS.get(fields.number);
    if (kind !== undefined && fields.wire === LENGTH) found = { kind, type: fields.span() };
  }
  return found;
}

function dimension(span: Span): number | null {
  let size: number | null = null;
  const fields = new Fields(span);
  while (fields.next()) {
    if (fields.number === DIMENSION.value && fields.wire === VARINT) size = fields.integer();
    else if (fields.number === DIMENSION.name) size = null;
  }
  // Some exporters write 0 or -1 for "any".
  return size !== null && size > 0 ? size : null;
}

const OPEN = lengthField(DIMENSION.name, Buffer.from('batch'));

/** The same value with its first dimension left open, as the payload of a ValueInfoProto. */
export function withOpenBatch(value: GraphValue): Uint8Array {
  return exchanged(value.part.payload, [VALUE_INFO.type, TYPE.tensorType, TENSOR_TYPE.shape, SHAPE.dimension], OPEN);
}

/** The same value under another name, as the payload of a ValueInfoProto. */
export function renamed(value: GraphValue, name: string): Uint8Array {
  return exchanged(value.part.payload, [VALUE_INFO.name], Buffer.from(name));
}

/** The same value as a tensor of float32, as the payload of a ValueInfoProto. */
export function withFloats({ part: { payload } }: GraphValue): Uint8Array {
  const [type] = parts(payload, VALUE_INFO.type);
  const [tensor] = type === undefined ? [] : parts(type.payload, TYPE.tensorType);
  const [shape] = tensor === undefined ? [] : parts(tensor.payload, TENSOR_TYPE.shape);
  const own = shape === undefined ? new Uint8Array(0) : payload.bytes.subarray(shape.field.start, shape.field.end);
  const floats = Buffer.concat([varintField(TENSOR_TYPE.elementType, DATA_TYPE.FLOAT), own]);
  return exchanged(payload, [VALUE_INFO.type, TYPE.tensorType], floats);
}

/** A message with another payload of the first field at the end of this path; the same where there is none. */
function exchanged(message: Span, [number, ...path]: readonly number[], payload: Uint8Array): Uint8Array {
  if (number === undefined) return payload;
  const bytes = (start: number, end: number): Uint8Array => message.bytes.subarray(start, end);
  const [part] = parts(message, number);
  if (part === undefined) return bytes(message.start, message.end);
  return Buffer.concat([
    bytes(message.start, part.field.start),
    lengthField(number, exchanged(part.payload, path, payload)),
    bytes(part.field.end, message.end),
  ]);
}

/** The payload of a ValueInfoProto for a float32 matrix of any number of rows and `width` columns. */
export function floatMatrix(name: string, width: number | null): Uint8Array {
  const dimensions = [OPEN, width === null ? OPEN : varintField(DIMENSION.value, width)].map((one) =>
    lengthField(SHAPE.dimension, one),
  );
  const tensor = Buffer.concat([
    varintField(TENSOR_TYPE.elementType, DATA_TYPE.FLOAT),
    lengthField(TENSOR_TYPE.shape, Buffer.concat(dimensions)),
  ]);
  const type = lengthField(TYPE.tensorType, tensor);
  return Buffer.concat([lengthField(VALUE_INFO.name, Buffer.from(name)), lengthField(VALUE_INFO.type, type)]);
}
