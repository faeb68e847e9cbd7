import { type FeatureRows, NumberRows } from '../../inference/number-rows.ts';
import type { Answer } from '../requests/call.ts';
import type { ScoreRequest } from '../requests/parse.ts';
import type { WireError } from '../protocol/wire-error.ts';
import type { EventTimes } from './event-time.ts';

/** A call that was answered or failed, as it is logged and counted; or several calls that are logged as one. */
export type FinishedCall = {
  readonly request: Pick<ScoreRequest, 'versionId' | 'role' | 'id' | 'inputs'> & { readonly isShadow?: boolean };
  readonly rows: FeatureRows;
  readonly outcome: Answer | WireError | undefined;
  /** Undefined where it failed. */
  readonly answered: Answer | undefined;
  /** When it was asked, or the first of several, in microseconds since 2000. */
  readonly instant: number;
  /** Of several calls the longest. */
  readonly elapsedMs: number;
  /** Of several calls: how many; for each row, how long its call took, and how much later than the first it was asked. */
  readonly joined?: { readonly calls: number; readonly elapsedMs: Float32Array; readonly laterMs: Int32Array };
};

/** A finished call without its rows. */
export type CountedCall = Pick<FinishedCall, 'answered' | 'instant' | 'joined'> & {
  readonly versionId: number;
  readonly eventTimes: EventTimes;
};

/** A call with the key and the event time of each row. A key is null if the row lacks it; there are none if the model has no key columns. */
export type KeyedCall = {
  readonly call: FinishedCall;
  readonly keys: readonly (readonly string[] | null)[];
  readonly eventTimes: EventTimes;
};

/** A column of the key by which labels find a row, and the type that they compare it in; null if that is not known. */
export type KeyColumn = { readonly name: string; readonly family: string | null };

/** Characters of a key, which an index has to hold. */
const MOST_CHARACTERS = 800;
const UUID = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/i;
const DATE = /^\d{4,7}-\d\d-\d\d(?: BC)?$/;
const INTEGER = /^-?\d{1,18}$/;

/** What each row of a request is about, as the rows came: where features were found by other names, they have nothing but these. */
export function keysOf({ rows, about }: ScoreRequest, columns: readonly KeyColumn[]): (string[] | null)[] {
  if (!(rows instanceof NumberRows)) return rows.map((row) => keyOf((name) => row[name], columns));
  return Array.from({ length: rows.length }, (_, row) => keyOf((name) => about[name]?.[row], columns));
}

/** What a row is about, by its values, spelled as pgscore's triggers on tables of labels spell it; null where it does not say. */
export function keyOf(valueOf: (name: string) => unknown, columns: readonly KeyColumn[]): string[] | null {
  if (columns.length === 0) return null;
  const key: string[] = [];
  let characters = 0;
  for (const { name, family } of columns) {
    const part = spelled(valueOf(name), family);
    if (part === undefined) return null;
    key.push(part);
    characters += part.length;
  }
  return characters > MOST_CHARACTERS ? null : key;
}

function spelled(value: unknown, family: string | null): string | undefined {
  if (typeof value === 'string') return spelledText(value, family);
  const fits = (own: string): boolean => family === null || family === own || family === 'text';
  if (typeof value === 'boolean') return fits('boolean') ? (value ? 't' : 'f') : undefined;
  // JSON.parse has rounded a whole number beyond 2^53 already.
  return Number.isSafeInteger(value) && fits('bigint') ? String(value) : undefined;
}

function spelledText(value: string, family: string | null): string | undefined {
  if (family === null || family === 'text') return value.includes('\0') ? undefined : value;
  if (family === 'bpchar') return value.includes('\0') ? undefined : withoutBlanksAtEnd(value);
  if (family === 'uuid') return UUID.test(value) ? value.toLowerCase() : undefined;
  if (family === 'date') return DATE.test(value) ? value : undefined;
  return family === 'bigint' && INTEGER.test(value) ? String(BigInt(value)) : undefined;
}

/** A pattern would take quadratic time over many blanks. */
function withoutBlanksAtEnd(text: string): string {
  let end = text.length;
  while (text[end - 1] === ' ') end -= 1;
  return text.slice(0, end);
}
