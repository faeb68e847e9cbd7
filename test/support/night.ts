/** One in so many of like cases; all of them with PGSCORE_TEST_NIGHT=1. */
export function oneIn<T>(share: number, cases: readonly T[]): readonly T[] {
  return process.env['PGSCORE_TEST_NIGHT'] === '1' ? cases : cases.filter((_, index) => index % share === 0);
}
