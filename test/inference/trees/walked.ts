import type { Graph, RunOutput } from '../../../src/inference/graph.ts';
import { GraphSession } from '../../../src/inference/graph-session.ts';
import { readOutline } from '../../../src/onnx/outline.ts';
import type { Signature } from '../../../src/inference/signature.ts';
import { TreeGraph } from '../../../src/inference/trees/tree-graph.ts';

export function walked(bytes: Uint8Array, signature: Signature): TreeGraph | undefined {
  return TreeGraph.of(readOutline(bytes), signature);
}

/** Each of these in each of three columns. */
export function allRowsOf(values: readonly number[]): number[][] {
  return values.flatMap((a) => values.flatMap((b) => values.map((c) => [a, b, c])));
}

/** Runs a graph whose one input is a matrix of three columns. */
export async function runRows(graph: Graph, { inputs, outputs }: Signature, rows: readonly number[][]) {
  const [input] = inputs;
  if (input === undefined) throw new Error('a signature without an input');
  const name = outputs.value?.name ?? outputs.probabilities?.name ?? '';
  const [output] = await graph.run([{ input, data: Float32Array.from(rows.flat()) }], rows.length, [name]);
  return output as RunOutput;
}

/** The first row of which the walked trees and ONNX Runtime say different things, with both answers. */
export async function firstDifference(bytes: Uint8Array, signature: Signature, rows: readonly number[][]) {
  const trees = walked(bytes, signature);
  if (trees === undefined) throw new Error('left to ONNX Runtime');
  const session = await GraphSession.load(bytes, 1);
  const [own, theirs] = [await runRows(trees, signature, rows), await runRows(session, signature, rows)];
  await session.release();
  const width = theirs.data.length / rows.length;
  const answers = (output: RunOutput, row: number) =>
    Array.from(output.data.slice(row * width, (row + 1) * width), Number);
  if (own.data.length !== theirs.data.length) return { lengths: [own.data.length, theirs.data.length] };
  return rows
    .map((cells, row) => ({ cells, own: answers(own, row), theirs: answers(theirs, row) }))
    .find((row) => !row.own.every((value, index) => isNear(value, row.theirs[index] ?? Number.NaN, trees.tolerance)));
}

function isNear(own: number, theirs: number, tolerance: number): boolean {
  return Object.is(own, theirs) || own === theirs || Math.abs(own - theirs) <= tolerance;
}
