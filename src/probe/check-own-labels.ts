import { PgscoreError } from '../errors.ts';
import type { GraphSession } from '../model/graph-session.ts';
import { batchOfRows } from '../model/json-rows.ts';
import type { JsonRow } from '../model/json-rows.ts';
import type { Predictions } from '../model/predictions.ts';
import { ModelSession } from '../model/session.ts';
import type { Signature } from '../model/signature.ts';

/**
 * Compares the labels that follow from the probabilities with those that the model returns beside them. They may differ
 * where the framework decides otherwise (an SVM does); they may not be other names.
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
  const differing = samples.filter((_, row) => !own.errors.has(row) && own.label?.[row] !== predictions.label?.[row]);
  if (differing.length === 0) return;
  warnings.push(
    `output '${label.name}' differs from the label by probability in ${differing.length} of ${samples.length} sample ` +
      'rows; predictions take the label by probability',
  );
}
