import { expect, test } from '@jest/globals';
import { isInRange, narrowed, widened } from '../../src/inference/narrow.ts';

test('float32 becomes the nearest float16, ties to even, and comes back as it is', () => {
  const cases: [number, number][] = [
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2.5, 0xc100],
    [65504, 0x7bff],
    [65519, 0x7bff],
    [65520, 0x7c00],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [3 * 2 ** -25, 0x0002],
    [2 ** -14, 0x0400],
    [2 ** -14 - 2 ** -26, 0x0400],
    [Infinity, 0x7c00],
    [-Infinity, 0xfc00],
    [NaN, 0x7e00],
  ];
  const bits = narrowed(
    'float16',
    Float32Array.from(cases, ([value]) => value),
  );
  expect([...bits]).toEqual(cases.map(([, half]) => half));
  const every = Uint16Array.from({ length: 2 ** 16 }, (_, half) => half);
  const { data, type } = widened<{ type: string; data: unknown }>({ type: 'float16', data: every });
  expect(type).toBe('float32');
  const back = narrowed('float16', data as Float32Array);
  const isNaNOf = (half: number) => (half & 0x7c00) === 0x7c00 && (half & 0x3ff) !== 0;
  expect([...every].filter((half) => !isNaNOf(half) && back[half] !== half)).toEqual([]);
});

test('a number outside of its type is out of range, and none other', () => {
  const limits = {
    uint8: [0, 255],
    int8: [-128, 127],
    uint16: [0, 65_535],
    int16: [-32_768, 32_767],
    uint32: [0, 4_294_967_295],
  } as const;
  for (const [element, [least, most]] of Object.entries(limits)) {
    const ofType = (value: number) => isInRange(element as keyof typeof limits, value);
    expect([least, most, least - 1, most + 1].map(ofType)).toEqual([true, true, false, false]);
  }
  expect([65_519.9, -65_520, Infinity, NaN].map((value) => isInRange('float16', value))).toEqual([
    true,
    false,
    true,
    true,
  ]);
});

test('whole numbers keep their values', () => {
  expect([...narrowed('uint8', Int32Array.of(0, 255))]).toEqual([0, 255]);
  expect([...narrowed('int8', Int32Array.of(-128, 127))]).toEqual([-128, 127]);
  expect([...narrowed('uint16', Int32Array.of(65_535))]).toEqual([65_535]);
  expect([...narrowed('int16', Int32Array.of(-32_768))]).toEqual([-32_768]);
  expect([...narrowed('uint32', BigInt64Array.of(4_294_967_295n))]).toEqual([4_294_967_295]);
  expect([...narrowed('uint64', BigInt64Array.of(2n ** 62n))]).toEqual([2n ** 62n]);
  expect(widened<{ type: string; data: unknown }>({ type: 'uint8', data: Uint8Array.of(200) })).toEqual({
    type: 'int32',
    data: Int32Array.of(200),
  });
});
