import { readFile } from 'node:fs/promises';
import { ModelSession } from './session.ts';
import type { Signature } from './signature.ts';
import type { Graph } from './graph.ts';
import { GraphSession } from './graph-session.ts';
import { readOutline } from '../onnx/outline.ts';
import { haveSameAnswers } from './trees/same-answers.ts';
import { TreeGraph } from './trees/tree-graph.ts';

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

/**
 * A model as it is scored fastest: an ensemble of trees by walking them here, where that was seen to give the answers of
 * ONNX Runtime just now, on this machine; all others, and those that differ, in ONNX Runtime. `model`: its bytes, or the path of its file.
 * @throws PgscoreError model_load_failed
 */
export async function fastestGraph(model: Uint8Array | string, signature: Signature, threads: number): Promise<Graph> {
  const graph = await GraphSession.load(model, threads);
  // While it loads, ONNX Runtime holds the model twice; only then a file is read here, too.
  const trees = TreeGraph.of(readOutline(typeof model === 'string' ? await readFile(model) : model), signature);
  if (trees === undefined || !(await haveSameAnswers(trees, graph, signature.batch))) return graph;
  await graph.release();
  return trees;
}
