import { type FeatureRows, NumberRows } from '../../inference/number-rows.ts';
import type { Answer } from '../requests/call.ts';
import type { ScoreRequest } from '../requests/parse.ts';
import type { WireError } from '../protocol/wire-error.ts';
import type { EventTimes } from './event-time.ts';

/** A call that was answered, or several as one, as it is logged and counted. */
export type FinishedCall = {
  readonly request: Pick<ScoreRequest, 'versionId' | 'role' | 'id' | 'inputs'> & { readonly isShadow?: boolean };
  readonly rows: FeatureRows;
  readonly outcome: Answer | WireError | undefined;
  /** Undefined where it failed. */
  readonly answered: Answer | undefined;
  /** When it was asked, in microseconds since 2000; of several the first. */
  readonly instant: number;
  /** Of several the longest. */
  readonly elapsedMs: number;
  /** Of several, how many, and for each row how long its call took, and how much later than the first it was asked. */
  readonly each?: { readonly calls: number; readonly elapsedMs: Float32Array; readonly laterMs: Int32Array };
};

/** A finished call without its rows. */
export type CountedCall = Pick<FinishedCall, 'answered' | 'instant' | 'each'> & {
  readonly versionId: number;
  readonly eventTimes: EventTimes;
};

/** A call, and what each of its rows is about, null where it does not say; of none, where no column says it. */
export type Keyed<Call> = {
  readonly call: Call;
  readonly keys: readonly (readonly string[] | null)[];
  readonly eventTimes: EventTimes;
};

/** A column of rows that identifies what they are about, and the type that labels compare it in; null where none has said. */
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
  if (family === 'uuid') return UUID.test(value) ? value.toLowerCase() : undefined;
  if (family === 'date') return DATE.test(value) ? value : undefined;
  return family === 'bigint' && INTEGER.test(value) ? String(BigInt(value)) : undefined;
}
