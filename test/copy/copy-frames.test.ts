import { describe, expect, test } from '@jest/globals';
import { CopyFrames } from '../../src/copy/copy-frames.ts';
import { CopyDecoder } from '../../src/copy/decode.ts';
import { HEADER, TRAILER } from '../../src/copy/format.ts';
import { feature, float4, int8, key, plainRows, tuple } from '../support/copy-stream.ts';

const COLUMNS = [key('id'), feature('x', 'float4')];
const rows = [0, 1, 2, 3, 4].map((row) => tuple([int8(BigInt(row)), float4(row / 2)]));

function message(type: string, ...body: Buffer[]): Buffer {
  const content = Buffer.concat(body);
  const head = Buffer.from(`${type}\0\0\0\0`);
  head.writeInt32BE(4 + content.length, 1);
  return Buffer.concat([head, content]);
}

const copyOutResponse = message('H', Buffer.from([1, 0, 2, 0, 1, 0, 1]));
const end = Buffer.concat([message('c'), message('C', Buffer.from('COPY 5\0')), message('Z', Buffer.from('I'))]);

/** What a copy in these pieces gives: the values, the asides, and what is left to the driver. */
function read(pieces: readonly Buffer[]): { values: unknown[]; asides: string[]; rest: string } {
  const decoder = new CopyDecoder(COLUMNS);
  const asides: Buffer[] = [];
  const rest: Buffer[] = [];
  const frames = new CopyFrames(decoder, (aside) => asides.push(Buffer.from(aside)));
  for (const piece of pieces) {
    const unread = rest.length > 0 ? piece : frames.read(piece);
    if (unread !== undefined) rest.push(unread);
  }
  decoder.finish();
  return {
    values: plainRows(decoder.take()!).map((row) => row[1]),
    asides: asides.map(String),
    rest: Buffer.concat(rest).toString('latin1'),
  };
}

/** The different readings of bytes that are cut in two, over every place where they can be cut. */
function readings(bytes: Buffer): unknown[] {
  const cuts = Array.from({ length: bytes.length + 1 }, (_, cut) => [bytes.subarray(0, cut), bytes.subarray(cut)]);
  return [...new Set(cuts.map((pieces) => JSON.stringify(read(pieces))))].map((reading) => JSON.parse(reading));
}

const VALUES = [0, 0.5, 1, 1.5, 2];

describe('the tuples of a COPY are read out of its messages', () => {
  const data = (...parts: Buffer[]) => message('d', ...parts);

  test.each([
    ['a row a message', [data(HEADER), ...rows.map((row) => data(row)), data(TRAILER)]],
    [
      'the header with the first row, as PostgreSQL sends it',
      [data(HEADER, rows[0]!), ...rows.slice(1).map((row) => data(row)), data(TRAILER)],
    ],
    ['all in one message', [data(HEADER, ...rows, TRAILER)]],
    [
      'rows cut between messages',
      Array.from(Buffer.concat([HEADER, ...rows, TRAILER]), (byte) => data(Buffer.from([byte]))),
    ],
    ['empty messages between', [data(), data(HEADER), data(), ...rows.map((row) => data(row)), data(), data(TRAILER)]],
  ])('%s, wherever the network cuts it', (_, messages) => {
    const bytes = Buffer.concat([copyOutResponse, ...messages, end]);
    expect(readings(bytes)).toEqual([{ values: VALUES, asides: [], rest: end.toString('latin1') }]);
  });

  test('and asides go whole to the driver', () => {
    const notice = message('N', Buffer.from('Mhalf way\0\0'));
    const setting = message('S', Buffer.from('TimeZone\0UTC\0'));
    const notification = message('A', Buffer.from('\0\0\0\x01a\0b\0'));
    const bytes = Buffer.concat([
      notice,
      copyOutResponse,
      data(HEADER, rows[0]!, rows[1]!.subarray(0, 5)),
      setting,
      data(rows[1]!.subarray(5), rows[2]!),
      notification,
      data(rows[3]!, rows[4]!, TRAILER),
      end,
    ]);
    const asides = [notice, setting, notification].map(String);
    expect(readings(bytes)).toEqual([{ values: VALUES, asides, rest: end.toString('latin1') }]);
  });
});

test('an error in the middle is left to the driver', () => {
  const frames = new CopyFrames(new CopyDecoder(COLUMNS), () => undefined);
  const error = message('E', Buffer.from('SERROR\0\0'));
  const bytes = Buffer.concat([copyOutResponse, message('d', HEADER, rows[0]!), error]);
  expect(frames.read(bytes)).toEqual(error);
});

test('a COPY of text is refused', () => {
  const frames = new CopyFrames(new CopyDecoder(COLUMNS), () => undefined);
  expect(() => frames.read(message('H', Buffer.from([0, 0, 1, 0, 0])))).toThrow('the server sends text, not binary');
});

test('a message that claims less than its own length is refused', () => {
  const frames = new CopyFrames(new CopyDecoder(COLUMNS), () => undefined);
  expect(() => frames.read(Buffer.from('d\0\0\0\x03'))).toThrow('a message claims 3 bytes');
});
