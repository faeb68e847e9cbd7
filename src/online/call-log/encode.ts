import { featuresOf, watchedOf, type CallFeatures, type WatchedFeatures } from './call-features.ts';
import { EventTimeReader, type EventTimes } from './event-time.ts';
import { keysOf, type CountedCall, type KeyedCall } from './logged-call.ts';
import type { Call } from '../requests/call.ts';
import { encodeBlocks, type EncodedBlocks } from './encode-blocks.ts';
import { joinAlike } from './join-calls.ts';
import type { WatchedVersion, WatchedVersions } from './watched-versions.ts';
import type { PipelinedStatement } from '../../postgres/pipeline.ts';

/** What is written to the log in one transaction, and what is to be counted of it. */
export type LogBatch = {
  readonly blocks: readonly Buffer[];
  readonly calls: readonly CountedCall[];
  readonly features: readonly CallFeatures[];
  /** What else is to be done in the same transaction. */
  readonly also?: readonly PipelinedStatement[];
};

/** Calls that were encoded together. */
export type EncodedCalls = EncodedBlocks & {
  readonly rows: number;
  readonly calls: readonly CountedCall[];
  readonly features: WatchedFeatures;
};

/** One of them. */
export type EncodedCall = { readonly bytes: Buffer; readonly call: CountedCall };

type Known = Pick<WatchedVersions, 'get'>;

const readers = new Map<string, EventTimeReader>();

/** `rows`: how many wait to be written. */
export function encodeCalls(calls: readonly Call[], rows: number, versions: Known): EncodedCalls {
  return encodeKeyedCalls(joinAlike(calls.map((call) => keyedCall(call, versions))), rows, versions);
}

/** encodeCalls() of calls whose keys are known. */
export function encodeKeyedCalls(calls: readonly KeyedCall[], rows: number, versions: Known): EncodedCalls {
  return {
    rows,
    ...encodeBlocks(calls),
    calls: calls.map(countedCall),
    features: watchedOf(calls, (versionId) => versions.get(versionId)?.featuresWatched ?? false),
  };
}

function keyedCall(call: Call, versions: Known): KeyedCall {
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

/** Without its rows, which would wait in memory with it. */
function countedCall({ call, eventTimes }: KeyedCall): CountedCall {
  const { request, instant, answered, joined } = call;
  return { versionId: request.versionId, instant, answered, eventTimes, ...(joined && { joined }) };
}

export function batchOf(some: readonly EncodedCalls[]): LogBatch {
  return {
    blocks: some.map(({ bytes }) => bytes),
    calls: some.flatMap(({ calls }) => calls),
    features: featuresOf(some.map(({ features }) => features)),
  };
}

export function callsOf({ bytes, ends, calls }: EncodedCalls): EncodedCall[] {
  return calls.map((call, index) => ({ bytes: bytes.subarray(ends[index - 1] ?? 0, ends[index]), call }));
}

/** How many calls these are, where some are several as one. */
export function countOf(calls: readonly EncodedCall[]): number {
  return calls.reduce((sum, { call }) => sum + (call.joined?.calls ?? 1), 0);
}

/** Some calls out of those that were encoded together, whose features are columns of all of them. */
export function batchOfCalls(calls: readonly EncodedCall[]): LogBatch {
  return { blocks: calls.map(({ bytes }) => bytes), calls: calls.map(({ call }) => call), features: [] };
}
