import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Call } from '../../../src/online/requests/call.ts';
import { LogBudget } from '../../../src/online/call-log/log-budget.ts';
import { WireError } from '../../../src/online/protocol/wire-error.ts';

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

function callOf(rows: number, deadlineMs = 5000): Call {
  const values = Array.from({ length: rows }, (_, x) => ({ x }));
  const request = {
    versionId: 1,
    role: 'alice',
    log: true,
    inputs: true,
    id: null,
    reply: 'rows' as const,
    alone: false,
    about: {},
  };
  return new Call({ ...request, deadlineMs, rows: values });
}

/** A room with so many rows of which none is kept. */
function roomWith(rows: number): LogBudget {
  const budget = new LogBudget({ mostRows: 100, reservedRows: 10, standstillMs: 1000 });
  budget.take(rows, true);
  return budget;
}

/** What calls that wait are told. */
function waiting(budget: LogBudget) {
  const told: [number, boolean][] = [];
  const wait = (call: Call): void =>
    void budget.caughtUp(call).then((caughtUp) => told.push([call.rows.length, caughtUp]));
  return { told, wait };
}

describe('a log that is behind', () => {
  test('holds up large calls and no small ones', () => {
    const calls = [callOf(1), callOf(64), callOf(65)];
    expect(calls.map((call) => roomWith(99).holdsUp(call))).toEqual([false, false, false]);
    expect(calls.map((call) => roomWith(100).holdsUp(call))).toEqual([false, false, true]);
  });

  test('lets them in once it has caught up', async () => {
    const budget = roomWith(150);
    const { told, wait } = waiting(budget);
    wait(callOf(70));
    wait(callOf(80));
    budget.written(50);
    await jest.advanceTimersByTimeAsync(0);
    expect(told).toEqual([]);
    budget.written(1);
    await jest.advanceTimersByTimeAsync(0);
    expect(told).toEqual([
      [70, true],
      [80, true],
    ]);
  });

  test('is waited for as long as rows are kept, but for half of the time of a call at most', async () => {
    const budget = roomWith(1000);
    const { told, wait } = waiting(budget);
    wait(callOf(70, 60_000));
    wait(callOf(80, 4000));
    for (let seconds = 0; seconds < 20; seconds += 1) {
      await jest.advanceTimersByTimeAsync(900);
      budget.written(1);
    }
    expect(told).toEqual([[80, false]]);
    expect(budget.holdsUp(callOf(70))).toBe(true);
  });

  test('does not hold the place of a call that was given up', async () => {
    const budget = roomWith(100);
    const { told, wait } = waiting(budget);
    const call = callOf(70);
    wait(call);
    call.fail(new WireError('57014', 'canceled'));
    await jest.advanceTimersByTimeAsync(0);
    expect(told).toEqual([[70, false]]);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('is not waited for where none is kept, until one is', async () => {
    const budget = roomWith(150);
    const { told, wait } = waiting(budget);
    wait(callOf(70));
    await jest.advanceTimersByTimeAsync(999);
    expect(told).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect([told, budget.holdsUp(callOf(70))]).toEqual([[[70, false]], false]);
    budget.written(1);
    expect(budget.holdsUp(callOf(70))).toBe(true);
  });

  test('is not waited for where the database takes no rows', async () => {
    const budget = roomWith(150);
    const { told, wait } = waiting(budget);
    wait(callOf(70));
    budget.lost(10);
    await jest.advanceTimersByTimeAsync(0);
    expect([told, budget.holdsUp(callOf(70))]).toEqual([[[70, false]], false]);
  });

  test('is not waited for at its end', async () => {
    const budget = roomWith(150);
    const { told, wait } = waiting(budget);
    wait(callOf(70));
    budget.end();
    budget.written(1);
    await jest.advanceTimersByTimeAsync(0);
    expect([told, budget.holdsUp(callOf(70)), jest.getTimerCount()]).toEqual([[[70, false]], false, 0]);
  });
});

test('what was scored while the log was not behind always has room, and other rows have a little beyond', () => {
  const budget = roomWith(100);
  expect([budget.take(10, false), budget.take(1, false), budget.take(50, true), budget.take(1, false)]).toEqual([
    true,
    false,
    true,
    false,
  ]);
  budget.written(60);
  expect([budget.isBehind, budget.take(10, false)]).toEqual([true, true]);
});
