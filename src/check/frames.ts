import { writeSync } from 'node:fs';

/** Past that, which is more than a text of Node's holds, there is no head. */
const MOST_BYTES = 2 ** 29;
const LENGTH_BYTES = 4;

/** A message between the probe and its parent: its length, and JSON. */
export function frameOf(message: object): Buffer {
  const json = Buffer.from(JSON.stringify(message));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(json.length);
  return Buffer.concat([length, json]);
}

/** The messages of a stream, each as soon as all of it is there; one that breaks off, or can't be read, is none, and the last. */
export async function* readFrames<Message extends object>(
  stream: AsyncIterable<Uint8Array>,
  mostBytes = MOST_BYTES,
): AsyncGenerator<Message, void> {
  let chunks: Uint8Array[] = [];
  let held = 0;
  let wanted = LENGTH_BYTES;
  for await (const chunk of stream) {
    chunks.push(chunk);
    held += chunk.length;
    while (held >= wanted) {
      const bytes = Buffer.concat(chunks);
      const length = bytes.readUInt32LE();
      if (length > mostBytes) return;
      const end = LENGTH_BYTES + length;
      const whole = held >= end;
      wanted = whole ? LENGTH_BYTES : end;
      // Nothing of a frame is held here while it is being worked on.
      chunks = [whole ? bytes.subarray(end) : bytes];
      held = chunks[0]?.length ?? 0;
      if (!whole) continue;
      const message = readMessage(bytes.subarray(LENGTH_BYTES, end));
      if (message === undefined) return;
      yield message as Message;
    }
  }
}

function readMessage(bytes: Buffer): object | undefined {
  try {
    const message: unknown = JSON.parse(bytes.toString());
    return typeof message === 'object' && message !== null ? message : undefined;
  } catch {
    return undefined;
  }
}

/** Writes to a blocking pipe or a file, all of it. */
export function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let sent = 0; sent < bytes.length;) sent += writeSync(descriptor, bytes, sent);
}
