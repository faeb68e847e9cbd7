import type { Link } from '../db/link.ts';
import { Step, together } from '../db/trip.ts';
import type { RowAnswer } from './answer.ts';
import type { KeepCalls, RecordedCall } from './record.ts';

const COPY =
  'copy pgscore_data.online_prediction (version_id, requested_by, request_id, asked_at, duration_ms, inputs, score, label, probabilities, error) from stdin';

/** Characters of a row's features; what is longer is kept without them. */
const MOST_INPUT = 16_384;

const NOTHING: RowAnswer = { score: null, label: null, probabilities: null };

type Field = string | number | null;

/** Keeps calls in pgscore_data.online_prediction: a row for each prediction, one for a call that failed. */
export function keepCalls(link: Link): KeepCalls {
  return async (calls) => {
    const lines = Buffer.from(calls.flatMap(linesOf).join(''));
    await link.insist((client) => together(client, [new Step({ text: COPY }, [lines])]));
  };
}

function linesOf({ answers, inputs, error, ...call }: RecordedCall): string[] {
  return (answers ?? [NOTHING]).map(({ score, label, probabilities }, row) =>
    lineOf([
      call.versionId,
      call.role,
      call.requestId,
      call.askedAt.toISOString(),
      call.elapsedMs,
      inputText(inputs?.[row]),
      score,
      label,
      probabilities && `{${probabilities.join(',')}}`,
      error && error.message,
    ]),
  );
}

function inputText(row: object | undefined): string | null {
  const text = row === undefined ? null : JSON.stringify(row);
  return text === null || text.length > MOST_INPUT ? null : text;
}

/** A line of COPY's text format. */
function lineOf(fields: readonly Field[]): string {
  return `${fields.map((field) => (field === null ? '\\N' : escaped(String(field)))).join('\t')}\n`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
}
