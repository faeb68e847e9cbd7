import { expect, test } from '@jest/globals';
import { frameOf, readFrames } from '../../src/check/probe-messages.ts';

const SENT = [{ first: 'é' }, {}, { last: 'x'.repeat(300) }];
const STREAM = Buffer.concat(SENT.map(frameOf));

async function read(bytes: Buffer, size: number): Promise<object[]> {
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const messages: object[] = [];
  for await (const message of readFrames<object>(chunks())) messages.push(message);
  return messages;
}

test.each([1, 7, 64, STREAM.length])('frames arrive whole and in order, in chunks of %d bytes', async (size) => {
  expect(await read(STREAM, size)).toEqual(SENT);
});

test('a frame that breaks off is none', async () => {
  for (const missing of [1, 300, 313]) expect(await read(STREAM.subarray(0, -missing), 50)).toEqual(SENT.slice(0, 2));
  expect(await read(Buffer.alloc(3), 50)).toEqual([]);
});
