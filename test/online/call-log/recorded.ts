import { Call } from '../../../src/online/requests/call.ts';
import { BLOCK_COLUMNS } from '../../../src/online/call-log/encode-blocks.ts';
import type { LogBatch } from '../../../src/online/call-log/encode.ts';
import { matchFeatures } from '../../../src/online/requests/match-features.ts';
import type { Watching } from '../../../src/online/call-log/recorder.ts';
import type { JsonRow } from '../../../src/inference/json-rows.ts';
import { NumberRows } from '../../../src/inference/number-rows.ts';
import type { Feature } from '../../../src/inference/signature.ts';
import { answer } from '../test-server.ts';

/** A call whose rows are not numbers alone, so that it is kept by itself. */
export function settledCall(rows: number, id = 'r', versionId = 1): Call {
  return settled(
    Array.from({ length: rows }, () => ({ x: 'Infinity' })),
    id,
    versionId,
  );
}

/** A call of plain rows of JSON, which were matched to their features. */
export function settledPlain(rows: number, id = 'r', inputs = true): Call {
  return settled(
    Array.from({ length: rows }, (_, x) => ({ x })),
    id,
    1,
    inputs,
  );
}

/** A call whose rows say what time they are for. */
export function settledAt(times: readonly unknown[], id: string): Call {
  return settled(
    times.map((at, x) => ({ x, at })),
    id,
    1,
  );
}

const FEATURES: readonly Feature[] = [{ name: 'x', type: 'float64', width: 1, input: 'x', position: 0, nulls: 'nan' }];

function settled(rows: readonly JsonRow[], id: string, versionId: number, inputs = true): Call {
  const call = new Call({
    versionId,
    role: 'alice',
    deadlineMs: 5000,
    log: true,
    inputs,
    id,
    reply: 'rows',
    alone: false,
    rows,
    about: {},
  });
  call.rows = matchFeatures(rows, FEATURES);
  answer(call);
  return call;
}

/** The same of rows of numbers, about each of which something may be said. */
export function settledNumbers(rows: number, id = 'r', xs?: readonly unknown[]): Call {
  const values = Float64Array.from({ length: rows }, (_, x) => x);
  const call = new Call({
    versionId: 1,
    role: 'alice',
    deadlineMs: 5000,
    log: true,
    inputs: true,
    id,
    reply: 'columns',
    alone: false,
    rows: new NumberRows(rows, 1, values, null, new Set([0])),
    about: xs === undefined ? {} : { x: xs },
  });
  answer(call);
  return call;
}

export const WATCHING: Watching = { get: () => undefined, isFresh: () => true, renew: () => Promise.resolve() };

const FIELDS = String.fromCharCode(BLOCK_COLUMNS.split(',').length);

/** Blocks as they were kept; one begins with the number of its fields, and of its version. */
export const blocksIn = ({ blocks }: LogBatch): number[] =>
  blocks.map((bytes) => bytes.toString('latin1').split(`\0${FIELDS}\0\0\0\x04\0\0\0\x01`).length - 1);

/** Rows of calls as they were kept. */
export const rowsIn = ({ calls }: LogBatch): number =>
  calls.reduce((sum, { answered }) => sum + (answered?.parts.reduce((rows, part) => rows + part.rows, 0) ?? 1), 0);

/** Takes what holds none of the bad texts, as PostgreSQL does: all or nothing. */
export function keptBut(bad: readonly string[], kept: number[]) {
  return (encoded: LogBatch): Promise<void> => {
    const text = Buffer.concat(encoded.blocks).toString('latin1');
    if (bad.some((id) => text.includes(id))) {
      return Promise.reject(Object.assign(new Error('not Unicode'), { code: '22P05', severity: 'ERROR' }));
    }
    kept.push(rowsIn(encoded));
    return Promise.resolve();
  };
}
