import { writeSync } from 'node:fs';

/**
 * A JSON head and bytes behind it, as they travel between the probe and its parent: length of the head, length of the body,
 * head, body.
 */
export type Frame<Head> = { readonly head: Head; readonly body: Uint8Array };

const LENGTH_BYTES = 4;
const LENGTHS_BYTES = 2 * LENGTH_BYTES;

/** The pieces of a frame, in order. The body is not copied. */
export function framePieces<Head>({ head, body }: Frame<Head>): Uint8Array[] {
  const json = Buffer.from(JSON.stringify(head));
  const lengths = Buffer.alloc(LENGTHS_BYTES);
  lengths.writeUInt32LE(json.length);
  lengths.writeUInt32LE(body.length, LENGTH_BYTES);
  return [lengths, json, body];
}

/** The frames of a stream, each as soon as all of it is there; one that breaks off is none. */
export async function* readFrames<Head>(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Frame<Head>, void> {
  let chunks: Uint8Array[] = [];
  let held = 0;
  let wanted = LENGTHS_BYTES;
  for await (const chunk of stream) {
    chunks.push(chunk);
    held += chunk.length;
    while (held >= wanted) {
      let bytes = Buffer.concat(chunks);
      const [body, end] = limitsOf(bytes);
      if (held >= end) {
        const head = JSON.parse(bytes.toString('utf8', LENGTHS_BYTES, body)) as Head;
        yield { head, body: bytes.subarray(body, end) };
        bytes = bytes.subarray(end);
      }
      wanted = held >= end ? LENGTHS_BYTES : end;
      chunks = [bytes];
      held = bytes.length;
    }
  }
}

/** Where its body begins, and where it ends. */
function limitsOf(bytes: Buffer): [body: number, end: number] {
  const body = LENGTHS_BYTES + bytes.readUInt32LE();
  return [body, body + bytes.readUInt32LE(LENGTH_BYTES)];
}

/** Writes a frame to a blocking pipe, all of it. */
export function writeFrame<Head>(descriptor: number, frame: Frame<Head>): void {
  for (const piece of framePieces(frame)) {
    for (let sent = 0; sent < piece.length;) sent += writeSync(descriptor, piece, sent);
  }
}
