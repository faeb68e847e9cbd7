import { GRAPH } from './layout.ts';
import type { Outline } from './outline.ts';
import { lengthField } from './rewrite.ts';
import type { Edit } from './rewrite.ts';
import { withOpenBatch } from './value-info.ts';
import type { GraphValue } from './value-info.ts';

/** The number of rows that every input of the graph is fixed to, or null where any number is taken. */
export function fixedBatch(outline: Outline): number | null {
  const first = new Set(outline.inputs.map(({ shape }) => shape?.[0] ?? null));
  const [rows = null] = first;
  return first.size === 1 ? rows : null;
}

/**
 * Leaves the number of rows open in the inputs and outputs of the graph. The shapes declared in between go too: with
 * them, ONNX Runtime plans its buffers for the old number. Whether the graph then computes the same is for a run to say.
 */
export function openBatch(outline: Outline): Edit[] {
  const opened = (number: number) => (value: GraphValue) => ({
    field: value.part.field,
    replacement: lengthField(number, withOpenBatch(value)),
  });
  return [
    ...outline.inputs.map(opened(GRAPH.input)),
    ...outline.outputs.filter(({ type }) => type !== undefined).map(opened(GRAPH.output)),
    ...outline.intermediates.map(({ field }) => ({ field, replacement: null })),
  ];
}
