import { fixedBatch, openBatch } from './batch.ts';
import { readOutline } from './outline.ts';
import type { Outline } from './outline.ts';
import { editGraph } from './rewrite.ts';
import { findZipMap } from './zipmap.ts';

/** A model as ONNX Runtime will serve it. */
export type Normalised = {
  readonly outline: Outline;
  /** Whether a byte differs from the file that was deployed. */
  readonly changed: boolean;
  /** The labels that the ZipMap held, in the order of the probability columns; [] without a ZipMap. */
  readonly zipMapLabels: string[];
  /** The number of rows that the graph is fixed to; null for any. */
  readonly batch: number | null;
};

/** Takes the ZipMap out, so that the class probabilities come back as a matrix. */
export function normalise(bytes: Uint8Array): Normalised {
  const original = readOutline(bytes);
  const zipMap = findZipMap(original);
  const outline = zipMap === undefined ? original : readOutline(editGraph(original, zipMap.edits));
  return {
    outline,
    changed: zipMap !== undefined,
    zipMapLabels: zipMap?.classLabels ?? [],
    batch: fixedBatch(outline),
  };
}

/** The same model taking any number of rows; to be tried before it is trusted. */
export function withAnyBatch(model: Normalised): Normalised {
  const outline = readOutline(editGraph(model.outline, openBatch(model.outline)));
  return { ...model, outline, changed: true, batch: null };
}
