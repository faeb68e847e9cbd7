import type { CountedCall } from './call-batch.ts';
import { featuresOf, watchedOf, type CallFeatures, type WatchedFeatures } from './call-features.ts';
import { keysOf } from './call-key.ts';
import type { Call } from '../requests/call.ts';
import { blockOf, encodeBlocks } from './encode-blocks.ts';
import { encodeCalls, type EncodedCalls } from './encode-calls.ts';
import { EventTimeReader, type EventTimes } from './event-time.ts';
import type { Keyed } from './keyed.ts';
import { merged } from './merged-calls.ts';
import type { SettledCall } from './finished-call.ts';
import type { WatchedVersion, WatchedVersions } from './watched-versions.ts';

/** Calls as they are written, and what is to be counted of them. */
export type EncodedForKeeping = {
  readonly tuples: readonly Buffer[];
  readonly blocks: readonly Buffer[];
  readonly calls: readonly CountedCall[];
  readonly features: readonly CallFeatures[];
};

type Written = EncodedCalls & { readonly calls: readonly CountedCall[] };

/** Calls that were encoded together. */
export type Encoded = {
  readonly rows: number;
  /** Those that are kept as a tuple for each prediction, and those as blocks. */
  readonly singles: Written;
  readonly blocks: Written;
  readonly features: WatchedFeatures;
};

/** One of them. */
export type EncodedCall = { readonly bytes: Buffer; readonly call: CountedCall; readonly isBlock: boolean };

type Known = Pick<WatchedVersions, 'get'>;

const readers = new Map<string, EventTimeReader>();

export function encoded(calls: readonly Call[], rows: number, versions: Known): Encoded {
  const { together: several, apart } = merged(calls.map((call) => keyedCall(call, versions)));
  const singles: Keyed<Call>[] = [];
  const blocks = several.flatMap((each) => blockOf(each) ?? []);
  for (const each of apart) {
    const block = blockOf(each);
    if (block === undefined) singles.push(each);
    else blocks.push(block);
  }
  const kept: Keyed<SettledCall>[] = [...several, ...apart];
  return {
    rows,
    singles: { ...encodeCalls(singles), calls: singles.map(countedCall) },
    blocks: { ...encodeBlocks(blocks), calls: blocks.map(countedCall) },
    features: watchedOf(kept, (versionId) => versions.get(versionId)?.featuresWatched ?? false),
  };
}

function keyedCall(call: Call, versions: Known): Keyed<Call> {
  const version = versions.get(call.request.versionId);
  if (version === undefined || call.answered === undefined) return { call, keys: [], eventTimes: null };
  const keys = version.keys.length > 0 ? keysOf(call.request, version.keys) : [];
  return { call, keys, eventTimes: eventTimesOf(call, version) };
}

function eventTimesOf({ request }: Call, { eventTime, timeZone }: WatchedVersion): EventTimes {
  if (eventTime === null) return null;
  const reader = readers.get(timeZone) ?? new EventTimeReader(timeZone);
  readers.set(timeZone, reader);
  return reader.timesOf(request, eventTime);
}

/** Its rows would wait with it. */
function countedCall({ call, eventTimes }: Keyed<SettledCall>): CountedCall {
  const { request, instant, answered, each } = call;
  return { versionId: request.versionId, instant, answered, eventTimes, ...(each && { each }) };
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
    tuples: some.map(({ singles }) => singles.bytes).filter(isWritten),
    blocks: some.map(({ blocks }) => blocks.bytes).filter(isWritten),
    calls: some.flatMap(({ singles, blocks }) => [...singles.calls, ...blocks.calls]),
    features: featuresOf(some.map(({ features }) => features)),
  };
}

export function callsOf({ singles, blocks }: Encoded): EncodedCall[] {
  return [...eachOf(singles, false), ...eachOf(blocks, true)];
}

function eachOf({ bytes, ends, calls }: Written, isBlock: boolean): EncodedCall[] {
  return calls.map((call, index) => ({ bytes: bytes.subarray(ends[index - 1] ?? 0, ends[index]), call, isBlock }));
}

/** How many calls these are, where some are several as one. */
export function countOf(calls: readonly EncodedCall[]): number {
  return calls.reduce((sum, { call }) => sum + (call.each?.calls ?? 1), 0);
}

/** Some calls out of those that were encoded together, whose features are columns of all of them. */
export function keptCalls(calls: readonly EncodedCall[]): EncodedForKeeping {
  return {
    tuples: calls.filter(({ isBlock }) => !isBlock).map(({ bytes }) => bytes),
    blocks: calls.filter(({ isBlock }) => isBlock).map(({ bytes }) => bytes),
    calls: calls.map(({ call }) => call),
    features: [],
  };
}

function isWritten({ length }: Buffer): boolean {
  return length > 0;
}
