import type { NarrowType } from './signature.ts';

const INTEGERS: Readonly<Record<Exclude<NarrowType, 'float16'>, readonly [least: number, most: number]>> = {
  uint8: [0, 2 ** 8 - 1],
  int8: [-(2 ** 7), 2 ** 7 - 1],
  uint16: [0, 2 ** 16 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint32: [0, 2 ** 32 - 1],
  uint64: [0, 2 ** 64],
};

/** Numbers from here on round to infinity as float16. */
const OVERFLOWS_HALF = 65_520;

/** Whether a number that the wider type holds is in the range of the narrow one. */
export function isInRange(element: NarrowType, value: number): boolean {
  if (element === 'float16') return !Number.isFinite(value) || Math.abs(value) < OVERFLOWS_HALF;
  const [least, most] = INTEGERS[element];
  return value >= least && value <= most;
}

type Wide = Float32Array | Int32Array | BigInt64Array;

/** Values of the wider type, all in range, as the element type that the graph declares; float16 as its bits. */
export function narrowed(
  element: NarrowType,
  wide: Wide,
): Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | BigUint64Array {
  if (wide instanceof BigInt64Array) {
    if (element === 'uint64') return new BigUint64Array(wide);
    return Uint32Array.from(wide, Number);
  }
  switch (element) {
    case 'float16':
      return Uint16Array.from(wide, halfBits);
    case 'uint8':
      return new Uint8Array(wide);
    case 'int8':
      return new Int8Array(wide);
    case 'int16':
      return new Int16Array(wide);
    case 'uint16':
      return new Uint16Array(wide);
    case 'uint32':
    case 'uint64':
      throw new Error(`${element} is fed by way of int64`);
  }
}

const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);
/** Bits of the float32 numbers 2^-14, the least normal float16, and of infinity; what exponents differ by. */
const LEAST_NORMAL = 0x38800000;
const INFINITY = 0x7f800000;
const EXPONENTS = 0x38000000;
const HALF_INFINITY = 0x7c00;

/** The bits of the nearest float16, ties to even. */
function halfBits(value: number): number {
  FLOAT[0] = value;
  const bits = BITS[0] ?? 0;
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size > INFINITY) return sign | 0x7e00;
  if (size === INFINITY) return sign | HALF_INFINITY;
  if (size < LEAST_NORMAL) return sign | roundedToEven(Math.abs(value) * 2 ** 24);
  return sign | Math.min((size - EXPONENTS + 0xfff + ((size >>> 13) & 1)) >>> 13, HALF_INFINITY);
}

function roundedToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

function halfValue(bits: number): number {
  const sign = bits >= 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

type Output = { readonly type: string; readonly data: unknown };

/** An output of a narrow type as one of the wider type; any other as it is. uint64 stays: int64 holds only half of it. */
export function widened<T extends Output>(output: T): T {
  const { type, data } = output;
  const values = data as Uint16Array;
  switch (type) {
    case 'float16':
      // Newer versions of Node have an array of such numbers, older ones give their bits.
      return {
        ...output,
        type: 'float32',
        data: Float32Array.from(values, data instanceof Uint16Array ? halfValue : Number),
      };
    case 'uint8':
    case 'int8':
    case 'uint16':
    case 'int16':
      return { ...output, type: 'int32', data: Int32Array.from(values) };
    case 'uint32':
      return { ...output, type: 'int64', data: BigInt64Array.from(values, BigInt) };
    default:
      return output;
  }
}
