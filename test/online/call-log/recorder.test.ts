import { afterEach, expect, jest, test } from '@jest/globals';
import type { KeyColumn } from '../../../src/online/call-log/logged-call.ts';
import type { LogBatch } from '../../../src/online/call-log/encode.ts';
import { LogBudget } from '../../../src/online/call-log/log-budget.ts';
import { Recorder, type Watching } from '../../../src/online/call-log/recorder.ts';
import { keptBut, rowsIn, settledCall, settledPlain, WATCHING } from './recorded.ts';

afterEach(() => {
  jest.useRealTimers();
});

test('calls are kept in their order, some thousands of rows at a time, after their callers were answered', async () => {
  const kept: number[] = [];
  const recorder = new Recorder(
    (encoded) => {
      kept.push(rowsIn(encoded));
      return Promise.resolve();
    },
    WATCHING,
    () => undefined,
  );
  for (const calls of [9, 1, 1, 8, 8]) {
    const before = kept.length;
    for (let n = 0; n < calls; n += 1) recorder.record(settledCall(1000));
    expect(kept).toHaveLength(before);
    await new Promise(setImmediate);
  }
  await recorder.drained();
  expect(kept).toEqual([10_000, 9000, 8000]);
});

test('as many rows as are written at a time do not wait for more', async () => {
  jest.useFakeTimers();
  let kept = 0;
  const keep = (encoded: LogBatch): Promise<void> => {
    kept += rowsIn(encoded);
    return Promise.resolve();
  };
  const recorder = new Recorder(keep, WATCHING, () => undefined);
  for (let n = 1; n <= 10; n += 1) {
    expect(kept).toBe(0);
    recorder.record(settledCall(1000));
    await jest.advanceTimersByTimeAsync(1);
  }
  expect(kept).toBe(10_000);
});

test('what is too much to remember is dropped and counted', async () => {
  let letGo = (): void => undefined;
  const recorder = new Recorder(
    () =>
      new Promise((resolve) => {
        letGo = resolve;
      }),
    WATCHING,
    () => undefined,
  );
  for (let n = 0; n < 122; n += 1) recorder.record(settledCall(1000));
  expect(recorder.dropped).toBe(2);
  letGo();
});

test('calls that have room are remembered, however many they are, and give it back once they are kept', async () => {
  const budget = new LogBudget({ mostRows: 10, reservedRows: 0 });
  const kept: number[] = [];
  const recorder = new Recorder(keptBut([], kept), WATCHING, () => undefined, budget);
  recorder.record(Object.assign(settledCall(30), { hasRoom: true }));
  recorder.record(settledCall(1));
  expect([recorder.dropped, budget.isBehind]).toEqual([1, true]);
  await recorder.drained();
  expect([kept, budget.isBehind]).toEqual([[30], false]);
  recorder.record(settledCall(10));
  expect(recorder.dropped).toBe(1);
  await recorder.drained();
});

test('where some of what was written together is kept, the log goes on; where none is, it stands still', async () => {
  const budget = new LogBudget({ mostRows: 1 });
  const large = settledPlain(70);
  const heldUp = async (...ids: string[]): Promise<boolean> => {
    const recorder = new Recorder(keptBut(['bad'], []), WATCHING, () => undefined, budget);
    for (const id of ids) recorder.record(settledCall(2, id));
    await recorder.drained();
    budget.take(1, true);
    const isHeldUp = budget.holdsUp(large);
    budget.take(-1, true);
    return isHeldUp;
  };
  expect(await heldUp('bad')).toBe(false);
  expect(await heldUp('good', 'bad')).toBe(true);
});

test('calls that can not be kept are counted, and the next are tried', async () => {
  const errors: unknown[] = [];
  const recorder = new Recorder(
    () => Promise.reject(new Error('disk full')),
    WATCHING,
    (error) => errors.push(error),
  );
  recorder.record(settledCall(1));
  await recorder.drained();
  recorder.record(settledCall(1));
  await recorder.drained();
  expect([recorder.dropped, errors.length]).toEqual([2, 2]);
});

test('a call that the database refuses is dropped alone, whatever it was written with', async () => {
  const kept: number[] = [];
  const errors: unknown[] = [];
  const recorder = new Recorder(keptBut(['bad 1', 'bad 2'], kept), WATCHING, (error) => errors.push(error));
  for (let n = 0; n < 100; n += 1) {
    recorder.record(settledCall(3, n === 17 ? 'bad 1' : n === 90 ? 'bad 2' : 'good'));
    if (n % 20 === 0) await new Promise(setImmediate);
  }
  await recorder.drained();
  expect(kept.reduce((sum, rows) => sum + rows, 0)).toBe(98 * 3);
  expect(recorder.dropped).toBe(2);
  // Once for all that was written together.
  expect([1, 2]).toContain(errors.length);
});

test('what the database could not take, whatever was in it, is not tried in parts', async () => {
  let tries = 0;
  const recorder = new Recorder(
    () => {
      tries += 1;
      return Promise.reject(Object.assign(new Error('no permission'), { code: '42501', severity: 'ERROR' }));
    },
    WATCHING,
    () => undefined,
  );
  for (let n = 0; n < 10; n += 1) recorder.record(settledCall(1));
  await recorder.drained();
  expect([tries, recorder.dropped]).toEqual([1, 10]);
});

test('calls of a version of which nothing is known yet wait until it is, and are keyed by that', async () => {
  const kept: LogBatch[] = [];
  const asked: number[][] = [];
  const keys: KeyColumn[] = [{ name: 'x', family: 'bigint' }];
  let isKnown = false;
  let tell: () => void = () => undefined;
  const watching: Watching = {
    get: (versionId) => ({
      versionId,
      timeZone: 'UTC',
      keys: isKnown ? keys : [],
      eventTime: null,
      featuresWatched: true,
      binSet: null,
    }),
    isFresh: () => isKnown,
    renew: async (versionIds) => {
      asked.push([...versionIds]);
      if (!isKnown) await new Promise<void>((resolve) => (tell = resolve));
      isKnown = true;
    },
  };
  const keep = (encoded: LogBatch): Promise<void> => {
    kept.push(encoded);
    return Promise.resolve();
  };
  const recorder = new Recorder(keep, watching, () => undefined);
  for (let n = 0; n < 3; n += 1) {
    recorder.record(settledPlain(200));
    await new Promise(setImmediate);
  }
  expect([asked, kept]).toEqual([[[1]], []]);
  tell();
  await recorder.drained();
  const rows = (calls: LogBatch['calls']): number[] =>
    calls.flatMap(({ answered }) => answered?.parts.map((part) => part.rows) ?? []);
  expect(
    kept.map(({ calls, features }) => [
      rows(calls).reduce((sum, n) => sum + n, 0),
      features.map(({ batch }) => batch.numRows),
    ]),
  ).toEqual([[600, [600]]]);
  const written = Buffer.concat(kept.flatMap(({ blocks }) => blocks)).toString('latin1');
  expect(written.split('\0\0\0\u0003199').length - 1).toBe(3);
});

test('calls of versions that can not be looked up are counted as lost, and the next are kept', async () => {
  const kept: number[] = [];
  let fails = true;
  const watching = { ...WATCHING, isFresh: () => !fails, renew: () => Promise.reject(new Error('no database')) };
  const recorder = new Recorder(keptBut([], kept), watching, () => undefined);
  recorder.record(settledCall(2));
  await recorder.drained();
  fails = false;
  recorder.record(settledCall(3));
  await recorder.drained();
  expect([recorder.dropped, kept]).toEqual([1, [3]]);
});

test('zero bytes in the texts of a call are written out', async () => {
  let written = '';
  const recorder = new Recorder(
    ({ blocks }) => {
      written = Buffer.concat(blocks).toString('latin1');
      return Promise.resolve();
    },
    WATCHING,
    () => undefined,
  );
  recorder.record(settledCall(1, 'a\0b'));
  await recorder.drained();
  expect(written).toContain('a\\0b');
});

test('calls that can not be written down are counted, and the next are kept', async () => {
  const kept: number[] = [];
  const errors: unknown[] = [];
  const recorder = new Recorder(keptBut([], kept), WATCHING, (error) => errors.push(error));
  const odd = 7 as unknown as string;
  recorder.record(settledCall(140, odd));
  await new Promise(setImmediate);
  recorder.record(settledCall(2));
  await recorder.drained();
  recorder.record(settledCall(3, odd));
  await recorder.drained();
  recorder.record(settledCall(4));
  await recorder.drained();
  expect(kept).toEqual([2, 4]);
  expect([recorder.dropped, errors.length]).toEqual([2, 2]);
});

test('a call of another version, which comes while the versions of others are looked up, is keyed as well', async () => {
  const kept: LogBatch[] = [];
  const renewed = new Set<number>();
  const recorder: Recorder = new Recorder(
    (encoded) => {
      kept.push(encoded);
      return Promise.resolve();
    },
    {
      get: (versionId) =>
        renewed.has(versionId)
          ? {
              versionId,
              timeZone: 'UTC',
              keys: [{ name: 'x', family: null }],
              eventTime: null,
              featuresWatched: true,
              binSet: null,
            }
          : undefined,
      isFresh: (versionId) => renewed.has(versionId),
      renew: (versionIds) => {
        if (renewed.size === 0) recorder.record(settledCall(1, 'later', 2));
        for (const versionId of versionIds) renewed.add(versionId);
        return Promise.resolve();
      },
    },
    () => undefined,
  );
  recorder.record(settledCall(1, 'first'));
  await recorder.drained();
  expect([...renewed]).toEqual([1, 2]);
  expect(kept.flatMap(({ features }) => features.map(({ versionId }) => versionId))).toEqual([1, 2]);
});
