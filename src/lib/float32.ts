const view = new DataView(new ArrayBuffer(8));

/** Doubles from here on round to infinity. */
export const OVERFLOWS = 3.4028235677973366e38;
/** Doubles up to here round to zero. */
export const VANISHES = 2 ** -150;

/** The next float32 above, as IEEE 754 orders them. */
export function nextFloat(value: number): number {
  if (value === Infinity || Number.isNaN(value)) return value;
  if (value === 0) return 2 ** -149;
  view.setFloat32(0, value);
  view.setInt32(0, view.getInt32(0) + (value > 0 ? 1 : -1));
  return view.getFloat32(0);
}

export function previousFloat(value: number): number {
  return -nextFloat(-value);
}

/** The next double above. */
export function nextDouble(value: number): number {
  if (value === Infinity || Number.isNaN(value)) return value;
  if (value === 0) return Number.MIN_VALUE;
  view.setFloat64(0, value);
  view.setBigInt64(0, view.getBigInt64(0) + (value > 0 ? 1n : -1n));
  return view.getFloat64(0);
}

export function previousDouble(value: number): number {
  return -nextDouble(-value);
}

const LARGEST = 0x7fefffffffffffffn;

/** The smallest finite double of which a condition holds that holds of all above it, too; undefined where there is none. */
export function firstDouble(holds: (value: number) => boolean): number | undefined {
  let [low, high] = [-LARGEST, LARGEST];
  if (!holds(doubleAt(high))) return undefined;
  while (low < high) {
    const middle = (low + high) >> 1n;
    if (holds(doubleAt(middle))) high = middle;
    else low = middle + 1n;
  }
  return doubleAt(low);
}

/** Doubles in their order, counted from zero. */
function doubleAt(place: bigint): number {
  view.setBigInt64(0, place < 0n ? -place : place);
  return place < 0n ? -view.getFloat64(0) : view.getFloat64(0);
}

/**
 * The largest double whose float32 is at most `limit`, a float32: comparing doubles with it says what comparing their
 * float32 with the limit would.
 */
export function lastRoundedTo(limit: number): number {
  if (!Number.isFinite(limit)) return limit === -Infinity ? -OVERFLOWS : limit;
  const next = nextFloat(limit);
  const middle = next === Infinity ? OVERFLOWS : (limit + next) / 2;
  return Math.fround(middle) <= limit ? middle : previousDouble(middle);
}

/** The smallest double whose float32 is at least `limit`. */
export function firstRoundedTo(limit: number): number {
  return -lastRoundedTo(-limit);
}

/** Digits that tell any float32 from all others, and how many places after the point so many of what is at least 1e-4 need. */
const MOST_DIGITS = 9;
const MOST_PLACES = 13;

/** The shortest decimal that is read as this float32, which is what PostgreSQL writes a real as; as a double. */
export function decimalOf(float: number): number {
  if (float === 0 || !Number.isFinite(float)) return float;
  const size = Math.abs(float);
  // By far the most: to write digits and read them takes twenty times as long.
  return size >= 1e-4 && size < 2 ** 24 ? scaledDecimal(float, size) : writtenDecimal(float);
}

function scaledDecimal(float: number, size: number): number {
  // Up to six digits no two are the same float32.
  for (let scale = size < 10 ? 1e5 : 1; scale <= 10 ** MOST_PLACES; scale *= 10) {
    const decimal = roundToEven(float * scale) / scale;
    if (Math.fround(decimal) === float) return decimal;
  }
  return float;
}

function roundToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

function writtenDecimal(float: number): number {
  const [low, high] = [float + previousFloat(float), float + nextFloat(float)];
  for (let digits = 1; digits < MOST_DIGITS; digits += 1) {
    const decimal = Number(float.toPrecision(digits));
    // PostgreSQL writes none that lies half-way to the next.
    if (Math.fround(decimal) === float && 2 * decimal > low && 2 * decimal < high) return decimal;
  }
  return Number(float.toPrecision(MOST_DIGITS));
}
