import { PgscoreError } from '../errors.ts';
import { CHILDREN, FUNCTION, MODEL, NODE, type MessageKind } from './layout.ts';
import { isBuiltInDomain } from './operators.ts';
import { parts, textField, whole, type Span } from './wire.ts';

/** Calls inside of calls; a function that calls itself passes it too. */
const MAX_DEPTH = 32;
/** Nodes of the graph with every call unfolded. 40 functions that each call the one below twice make 2^40. */
const MAX_UNFOLDED = 1_000_000;

/**
 * The functions that a file defines for itself (PyTorch's exporter writes some), as `domain:name`. ONNX Runtime unfolds
 * each call while it loads, so what they unfold to is bounded here.
 * @throws PgscoreError model_refused_operator for a function that takes an operator's name, model_too_complex
 */
export function localFunctions(bytes: Uint8Array): Set<string> {
  const model = whole(bytes);
  const calls = new Map<string, string[]>();
  for (const { payload } of parts(model, MODEL.functions)) {
    const [domain, name] = [textField(payload, FUNCTION.domain), textField(payload, FUNCTION.name)];
    if (isBuiltInDomain(domain)) throw disguised(name);
    calls.set(`${domain}:${name}`, operators('function', payload));
  }
  if (calls.size > 0) {
    const main = parts(model, MODEL.graph).flatMap(({ payload }) => operators('graph', payload));
    new Unfolding(calls).count(main, 0);
  }
  return new Set(calls.keys());
}

/** Every operator of a model, in bodies and functions too, as `domain:name`. */
export function usedOperators(bytes: Uint8Array): Set<string> {
  return new Set(operators('model', whole(bytes)));
}

/** Every operator below a message, as `domain:name`. */
function operators(kind: MessageKind, message: Span): string[] {
  const own = kind === 'node' ? [operatorName(message)] : [];
  const below = Object.entries(CHILDREN[kind]).flatMap(([number, child]) =>
    parts(message, Number(number)).flatMap(({ payload }) => operators(child, payload)),
  );
  return [...own, ...below];
}

function operatorName(node: Span): string {
  const domain = textField(node, NODE.domain);
  return `${domain === 'ai.onnx' ? '' : domain}:${textField(node, NODE.opType)}`;
}

class Unfolding {
  readonly #calls: ReadonlyMap<string, readonly string[]>;
  readonly #sizes = new Map<string, number>();

  constructor(calls: ReadonlyMap<string, readonly string[]>) {
    this.#calls = calls;
  }

  count(body: readonly string[], depth: number): number {
    if (depth > MAX_DEPTH) throw tooComplex(`nest more than ${MAX_DEPTH} deep, or call themselves`);
    const size = body.reduce((total, operator) => total + this.#size(operator, depth), 0);
    if (size > MAX_UNFOLDED) throw tooComplex(`unfold to more than ${MAX_UNFOLDED} nodes`);
    return size;
  }

  #size(operator: string, depth: number): number {
    const body = this.#calls.get(operator);
    if (body === undefined) return 1;
    const size = this.#sizes.get(operator) ?? this.count(body, depth + 1);
    this.#sizes.set(operator, size);
    return size;
  }
}

function tooComplex(what: string): PgscoreError {
  return new PgscoreError('model_too_complex', `the functions that the model defines ${what}`, {
    remedy: 'Unfold the functions before the deploy: `onnx.inliner.inline_local_functions(model)`.',
  });
}

function disguised(name: string): PgscoreError {
  return new PgscoreError(
    'model_refused_operator',
    `the model defines an operator ${name} of ONNX or ONNX Runtime anew`,
    {
      remedy: 'Give the function a domain of its own.',
    },
  );
}
