import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { FrameReader } from '../../../src/online/protocol/frames.ts';
import { int32, message } from '../wire-client.ts';

const LIMIT = 1000;

describe('a reader of frames', () => {
  test('gives the same messages however the bytes are cut', () => {
    const messages = fc.array(fc.tuple(fc.constantFrom('Q', 'p', 'X'), fc.uint8Array({ maxLength: 300 })), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (sent, cuts) => {
        const reader = new FrameReader();
        const bytes = Buffer.concat(sent.map(([type, body]) => message(type, body)));
        const read: [string, number[]][] = [];
        for (let at = 0, cut = 0; at < bytes.length; cut += 1) {
          const end = at + cuts[cut % cuts.length]!;
          reader.push(bytes.subarray(at, end));
          at = end;
          for (let next = reader.message(LIMIT); next !== undefined; next = reader.message(LIMIT))
            read.push([next.type, [...next.body]]);
        }
        expect(read).toEqual(sent.map(([type, body]) => [type, [...body]]));
        expect(reader.buffered).toBe(0);
      }),
    );
  });

  test('leaves what it gave out as it was when more comes', () => {
    const reader = new FrameReader();
    const bytes = Buffer.concat([message('Q', Buffer.from('first')), message('Q', Buffer.from('second'))]);
    reader.push(bytes.subarray(0, 3));
    reader.push(bytes.subarray(3, 14));
    const first = reader.message(LIMIT);
    reader.push(bytes.subarray(14));
    reader.push(message('Q', Buffer.alloc(500, 'x')));
    expect(first?.body.toString()).toBe('first');
    expect(reader.message(LIMIT)?.body.toString()).toBe('second');
  });

  test('judges a length as soon as it is there', () => {
    const reader = new FrameReader();
    reader.push(Buffer.concat([Buffer.from('Q'), int32(LIMIT + 1)]));
    expect(() => reader.message(LIMIT)).toThrow('past the limit of 1000');
  });

  test('keeps a message that comes byte by byte in twice its size', () => {
    const reader = new FrameReader();
    const sent = message('Q', Buffer.alloc(900));
    for (const byte of sent) reader.push(Buffer.of(byte));
    expect(reader.message(LIMIT)?.body.buffer.byteLength).toBeLessThan(2 * sent.length);
  });

  test('gives of a long message the beginning, then all of it, in a buffer of its size', () => {
    const reader = new FrameReader();
    const body = Buffer.from(Array.from({ length: 200_000 }, (_, n) => n % 251));
    const bytes = Buffer.concat([message('Q', body), message('X', Buffer.of(7))]);
    reader.push(bytes.subarray(0, 4000));
    expect(reader.message(2 ** 20)).toBeUndefined();
    reader.push(bytes.subarray(4000, 70_000));
    const begun = reader.message(2 ** 20);
    expect(begun).toEqual({ type: 'Q', body: body.subarray(0, 4096), longBytes: body.length });
    expect(reader.whole()).toBeUndefined();
    reader.push(bytes.subarray(70_000, 150_000));
    expect(reader.whole()).toBeUndefined();
    reader.push(bytes.subarray(150_000, 200_005));
    const whole = reader.whole()!;
    expect(whole.equals(body)).toBe(true);
    expect(whole.buffer.byteLength).toBe(body.length);
    reader.push(bytes.subarray(200_005));
    expect(reader.message(2 ** 20)).toEqual({ type: 'X', body: Buffer.of(7) });
  });

  test('passes a long message over that nobody asks for, and keeps none of it', () => {
    const reader = new FrameReader();
    const bytes = Buffer.concat([message('d', Buffer.alloc(200_000)), message('X', Buffer.of(7))]);
    reader.push(bytes.subarray(0, 70_000));
    expect(reader.message(2 ** 20)).toMatchObject({ type: 'd' });
    expect(reader.message(2 ** 20)).toBeUndefined();
    reader.push(bytes.subarray(70_000, 140_000));
    expect(reader.buffered).toBe(0);
    reader.push(bytes.subarray(140_000));
    expect(reader.message(2 ** 20)).toEqual({ type: 'X', body: Buffer.of(7) });
  });
});
