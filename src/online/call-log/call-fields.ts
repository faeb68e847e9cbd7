import type { FieldWriter } from '../../copy/field-writer.ts';
import { storable } from '../../lib/storable.ts';
import type { SettledCall } from './finished-call.ts';

/** The columns that writeCallFields() writes. */
export const CALL_COLUMNS = 'version_id, requested_by, request_id, asked_at, duration_ms';

const FIXED_BYTES = 5 * 4 + 16;
const MOST_BYTES_A_CHARACTER = 3;
/** Of an element of an array, with its length. */
const NUMBER_BYTES = 12;
/** Bytes of a row's features; what is longer, or no jsonb, is kept without them. */
export const MOST_INPUT_BYTES = 16_384;

/** What is known of a prediction before it is made. */
export function writeCallFields(
  writer: FieldWriter,
  { request, instant, elapsedMs }: Pick<SettledCall, 'request' | 'instant' | 'elapsedMs'>,
): void {
  writer.int4Field(request.versionId);
  writer.text(request.role);
  if (request.id === null) writer.null();
  else writer.text(storable(request.id));
  writer.int8Field(instant);
  writer.float4(elapsedMs);
}

/** Bytes that writeCallFields() takes at most. */
export function mostBytesOfFields({ request: { role, id } }: Pick<SettledCall, 'request'>): number {
  return FIXED_BYTES + bytesOf(role) + bytesOf(id);
}

/** Bytes that a text takes at most, without its length. */
export function bytesOf(text: string | null): number {
  return MOST_BYTES_A_CHARACTER * (text?.length ?? 0);
}

/** Bytes that so many numbers take at most as elements of an array, without its head. */
export function bytesOfNumbers(numbers: number): number {
  return NUMBER_BYTES * numbers;
}
