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

test('calls are kept in their order, some thousands of rows at a time, after their callers were answered', async () => {
  const kept: Call[][] = [];
  const recorder = new Recorder(
    (calls) => {
      kept.push([...calls]);
      return Promise.resolve();
    },
    () => undefined,
  );
  const calls = [settledCall(9000), settledCall(1000), settledCall(1), settledCall(20_000)];
  for (const call of calls) recorder.record(call);
  expect(kept).toEqual([]);
  await recorder.drained();
  expect(kept.map((some) => some.map(({ rows }) => rows.length))).toEqual([[9000, 1000], [1], [20_000]]);
  expect(kept.flat()).toEqual(calls);
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
