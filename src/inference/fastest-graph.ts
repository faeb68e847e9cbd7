import { readFile } from 'node:fs/promises';
import type { Graph } from './graph.ts';
import { GraphSession } from './graph-session.ts';
import { readOutline } from '../onnx/outline.ts';
import type { Signature } from './signature.ts';
import { haveSameAnswers } from './trees/same-answers.ts';
import { TreeGraph } from './trees/tree-graph.ts';

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
