import type { Answer } from './answer.ts';
import { commandComplete, int32, READY, rowDescription } from '../protocol/replies.ts';

const COLUMNS = rowDescription([
  { name: 'scores', type: 'text' },
  { name: 'labels', type: 'text' },
  { name: 'probabilities', type: 'text' },
]);
const NULL_FIELD = int32(-1);
const ROW = Buffer.from('D');
const THREE = Buffer.of(0, 3);

/**
 * The reply to a call of many rows: one row of three arrays, as PostgreSQL writes arrays. Scores; places of the labels
 * among the class labels, from 1, or NULL; the probabilities of row after row, or NULL.
 */
export function* columnsReply({ signature: { classLabels }, parts }: Answer): Generator<Buffer> {
  const [scores, labels, probabilities]: [string[], string[], string[]] = [[], [], []];
  let rows = 0;
  for (const { predictions, from, rows: some } of parts) {
    const to = from + some;
    rows += some;
    scores.push(predictions.score.subarray(from, to).join());
    if (predictions.label !== null)
      labels.push(
        predictions.label
          .subarray(from, to)
          .map((place) => place + 1)
          .join(),
      );
    if (predictions.probabilities !== null)
      probabilities.push(predictions.probabilities.subarray(from * classLabels.length, to * classLabels.length).join());
  }
  // A classifier that gives labels only has no scores.
  const written = labels.length > 0 && probabilities.length === 0 ? scores.map(withoutNaN) : scores;
  const fields = [written, labels, probabilities].map(arrayField);
  const length = fields.reduce((sum, field) => sum + field.length, 4 + THREE.length);
  yield Buffer.concat([COLUMNS, ROW, int32(length), THREE]);
  yield* fields;
  yield Buffer.concat([commandComplete(`SCORE ${rows}`), READY]);
}

function withoutNaN(scores: string): string {
  return scores.replaceAll('NaN', 'NULL');
}

function arrayField(elements: readonly string[]): Buffer {
  if (elements.length === 0) return NULL_FIELD;
  const text = `{${elements.join()}}`;
  return Buffer.concat([int32(text.length), Buffer.from(text, 'latin1')]);
}
