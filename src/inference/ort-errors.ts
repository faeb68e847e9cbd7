import { PgscoreError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

type Known = { pattern: RegExp; remedy: string; says?: string };

/** ONNX Runtime gives no codes, only sentences. These are those that people meet, and what they did about them. */
const KNOWN: Known[] = [
  {
    pattern: /Non[- ]tensor type/i,
    remedy: "Export again without maps and sequences as outputs: `options={'zipmap': False}` in skl2onnx.",
  },
  {
    pattern: /Could not find an implementation/i,
    remedy:
      'Export the model in float32, inputs and weights (`model.float()` in PyTorch): ONNX Runtime lacks operators for ' +
      'float64 and bfloat16.',
  },
  {
    pattern: /tensor\(double\).*tensor\(float\)|tensor\(float\).*tensor\(double\)/i,
    remedy: 'The export mixes float64 with float32: export the model with float32 inputs, `X[:1].astype(np.float32)`.',
  },
  {
    pattern: /Unsupported model IR version/i,
    remedy:
      'The exporter is newer than this ONNX Runtime: export with an older `onnx`, or set `model.ir_version = 10`.',
  },
  {
    pattern: /guarantees\* support for models stamped with official released onnx opset/i,
    says: 'its operator set is newer than this ONNX Runtime',
    remedy: 'Export the model with an earlier operator set, such as `target_opset=21`.',
  },
  {
    pattern: /not a registered function\/op|No Op registered/i,
    remedy: 'Export the model with the operators of ONNX itself only.',
  },
  {
    pattern: /n_targets_or_classes must be positive/,
    says: 'its trees name no classes, as where CatBoost has several values a row',
    remedy: 'CatBoost does not export MultiRMSE, MultiQuantile and the like: train one model for each value.',
  },
  {
    pattern: /bad_alloc|allocate memory/i,
    remedy: 'The model takes too much memory: use a smaller one.',
  },
];

const MAX_LENGTH = 300;
const EXPORT_AGAIN = 'Try it with onnxruntime in Python: where it fails too, the export is at fault.';

/** The reason why ONNX Runtime would not load a model, with what to do about it. */
export function loadFailure(error: unknown): PgscoreError {
  return failure('model_load_failed', 'ONNX Runtime can not load the model', error);
}

/** The reason why a model that loads fails on all rows, with what to do about it. */
export function runFailure(error: unknown): PgscoreError {
  return failure('model_run_failed', 'the model fails on every row it was tried on', error);
}

/** What its sentences begin with, and the C++ types in their middle. */
const NOISE = [
  /^.*?\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : /g,
  /Non-zero status code returned while running /g,
  / Name:'' Status Message:/g,
  /\/\S+\.(?:cc|h):\d+ \S.*?\) ?(?=\S)/g,
  /(?:const )?\[with [^\]]*\] /g,
];

/** The sentence of an ONNX Runtime error, without its source files, error numbers and line breaks. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const line = NOISE.reduce((text, noise) => text.replaceAll(noise, ''), message.replaceAll(/\s+/g, ' ')).trim();
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}…` : line;
}

function failure(code: ErrorCode, what: string, error: unknown): PgscoreError {
  const message = error instanceof Error ? error.message : String(error);
  const known = KNOWN.find(({ pattern }) => pattern.test(message));
  const { says = reasonOf(error), remedy = EXPORT_AGAIN } = known ?? {};
  return new PgscoreError(code, `${what}: ${says}`, { remedy, cause: error });
}
