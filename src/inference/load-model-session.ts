import { fastestGraph } from './fastest-graph.ts';
import { ModelSession } from './session.ts';
import type { Signature } from './signature.ts';

/** Scorers are many, so each computes a run in one thread. */
const THREADS = 1;

/**
 * Loads the model that the probe of the version handed back: its bytes, or a file of that size. Apart from ModelSession, so that the
 * gateway does not load ONNX Runtime.
 * @throws PgscoreError model_load_failed
 */
export async function loadModelSession(
  model: Uint8Array | { readonly path: string; readonly size: number },
  signature: Signature,
): Promise<ModelSession> {
  const [graph, size] = 'path' in model ? [model.path, model.size] : [model, model.length];
  return new ModelSession(await fastestGraph(graph, signature, THREADS), signature, undefined, size);
}
