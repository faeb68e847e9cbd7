import { describe, expect, test } from '@jest/globals';

import { LogBudget } from '../../../src/online/call-log/log-budget.ts';
import { COMPUTED, errorOf, range, scores, stage } from './handler-stage.ts';

const LARGE = range(0, 65);

/** A handler whose log is behind by a row. */
async function behind(limits: { standstillMs?: number } = {}) {
  const budget = new LogBudget({ mostRows: 100, reservedRows: 10, ...limits });
  budget.take(101, true);
  const set = stage({ budget, batchRows: 100, model: { runs: [], session: COMPUTED } });
  await scores(set.score([0]));
  return { ...set, budget };
}

describe('calls that are logged', () => {
  test('are scored at once, with room in the log, while it is not behind', async () => {
    const { score, settled, budget } = await behind();
    budget.written(2);
    expect(await scores(score(LARGE, { log: true }))).toEqual(LARGE);
    expect(settled.at(-1)).toMatchObject({ hasRoom: true });
  });

  test('wait for a log that is behind before they are scored, and neither small ones do nor those that are not logged', async () => {
    const { score, settled, budget } = await behind();
    const late = score(LARGE, { log: true });
    expect(await scores(score([1], { log: true }))).toEqual([1]);
    expect(settled.at(-1)).toMatchObject({ hasRoom: false });
    expect(await scores(score(LARGE))).toEqual(LARGE);
    expect(late.outcome).toBeUndefined();
    budget.written(2);
    expect(await scores(late)).toEqual(LARGE);
    expect(settled.at(-1)).toMatchObject({ hasRoom: true });
  });

  test('are told at once what is wrong with their rows', async () => {
    const { handler } = await behind();
    const request = { versionId: 1, role: 'alice', deadlineMs: 5000, inputs: true, id: null, alone: false, about: {} };
    const call = handler.score({ ...request, log: true, reply: 'columns', rows: LARGE.map((y) => ({ y })) });
    expect(await errorOf(call)).toMatchObject({ sqlstate: '42703' });
  });

  test('are answered in time without room where it does not catch up', async () => {
    const { score, settled } = await behind({ standstillMs: 60_000 });
    expect(await scores(score(LARGE, { log: true, deadlineMs: 4000 }))).toEqual(LARGE);
    expect(settled.at(-1)).toMatchObject({ hasRoom: false });
  });

  test('are scored without room where the log stands still', async () => {
    const { score, settled } = await behind({ standstillMs: 20 });
    expect(await scores(score(LARGE, { log: true }))).toEqual(LARGE);
    expect(await scores(score(LARGE, { log: true }))).toEqual(LARGE);
    expect(settled.slice(1).map(({ hasRoom }) => hasRoom)).toEqual([false, false]);
  });
});
