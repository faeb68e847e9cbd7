import { PgscoreError } from '../errors.ts';

const words = (list: string): Set<string> => new Set(list.trim().split(/\s+/));

/**
 * Operators of the default domain up to opset 26, deprecated ones included, less those REFUSED.
 * SimplifiedLayerNormalization is ONNX Runtime's own: its optimiser writes it into that domain.
 */
const STANDARD = words(`
  Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization
  BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike Ceil Celu CenterCropPad Clip
  Col2Im Compress Concat ConcatFromSequence Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh CumProd
  CumSum DFT DeformConv DepthToSpace DequantizeLinear Det Div Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp
  Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool
  GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish
  Hardmax Identity If InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log
  LogSoftmax LpNormalization LpPool MatMul MatMulInteger Max MaxPool MaxRoiPool MaxUnpool Mean
  MeanVarianceNormalization MelWeightMatrix Min Mish Mod Mul Neg NegativeLogLikelihoodLoss NonMaxSuppression NonZero
  Not OneHot Optional OptionalGetElement OptionalHasElement Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear
  RMSNormalization RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin
  ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu Reshape Resize ReverseSequence RoiAlign RotaryEmbedding
  Round STFT Scan Scatter ScatterElements ScatterND Selu SequenceAt SequenceConstruct SequenceEmpty SequenceErase
  SequenceInsert SequenceLength SequenceMap Shape Shrink Sigmoid Sign SimplifiedLayerNormalization Sin Sinh Size Slice Softmax
  SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split SplitToSequence Sqrt Squeeze StringConcat
  StringNormalizer StringSplit Sub Sum SwiGLU Swish Tan Tanh TensorScatter TfIdfVectorizer ThresholdedRelu Tile TopK
  Transpose Trilu Unique Unsqueeze Upsample Where Xor
`);

const CLASSIC = words(`
  ArrayFeatureExtractor Binarizer CastMap CategoryMapper DictVectorizer FeatureVectorizer Imputer LabelEncoder
  LinearClassifier LinearRegressor Normalizer OneHotEncoder SVMClassifier SVMRegressor Scaler TreeEnsemble
  TreeEnsembleClassifier TreeEnsembleRegressor ZipMap
`);

const RANDOM = 'it draws random numbers, so the same row would score differently each time';

/** Operators that ONNX defines and pgscore does not run, with the reason. */
const REFUSED: Readonly<Record<string, string>> = {
  Loop: 'it may never end',
  ImageDecoder: 'it decodes image files, which are not columns of a table',
  Bernoulli: RANDOM,
  Multinomial: RANDOM,
  RandomNormal: RANDOM,
  RandomNormalLike: RANDOM,
  RandomUniform: RANDOM,
  RandomUniformLike: RANDOM,
};

const REMEDY = "Export the model with the operators of ONNX itself (domains '' and 'ai.onnx.ml') only.";

/** Whether a domain is one of the two that ONNX defines for inference. */
export function isStandardDomain(domain: string): boolean {
  return domain === '' || domain === 'ai.onnx' || domain === 'ai.onnx.ml';
}

/** Other domains of which ONNX Runtime has kernels: a function of the file that is called so would not be run. */
const BUILT_IN = /^(?:ai\.onnx\.(?:preview\.)?training|com\.microsoft(?:\..*)?|com\.ms\..*|org\.pytorch\.aten)$/;

/** Whether ONNX Runtime may have a kernel for an operator of a domain. */
export function isBuiltInDomain(domain: string): boolean {
  return isStandardDomain(domain) || BUILT_IN.test(domain);
}

/**
 * Refuses an operator that is not on the list.
 * @throws PgscoreError model_unknown_domain, model_unknown_operator, model_refused_operator
 */
export function checkOperator(domain: string, op: string): void {
  if (!isStandardDomain(domain)) throw unknownDomain(domain, op);
  if (domain === 'ai.onnx.ml' ? CLASSIC.has(op) : STANDARD.has(op)) return;
  const reason = domain === 'ai.onnx.ml' ? undefined : REFUSED[op];
  if (reason === undefined) {
    throw new PgscoreError(
      'model_unknown_operator',
      `the model uses ${named(domain, op)}, which ONNX does not define`,
      {
        remedy: REMEDY,
      },
    );
  }
  throw new PgscoreError('model_refused_operator', `the model uses ${named(domain, op)}, which is refused: ${reason}`, {
    remedy: 'Export the model without it.',
  });
}

function unknownDomain(domain: string, op: string): PgscoreError {
  return new PgscoreError(
    'model_unknown_domain',
    `the model uses operator ${op} of domain '${domain}', an extension that is not part of ONNX`,
    { remedy: REMEDY },
  );
}

function named(domain: string, op: string): string {
  return domain === '' ? `operator ${op}` : `operator ${op} of domain '${domain}'`;
}
