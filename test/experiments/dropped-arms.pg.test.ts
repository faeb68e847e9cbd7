import { expect, test } from '@jest/globals';

import { seeded } from '../monitor/intervals/draws.ts';
import { ids, say, stagedExperiments } from './staged-experiments.ts';

const { ada, staged } = await stagedExperiments();

test.each([
  ['arm', null, 'lost@2'],
  ['champion', 'won@2', 'won@1'],
])('the results of an experiment whose %s was dropped go on as labels change', async (_dropped, promoted, version) => {
  const [name = ''] = version.split('@');
  const versions = await staged.stage(name, 50);
  const random = seeded(4);
  const arms = await staged.inArm(name, 800);
  const said = say(ids(1, 800), 0.8, random);
  for (const ago of [4, 3, 2]) {
    const here = said.filter((_, n) => n % 3 === ago - 2);
    await staged.score(
      versions.arm,
      ago,
      here.filter(({ id }) => arms.has(id)),
    );
    await staged.score(
      versions.champion,
      ago,
      here.filter(({ id }) => !arms.has(id)),
    );
    await staged.label(name, ago, here);
  }
  const before = await staged.results(name);
  await ada.query('select pgscore.stop_experiment($1, promote => $2)', [name, promoted]);
  await ada.query('select pgscore.drop_version($1)', [version]);
  for (const one of said.slice(0, 3)) {
    await staged.label(name, (said.indexOf(one) % 3) + 2, [{ ...one, truth: !one.truth }]);
    const after = await staged.results(name);
    for (const row of ['1 accuracy', '2 accuracy'])
      expect(after[row]).toMatchObject({ n: before[row]?.['n'], age: 2, entities: before[row]?.['entities'] });
    expect(after['2 accuracy']?.['verdict']).toBe('no_difference');
  }
});
