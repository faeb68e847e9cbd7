import { writeSync } from 'node:fs';

/**
 * A JSON head and bytes behind it, as they travel between the probe and its parent: length of the head, length of the body,
 * head, body.
 */
export type Frame<Head> = { readonly head: Head; readonly body: Uint8Array };

/** Past that, which is more than a text of Node's holds, and twice the largest model, there is no head and no body. */
const MOST_BYTES = 2 ** 29;
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

/** The frames of a stream, each as soon as all of it is there; one that breaks off, or can't be read, is none, and the last. */
export async function* readFrames<Head>(
  stream: AsyncIterable<Uint8Array>,
  mostHeadBytes = MOST_BYTES,
): AsyncGenerator<Frame<Head>, void> {
  let chunks: Uint8Array[] = [];
  let held = 0;
  let wanted = LENGTHS_BYTES;
  for await (const chunk of stream) {
    chunks.push(chunk);
    held += chunk.length;
    while (held >= wanted) {
      const bytes = Buffer.concat(chunks);
      const limits = limitsOf(bytes, mostHeadBytes);
      if (limits === undefined) return;
      const { body, end } = limits;
      const whole = held >= end;
      wanted = whole ? LENGTHS_BYTES : end;
      // Nothing of a frame is held here while it is being worked on.
      chunks = [whole ? bytes.subarray(end) : bytes];
      held = chunks[0]?.length ?? 0;
      if (!whole) continue;
      const head = readHead(bytes.subarray(LENGTHS_BYTES, body));
      if (head === undefined) return;
      yield { head: head as Head, body: bytes.subarray(body, end) };
    }
  }
}

/** Where its body begins, and where it ends. */
function limitsOf(bytes: Buffer, mostHeadBytes: number): { body: number; end: number } | undefined {
  const [headBytes, bodyBytes] = [bytes.readUInt32LE(), bytes.readUInt32LE(LENGTH_BYTES)];
  if (headBytes > mostHeadBytes || bodyBytes > MOST_BYTES) return undefined;
  const body = LENGTHS_BYTES + headBytes;
  return { body, end: body + bodyBytes };
}

function readHead(bytes: Buffer): object | undefined {
  try {
    const head: unknown = JSON.parse(bytes.toString());
    return typeof head === 'object' && head !== null ? head : undefined;
  } catch {
    return undefined;
  }
}

/** Writes a frame to a blocking pipe, all of it. */
export function writeFrame<Head>(descriptor: number, frame: Frame<Head>): void {
  for (const piece of framePieces(frame)) {
    for (let sent = 0; sent < piece.length;) sent += writeSync(descriptor, piece, sent);
  }
}
