import { PgscoreError } from '../errors.ts';
import { runFailure } from '../inference/ort-errors.ts';
import type { Predictions } from '../inference/predictions.ts';
import { LABELS_ALONE } from './output-meaning.ts';
import type { Signature } from '../inference/signature.ts';

/** float32 rounding of a sum of probabilities. */
const SLACK = 1e-4;

/**
 * Checks what a model says of the samples: a finite number for one at least, probabilities between 0 and 1. Rows that the
 * model refuses are no fault: the samples are made up.
 * @throws PgscoreError model_output_nan, model_output_not_probability, model_class_labels_wrong
 */
export function checkPredictions(signature: Signature, predictions: Predictions, warnings: string[]): void {
  const scored = Array.from({ length: predictions.rows }, (_, row) => row).filter(
    (row) => !predictions.errors.has(row),
  );
  if (scored.length === 0) throw nothingScored(predictions);
  const { probabilities } = predictions;
  if (probabilities === null) return;
  const classes = signature.classLabels.length;
  const rows = scored.map((row) => [...probabilities.subarray(row * classes, (row + 1) * classes)]);
  const outside = rows.flat().find((value) => value < -SLACK || value > 1 + SLACK);
  if (outside !== undefined) throw notProbability(signature.outputs, outside);
  const sums = rows.map((row) => row.reduce((sum, value) => sum + value, 0));
  const worst = sums.find((sum) => Math.abs(sum - 1) > 100 * SLACK);
  if (worst !== undefined) {
    warnings.push(
      `the class probabilities of a row add up to ${worst.toFixed(3)}, not to 1: is it a multi-label model?`,
    );
  }
}

function nothingScored({ errors, rows }: Predictions): PgscoreError {
  const reasons = [...errors.values()];
  const stranger = reasons.find(({ code }) => code === 'unknown_label');
  if (stranger !== undefined) {
    return new PgscoreError('model_class_labels_wrong', stranger.message, {
      remedy: 'Give all class labels as the model returns them: `list(model.classes_)`.',
    });
  }
  const refused = reasons.find(({ code }) => code === 'refused_by_model');
  if (refused !== undefined) {
    return runFailure(new Error(refused.message));
  }
  return new PgscoreError('model_output_nan', `the model returned no finite number for any of ${rows} plain rows`, {
    remedy: 'Check the export: compare onnxruntime in Python with the framework on a few rows of the training data.',
  });
}

function notProbability({ probabilities, label }: Signature['outputs'], value: number): PgscoreError {
  return new PgscoreError(
    'model_output_not_probability',
    `output '${probabilities?.name ?? ''}' returned ${value}, which is no probability: it looks like logits or a decision function`,
    {
      remedy:
        label === undefined
          ? "Export probabilities: end a network with Softmax or Sigmoid. Where the number is the prediction itself: task => 'regression'."
          : `Export probabilities: end a network with Softmax or Sigmoid, wrap another classifier in CalibratedClassifierCV; or ${LABELS_ALONE}.`,
    },
  );
}
