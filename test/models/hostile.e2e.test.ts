import { describe, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes, deployModel, submitDeploy } from '../support/deploy.ts';
import { hostileBytes, hostileModels } from '../support/golden-models.ts';
import { DataType, int32, node, onnxModel, tensorValue } from '../support/onnx-builder.ts';
import { oneIn } from '../support/night.ts';
import { childrenOf } from '../support/processes.ts';
import { refusal } from '../support/refusal.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';

/** Milliseconds from a deploy to its verdict, for any file of the corpus: the limit on the check is set to 5 s of work. */
const BOUND = 20_000;

const database = await cloneDatabase();
const service = await startTestService(database, { PGSCORE_CHECK_TIMEOUT: '5' });
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

/** pgscore reads a list with commas as well as JSON. */
const READABLE = new Set(['names_not_json.onnx']);
const nameOf = (file: string): string => file.replace('.onnx', '');
const usable = ({ file, outcome }: (typeof hostileModels)[number]): boolean =>
  outcome === 'usable' || READABLE.has(file);

/** Those that might hang a process or end it, and some: test/check/hostile has all of them without a process. */
const DEADLY = /bomb|nesting|huge|endless|overflowing|tree_feature/;
const some = new Set(oneIn(8, hostileModels));
const asked = hostileModels.filter((model) => DEADLY.test(model.file) || some.has(model));

type Verdict = { state: string; reason_code: string | null; reason: string | null; remedy: string | null };

/** What the check said of a deployed file, in bounded time. */
async function verdictOn(file: string, options: Record<string, unknown> = {}): Promise<Verdict> {
  const began = performance.now();
  const version = await submitDeploy(ada, nameOf(file), hostileBytes(file), options);
  const verdict = await waitFor(
    async () => {
      const { rows } = await alice.query<Verdict>(
        `select state, reason_code, reason, remedy from pgscore.models where model || '@' || version = $1`,
        [version],
      );
      return rows.find(({ state }) => state !== 'checking');
    },
    { timeout: BOUND, message: `a verdict on ${file}` },
  );
  expect(performance.now() - began).toBeLessThan(BOUND);
  return verdict;
}

describe('a model with one thing wrong', () => {
  const refused = asked.filter((model) => !usable(model) && model.file !== 'empty.onnx');
  test.each(refused.map(({ file, wrong }) => [file, wrong]))('is rejected with a reason: %s, %s', async (file) => {
    const verdict = await verdictOn(file);
    expect(verdict).toMatchObject({
      state: 'rejected',
      reason_code: expect.stringMatching(/^model_/),
      reason: expect.stringMatching(/.{10}/),
      remedy: expect.stringMatching(/.{10}/),
    });
  });

  test('is refused at once where there are no bytes at all', async () => {
    const refusedDeploy = await refusal(ada, `select pgscore.deploy('empty', '')`);
    expect(refusedDeploy).toMatchObject({ code: '22023', message: 'the model file for "empty" is empty' });
  });

  const withOptions = hostileModels.filter(({ outcome }) => outcome === 'refused_without_options');
  test.each(withOptions.map((model) => [model.file, model] as const))(
    'is ready once it is said: %s',
    async (file, model) => {
      expect(await verdictOn(file, model.options)).toMatchObject({ state: 'ready', reason: null });
    },
  );

  test.each(asked.filter(usable).map(({ file }) => [file]))(
    'is ready though it looks strange: %s',
    async (file) => {
      expect(await verdictOn(file)).toMatchObject({ state: 'ready', reason: null });
    },
  );
});

describe('a model that divides whole numbers', () => {
  const row = (x: number): string => `select pgscore.score('divides', jsonb_build_object('x', ${x})) as score`;

  test('is refused the row where it divides by zero', async () => {
    await deployBytes(ada, 'divides', leastDividedBy(78), { features: ['x'], native: false });
    expect(await refusal(alice, row(78))).toMatchObject({
      code: '22000',
      message: expect.stringContaining('Integer division by zero'),
    });
  });

  test('fails the call where the result is too large, which ends its process, and the next are answered', async () => {
    expect(await refusal(alice, row(77))).toMatchObject({ code: 'XX000', message: expect.stringContaining('SIGFPE') });
    const next = await waitFor(() => alice.query(row(79)).catch(() => undefined), { message: 'another process' });
    expect(next.rows).toEqual([{ score: -(2 ** 31) }]);
  });

  test('fails a run over that row, and the next is done', async () => {
    await alice.query('create table ordinary as select id, id::real as x from generate_series(70, 76) id');
    await alice.query('create table too_large as select id, id::real as x from generate_series(70, 80) id');
    expect(await scoreTable(alice, 'divides', 'too_large', { key: 'id' })).toMatchObject({
      state: 'failed',
      error_code: 'scorer_lost',
    });
    const next = await scoreTable(alice, 'divides', 'ordinary', { key: 'id' });
    expect(next).toMatchObject({ state: 'done', rows_done: '7', rows_failed: '0' });
  });
});

/** The least int32 divided by what a column is above a number. */
function leastDividedBy(number: number): Uint8Array {
  return onnxModel({
    nodes: [
      node('Cast', ['X'], ['whole'], { to: DataType.INT32 }),
      node('Sub', ['whole', 'number'], ['above']),
      node('Div', ['least', 'above'], ['part']),
      node('Cast', ['part'], ['y'], { to: DataType.FLOAT }),
    ],
    inputs: [tensorValue('X', [null, 1])],
    tensors: [int32('number', number), int32('least', -(2 ** 31))],
  });
}

describe('afterwards the service', () => {
  test('has no child left but its scorers and its gateway', async () => {
    await waitFor(async () => (await childrenOf(service.pid)).length === (await service.stayingPids()).length, {
      message: 'probes to be gone',
    });
    expect(new Set(await childrenOf(service.pid))).toEqual(new Set(await service.stayingPids()));
  });

  test('is healthy and scores', async () => {
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
    await deployModel(ada, 'iris', 'test/models/iris_multiclass.onnx');
    await alice.query(
      'create table iris as select 1 as id, 5.1::real as sepal_length, 3.5::real as sepal_width, 1.4::real as petal_length, 0.2::real as petal_width',
    );
    expect(await scoreTable(alice, 'iris', 'iris', { key: 'id' })).toMatchObject({ state: 'done', rows_failed: '0' });
    expect((await alice.query('select label from iris_scores')).rows).toEqual([{ label: 'setosa' }]);
  });

  test('stops as it should', async () => {
    expect(await service.stop()).toBe(0);
  });
});
