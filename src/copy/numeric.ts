const NEGATIVE = 0x4000;
const NAN = 0xc000;
const POSITIVE_INFINITY = 0xd000;
const NEGATIVE_INFINITY = 0xf000;

/** 10^0 to 10^22 are exact doubles: one product or quotient of two exact numbers is rounded once, thus rightly. */
const EXACT_POWERS = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/**
 * PostgreSQL's wire form of `numeric` as the nearest double; what is too large for one becomes an infinity.
 * Layout: int16 digit count, weight, sign, display scale, then that many base-10000 digits.
 * Returns undefined where `length` bytes can't hold it.
 */
export function readNumeric(view: DataView, at: number, length: number): number | undefined {
  if (length < 8) return undefined;
  const count = view.getUint16(at);
  const sign = view.getUint16(at + 4);
  if (length !== 8 + 2 * count) return undefined;
  if (sign === NAN) return Number.NaN;
  if (sign === POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  if (sign === NEGATIVE_INFINITY) return Number.NEGATIVE_INFINITY;
  const exponent = 4 * (view.getInt16(at + 2) - count + 1);
  const magnitude = count > 4 ? parseDigits(view, at + 8, count, exponent) : scaleDigits(view, at + 8, count, exponent);
  return sign === NEGATIVE ? -magnitude : magnitude;
}

function scaleDigits(view: DataView, at: number, count: number, exponent: number): number {
  let mantissa = 0;
  for (let digit = 0; digit < count; digit += 1) mantissa = mantissa * 10_000 + view.getUint16(at + 2 * digit);
  if (mantissa === 0) return 0;
  const power = EXACT_POWERS[Math.abs(exponent)];
  if (power === undefined || mantissa > Number.MAX_SAFE_INTEGER) return parseDigits(view, at, count, exponent);
  return exponent < 0 ? mantissa / power : mantissa * power;
}

/** JavaScript's own parser rounds any number of decimal digits correctly. */
function parseDigits(view: DataView, at: number, count: number, exponent: number): number {
  let digits = '';
  for (let digit = 0; digit < count; digit += 1) digits += String(view.getUint16(at + 2 * digit)).padStart(4, '0');
  return Number(`${digits}e${exponent}`);
}
