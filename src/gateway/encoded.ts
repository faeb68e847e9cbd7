import type { CountedCall } from './call-batch.ts';
import { featuresOf, type CallFeatures } from './call-features.ts';
import type { Call } from './call.ts';
import { encodeCalls, type EncodedCalls } from './encode-calls.ts';
import type { WatchedVersions } from './watched-versions.ts';

/** Calls as they are written, and what is to be counted of them. */
export type EncodedForKeeping = {
  readonly tuples: readonly Buffer[];
  readonly calls: readonly CountedCall[];
  readonly features: readonly CallFeatures[];
};

/** Calls that were encoded together. */
export type Encoded = EncodedCalls & {
  readonly rows: number;
  readonly calls: readonly CountedCall[];
  readonly features: readonly CallFeatures[];
};

/** One of them. */
export type EncodedCall = { readonly bytes: Buffer; readonly call: CountedCall };

export function encoded(calls: readonly Call[], rows: number, versions: Pick<WatchedVersions, 'get'>): Encoded {
  const tuples = encodeCalls(calls, (versionId) => versions.get(versionId)?.keys ?? []);
  const features = featuresOf(calls, (versionId) => versions.get(versionId)?.featuresWatched ?? false);
  return { ...tuples, rows, calls: calls.map(countedCall), features };
}

/** In parts of at most so many rows, or of one that has more. */
export function parted(some: readonly Encoded[], mostRows: number): Encoded[][] {
  const parts: Encoded[][] = [];
  let rows = Number.POSITIVE_INFINITY;
  for (const each of some) {
    if (rows + each.rows > mostRows) {
      parts.push([]);
      rows = 0;
    }
    parts.at(-1)?.push(each);
    rows += each.rows;
  }
  return parts;
}

export function together(some: readonly Encoded[]): EncodedForKeeping {
  return {
    tuples: some.map(({ bytes }) => bytes),
    calls: some.flatMap(({ calls }) => calls),
    features: some.flatMap(({ features }) => features),
  };
}

export function callsOf({ bytes, ends, calls }: Encoded): EncodedCall[] {
  return calls.map((call, index) => ({ bytes: bytes.subarray(ends[index - 1] ?? 0, ends[index]), call }));
}

/** Some calls out of those that were encoded together, whose features are columns of all of them. */
export function keptCalls(calls: readonly EncodedCall[]): EncodedForKeeping {
  return { tuples: calls.map(({ bytes }) => bytes), calls: calls.map(({ call }) => call), features: [] };
}

/** Its rows would wait with it. */
function countedCall({ request: { versionId }, instant, answered }: Call): CountedCall {
  return { versionId, instant, answered };
}
