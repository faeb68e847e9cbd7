import { PgscoreError } from '../errors.ts';
import type { GraphSession } from '../inference/graph-session.ts';
import { batchOfRows } from '../inference/json-rows.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import type { Predictions } from '../inference/predictions.ts';
import { hasOwnLabel } from '../inference/outputs.ts';
import { ModelSession } from '../inference/session.ts';
import type { Signature } from '../inference/signature.ts';

/**
 * Compares the labels that the model returns with the more probable class. They may differ where the framework decides
 * otherwise (an SVM does); they may not be other names.
 * @throws PgscoreError model_class_labels_wrong
 */
export async function checkOwnLabels(
  graph: GraphSession,
  signature: Signature,
  samples: readonly JsonRow[],
  predictions: Predictions,
  warnings: string[],
): Promise<void> {
  const { label, probabilities } = signature.outputs;
  if (label === undefined || probabilities === undefined) return;
  const labels = new ModelSession(graph, { ...signature, outputs: { label } });
  const { batch } = batchOfRows(signature.features, samples);
  const own = await labels.predict(batch);
  if ([...own.errors.values()].some(({ code }) => code === 'unknown_label')) {
    throw new PgscoreError(
      'model_class_labels_wrong',
      `output '${label.name}' returned a label that is none of ${signature.classLabels.join(', ')}`,
      { remedy: 'Give the class labels as the model returns them, in the order of its probability columns.' },
    );
  }
  const differing = samples.filter(
    (_, row) =>
      !own.errors.has(row) && !predictions.errors.has(row) && own.label?.[row] !== likeliest(predictions, row),
  );
  if (differing.length === 0) return;
  const taken = hasOwnLabel(signature)
    ? `predictions take '${label.name}'; with a threshold they take the label by probability`
    : 'predictions take the label by probability';
  warnings.push(
    `output '${label.name}' differs from the more probable class in ${differing.length} of ${samples.length} sample rows; ${taken}`,
  );
}

/** The first of the most probable classes. */
function likeliest({ probabilities, rows }: Predictions, row: number): number {
  const classes = (probabilities?.length ?? 0) / rows;
  const own = [...(probabilities?.subarray(row * classes, (row + 1) * classes) ?? [])];
  return own.indexOf(Math.max(...own));
}
