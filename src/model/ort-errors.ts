import { PgscoreError } from '../errors.ts';

type Known = { pattern: RegExp; remedy: string };

/** ONNX Runtime gives no codes, only sentences. These are those that people meet, and what they did about them. */
const KNOWN: Known[] = [
  {
    pattern: /Non[- ]tensor type/i,
    remedy: "Export again without maps and sequences as outputs: `options={'zipmap': False}` in skl2onnx.",
  },
  {
    pattern: /Could not find an implementation/i,
    remedy: 'Export the model with float32 inputs: the operators for float64 are missing.',
  },
  {
    pattern: /Unsupported model IR version/i,
    remedy:
      'The exporter is newer than this ONNX Runtime: export with an older `onnx`, or set `model.ir_version = 10`.',
  },
  {
    pattern: /opset/i,
    remedy: 'Export the model with an earlier operator set, such as `target_opset=21`.',
  },
  {
    pattern: /not a registered function\/op|No Op registered/i,
    remedy: 'Export the model with the operators of ONNX itself only.',
  },
  {
    pattern: /bad_alloc|allocate memory/i,
    remedy: 'The model takes too much memory: use a smaller one.',
  },
];

const EXPORT_AGAIN = 'Try it with onnxruntime in Python: where it fails too, the export is at fault.';

/** The reason why ONNX Runtime would not load a model, with what to do about it. */
export function loadFailure(error: unknown): PgscoreError {
  const reason = reasonOf(error);
  return new PgscoreError('model_load_failed', `ONNX Runtime can not load the model: ${reason}`, {
    remedy: remedyFor(reason),
    cause: error,
  });
}

/** The same for a model that loads and then fails on rows. */
export function runFailure(error: unknown): PgscoreError {
  const reason = reasonOf(error);
  return new PgscoreError('model_run_failed', `the model fails on every row it was tried on: ${reason}`, {
    remedy: remedyFor(reason),
    cause: error,
  });
}

/** The sentence of an ONNX Runtime error, without its source files, error numbers and line breaks. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const line = message
    .replaceAll(/\s+/g, ' ')
    .replace(/^.*?\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : /, '')
    .replace(/\/\S+\.(?:cc|h):\d+ \S.*?\) ?(?=\S)/, '')
    .trim();
  return line.length > 500 ? `${line.slice(0, 500)}…` : line;
}

function remedyFor(reason: string): string {
  return KNOWN.find(({ pattern }) => pattern.test(reason))?.remedy ?? EXPORT_AGAIN;
}
