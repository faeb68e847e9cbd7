import { describe, expect, test } from '@jest/globals';
import { readNumbers } from '../../src/online/requests/request-rows.ts';
import type { WireError } from '../../src/online/protocol/wire-error.ts';
import { arraySend, numbersText } from './array-send.ts';
import { COMPUTED, errorOf, range, scores, slowModel, stage } from './requests/handler-stage.ts';

describe('calls of one version', () => {
  test('are settled before anything else is done, where the model is computed here', async () => {
    const { score, batches } = stage({ model: { runs: [], session: COMPUTED } });
    const first = score([1]);
    expect(first.outcome).toBeUndefined();
    expect(await scores(first)).toEqual([1]);
    const next = score([2, 3]);
    expect(next.outcome).toBeDefined();
    expect(await scores(next)).toEqual([2, 3]);
    expect(batches).toEqual([1, 2]);
  });

  test('of which many have a thousand rows do not hold up one of a row, where the model is computed here', async () => {
    const { score, batches } = stage({ batchRows: 1024, model: { runs: [], session: COMPUTED } });
    await scores(score([0]));
    const big = range(0, 8).map((caller) => score(range(1000 * caller, 1000 * (caller + 1))));
    expect(await scores(score([7]))).toEqual([7]);
    expect(batches).toEqual([1, expect.any(Number)]);
    expect(batches[1]).toBeLessThanOrEqual(1024);
    expect((await Promise.all(big.map(scores))).flat()).toEqual(range(0, 8000));
  });

  test('run at once where nothing runs, and together after a run', async () => {
    const { run, score, batches } = stage();
    const first = score([1]);
    const one = await run(0);
    const others = [score([2, 3]), score([4])];
    await new Promise(setImmediate);
    one.finish();
    const two = await run(1);
    two.finish();
    expect(await scores(first)).toEqual([1]);
    expect(await Promise.all(others.map(scores))).toEqual([[2, 3], [4]]);
    expect(batches).toEqual([1, 3]);
  });

  test('of different roles run apart, and those that only say so apart from all, unless the model is row-wise', async () => {
    const { run, runs, score } = stage();
    const asked = [score([1]), score([2], { role: 'bob' }), score([3]), score([4], { alone: true }), score([5])];
    for (const at of [0, 1, 2]) (await run(at)).finish();
    expect((await Promise.all(asked.map(scores))).flat()).toEqual([1, 2, 3, 4, 5]);
    expect(runs.map(({ rows }) => rows.toSorted((a, b) => a - b))).toEqual(
      expect.arrayContaining([[1, 3, 5], [2], [4]]),
    );
    const rowWise = stage({ model: slowModel(true) });
    const together = [1, 2, 3].map((x) => rowWise.score([x], { role: `role ${x}`, alone: x === 3 }));
    (await rowWise.run(0)).finish();
    expect((await Promise.all(together.map(scores))).flat()).toEqual([1, 2, 3]);
    expect(rowWise.batches).toEqual([3]);
  });

  test('of which one has thousands of rows take turns', async () => {
    const { run, runs, score } = stage();
    const big = score(range(0, 3000));
    await run(0);
    const small = [score([-0.5 + 1]), score([7])];
    await new Promise(setImmediate);
    runs[0]!.finish();
    (await run(1)).finish();
    expect(await Promise.all(small.map(scores))).toEqual([[0.5], [7]]);
    expect(big.outcome).toBeUndefined();
    for (let at = 2; big.outcome === undefined; at += 1) {
      (await run(at)).finish();
      await new Promise(setImmediate);
      await new Promise(setImmediate);
    }
    expect(await scores(big)).toEqual(range(0, 3000));
  });

  test('fail alone: a bad row fails its call, with its number, and no other', async () => {
    const { run, score } = stage();
    const calls = [score([1]), score([2, -3, 4]), score([5])];
    (await run(0)).finish();
    expect(await scores(calls[0]!)).toEqual([1]);
    expect(await errorOf(calls[1]!)).toMatchObject({ sqlstate: '22000', message: 'x < 0', detail: 'Row 2 of 3.' });
    expect(await scores(calls[2]!)).toEqual([5]);
  });

  test('are not run past their deadline', async () => {
    const { run, runs, score, batches } = stage();
    const first = score([1]);
    await run(0);
    const late = score([2], { deadlineMs: 1 });
    expect(await errorOf(late)).toMatchObject({
      sqlstate: '57014',
      message: expect.stringContaining('deadline of 1 ms'),
    });
    const patient = score([3]);
    await new Promise(setImmediate);
    runs[0]!.finish();
    (await run(1)).finish();
    expect(await scores(patient)).toEqual([3]);
    expect(await scores(first)).toEqual([1]);
    expect(batches).toEqual([1, 1]);
  });

  test('that were given up leave the queue at once, in whatever run they are', async () => {
    const { run, runs, score, handler } = stage({ batchRows: 2 });
    const [running, waiting] = [score(range(0, 5)), score([9])];
    await run(0);
    for (const call of [running, waiting]) call.fail(new Error('gone') as WireError);
    expect([handler.calls, handler.rows]).toEqual([0, 0]);
    runs[0]!.finish();
    const next = score([1]);
    const { rows, finish } = await run(1);
    expect(rows).toEqual([1]);
    finish();
    expect(await scores(next)).toEqual([1]);
  });
});

describe('a call', () => {
  test('of a role that may not is refused before anything is loaded or run', async () => {
    const { score, runs } = stage({ permit: () => Promise.resolve(false) });
    expect(await errorOf(score([1]))).toMatchObject({ sqlstate: '42501', message: expect.stringContaining('"alice"') });
    expect(runs).toEqual([]);
  });

  test('whose permission can not be had in time ends at its deadline', async () => {
    const { score } = stage({ permit: () => new Promise(() => undefined) });
    expect(await errorOf(score([1], { deadlineMs: 5 }))).toMatchObject({ sqlstate: '57014' });
  });

  test('without a feature is told which, and that NULL is another thing', async () => {
    const { handler } = stage();
    const request = {
      versionId: 1,
      role: 'alice',
      deadlineMs: 5000,
      log: false,
      inputs: false,
      id: null,
      alone: false,
      about: {},
    };
    const missing = handler.score({ ...request, reply: 'rows', rows: [{ x: 1 }, { y: 1 }] });
    expect(await errorOf(missing)).toMatchObject({
      sqlstate: '42703',
      message: expect.stringContaining('"x"'),
      detail: 'Row 2 of 2.',
    });
  });

  test('with rows of more numbers than the model has features is refused, and told what to do', async () => {
    const { handler } = stage();
    const { rows } = readNumbers(numbersText(arraySend([[1, 2]])));
    const request = {
      versionId: 1,
      role: 'alice',
      deadlineMs: 5000,
      log: false,
      inputs: false,
      id: null,
      alone: false,
      about: {},
    };
    expect(await errorOf(handler.score({ ...request, reply: 'columns', rows }))).toMatchObject({
      sqlstate: '22023',
      message: expect.stringContaining('rows of 2 numbers'),
      hint: expect.stringContaining('pgscore migrate'),
    });
  });

  test.each([{ a: 1 }, [[1]], [{ a: 1 }]])('with the nested value %j is refused', async (x) => {
    const { handler } = stage();
    const nested = handler.score({
      versionId: 1,
      role: 'alice',
      deadlineMs: 5000,
      log: false,
      inputs: false,
      id: null,
      alone: false,
      reply: 'rows',
      rows: [{ x }],
      about: {},
    });
    expect(await errorOf(nested)).toMatchObject({ sqlstate: '42804', message: expect.stringContaining('x') });
  });
});
