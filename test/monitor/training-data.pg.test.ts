import { beforeAll, expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { seeded } from './intervals/draws.ts';
import { addMonitoredModel, addRun, addVersion, type MonitoredModel } from './monitored-model.ts';

const database = await cloneDatabase();
const [superuser, ada] = await Promise.all([database.client(), database.client('ada')]);

/** Within a day and a month. */
const TRAINED_UNTIL = '2026-04-15 12:00+00';
const DAY = 86_400_000;
const FIRST = Date.parse('2026-01-01T00:00Z');

type Truth = { id: number; at: string; truth: boolean; isSeen: boolean };
type Said = Truth & { score: number; label: string };

/** One every two hours, from January to June. */
const ROWS: readonly Truth[] = Array.from({ length: 181 * 12 }, (_, id) => {
  const at = new Date(FIRST + (id * DAY) / 12);
  return { id, at: at.toISOString(), truth: id % 3 === 0, isSeen: at < new Date(TRAINED_UNTIL) };
});

/** What a version says that is right so often of what it was trained on, and of the rest. */
function say(inTraining: number, after: number, seed: number): Said[] {
  const random = seeded(seed);
  return ROWS.map((row) => {
    const isRight = random() < (row.isSeen ? inTraining : after);
    const sure = 0.55 + 0.4 * random();
    const isYes = isRight === row.truth;
    return { ...row, score: isYes ? sure : 1 - sure, label: isYes ? 'yes' : 'no' };
  });
}

const REGRESSION = say(0.8, 0.8, 1);
const FOREST = say(1, 0.68, 2);

/** Says until when versions were trained, as a deploy does. */
async function train(versions: readonly MonitoredModel[], until: string): Promise<void> {
  await superuser.query(
    `update pgscore_data.version set options = jsonb_build_object('trained_until', $2::text) where version_id = any ($1)`,
    [versions.map(({ versionId }) => versionId), until],
  );
}

async function label(name: string): Promise<void> {
  await superuser.query(
    `select pgscore.record_label($1, id::text, case when truth then 'yes' else 'no' end, at + interval '1 hour')
       from jsonb_to_recordset($2) x (id int, at timestamptz, truth boolean)`,
    [name, JSON.stringify(ROWS)],
  );
}

/** A champion and a forest that is better in its training data only; both said the same rows, which all have labels. */
async function stage(name: string, trained: 'both' | 'champion' | 'forest' | 'none'): Promise<MonitoredModel[]> {
  const champion = await addMonitoredModel(superuser, name, 'binary');
  const forest = await addVersion(superuser, champion, 2);
  await superuser.query('select pgscore_data._set_alias($1, $2)', [champion.versionId, 'champion']);
  if (trained === 'both' || trained === 'champion') await train([champion], TRAINED_UNTIL);
  if (trained === 'both' || trained === 'forest') await train([forest], TRAINED_UNTIL);
  await addRun(superuser, champion, REGRESSION);
  await addRun(superuser, forest, FOREST);
  await label(name);
  await ada.query(`select pgscore.set_gate($1, 'not_worse', metric => 'roc_auc', margin => 0.01)`, [name]);
  await superuser.query('select pgscore.refresh()');
  return [champion, forest];
}

/** By its definition: how often a positive has the higher score, over all pairs. */
function rocAuc(said: readonly Said[]): number {
  const [yes, no] = [true, false].map((is) => said.filter(({ truth }) => truth === is).map(({ score }) => score));
  const wins = (yes ?? []).map((one) =>
    (no ?? []).reduce((n, other) => n + (one > other ? 1 : one < other ? 0 : 0.5), 0),
  );
  return wins.reduce((sum, n) => sum + n, 0) / ((yes?.length ?? 0) * (no?.length ?? 0));
}

const accuracy = (said: readonly Said[]): number =>
  said.filter(({ truth, score }) => truth === score >= 0.5).length / said.length;

async function compared(name: string, isReplayed = false): Promise<Record<string, Record<string, unknown>>> {
  const { rows } = await superuser.query<{ metric: string }>(
    `select metric, value_a, value_b, n_a::int, n_b::int, n_days::int, first_date::text, last_date::text, verdict, in_training, undefined_reason
       from pgscore_bi.version_comparison where model_name = $1 and compared_with = 'champion' and is_replayed = $2`,
    [name, isReplayed],
  );
  return Object.fromEntries(rows.map((row) => [row.metric, row]));
}

async function gate(name: string): Promise<Record<string, unknown> | undefined> {
  return (await ada.query('select passed, needs, reason from pgscore.check_gates($1)', [`${name}@2`])).rows[0];
}

async function verdict(name: string): Promise<Record<string, unknown> | undefined> {
  const text = `select verdict, better_version::int, sentence from pgscore_bi.model_verdict where model_name = $1`;
  return (await superuser.query(text, [name])).rows[0];
}

/** Has the forest replay what it said, against the champion. */
async function replay([champion, forest]: readonly MonitoredModel[]): Promise<void> {
  if (champion === undefined || forest === undefined) throw new Error('no versions');
  const run = await addRun(superuser, forest, FOREST);
  await superuser.query(
    'update pgscore_data.run set is_replay = true, publish = false, counted = true, kept = true where run_id = $1',
    [run],
  );
  await superuser.query('insert into pgscore_data.replay (run_id, other_id) values ($1, $2)', [
    run,
    champion.versionId,
  ]);
  await superuser.query('select pgscore.refresh()');
}

async function expectReplayedAsLive(name: string): Promise<void> {
  const [live, replayed] = [await compared(name), await compared(name, true)];
  for (const [metric, { value_a, value_b, ...row }] of Object.entries(live)) {
    const values = { value_a: expect.closeTo(Number(value_a), 12), value_b: expect.closeTo(Number(value_b), 12) };
    expect(replayed[metric]).toEqual({ ...row, ...values });
  }
  expect(Object.keys(live)).toHaveLength(5);
}

beforeAll(async () => {
  expect([accuracy(FOREST) > accuracy(REGRESSION), rocAuc(FOREST) > rocAuc(REGRESSION)]).toEqual([true, true]);
});

test.each(['both', 'forest', 'champion'] as const)(
  'a version that wins in its training data only is worse, replayed too, and passes no gate: trained_until is known of %s',
  async (trained) => {
    const name = `known_${trained}`;
    const versions = await stage(name, trained);
    const [champion, forest] = [REGRESSION, FOREST].map((said) => said.filter(({ isSeen }) => !isSeen));
    if (champion === undefined || forest === undefined) throw new Error('nothing was said');
    const shown = await compared(name);
    const common = {
      n_a: forest.length,
      n_b: forest.length,
      n_days: 77,
      first_date: '2026-04-15',
      last_date: '2026-06-30',
      verdict: 'worse',
      in_training: 'left_out',
    };
    expect(shown).toMatchObject({
      accuracy: { ...common, value_a: accuracy(forest), value_b: accuracy(champion) },
      roc_auc: {
        ...common,
        value_a: expect.closeTo(rocAuc(forest), 3),
        value_b: expect.closeTo(rocAuc(champion), 3),
      },
    });
    expect(await gate(name)).toMatchObject({
      passed: false,
      reason: expect.stringMatching(
        /^roc_auc is 0\.\d+, that of .*, by labels that judge both, 15 Apr 2026 to 30 Jun 2026: 0\.\d+ worse$/,
      ),
    });
    expect(await verdict(name)).toMatchObject({
      better_version: null,
      sentence: expect.not.stringContaining('surely better'),
    });
    await replay(versions);
    await expectReplayedAsLive(name);
  },
);

test('the comparison follows what is known of the training when it is made', async () => {
  const versions = await stage('earlier', 'both');
  await train(versions, '2026-01-01');
  await superuser.query('delete from pgscore_data.compared_pair');
  await superuser.query('select pgscore.refresh()');
  expect((await compared('earlier'))['accuracy']).toMatchObject({
    n_a: ROWS.length,
    value_a: accuracy(FOREST),
    in_training: 'none',
    verdict: 'better',
  });
});

test('where all labels are of training data, nothing is compared, and it is said since when labels would count', async () => {
  const versions = await stage('all', 'none');
  await train(versions, '2026-07-01');
  await superuser.query('delete from pgscore_data.compared_pair');
  await superuser.query('select pgscore.refresh()');
  expect((await compared('all'))['accuracy']).toMatchObject({
    undefined_reason: 'no_common_labels',
    in_training: 'left_out',
    n_a: 0,
  });
  expect(await gate('all')).toMatchObject({
    passed: false,
    needs: 'labels that judge both versions, from 1 Jul 2026 on',
  });
});

test('a version that says nothing of its training may have seen what is older than its deploy, which is said', async () => {
  const [champion, forest] = await stage('untold', 'none');
  const deploy = async (version: MonitoredModel | undefined, at: string): Promise<void> => {
    await superuser.query('update pgscore_data.version set deployed_at = $2 where version_id = $1', [
      version?.versionId,
      at,
    ]);
  };
  const plain = { passed: true, reason: expect.stringMatching(/, 1 Jan 2026 to 30 Jun 2026$/) };
  const unsure = expect.stringMatching(/, 1 Jan 2026 to 30 Jun 2026 \(training data may be among them\)/);
  // Both were deployed long before.
  expect((await compared('untold'))['roc_auc']).toMatchObject({ in_training: 'none', verdict: 'better' });
  expect(await gate('untold')).toMatchObject(plain);
  await deploy(forest, '2026-01-01 18:00+00');
  expect(await gate('untold')).toMatchObject(plain);

  await deploy(forest, '2026-03-01');
  expect((await compared('untold'))['roc_auc']).toMatchObject({ in_training: 'unknown' });
  expect(await gate('untold')).toMatchObject({ passed: true, reason: unsure });
  expect(await verdict('untold')).toMatchObject({ better_version: 2, sentence: unsure });

  await deploy(forest, '2020-01-01');
  await deploy(champion, '2026-03-01');
  expect((await compared('untold'))['roc_auc']).toMatchObject({ in_training: 'other_unknown' });
  expect(await gate('untold')).toMatchObject({ passed: true, reason: unsure });
});

test('a version that is right less often than in its training data has not got worse', async () => {
  const forest = await addMonitoredModel(superuser, 'alone', 'binary');
  await addRun(superuser, forest, FOREST);
  await label('alone');
  await superuser.query('select pgscore.refresh()');
  expect(await verdict('alone')).toMatchObject({
    verdict: 'act',
    sentence: expect.stringMatching(/^Accuracy fell to .* in Jun 2026 .*, from .* over the 5 months before/),
  });
  await train([forest], TRAINED_UNTIL);
  expect(await verdict('alone')).toMatchObject({
    verdict: 'healthy',
    sentence: expect.stringMatching(/^Accuracy is .* in Jun 2026 .* over the month before\.$/),
  });
  await train([forest], '2026-06-02');
  expect(await verdict('alone')).toMatchObject({
    verdict: 'unknown',
    sentence:
      'No month can be judged yet: that takes 30 labels, and the truth of 95 % of its predictions, all after 2 Jun 2026.',
  });
});
