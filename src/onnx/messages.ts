import { ATTRIBUTE, TENSOR } from './layout.ts';
import { broken, Fields, FIXED32, FIXED64, LENGTH, wideIntegers, type Span } from './wire.ts';

/** Element types of a tensor, each by its number in onnx.proto. */
const DATA_TYPES = [
  'UNDEFINED',
  'FLOAT',
  'UINT8',
  'INT8',
  'UINT16',
  'INT16',
  'INT32',
  'INT64',
  'STRING',
  'BOOL',
  'FLOAT16',
  'DOUBLE',
  'UINT32',
  'UINT64',
  'COMPLEX64',
  'COMPLEX128',
  'BFLOAT16',
  'FLOAT8E4M3FN',
  'FLOAT8E4M3FNUZ',
  'FLOAT8E5M2',
  'FLOAT8E5M2FNUZ',
  'UINT4',
  'INT4',
  'FLOAT4E2M1',
  'FLOAT8E8M0',
  'UINT2',
  'INT2',
];

/** Numbers of the element types that pgscore knows. */
export const DATA_TYPE = {
  FLOAT: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  STRING: 8,
  BOOL: 9,
  FLOAT16: 10,
  DOUBLE: 11,
  UINT32: 12,
  UINT64: 13,
  BFLOAT16: 16,
} as const;

/** An element type as messages name it. */
export function dataTypeName(type: number): string {
  return (DATA_TYPES[type] ?? 'unknown').toLowerCase();
}

/** A TensorProto, with what pgscore reads of it. */
export type TensorMessage = {
  dataType: number;
  rawData: Uint8Array;
  readonly dims: bigint[];
  readonly floatData: number[];
  readonly doubleData: number[];
  readonly int32Data: number[];
  readonly int64Data: bigint[];
  readonly stringData: Uint8Array[];
};

/** An AttributeProto, with what pgscore reads of it; what the file leaves out is 0 or empty. */
export type AttributeMessage = {
  float: number;
  integer: bigint;
  text: Uint8Array;
  tensor: TensorMessage | undefined;
  readonly floats: number[];
  readonly integers: bigint[];
  readonly texts: Uint8Array[];
};

const NOTHING = new Uint8Array(0);

type Reading<Message> = Readonly<Record<number, (message: Message, fields: Fields) => void>>;

/**
 * Decodes a small tensor. A protobuf library, for these two messages, takes each process 25 ms to load.
 * @throws PgscoreError model_unreadable
 */
export function readTensor(span: Span): TensorMessage {
  const tensor: TensorMessage = {
    dataType: 0,
    rawData: NOTHING,
    dims: [],
    floatData: [],
    doubleData: [],
    int32Data: [],
    int64Data: [],
    stringData: [],
  };
  return read(span, tensor, OF_TENSOR);
}

/**
 * Decodes a small attribute.
 * @throws PgscoreError model_unreadable
 */
export function readAttribute(span: Span): AttributeMessage {
  const attribute: AttributeMessage = {
    float: 0,
    integer: 0n,
    text: NOTHING,
    tensor: undefined,
    floats: [],
    integers: [],
    texts: [],
  };
  return read(span, attribute, OF_ATTRIBUTE);
}

const OF_TENSOR: Reading<TensorMessage> = {
  [TENSOR.dims]: ({ dims }, fields) => append(dims, wideIntegers(fields)),
  [TENSOR.dataType]: (tensor, fields) => (tensor.dataType = Number(only(wideIntegers(fields), fields))),
  [TENSOR.floats]: ({ floatData }, fields) => append(floatData, floats(fields)),
  [TENSOR.integers32]: ({ int32Data }, fields) =>
    append(
      int32Data,
      wideIntegers(fields).map((value) => Number(BigInt.asIntN(32, value))),
    ),
  [TENSOR.texts]: ({ stringData }, fields) => append(stringData, [bytesOf(fields)]),
  [TENSOR.integers64]: ({ int64Data }, fields) => append(int64Data, wideIntegers(fields)),
  [TENSOR.rawData]: (tensor, fields) => (tensor.rawData = bytesOf(fields)),
  [TENSOR.doubles]: ({ doubleData }, fields) => append(doubleData, doubles(fields)),
};

const OF_ATTRIBUTE: Reading<AttributeMessage> = {
  [ATTRIBUTE.float]: (attribute, fields) => (attribute.float = only(floats(fields), fields)),
  [ATTRIBUTE.integer]: (attribute, fields) => (attribute.integer = only(wideIntegers(fields), fields)),
  [ATTRIBUTE.text]: (attribute, fields) => (attribute.text = bytesOf(fields)),
  [ATTRIBUTE.tensor]: (attribute, fields) => (attribute.tensor = readTensor(spanOf(fields))),
  [ATTRIBUTE.floats]: (attribute, fields) => append(attribute.floats, floats(fields)),
  [ATTRIBUTE.integers]: ({ integers }, fields) => append(integers, wideIntegers(fields)),
  [ATTRIBUTE.texts]: ({ texts }, fields) => append(texts, [bytesOf(fields)]),
};

function read<Message>(span: Span, message: Message, reading: Reading<Message>): Message {
  const fields = new Fields(span);
  while (fields.next()) reading[fields.number]?.(message, fields);
  return message;
}

/** One after the other: a call takes some hundred thousand arguments at most. */
function append<Item>(list: Item[], more: readonly Item[]): void {
  for (const item of more) list.push(item);
}

/** The value of a field that is no list. */
function only<Item>(values: readonly Item[], fields: Fields): Item {
  const [value] = values;
  if (value === undefined || fields.wire === LENGTH) throw broken(fields.start);
  return value;
}

function spanOf(fields: Fields): Span {
  if (fields.wire !== LENGTH) throw broken(fields.start);
  return fields.span();
}

function bytesOf(fields: Fields): Uint8Array {
  const { bytes, start, end } = spanOf(fields);
  return bytes.subarray(start, end);
}

function floats(fields: Fields): number[] {
  return numbers(fields, FIXED32, 4, (view, at) => view.getFloat32(at, true));
}

function doubles(fields: Fields): number[] {
  return numbers(fields, FIXED64, 8, (view, at) => view.getFloat64(at, true));
}

/** One number, or many in one field. */
function numbers(fields: Fields, wire: number, size: number, get: (view: DataView, at: number) => number): number[] {
  const { bytes, start, end } = fields.span();
  const isOne = fields.wire === wire;
  if ((!isOne && fields.wire !== LENGTH) || (end - start) % size !== 0) throw broken(start);
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
  return Array.from({ length: (end - start) / size }, (_, index) => get(view, index * size));
}
