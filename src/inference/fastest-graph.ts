import type { Graph } from './graph.ts';
import { GraphSession } from './graph-session.ts';
import { readOutline } from '../onnx/outline.ts';
import type { Signature } from './signature.ts';
import { haveSameAnswers } from './trees/same-answers.ts';
import { TreeGraph } from './trees/tree-graph.ts';

/**
 * A model as it is scored fastest: an ensemble of trees by walking them here, where that was seen to give the answers of
 * ONNX Runtime just now, on this machine; all others, and those that differ, in ONNX Runtime.
 * @throws PgscoreError model_load_failed
 */
export async function fastestGraph(bytes: Uint8Array, signature: Signature, threads: number): Promise<Graph> {
  const graph = await GraphSession.load(bytes, threads);
  const trees = TreeGraph.of(readOutline(bytes), signature);
  if (trees === undefined || !(await haveSameAnswers(trees, graph, signature.batch))) return graph;
  await graph.release();
  return trees;
}
