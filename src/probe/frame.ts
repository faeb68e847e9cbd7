import { writeSync } from 'node:fs';

/** A JSON head and bytes behind it, as they travel between the probe and its parent: length of the head, head, bytes. */
export type Frame<Head> = { readonly head: Head; readonly body: Uint8Array };

const LENGTH_BYTES = 4;

/** The pieces of a frame, in order. The body is not copied. */
export function framePieces<Head>({ head, body }: Frame<Head>): Uint8Array[] {
  const json = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(json.length);
  return [length, json, body];
}

/** The frame that a stream held from its beginning to its end, or undefined where it broke off inside of the head. */
export function parseFrame<Head>(chunks: readonly Uint8Array[]): Frame<Head> | undefined {
  const bytes = Buffer.concat(chunks);
  if (bytes.length < LENGTH_BYTES) return undefined;
  const body = LENGTH_BYTES + bytes.readUInt32LE();
  if (bytes.length < body) return undefined;
  return { head: JSON.parse(bytes.toString('utf8', LENGTH_BYTES, body)) as Head, body: bytes.subarray(body) };
}

/** Writes a frame to a blocking pipe, all of it. */
export function writeFrame<Head>(descriptor: number, frame: Frame<Head>): void {
  for (const piece of framePieces(frame)) {
    for (let sent = 0; sent < piece.length;) sent += writeSync(descriptor, piece, sent);
  }
}
