import { expect, test } from '@jest/globals';
import { framePieces, readFrames, type Frame } from '../../src/check/frames.ts';

const SENT: Frame<object>[] = [
  { head: { first: 'é' }, body: Buffer.from('bytes behind it') },
  { head: {}, body: Buffer.alloc(0) },
  { head: { last: 1 }, body: Buffer.alloc(300, 7) },
];
const STREAM = Buffer.concat(SENT.flatMap((frame) => framePieces(frame)));

async function read(bytes: Buffer, size: number): Promise<Frame<object>[]> {
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const frames: Frame<object>[] = [];
  for await (const { head, body } of readFrames<object>(chunks())) frames.push({ head, body: Buffer.from(body) });
  return frames;
}

test.each([1, 7, 64, STREAM.length])('frames arrive whole and in order, in chunks of %d bytes', async (size) => {
  expect(await read(STREAM, size)).toEqual(SENT);
});

test('a frame that breaks off is none', async () => {
  for (const missing of [1, 300, 310]) expect(await read(STREAM.subarray(0, -missing), 50)).toEqual(SENT.slice(0, 2));
  expect(await read(Buffer.alloc(3), 50)).toEqual([]);
});
