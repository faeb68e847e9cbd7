import { DataType, integers, node, onnxModel, tensorOf, tensorValue } from '../../support/onnx-builder.ts';
import type { Case } from './changes.ts';
import type { ElementType, Input } from './operators.ts';

const TYPES: Readonly<Record<ElementType, DataType>> = {
  f: DataType.FLOAT,
  i32: DataType.INT32,
  i64: DataType.INT64,
  u8: DataType.UINT8,
  i8: DataType.INT8,
  s: DataType.STRING,
};

const size = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1);

/** Columns of a row. */
export function widthOf({ operator }: Case): number {
  return size(operator.rows.dims);
}

/** A model whose one node of interest is that of the case; it gives the sum of what the node says of a row. */
export function modelOf(given: Case): Uint8Array {
  const { operator, noElements = false } = given;
  const { rows } = operator;
  const shaped = [
    node('Reshape', ['X', 'shape'], ['shaped']),
    noElements
      ? node('Slice', ['shaped', 'start', 'start', 'end'], ['cut'])
      : node('Identity', ['shaped'], ['cut']),
    rows.type === 's' ? node('Identity', ['cut'], ['rows']) : node('Cast', ['cut'], ['rows'], { to: TYPES[rows.type] }),
  ];
  const names = operator.inputs.map((input, at) => (input === null ? '' : input === 'rows' ? 'rows' : `in${at}`));
  const outputs = Array.from({ length: operator.outputs }, (_, at) => `out${at}`);
  const tensors = operator.inputs.flatMap((input, at) =>
    input === null || input === 'rows' ? [] : [tensorOf(`in${at}`, TYPES[input.type], [...input.dims], valuesOf(input))],
  );
  return onnxModel({
    nodes: [...shaped, node(operator.op, names, outputs, operator.attributes, operator.domain), ...summed(given)],
    inputs: [tensorValue('X', [null, widthOf(given)], rows.type === 's' ? DataType.STRING : DataType.FLOAT)],
    tensors: [
      ...tensors,
      integers('shape', [rows.dims.length + 1], [-1, ...rows.dims]),
      integers('start', [1], [0]),
      integers('end', [1], [-1]),
      integers('axis', [1], [1]),
    ],
  });
}

/** From the first output to one number a row. */
function summed({ operator }: Case): ReturnType<typeof node>[] {
  const words = { mode: 'TF', min_gram_length: 1, max_gram_length: 1, max_skip_count: 0 };
  const counted = { ...words, ngram_counts: [0], ngram_indexes: [0, 1], pool_strings: ['a', 'b'] };
  const numbers =
    operator.op === 'Tokenizer'
      ? [node('Flatten', ['out0'], ['flat'], { axis: 1 }), node('TfIdfVectorizer', ['flat'], ['numbers'], counted)]
      : [node('Cast', ['out0'], ['number'], { to: TYPES.f }), node('Flatten', ['number'], ['numbers'], { axis: 1 })];
  return [...numbers, node('ReduceSum', ['numbers', 'axis'], ['y'], { keepdims: 1 })];
}

/** Small numbers, all different from their neighbours. */
function valuesOf({ dims, type, values }: Input): number[] {
  const count = size(dims);
  if (values !== undefined) return Array.from({ length: count }, (_, at) => values[at % values.length] ?? 0);
  return Array.from({ length: count }, (_, at) => (type === 'f' ? 0.25 + (at % 5) / 8 : 1 + (at % 3)));
}
