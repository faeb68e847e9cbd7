import { answersOneByOne, mayLackScore, type Answer } from './call.ts';
import { numbersOf } from '../../inference/predictions.ts';
import { commandComplete, READY, rowDescription, int32 } from '../protocol/replies.ts';

const COLUMNS = rowDescription([
  { name: 'score', type: 'float8' },
  { name: 'label', type: 'text' },
  { name: 'probabilities', type: 'text' },
]);
const PIECE_BYTES = 64 * 1024;
/** Type and length of the message, number of columns, length of each. */
const ROW_HEAD_BYTES = 1 + 4 + 2 + 3 * 4;

const READY_TEXT = READY.toString('latin1');

/** The score of the only row as the tag of a command without rows, in Latin-1: of all replies the cheapest to read for dblink. */
export function scoreOnlyReply({ parts: [part] }: Answer): string {
  const tag = String(part?.predictions.score[part.from]);
  return `C\0\0\0${String.fromCharCode(4 + tag.length + 1)}${tag}\0${READY_TEXT}`;
}

/** The whole reply to a call: one piece, unless it is long. */
export function* scoreReply(answer: Answer): Generator<Buffer> {
  let pieces: Buffer[] = [COLUMNS];
  let size = 0;
  let rows = 0;
  for (const { score, label, numbers } of answersOneByOne(answer)) {
    const piece = threeFields(score === null ? null : String(score), label, numbers && listOf(numbers));
    pieces.push(piece);
    size += piece.length;
    rows += 1;
    if (size < PIECE_BYTES) continue;
    yield Buffer.concat(pieces);
    pieces = [];
    size = 0;
  }
  yield Buffer.concat([...pieces, commandComplete(`SCORE ${rows}`), READY]);
}

/** JSON has no NaN and no infinity: there they are strings. */
function listOf(numbers: Float64Array): string {
  let list = '';
  for (const value of numbers) list += `${list === '' ? '' : ','}${Number.isFinite(value) ? value : `"${value}"`}`;
  return `[${list}]`;
}

/** A DataRow, of which only the label may hold more than ASCII. */
function threeFields(score: string | null, label: string | null, probabilities: string | null): Buffer {
  const labelBytes = label === null ? 0 : Buffer.byteLength(label);
  const row = Buffer.alloc(ROW_HEAD_BYTES + (score?.length ?? 0) + labelBytes + (probabilities?.length ?? 0));
  row.write('D', 0, 'latin1');
  row.writeInt32BE(row.length - 1, 1);
  row.writeInt16BE(3, 5);
  let at = field(row, 7, score, score?.length ?? 0);
  at = field(row, at, label, labelBytes);
  field(row, at, probabilities, probabilities?.length ?? 0);
  return row;
}

function field(row: Buffer, at: number, value: string | null, bytes: number): number {
  row.writeInt32BE(value === null ? -1 : bytes, at);
  if (value !== null) row.write(value, at + 4, 'utf8');
  return at + 4 + bytes;
}

const ARRAY_COLUMNS = rowDescription([
  { name: 'scores', type: 'text' },
  { name: 'labels', type: 'text' },
  { name: 'probabilities', type: 'text' },
]);
const NULL_FIELD = int32(-1);
const ROW = Buffer.from('D');
const THREE = Buffer.of(0, 3);

/**
 * The reply to a call of many rows: one row of three arrays, as PostgreSQL writes arrays. Scores; positions of the labels
 * among the class labels, from 1, or NULL; the probabilities or values of row after row, or NULL.
 */
export function* columnsReply({ parts }: Answer): Generator<Buffer> {
  const [scores, labels, lists]: [string[], string[], string[]] = [[], [], []];
  let rows = 0;
  for (const { predictions, from, rows: some } of parts) {
    const to = from + some;
    rows += some;
    const written = predictions.score.subarray(from, to).join();
    scores.push(mayLackScore(predictions) ? written.replaceAll('NaN', 'NULL') : written);
    if (predictions.label !== null)
      labels.push(
        predictions.label
          .subarray(from, to)
          .map((index) => index + 1)
          .join(),
      );
    const { numbers, width } = numbersOf(predictions);
    if (numbers !== null) lists.push(numbers.subarray(from * width, to * width).join());
  }
  const fields = [scores, labels, lists].map(arrayField);
  const length = fields.reduce((sum, field) => sum + field.length, 4 + THREE.length);
  yield Buffer.concat([ARRAY_COLUMNS, ROW, int32(length), THREE]);
  yield* fields;
  yield Buffer.concat([commandComplete(`SCORE ${rows}`), READY]);
}

function arrayField(elements: readonly string[]): Buffer {
  if (elements.length === 0) return NULL_FIELD;
  const text = `{${elements.join()}}`;
  return Buffer.concat([int32(text.length), Buffer.from(text, 'latin1')]);
}
