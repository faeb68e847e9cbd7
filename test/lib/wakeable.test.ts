import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';

import { createLogger } from '../../src/log.ts';
import { Wakeable } from '../../src/lib/wakeable.ts';

const log = createLogger('silent', false);
const HOUR_MS = 3_600_000;

function started(work: () => Promise<void>): Wakeable {
  const loop = new Wakeable('looking', 1000, work, log);
  loop.start();
  return loop;
}

beforeEach(() => {
  jest.useFakeTimers({ now: new Date('2025-06-01T12:00:00.500Z') });
});

afterEach(() => {
  jest.useRealTimers();
});

test('works at the start and again after each rest', async () => {
  const work = jest.fn(() => Promise.resolve());
  const loop = started(work);
  await jest.advanceTimersByTimeAsync(10_000);
  expect(work.mock.calls.length).toBeGreaterThanOrEqual(10);
  expect(work.mock.calls.length).toBeLessThanOrEqual(12);
  await loop.stop();
});

test('does not overlap itself, and goes on when the work is done', async () => {
  let under = 0;
  let most = 0;
  let calls = 0;
  const loop = started(async () => {
    under += 1;
    calls += 1;
    most = Math.max(most, under);
    await new Promise((resolve) => {
      setTimeout(resolve, 3500);
    });
    under -= 1;
  });
  await jest.advanceTimersByTimeAsync(20_000);
  expect(most).toBe(1);
  expect(calls).toBeGreaterThanOrEqual(4);
  const stopped = loop.stop();
  await jest.advanceTimersByTimeAsync(4000);
  await stopped;
});

test('an error does not end it', async () => {
  const work = jest.fn(() => Promise.reject<void>(new Error('no database')));
  const loop = started(work);
  await jest.advanceTimersByTimeAsync(5000);
  expect(work.mock.calls.length).toBeGreaterThanOrEqual(4);
  await loop.stop();
});

test('what wakes it during its work has it work once more', async () => {
  const finish: (() => void)[] = [];
  const work = jest.fn(() => new Promise<void>((resolve) => finish.push(resolve)));
  const loop = started(work);
  loop.wake();
  loop.wake();
  expect(work).toHaveBeenCalledTimes(1);
  finish.at(-1)?.();
  await jest.advanceTimersByTimeAsync(0);
  expect(work).toHaveBeenCalledTimes(2);
  finish.at(-1)?.();
  await loop.stop();
});

test('stop waits for the work under way, and nothing comes after it', async () => {
  const finish: (() => void)[] = [];
  const work = jest.fn(
    () =>
      new Promise<void>((resolve) => {
        finish.push(resolve);
      }),
  );
  const loop = started(work);
  await jest.advanceTimersByTimeAsync(2000);
  let stopped = false;
  const stopping = loop.stop().then(() => {
    stopped = true;
  });
  await jest.advanceTimersByTimeAsync(5000);
  expect(stopped).toBe(false);
  finish.at(-1)?.();
  await stopping;
  await jest.advanceTimersByTimeAsync(10_000);
  expect(work).toHaveBeenCalledTimes(1);
});

test.each([
  ['back', -HOUR_MS],
  ['forward', HOUR_MS],
])('a host clock set %s by an hour holds it up for seconds only', async (_, jump) => {
  const work = jest.fn(() => Promise.resolve());
  const loop = started(work);
  await jest.advanceTimersByTimeAsync(5000);
  jest.setSystemTime(Date.now() + jump);
  work.mockClear();
  await jest.advanceTimersByTimeAsync(20_000);
  expect(work.mock.calls.length).toBeGreaterThanOrEqual(9);
  await loop.stop();
});
