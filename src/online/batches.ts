import type { JsonRow } from '../inference/json-rows.ts';
import { NumberRows, type FeatureRows } from '../inference/number-rows.ts';
import type { ModelSession } from '../inference/session.ts';
import type { Call } from './requests/call.ts';

/** Rows of one call among those that are run together. */
export type Share<Rows = FeatureRows> = { readonly call: Call; readonly rows: Rows };

/** What a model runs at once. */
export type Batch = { readonly shares: readonly Share[]; readonly rows: FeatureRows };

/** Calls of a version that wait. Each has its share of the runs, however many rows another has. */
export class WaitingCalls {
  readonly #calls = new Set<Call>();

  get empty(): boolean {
    return this.#calls.size === 0;
  }

  get calls(): Call[] {
    return [...this.#calls];
  }

  add(call: Call): void {
    this.#calls.add(call);
  }

  delete(call: Call): void {
    this.#calls.delete(call);
  }

  /**
   * Takes up to `most` rows of the first call and of those in its group, shared as evenly as they allow. A call that has rows left
   * waits behind all others.
   */
  take(most: number, groupOf: (call: Call) => unknown = () => undefined): Share[] {
    const [first] = this.#calls;
    if (first === undefined) return [];
    const group = new Set(this.calls.filter((call) => groupOf(call) === groupOf(first)));
    const shares: Share[] = [];
    for (let left = most; left > 0 && group.size > 0;) {
      const each = Math.max(1, Math.floor(left / group.size));
      for (const call of [...group].slice(0, left)) {
        const rows = call.take(each);
        left -= rows.length;
        shares.push({ call, rows });
        moveToEnd(this.#calls, call);
        moveToEnd(group, call);
      }
    }
    return shares;
  }
}

/** A call that has no rows left is deleted. */
function moveToEnd(calls: Set<Call>, call: Call): void {
  calls.delete(call);
  if (call.rowsLeft > 0) calls.add(call);
}

/**
 * Calls of one group may share a run: a model that is not row-wise could tell one role about the rows of another.
 * A call whose role nobody proved (`alone`) could name any, and shares with none.
 */
export function groupOf(call: Call, { isRowWise }: ModelSession): unknown {
  const { alone, role } = call.request;
  if (isRowWise) return undefined;
  return alone ? call : role;
}

/** One of all rows of numbers, and one of all rows of JSON. */
export function batchesOf(shares: readonly Share[]): Batch[] {
  const json: Share<readonly JsonRow[]>[] = [];
  const numbers: Share<NumberRows>[] = [];
  for (const { call, rows } of shares) {
    if (rows instanceof NumberRows) numbers.push({ call, rows });
    else json.push({ call, rows });
  }
  const batches: Batch[] = [];
  if (json.length > 0) batches.push({ shares: json, rows: json.flatMap(({ rows }) => rows) });
  if (numbers.length > 0) batches.push({ shares: numbers, rows: NumberRows.joined(numbers.map(({ rows }) => rows)) });
  return batches;
}

/** A run is to take no longer, so that calls take turns and no runner is detached for the number of its rows. */
const LONG_MS = 250;
const SHORT_MS = 100;

/** How many rows of a version go into one run: fewer where they took long. */
export class BatchSize {
  readonly #most: number;
  /** Of versions that take fewer. */
  readonly #rows = new Map<number, number>();

  constructor(most: number) {
    this.#most = most;
  }

  of(versionId: number): number {
    return this.#rows.get(versionId) ?? this.#most;
  }

  ran(versionId: number, rows: number, ms: number): void {
    const size = this.of(versionId);
    if (ms > LONG_MS && rows > 1) this.#rows.set(versionId, Math.max(1, Math.floor((rows * LONG_MS) / ms)));
    else if (size < this.#most && ms < SHORT_MS && rows >= size)
      this.#rows.set(versionId, Math.min(this.#most, 2 * size));
  }
}
