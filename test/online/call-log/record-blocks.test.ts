import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { KeyColumn } from '../../../src/online/call-log/logged-call.ts';
import type { LogBatch } from '../../../src/online/call-log/encode.ts';
import { Recorder } from '../../../src/online/call-log/recorder.ts';
import {
  blocksIn,
  keptBut,
  rowsIn,
  settledAt,
  settledCall,
  settledNumbers,
  settledPlain,
  WATCHING,
} from './recorded.ts';

/** Calls are taken for asked at once where they are. */
beforeEach(() => {
  jest.useFakeTimers({
    now: 0,
    doNotFake: ['nextTick', 'performance', 'setImmediate', 'setTimeout', 'clearTimeout', 'clearImmediate'],
  });
});
afterEach(() => {
  jest.useRealTimers();
});

test('each call is written as a block, of which the rows say what they are about', async () => {
  const kept: LogBatch[] = [];
  const keys: KeyColumn[] = [{ name: 'x', family: 'bigint' }];
  const recorder = new Recorder(
    (encoded) => {
      kept.push(encoded);
      return Promise.resolve();
    },
    {
      ...WATCHING,
      get: (versionId) => ({ versionId, timeZone: 'UTC', keys, eventTime: null, featuresWatched: false, binSet: null }),
    },
    () => undefined,
  );
  recorder.record(settledNumbers(1000));
  recorder.record(settledNumbers(201));
  recorder.record(settledNumbers(3, 'keyless', [null, null, null]));
  recorder.record(settledNumbers(3, 'keyed', [null, 7, null]));
  recorder.record(settledCall(1000));
  await recorder.drained();
  expect(kept.map((encoded) => [sumOf(blocksIn(encoded)), rowsIn(encoded), encoded.calls.length])).toEqual([
    [5, 2207, 5],
  ]);
  expect(kept.map(({ blocks }) => keysIn(Buffer.concat(blocks)))).toEqual([[[null, '7', null]]]);
});

test('rows count, with their features, for the times that they say, in whichever way calls are kept', async () => {
  const kept: LogBatch[] = [];
  const version = { timeZone: 'UTC', keys: [], eventTime: 'at', featuresWatched: true, binSet: null };
  const recorder = new Recorder(
    (encoded) => {
      kept.push(encoded);
      return Promise.resolve();
    },
    { ...WATCHING, get: (versionId) => ({ versionId, ...version }) },
    () => undefined,
  );
  const asked = Date.UTC(1970, 0, 1) * 1000 - Date.UTC(2000, 0, 1) * 1000;
  recorder.record(settledAt(['2000-01-01T00:00:07Z'], 'alike'));
  recorder.record(settledAt([null, '2000-01-01T00:00:08Z'], 'alike'));
  recorder.record(settledAt(['2000-01-01T00:00:09Z', 'soon'], 'block'));
  recorder.record(settledNumbers(2, 'timeless'));
  recorder.record(settledAt(['2000-01-02'], 'single'));
  recorder.record(settledCall(1));
  await recorder.drained();
  const [encoded] = kept;
  expect(encoded?.calls.map(({ eventTimes }) => eventTimes && [...eventTimes])).toEqual([
    [7e6, Number.NaN, 8e6],
    [9e6, Number.NaN],
    null,
    null,
    [864e8],
  ]);
  expect(encoded?.features.flatMap(({ times }) => times).toSorted((a, b) => a - b)).toEqual(
    [asked, asked, asked, asked, asked, 7e6, 8e6, 9e6, 864e8].toSorted((a, b) => a - b),
  );
  const head = Buffer.from([0, 0, 4, 0xa0]);
  expect(
    Buffer.concat(encoded?.blocks ?? [])
      .toString('latin1')
      .split(head.toString('latin1')),
  ).toHaveLength(4);
  const day = Buffer.alloc(12);
  day.writeInt32BE(8);
  day.writeBigInt64BE(86_400_000_000n, 4);
  expect(Buffer.concat(encoded?.blocks ?? []).includes(day)).toBe(true);
});

const sumOf = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

/** Of blocks whose rows say what they are about, three of one column. */
function keysIn(blocks: Buffer): (string | null)[][] {
  const head = Buffer.from([0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 25, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]);
  const found: (string | null)[][] = [];
  for (let at = blocks.indexOf(head); at >= 0; at = blocks.indexOf(head, at + 1)) {
    const keys: (string | null)[] = [];
    for (let from = at + head.length; keys.length < 3;) {
      const length = blocks.readInt32BE(from);
      keys.push(length < 0 ? null : blocks.toString('utf8', from + 4, from + 4 + length));
      from += 4 + Math.max(0, length);
    }
    found.push(keys);
  }
  return found;
}

test('a block that the database refuses is dropped alone, whatever it was written with', async () => {
  const kept: number[] = [];
  const blocks: number[] = [];
  const keep = keptBut(['bad'], kept);
  const recorder = new Recorder(
    async (encoded) => {
      await keep(encoded);
      blocks.push(sumOf(blocksIn(encoded)));
    },
    WATCHING,
    () => undefined,
  );
  for (let n = 0; n < 20; n += 1) {
    recorder.record(settledNumbers(100, n === 7 ? 'bad' : 'good'));
    recorder.record(settledCall(3));
  }
  await recorder.drained();
  expect([sumOf(blocks), sumOf(kept), recorder.dropped]).toEqual([39, 1960, 1]);
});

test('calls of plain rows that are alike but for their time are written as one, up to a thousand predictions a block', async () => {
  const kept: LogBatch[] = [];
  const recorder = new Recorder(
    (encoded) => {
      kept.push(encoded);
      return Promise.resolve();
    },
    WATCHING,
    () => undefined,
  );
  for (let n = 0; n < 50; n += 1) recorder.record(settledPlain(1));
  recorder.record(settledPlain(1, 'alone'));
  for (let n = 0; n < 3; n += 1) recorder.record(settledPlain(2, 'r', false));
  for (let n = 0; n < 20; n += 1) recorder.record(settledPlain(60, 'long'));
  await recorder.drained();
  expect(kept.map((encoded) => [sumOf(blocksIn(encoded)), rowsIn(encoded)])).toEqual([[1 + 1 + 1 + 2, 1257]]);
  const counted = kept
    .flatMap(({ calls }) => calls)
    .map(({ answered, joined }) => [answered?.parts[0]?.rows, joined?.calls]);
  expect(counted).toEqual([
    [50, 50],
    [1, undefined],
    [6, 3],
    [960, 16],
    [240, 4],
  ]);
});

test('of calls that were written as one and are refused, each counts as dropped', async () => {
  const recorder = new Recorder(keptBut(['bad'], []), WATCHING, () => undefined);
  for (let n = 0; n < 20; n += 1) recorder.record(settledPlain(1, n % 4 === 0 ? 'bad' : 'good'));
  await recorder.drained();
  expect(recorder.dropped).toBe(5);
});
