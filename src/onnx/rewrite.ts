import { MODEL } from './layout.ts';
import type { Outline } from './outline.ts';
import { lengthPrefix, type Span } from './wire.ts';

/** What takes the place of a field of a message: another field, or nothing. */
export type Edit = { readonly field: Span; readonly replacement: Uint8Array | null };

/** The model with these fields of its graph exchanged. Only the lengths around them change; nothing is decoded. */
export function editGraph({ bytes, graph }: Outline, edits: readonly Edit[]): Uint8Array {
  const pieces = piecesOf(graph.payload, edits);
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return Buffer.concat([
    bytes.subarray(0, graph.field.start),
    lengthPrefix(MODEL.graph, length),
    ...pieces,
    bytes.subarray(graph.field.end),
  ]);
}

/** The payload of a message with these of its fields exchanged. */
export function editFields(message: Span, edits: readonly Edit[]): Uint8Array {
  return Buffer.concat(piecesOf(message, edits));
}

function piecesOf({ bytes, start, end }: Span, edits: readonly Edit[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = start;
  for (const { field, replacement } of edits.toSorted((a, b) => a.field.start - b.field.start)) {
    pieces.push(bytes.subarray(at, field.start));
    if (replacement !== null) pieces.push(replacement);
    at = field.end;
  }
  pieces.push(bytes.subarray(at, end));
  return pieces;
}
