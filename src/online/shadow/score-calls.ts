import type { JsonRow } from '../../inference/json-rows.ts';
import type { FeatureRows } from '../../inference/number-rows.ts';
import { copyPrediction, emptyPredictions, type Predictions } from '../../inference/predictions.ts';
import type { ModelSession } from '../../inference/session.ts';
import type { Feature } from '../../inference/signature.ts';
import { bucket, BUCKETS } from '../../lib/bucket.ts';
import type { FinishedCall, KeyedCall } from '../call-log/logged-call.ts';
import { WireError } from '../protocol/wire-error.ts';
import { matchFeatures } from '../requests/match-features.ts';
import { rowRefusal } from '../requests/row-refusal.ts';
import type { ShadowClaim, ShadowedBlock } from './queue.ts';

/** What an arm says of calls, and how many of their rows it said so of. */
export type ScoredCalls = {
  readonly calls: KeyedCall[];
  scored: number;
  failed: number;
  /** Rows that sampling leaves out. */
  leftOut: number;
  /** Rows that were kept without what was given. */
  withoutInputs: number;
};

/** A row of a block, by its index. */
type Given = { readonly at: number; readonly row: JsonRow };

const MICROSECONDS_A_MS = 1000;
/** So many rows are to be scored before the service takes the arm to hang. */
const ROWS_AT_ONCE = 128;

/** The features that an arm reads and the champion does not. */
export function lackingFeatures({ features }: Pick<ShadowClaim, 'features'>, { signature }: ModelSession): string[] {
  const known = new Set(features.map(({ name }) => name.toLowerCase()));
  return signature.features.map(({ name }) => name).filter((name) => !known.has(name.toLowerCase()));
}

/** Scores logged calls again by the version of an arm. `onProgress`: some rows are scored. */
export async function scoreCalls(
  claim: ShadowClaim,
  blocks: readonly ShadowedBlock[],
  session: ModelSession,
  onProgress: () => Promise<void>,
): Promise<ScoredCalls> {
  const all: ScoredCalls = { calls: [], scored: 0, failed: 0, leftOut: 0, withoutInputs: 0 };
  for (const block of blocks) {
    const given = sampledRows(claim, block, all);
    if (given.length === 0) continue;
    const began = performance.now();
    const rows = await scoreRows(given, session, onProgress);
    all.scored += rows.scored.length;
    all.failed += rows.failed.length;
    all.calls.push(...callsOf(claim, block, rows, session, performance.now() - began));
  }
  return all;
}

function sampledRows(claim: ShadowClaim, block: ShadowedBlock, all: ScoredCalls): Given[] {
  const rows = rowsOf(block, claim.features);
  const given: Given[] = [];
  for (let at = 0; at < block.rows; at += 1) {
    const row = rows[at];
    if (!isSampled(claim, block, at)) all.leftOut += 1;
    else if (row === null || row === undefined) all.withoutInputs += 1;
    else given.push({ at, row });
  }
  return given;
}

/** By the entity, as in runs; a row that names none by the number of its prediction. */
function isSampled({ salt, buckets }: ShadowClaim, block: ShadowedBlock, at: number): boolean {
  if (buckets >= BUCKETS) return true;
  const key = keyOf(block, at) ?? [String(BigInt(block.id) + BigInt(at))];
  return bucket(salt, ...key) < buckets;
}

function keyOf({ keys }: ShadowedBlock, at: number): string[] | null {
  const key = (keys?.[at] ?? []).filter((part) => part !== null);
  return key.length > 0 ? key : null;
}

function rowsOf(
  { features: numbers, inputs }: ShadowedBlock,
  features: readonly Feature[],
): readonly (JsonRow | null)[] {
  if (numbers === null) return inputs ?? [];
  return numbers.map((row) =>
    Object.fromEntries(features.map(({ name }, index) => [name, asJson(row[index] ?? null)])),
  );
}

/** JSON has no NaN and no infinity: PostgreSQL writes them as texts. */
function asJson(value: number | null): number | string | null {
  return value === null || Number.isFinite(value) ? value : String(value);
}

type ScoredRows = {
  /** Of the rows in `scored`, and of nothing behind them. */
  readonly predictions: Predictions;
  readonly scored: Given[];
  readonly failed: { readonly at: number; readonly error: WireError }[];
};

async function scoreRows(
  given: readonly Given[],
  session: ModelSession,
  onProgress: () => Promise<void>,
): Promise<ScoredRows> {
  const { signature } = session;
  const predictions = emptyPredictions(signature, given.length, new Map());
  const [scored, failed]: [Given[], ScoredRows['failed']] = [[], []];
  for (let from = 0; from < given.length; from += ROWS_AT_ONCE) {
    const { fitting, rows } = fittingRows(given.slice(from, from + ROWS_AT_ONCE), signature.features, failed);
    if (fitting.length > 0) {
      const said = await session.predictRows(rows);
      fitting.forEach((one, index) => {
        const error = said.errors.get(index);
        if (error !== undefined) return failed.push({ at: one.at, error: rowRefusal(error, signature.features, 0, 1) });
        copyPrediction(said, index, predictions, scored.length);
        return scored.push(one);
      });
    }
    await onProgress();
  }
  return { predictions, scored, failed };
}

type FittingRows = { readonly fitting: readonly Given[]; readonly rows: FeatureRows };

/** Rows as the model takes them. Those that do not fit it fail one by one: the others may be another caller's. */
function fittingRows(some: readonly Given[], features: readonly Feature[], failed: ScoredRows['failed']): FittingRows {
  try {
    return { fitting: some, rows: matched(some, features) };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
  }
  const fitting = some.filter((one) => {
    const error = refusalOf(one, features);
    if (error !== undefined) failed.push({ at: one.at, error });
    return error === undefined;
  });
  return { fitting, rows: matched(fitting, features) };
}

function refusalOf(one: Given, features: readonly Feature[]): WireError | undefined {
  try {
    matched([one], features);
    return undefined;
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
}

function matched(some: readonly Given[], features: readonly Feature[]): FeatureRows {
  return matchFeatures(
    some.map(({ row }) => row),
    features,
  );
}

/** What was said of the rows of a block as calls: one of those that were scored, and one of each that failed. */
function callsOf(
  { versionId, startedBy }: ShadowClaim,
  block: ShadowedBlock,
  { predictions, scored, failed }: ScoredRows,
  { signature }: ModelSession,
  elapsedMs: number,
): KeyedCall[] {
  // The block has them.
  const request = { versionId, role: startedBy, id: block.requestId, inputs: false, isShadow: true };
  const calls = failed.map(({ at, error }): KeyedCall => {
    const instant = block.instant + MICROSECONDS_A_MS * (block.laterMs?.[at] ?? 0);
    const call = { request, rows: [], outcome: error, answered: undefined, instant, elapsedMs };
    return { call, keys: [], eventTimes: null };
  });
  if (scored.length === 0) return calls;
  const answer = { signature, parts: [{ predictions, from: 0, rows: scored.length }] };
  const rows = matched(scored, signature.features);
  const call = { request, rows, outcome: answer, answered: answer, instant: block.instant, elapsedMs };
  return [keyed(block, scored, { ...call, ...joinedOf(block, scored, elapsedMs) }), ...calls];
}

/** What is known of each row, where a block holds several calls. */
function joinedOf(
  { laterMs }: ShadowedBlock,
  scored: readonly Given[],
  elapsedMs: number,
): Pick<FinishedCall, 'joined'> {
  if (laterMs === null) return {};
  const later = Int32Array.from(scored, ({ at }) => laterMs[at] ?? 0);
  return {
    joined: { calls: scored.length, elapsedMs: new Float32Array(scored.length).fill(elapsedMs), laterMs: later },
  };
}

function keyed(block: ShadowedBlock, scored: readonly Given[], call: FinishedCall): KeyedCall {
  const { keys, eventTimes } = block;
  return {
    call,
    keys: keys === null ? [] : scored.map(({ at }) => keyOf(block, at)),
    eventTimes: eventTimes === null ? null : Float64Array.from(scored, ({ at }) => eventTimes[at] ?? Number.NaN),
  };
}
