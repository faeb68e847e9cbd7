/** Rows that claim one probability of being positive, and how many of them were. */
export type Claim = { readonly probability: number; readonly total: number; readonly positives: number };

/**
 * Expected calibration error over `groups` groups of as many rows each, by probability: the mean distance of what is claimed
 * from what was, weighted by rows. Rows of one probability that fall on both sides of a group's end are split between the
 * groups, positives in proportion; NannyML, which has single rows, cuts ties in the order that they come in, and makes an
 * eleventh group where rows do not divide.
 */
export function calibrationError(claims: readonly Claim[], groups = 10): number {
  const merged = mergedTies(claims);
  const rows = merged.reduce((sum, { total }) => sum + total, 0);
  let [error, excess, room] = [0, 0, rows / groups];
  for (const { probability, total, positives } of merged) {
    const excessOfOne = probability - positives / total;
    let left = total;
    while (left >= room) {
      error += Math.abs(excess + room * excessOfOne);
      left -= room;
      [excess, room] = [0, rows / groups];
    }
    excess += left * excessOfOne;
    room -= left;
  }
  return (error + Math.abs(excess)) / rows;
}

function mergedTies(claims: readonly Claim[]): Claim[] {
  const merged: Claim[] = [];
  for (const claim of claims.filter(({ total }) => total > 0).toSorted((a, b) => a.probability - b.probability)) {
    const last = merged.at(-1);
    if (last?.probability !== claim.probability) merged.push(claim);
    else {
      merged[merged.length - 1] = {
        probability: claim.probability,
        total: last.total + claim.total,
        positives: last.positives + claim.positives,
      };
    }
  }
  return merged;
}
