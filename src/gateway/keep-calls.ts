import type { Link } from '../db/link.ts';
import { Step, together } from '../db/trip.ts';
import type { JsonRow } from '../model/json-rows.ts';
import type { Answer, Call } from './call.ts';
import type { KeepCalls } from './record.ts';
import { WireError } from './wire-error.ts';

const COPY =
  'copy pgscore_data.online_prediction (version_id, requested_by, request_id, asked_at, duration_ms, inputs, score, label, probabilities, error) from stdin';

/** Characters of a row's features. */
const MOST_INPUT = 16_384;

type Field = string | number | null;

/** Keeps calls in pgscore_data.online_prediction, a row for each of theirs. */
export function keepCalls(link: Link): KeepCalls {
  return async (calls) => {
    const lines = calls.flatMap(linesOf).join('');
    await link.insist((client) => together(client, [new Step({ text: COPY }, [Buffer.from(lines)])]));
  };
}

function linesOf(call: Call): string[] {
  const { request, settled, askedAt, tookMs } = call;
  const { versionId, role, id, rows, inputs } = request;
  const answers = settled === undefined || settled instanceof WireError ? undefined : predictionsOf(settled);
  const error = settled instanceof WireError ? settled.message : null;
  return rows.map((row, index) =>
    lineOf([
      versionId,
      role,
      id,
      new Date(askedAt).toISOString(),
      tookMs,
      inputs ? inputsOf(row, settled) : null,
      ...(answers?.[index] ?? [null, null, null]),
      error,
    ]),
  );
}

/** The features of a row, and no other column of it. What is too large to keep is left out. */
function inputsOf(row: JsonRow, settled: Call['settled']): string | null {
  const features = settled === undefined || settled instanceof WireError ? undefined : settled.signature.features;
  const kept = features === undefined ? row : Object.fromEntries(features.map(({ name }) => [name, row[name]]));
  const text = JSON.stringify(kept);
  return text.length > MOST_INPUT ? null : text;
}

type Kept = readonly [score: Field, label: Field, probabilities: Field];

function predictionsOf({ parts, signature: { classLabels } }: Answer): Kept[] {
  return parts.flatMap(({ predictions: { score, label, probabilities }, from, rows }) =>
    Array.from({ length: rows }, (_, index): Kept => {
      const row = from + index;
      const classes = classLabels.length;
      const value = score[row] ?? Number.NaN;
      return [
        Number.isNaN(value) ? null : value,
        label === null ? null : (classLabels[label[row] ?? -1] ?? null),
        probabilities && `{${probabilities.subarray(row * classes, (row + 1) * classes).join(',')}}`,
      ];
    }),
  );
}

/** A line of COPY's text format. */
function lineOf(fields: readonly Field[]): string {
  return `${fields.map((field) => (field === null ? '\\N' : escaped(String(field)))).join('\t')}\n`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
}
