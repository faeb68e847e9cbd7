import { classic, DataType, floats, node, onnxModel, tensorValue } from './onnx-builder.ts';

/** Tensor type of a feature. A number is the width of a float matrix, a list the dimensions of a float tensor: one array feeds it. */
export type FeatureType = 'float32' | 'float64' | 'int32' | 'int64' | 'bool' | 'string' | number | readonly number[];

const ELEMENT = {
  float32: DataType.FLOAT,
  float64: DataType.DOUBLE,
  int32: DataType.INT32,
  int64: DataType.INT64,
  bool: DataType.BOOL,
  string: DataType.STRING,
} as const;

/** What a text counts; any other counts -1. */
export const TEXTS: Readonly<Record<string, number>> = { red: 1, green: 2, blue: 3, '': 4, 'Grün ☃': 5 };

/**
 * A regression whose prediction tells which value went where: the first feature counts once, the second ten times, the
 * third a hundred times, and so on. A feature that is an array counts with its mean.
 */
export function weightedModel(
  features: Readonly<Record<string, FeatureType>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const entries = Object.entries(features);
  const terms = entries.map((_, index) => `term${index}`);
  return onnxModel({
    metadata: { 'pgscore.features': JSON.stringify(entries.map(([name]) => name)), ...metadata },
    inputs: entries.map(([name, type]) =>
      typeof type === 'string' ? tensorValue(name, [null, 1], ELEMENT[type]) : tensorValue(name, [null, type].flat()),
    ),
    outputs: [tensorValue('y', [null, 1], DataType.DOUBLE)],
    tensors: entries.map((_, index) => floats(`weight${index}`, [1], [10 ** index])),
    nodes: [...entries.flatMap(([name, type], index) => term(name, type, index)), node('Sum', terms, ['y'])],
  });
}

function term(name: string, type: FeatureType, index: number) {
  const double = { to: DataType.DOUBLE };
  return [
    ...number(name, type, `number${index}`),
    node('Cast', [`number${index}`], [`double${index}`], double),
    node('Cast', [`weight${index}`], [`factor${index}`], double),
    node('Mul', [`double${index}`, `factor${index}`], [`term${index}`]),
  ];
}

function number(name: string, type: FeatureType, to: string) {
  if (typeof type === 'number') return [node('ReduceMean', [name], [to], { axes: [1], keepdims: 1 })];
  if (typeof type === 'object')
    return [
      node('Flatten', [name], [`${to}_flat`]),
      node('ReduceMean', [`${to}_flat`], [to], { axes: [1], keepdims: 1 }),
    ];
  if (type !== 'string') return [node('Identity', [name], [to])];
  const keys = Object.keys(TEXTS);
  return [
    classic('LabelEncoder', [name], [to], {
      keys_strings: keys,
      values_floats: keys.map((text) => TEXTS[text] ?? 0),
      default_float: -1,
    }),
  ];
}
