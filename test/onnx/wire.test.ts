import { describe, expect, test } from '@jest/globals';
import { Fields, integerField, packedIntegers, parts, textField, whole } from '../../src/onnx/wire.ts';
import { caught } from '../support/caught.ts';

const read = (...bytes: number[]) => {
  const fields = new Fields(whole(Uint8Array.from(bytes)));
  const seen: [number, number][] = [];
  while (fields.next()) seen.push([fields.number, fields.wire]);
  return seen;
};

describe('the fields of a message', () => {
  test('are stepped over, whatever their wire type', () => {
    expect(read(0x08, 0x96, 0x01, 0x12, 0x02, 1, 2, 0x1d, 0, 0, 0, 0, 0x21, 0, 0, 0, 0, 0, 0, 0, 0)).toEqual([
      [1, 0],
      [2, 2],
      [3, 5],
      [4, 1],
    ]);
  });

  test('give their integers, negative ones too', () => {
    expect(integerField(whole(Uint8Array.of(0x08, 0x96, 0x01)), 1)).toBe(150);
    const minusTwo = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    expect(integerField(whole(Uint8Array.of(0x08, ...minusTwo)), 1)).toBe(-2);
    expect(packedIntegers(whole(Uint8Array.of(3, 0x8e, 0x02, ...minusTwo)))).toEqual([3, 270, -2]);
  });

  test('give their texts and messages', () => {
    const message = whole(Uint8Array.of(0x0a, 2, 0xc3, 0xa4, 0x0a, 1, 0x62));
    expect(textField(message, 1)).toBe('ä');
    expect(parts(message, 1).map(({ payload }) => payload.end - payload.start)).toEqual([2, 1]);
  });

  test.each([
    ['a length past the end', [0x0a, 5, 1]],
    ['a number that breaks off', [0x08, 0x80]],
    ['a number of eleven bytes', [0x08, ...Array.from({ length: 11 }, () => 0x80), 1]],
    ['a fixed number that breaks off', [0x1d, 0, 0]],
    ['a group', [0x0b, 0x0c]],
    ['the field number 0', [0x00, 0x00]],
    ['a length of 2^60', [0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]],
  ])('are refused with %s', (_, bytes) => {
    expect(caught(() => read(...bytes)).code).toBe('model_unreadable');
  });
});
