export const isNight = process.env['PGSCORE_TEST_NIGHT'] === '1';

/** One in so many of like cases; all of them with PGSCORE_TEST_NIGHT=1. */
export function oneIn<T>(share: number, cases: readonly T[]): readonly T[] {
  return isNight ? cases : cases.filter((_, index) => index % share === 0);
}

/** How many cases a machine makes up: few, and many with PGSCORE_TEST_NIGHT=1. */
export function howMany(few: number, many: number): number {
  return isNight ? many : few;
}
