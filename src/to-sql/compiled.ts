import type { Task } from '../lib/work-time.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import type { Signature } from '../inference/signature.ts';
import { compileNative } from './compile.ts';
import { NativeRefusal } from './literal.ts';
import { renderNative, type NativeBody } from './render.ts';
import { rowsToProve } from './proof-rows.ts';

/** The graph to serve, and rows that came with the framework's predictions, by the names of the features. */
export type ToCompile = {
  readonly bytes: Uint8Array;
  readonly signature: Signature;
  readonly given: readonly JsonRow[];
};

/**
 * The bodies of a version's functions, whose arguments are $1, $2, … in the order of the features; or why it has none, and
 * whether another try may do better.
 */
export type Compiled =
  | { readonly bodies: Partial<Record<Part, NativeBody>> }
  | { readonly refusal: string; readonly passing?: boolean };

/** The thread that compiles; the rows to prove the functions on, then what they are, or why there are none. */
export type CompileStep = { readonly task: Task } | { readonly rows: readonly JsonRow[] } | Compiled;

/** A function takes a hundred arguments at most. */
const MOST_FEATURES = 100;

/** Compiles a version. The rows are given as soon as they are known: they can be scored while its functions are written. */
export function* compiled({ bytes, signature, given }: ToCompile): Generator<Exclude<CompileStep, { task: Task }>> {
  const { length } = signature.features;
  if (signature.valueNames !== undefined) {
    yield { refusal: `a model of several values a row (${signature.task}) is not compiled` };
    return;
  }
  if (length > MOST_FEATURES) {
    yield { refusal: `${length} features are more than the ${MOST_FEATURES} arguments that a function may have` };
    return;
  }
  try {
    const program = compileNative(bytes, signature);
    yield { rows: rowsToProve(program, signature, given) };
    const body = (part: Part): NativeBody => renderNative(program, part, (feature) => `$${feature + 1}`);
    yield { bodies: Object.fromEntries(partsOf(signature).map((part) => [part, body(part)])) };
  } catch (error) {
    if (!(error instanceof NativeRefusal)) throw error;
    yield { refusal: error.message };
  }
}

/** What a compiled function may answer: a double precision, the index of a class label, an array of probabilities. */
export type Part = 'score' | 'label' | 'probabilities';

/** What of a version is compiled. Label and probabilities of a binary model follow from its score. */
function partsOf({ task, outputs }: Signature): Part[] {
  if (task === 'regression') return ['score'];
  if (outputs.probabilities === undefined) return ['label'];
  return task === 'binary' ? ['score'] : ['label', 'probabilities'];
}
