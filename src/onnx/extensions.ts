import { PgscoreError } from '../errors.ts';
import { integerAttribute, integersOf } from './attributes.ts';
import type { GraphNode } from './outline.ts';

/** The domain of the operators that ONNX Runtime brings beside those of ONNX. */
export const EXTENSIONS = 'com.microsoft';

/** A node, and what is known of its inputs before it runs. */
export type KnownNode = {
  readonly node: GraphNode;
  /** The dimensions of an input that is an initializer of the main graph. */
  readonly constant: (input: number) => readonly number[] | undefined;
};

/**
 * What is wrong with a node of a listed operator, or undefined. The kernel of the operator reads past its inputs, or aborts, where
 * a node breaks its rule.
 */
type Rule = (node: KnownNode) => string | undefined;

const has = ({ node }: KnownNode, input: number): boolean => (node.inputs[input] ?? '') !== '';
const number = ({ node }: KnownNode, name: string): number => integerAttribute(node, name) ?? 0;
const size = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1);

/** Whether inputs are missing, or initializers of one of so many elements; null stands for any number. */
function areWeights(node: KnownNode, sizes: Readonly<Record<number, readonly number[] | null>>): boolean {
  return Object.entries(sizes).every(([input, allowed]) => {
    if (!has(node, Number(input))) return true;
    const dims = node.constant(Number(input));
    return dims !== undefined && (allowed === null || allowed.includes(size(dims)));
  });
}

const WEIGHTS = 'its weights must be initializers of the main graph, of matching sizes';

const fiveInputsProblem: Rule = ({ node }) =>
  node.inputs.length === 5 && node.inputs.every((name, index) => name !== '' || index === 2)
    ? undefined
    : 'it must have its five inputs';

const gemmProblem: Rule = (node) =>
  has(node, 7) || !has(node, 8) ? undefined : 'it has a zero point of its output without a scale';

/** A product with quantised weights, whose scales, zero points and bias are these inputs. */
function productProblem(scales: number, zeros: number, bias: number): Rule {
  return (node) => {
    const [weights = [], scale = []] = [1, scales].map((input) => node.constant(input));
    const [rows = 0, columns = 0] = weights;
    const sizes = { 1: [rows * columns], [scales]: [1, columns], [zeros]: [size(scale)], [bias]: [columns] };
    return weights.length === 2 && areWeights(node, sizes) ? undefined : WEIGHTS;
  };
}

const BLOCKS = [16, 32, 64, 128, 256];

const blockMatMulProblem: Rule = (node) => {
  const rows = number(node, 'K');
  const columns = number(node, 'N');
  const block = number(node, 'block_size');
  const bits = number(node, 'bits') || 4;
  if (has(node, 4)) return 'it has an index of groups';
  if (![4, 8].includes(bits) || !BLOCKS.includes(block))
    return 'its weights must have 4 or 8 bits, in blocks of 16 to 256';
  const blocks = Math.ceil(rows / block);
  const sizes = {
    1: [(columns * blocks * block * bits) / 8],
    2: [columns * blocks],
    3: [columns * blocks, columns * Math.ceil((blocks * bits) / 8)],
    5: [columns],
  };
  return rows > 0 && columns > 0 && areWeights(node, sizes) ? undefined : WEIGHTS;
};

const embeddingProblem: Rule = (node) => {
  if (has(node, 8)) return 'it has position ids';
  const isRow = [5, 6].every((input) => !has(node, input) || node.constant(input)?.length === 1);
  return isRow && areWeights(node, { 2: null, 3: null, 4: null, 5: null, 6: null }) ? undefined : WEIGHTS;
};

const softmaxProblem: Rule = (node) => (areWeights(node, { 1: [1], 2: [1], 3: [1], 4: [1] }) ? undefined : WEIGHTS);

const attentionProblem: Rule = (node) => {
  if (keepsState(node, [4, 6]) || number(node, 'past_present_share_buffer') + number(node, 'do_rotary') !== 0)
    return KEEPS_STATE;
  const [weights = [], bias = []] = [1, 2].map((input) => node.constant(input));
  const [width = 0] = bias;
  const given = integersOf(node.node, 'qkv_hidden_sizes');
  const sizes = given.length > 0 ? given : [width / 3, width / 3, width / 3];
  const fits = weights.length === 2 && bias.length === 1 && weights[1] === width;
  return fits && areHeads(sizes, width, number(node, 'num_heads')) ? undefined : WEIGHTS;
};

const KEEPS_STATE = 'it keeps a state between calls';

const stateProblem: Rule = (node) => (keepsState(node, [6, 7, 8, 9]) ? KEEPS_STATE : undefined);

/** Whether a node reads a state, in one of these inputs, or returns one beside its only output. */
function keepsState(node: KnownNode, inputs: readonly number[]): boolean {
  return node.node.outputs.length > 1 || inputs.some((input) => has(node, input));
}

/** Whether the sizes of queries, keys and values are those of weights and of so many heads. */
function areHeads(sizes: readonly number[], width: number, heads: number): boolean {
  const total = sizes.reduce((sum, one) => sum + one, 0);
  const divided = heads > 0 && sizes.every((one) => one > 0 && one % heads === 0);
  return divided && sizes.length === 3 && sizes[0] === sizes[1] && total === width;
}

const noProblem: Rule = () => undefined;

/** Operators whose kernels kept to their tensors in thousands of nodes with odd shapes, with what a node of each must be. */
export const ALLOWED = new Map<string, Rule>([
  ...[
    'BiasGelu',
    'CDist',
    'DequantizeLinear',
    'FastGelu',
    'FusedConv',
    'FusedGemm',
    'FusedMatMul',
    'Gelu',
    'QAttention',
    'QLinearAdd',
    'QLinearAveragePool',
    'QLinearConv',
    'QLinearGlobalAveragePool',
    'QLinearMul',
    'QuantizeLinear',
    'QuickGelu',
    'SkipLayerNormalization',
    'SkipSimplifiedLayerNormalization',
    'Tokenizer',
    'TransposeMatMul',
  ].map((op): [string, Rule] => [op, noProblem]),
  ['Attention', attentionProblem],
  ['DynamicQuantizeMatMul', productProblem(2, 3, 4)],
  ['EmbedLayerNormalization', embeddingProblem],
  ['MatMulIntegerToFloat', productProblem(3, 5, 6)],
  ['MatMulNBits', blockMatMulProblem],
  ['MultiHeadAttention', stateProblem],
  ['QGemm', gemmProblem],
  ['QLinearLeakyRelu', fiveInputsProblem],
  ['QLinearSigmoid', fiveInputsProblem],
  ['QLinearSoftmax', softmaxProblem],
]);

const READS_PAST = 'its kernel reads past its inputs where their shapes do not match';
const STATE = 'it generates text, step by step, with a state between calls';

/** Why operators that people meet are not on the list. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  BeamSearch: STATE,
  DecoderMaskedMultiHeadAttention: STATE,
  DynamicQuantizeLSTM: 'its kernel returns memory that it never wrote where sequences end early',
  GreedySearch: STATE,
  GroupQueryAttention: STATE,
  Inverse: READS_PAST,
  QLinearConcat: 'its kernel returns memory that it never wrote where a part is empty',
  QLinearWhere: READS_PAST,
  RotaryEmbedding: 'its kernel returns memory that it never wrote where its attributes do not fit its inputs',
  Sampling: STATE,
  Solve: 'ONNX Runtime has no kernel for it',
};

const REMEDY =
  'Deploy the model as it was before the optimiser or the quantiser, in the operators of ONNX: ONNX Runtime optimises it ' +
  'while it loads. A quantised one may be written as QuantizeLinear and DequantizeLinear (QuantFormat.QDQ).';

/**
 * Refuses an operator of com.microsoft that is not on the list, or a node whose shapes its kernel does not check.
 * @throws PgscoreError model_refused_operator
 */
export function checkExtension(node: KnownNode): void {
  const { op } = node.node;
  const rule = ALLOWED.get(op);
  const leftOut = Object.hasOwn(LEFT_OUT, op) ? LEFT_OUT[op] : 'it was not tried with wrong shapes';
  const reason = rule === undefined ? leftOut : rule(node);
  if (reason === undefined) return;
  throw new PgscoreError(
    'model_refused_operator',
    `the model uses operator ${op} of domain '${EXTENSIONS}', which is refused: ${reason}`,
    { remedy: REMEDY },
  );
}
