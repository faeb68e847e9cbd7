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
