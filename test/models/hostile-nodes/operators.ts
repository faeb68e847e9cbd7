/** A node of each operator that reads models of quantisers, optimisers and text pipelines, as it should be. */

export type ElementType = 'f' | 'i32' | 'i64' | 'u8' | 'i8' | 's';

/** 'rows' is the tensor that the columns of a row are reshaped to; null is an input that is left out. */
export type Input = { readonly type: ElementType; readonly dims: readonly number[]; readonly values?: number[] };

export type Attributes = Record<string, number | string | number[] | string[]>;

export type Operator = {
  readonly domain: string;
  readonly op: string;
  /** Type and dimensions of what each row feeds, without the number of rows. */
  readonly rows: Input;
  readonly inputs: readonly (Input | 'rows' | null)[];
  readonly attributes: Attributes;
  readonly outputs: number;
};

const floats = (...dims: number[]): Input => ({ type: 'f', dims });
const bytes = (...dims: number[]): Input => ({ type: 'u8', dims });
const int32s = (...dims: number[]): Input => ({ type: 'i32', dims });
const texts = (...dims: number[]): Input => ({ type: 's', dims });
const scale: Input = { type: 'f', dims: [], values: [0.1] };
const zero: Input = { type: 'u8', dims: [], values: [3] };
const quantised = [scale, zero];

type Given = { attributes?: Attributes; domain?: string; outputs?: number };

/** An operator whose first input is the rows, and whose others are initializers. */
function operator(op: string, rows: Input, others: Operator['inputs'], given: Given = {}): Operator {
  const { attributes = {}, domain = 'com.microsoft', outputs = 1 } = given;
  return { domain, op, rows, inputs: ['rows', ...others], attributes, outputs };
}

const convolution = { kernel_shape: [3], group: 1, strides: [1], dilations: [1], pads: [0, 0] };
const words = {
  mode: 'TF',
  min_gram_length: 1,
  max_gram_length: 1,
  max_skip_count: 0,
  ngram_counts: [0],
  ngram_indexes: [0, 1],
  pool_strings: ['a', 'b'],
};
const standard = { domain: '' };
const columns = floats(3);
const steps = floats(2, 4);
const quantisedColumns = bytes(3);
const signal = bytes(2, 5);

const OPTIMISED: Operator[] = [
  operator('Gelu', columns, []),
  operator('QuickGelu', columns, [], { attributes: { alpha: 1.7 } }),
  operator('FastGelu', columns, [floats(3)]),
  operator('BiasGelu', columns, [floats(3)]),
  operator('FusedMatMul', columns, [floats(3, 2)], { attributes: { transA: 0, transB: 0, transBatchA: 0, alpha: 0.5 } }),
  operator('TransposeMatMul', columns, [floats(3, 2)], { attributes: { transA: 0, transB: 0, alpha: 0.5 } }),
  operator('FusedGemm', columns, [floats(3, 2), floats(2)], {
    attributes: { activation: 'LeakyRelu', activation_alpha: 0.1, transA: 0, transB: 0 },
  }),
  operator('FusedConv', floats(2, 5), [floats(2, 2, 3), floats(2)], {
    attributes: { ...convolution, activation: 'Clip', activation_params: [-1, 1] },
  }),
  operator('SkipLayerNormalization', steps, [floats(1, 2, 4), floats(4), floats(4), floats(4)]),
  operator('SkipSimplifiedLayerNormalization', steps, [floats(1, 2, 4), floats(4), floats(4)]),
  operator('SimplifiedLayerNormalization', columns, [floats(3)], { ...standard, attributes: { axis: -1, epsilon: 1e-5 } }),
  operator(
    'EmbedLayerNormalization',
    int32s(4),
    [null, floats(9, 3), floats(5, 3), null, floats(3), floats(3), null],
    { attributes: { epsilon: 1e-5, mask_index_type: 0 }, outputs: 2 },
  ),
  operator('Attention', steps, [floats(4, 12), floats(12)], { attributes: { num_heads: 2, unidirectional: 0 } }),
  operator('MultiHeadAttention', steps, ['rows', 'rows', floats(12)], { attributes: { num_heads: 2, unidirectional: 0 } }),
  operator('CDist', columns, [floats(4, 3)], { attributes: { metric: 'sqeuclidean' } }),
];

const QUANTISED: Operator[] = [
  operator('QuantizeLinear', columns, [floats(3), bytes(3)], { attributes: { axis: 1 } }),
  operator('DequantizeLinear', quantisedColumns, [floats(3), bytes(3)], { attributes: { axis: 1 } }),
  operator('QuantizeLinear', columns, quantised, standard),
  operator('DequantizeLinear', quantisedColumns, [floats(3), bytes(3)], { ...standard, attributes: { axis: 1 } }),
  operator('DynamicQuantizeLinear', columns, [], { ...standard, outputs: 3 }),
  operator('QAttention', bytes(2, 4), [bytes(4, 12), floats(12), scale, scale, null, zero, zero], {
    attributes: { num_heads: 2, unidirectional: 0 },
  }),
  operator('QGemm', quantisedColumns, [...quantised, bytes(3, 2), ...quantised, int32s(2), ...quantised], {
    attributes: { transA: 0, transB: 0, alpha: 1 },
  }),
  operator('QLinearAdd', quantisedColumns, [...quantised, bytes(3), ...quantised, ...quantised]),
  operator('QLinearMul', quantisedColumns, [...quantised, bytes(3), ...quantised, ...quantised]),
  operator('QLinearSigmoid', quantisedColumns, [...quantised, ...quantised]),
  operator('QLinearLeakyRelu', quantisedColumns, [...quantised, ...quantised], { attributes: { alpha: 0.1 } }),
  operator('QLinearSoftmax', quantisedColumns, [...quantised, ...quantised], { attributes: { axis: -1, opset: 13 } }),
  operator('QLinearAveragePool', signal, [...quantised, ...quantised], {
    attributes: { kernel_shape: [2], strides: [1], pads: [0, 0], ceil_mode: 0, count_include_pad: 0, channels_last: 0 },
  }),
  operator('QLinearGlobalAveragePool', signal, [...quantised, ...quantised], { attributes: { channels_last: 0 } }),
  operator('QLinearConv', signal, [...quantised, bytes(2, 2, 3), ...quantised, ...quantised, int32s(2)], {
    attributes: { ...convolution, channels_last: 0 },
  }),
  operator('QLinearConv', signal, [...quantised, bytes(2, 2, 3), ...quantised, ...quantised, int32s(2)], {
    ...standard,
    attributes: convolution,
  }),
  operator('QLinearMatMul', quantisedColumns, [...quantised, bytes(3, 2), ...quantised, ...quantised], standard),
  operator('MatMulInteger', quantisedColumns, [bytes(3, 2), zero, zero], standard),
  operator('ConvInteger', signal, [bytes(2, 2, 3), zero, zero], { ...standard, attributes: convolution }),
  operator('DynamicQuantizeMatMul', columns, [bytes(3, 2), floats(2), bytes(2), floats(2)]),
  operator('MatMulIntegerToFloat', quantisedColumns, [bytes(3, 2), scale, floats(2), zero, bytes(2), floats(2)]),
  operator('MatMulNBits', floats(40), [bytes(2, 2, 16), floats(4), bytes(2), null, floats(2)], {
    attributes: { K: 40, N: 2, bits: 4, block_size: 32 },
  }),
];

const TEXTS: Operator[] = [
  operator('Tokenizer', texts(1), [], { attributes: { mark: 0, mincharnum: 1, pad_value: '#', separators: [' '] } }),
  operator('TfIdfVectorizer', texts(2), [], { ...standard, attributes: words }),
];

const WHOLE: Operator[] = [
  operator('Div', int32s(3), [{ type: 'i32', dims: [3], values: [1, 2, 3] }], standard),
  operator('Mod', int32s(3), [{ type: 'i32', dims: [3], values: [1, 2, 3] }], { ...standard, attributes: { fmod: 0 } }),
  operator('Gather', columns, [{ type: 'i64', dims: [2], values: [0, 2] }], { ...standard, attributes: { axis: 1 } }),
  operator('Concat', columns, ['rows', floats(0, 0)], { ...standard, attributes: { axis: 1 } }),
];

export const OPERATORS: readonly Operator[] = [...OPTIMISED, ...QUANTISED, ...TEXTS, ...WHOLE];
