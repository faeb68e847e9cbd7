import { expect, test } from '@jest/globals';

import { ModelCache } from '../../src/inference/cache.ts';
import type { ModelSession } from '../../src/inference/session.ts';
import type { LoadedVersion } from '../../src/models/load-version.ts';
import type { Runner } from '../../src/online/runner.ts';
import { Runners } from '../../src/online/runners.ts';
import { withModelFile } from '../support/model-file.ts';
import { SLOW_SIGNATURE, SLOW_X, slowModel } from '../support/slow-model.ts';

const VERSION = 1;
const cache = new ModelCache(1024 ** 3);
const runners = new Runners(cache, () => undefined);

function withModel<T>(work: (version: LoadedVersion) => Promise<T>): Promise<T> {
  return withModelFile(slowModel(5000), (model) => work({ ...model, signature: SLOW_SIGNATURE }));
}

async function load(version: LoadedVersion): Promise<{ runner: Runner; session: ModelSession }> {
  const { session } = await runners.load(VERSION, version);
  const runner = runners.of(VERSION);
  if (session === undefined || runner === undefined) throw new Error('no runner has the version');
  return { runner, session };
}

/** A run that takes so long that its runner is detached. */
async function longRun({ runner, session }: Awaited<ReturnType<typeof load>>): Promise<Promise<unknown>[]> {
  const begin = (): Promise<unknown> => session.predictRows([{ x: SLOW_X }]);
  const turn = await runners.inTurn(runner, { versionId: VERSION, begin, waits: () => true, mayDetach: true });
  expect(turn?.goesOn).toBe(true);
  expect([runners.of(VERSION), cache.known(VERSION)]).toEqual([undefined, undefined]);
  return turn === undefined ? [] : [turn.result];
}

function isServing(runner: Runner): Promise<boolean> {
  const nothing = { versionId: VERSION, begin: () => Promise.resolve(), waits: () => true, mayDetach: false };
  return runners.inTurn(runner, nothing).then((turn) => turn !== undefined);
}

test('a runner that is detached serves its version again after the run', async () => {
  const first = await withModel(load);
  expect(first.runner.kind).toBe('small');
  await Promise.all(await longRun(first));
  await first.runner.turn.run(() => Promise.resolve());
  expect([runners.of(VERSION), cache.known(VERSION), first.runner.kind]).toEqual([first.runner, first.session, 'slow']);
});

test('a runner whose version was loaded elsewhere meanwhile is killed, and asked for nothing from then on', async () => {
  const first = { runner: runners.of(VERSION)!, session: cache.known(VERSION)! };
  const results = await longRun(first);
  const second = await withModel(load);
  await Promise.all(results);
  expect(await isServing(first.runner)).toBe(false);
  await first.runner.ended;
  expect([runners.of(VERSION), cache.known(VERSION)]).toEqual([second.runner, second.session]);
  expect(await isServing(second.runner)).toBe(true);
  second.runner.kill('the test is over');
  await second.runner.ended;
});
