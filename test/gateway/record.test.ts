import { expect, test } from '@jest/globals';

import { Call } from '../../src/gateway/call.ts';
import { Recorder } from '../../src/gateway/record.ts';
import { answer } from './test-server.ts';

function settledCall(rows: number): Call {
  const xs = Array.from({ length: rows }, (_, x) => ({ x }));
  const call = new Call({
    versionId: 1,
    role: 'alice',
    deadlineMs: 5000,
    log: true,
    inputs: true,
    id: 'r',
    reply: 'rows',
    rows: xs,
  });
  answer(call);
  return call;
}

/** Rows of calls as they were kept; a row begins with the number of its fields, and of its version. */
const rowsIn = (encoded: readonly Buffer[]): number[] =>
  encoded.map((bytes) => bytes.toString('latin1').split('\0\v\0\0\0\x04\0\0\0\x01').length - 1);

test('calls are kept in their order, some thousands of rows at a time, after their callers were answered', async () => {
  const kept: number[][] = [];
  const recorder = new Recorder(
    (encoded) => {
      kept.push(rowsIn(encoded));
      return Promise.resolve();
    },
    () => undefined,
  );
  for (const rows of [9000, 1000, 1, 20_000]) {
    const before = kept.length;
    recorder.record(settledCall(rows));
    expect(kept).toHaveLength(before);
    await new Promise(setImmediate);
  }
  await recorder.drained();
  expect(kept.flat()).toEqual([9000, 1000, 20_001]);
  expect(kept.at(-1)).toEqual([20_001]);
});

test('what is too much to remember is dropped and counted', async () => {
  let letGo = (): void => undefined;
  const recorder = new Recorder(
    () =>
      new Promise((resolve) => {
        letGo = resolve;
      }),
    () => undefined,
  );
  for (let n = 0; n < 12; n += 1) recorder.record(settledCall(10_000));
  expect(recorder.dropped).toBe(2);
  letGo();
});

test('calls that can not be kept are counted, and the next are tried', async () => {
  const errors: unknown[] = [];
  const recorder = new Recorder(
    () => Promise.reject(new Error('disk full')),
    (error) => errors.push(error),
  );
  recorder.record(settledCall(1));
  await recorder.drained();
  recorder.record(settledCall(1));
  await recorder.drained();
  expect([recorder.dropped, errors.length]).toEqual([2, 2]);
});
