import { beforeAll, describe, expect, test } from '@jest/globals';

import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { scoreFixture } from '../support/score-fixture.ts';
import { votingModel } from '../support/voting-model.ts';

const { superuser, ada, alice } = await scoreFixture();

type Way = 'native' | 'online';

const FEATURES = ['a', 'b', 'c'];
/** Votes for class 1, of ten. */
const VOTES = [0, 4, 5, 6, 10];

beforeAll(async () => {
  await superuser.query('grant usage on schema alice to pgscore_owner');
  await alice.query('set pgscore.deadline = 60000');
  await alice.query('create table ballots (id int primary key, a real, b real, c real)');
  await alice.query(`insert into ballots select v, v - 0.5, 0, 0 from unnest($1::int[]) v`, [VOTES]);
});

type Said = { score: number; label: string; probabilities: Record<string, number>; rows: string };

async function called(model: string, execution: Way): Promise<Said[]> {
  await alice.query(`select set_config('pgscore.execution', $1, false)`, [execution]);
  const text = `select pgscore.score($1, t) as score, pgscore.classify($1, t) as label, pgscore.predict($1, t) -> 'probabilities' as probabilities,
      (select s.label from pgscore.score_rows($1, array[to_jsonb(t)]) s) as rows
    from ballots t order by id`;
  return (await alice.query<Said>(text.replaceAll('$1', alice.escapeLiteral(model)))).rows;
}

describe.each<[string, string, Record<string, unknown>, string[]]>([
  ['without a threshold is of the first class', 'own', {}, ['0', '0', '0', '1', '1']],
  ['at a threshold is positive', 'limited', { threshold: 0.5 }, ['0', '0', '1', '1', '1']],
  ['is of the first class, also if that is positive', 'own_first', { positive_class: '0' }, ['0', '0', '0', '1', '1']],
  [
    'at a threshold is of the first class if that is positive',
    'limited_first',
    { positive_class: '0', threshold: 0.5 },
    ['0', '0', '0', '1', '1'],
  ],
])('a tie %s', (_, model, options, labels) => {
  const shares = VOTES.map((votes) => (options['positive_class'] === '0' ? 10 - votes : votes) / 10);

  beforeAll(async () => {
    await deployBytes(ada, model, votingModel(), { features: FEATURES, ...options });
  });

  test('in a scored table, and so it is counted', async () => {
    await scoreTable(alice, model, 'ballots', { target: `${model}_scores` });
    const read = `select label, score from ${model}_scores order by id`;
    const { rows } = await alice.query<{ label: string; score: number }>(read);
    expect(rows.map(({ label }) => label)).toEqual(labels);
    expect(Math.max(...rows.map(({ score }) => score))).toBeLessThanOrEqual(1);
    await superuser.query('select pgscore.refresh()');
    const { rows: cells } = await superuser.query<{ n: string; positive: string }>(
      `select sum(c.n) as n, sum(c.n_positive) as positive from pgscore_data.cell_score c
         join pgscore_data.version v using (version_id) join pgscore_data.model m using (model_id) where m.name = $1`,
      [model],
    );
    const positive = options['positive_class'] ?? '1';
    expect(cells).toEqual([{ n: '5', positive: String(labels.filter((label) => label === positive).length) }]);
  });

  test.each<Way>(['native', 'online'])('in %s calls, and no probability is past 0 or 1', async (execution) => {
    const said = await called(model, execution);
    expect(said.map(({ label }) => label)).toEqual(labels);
    expect(said.map(({ rows }) => rows)).toEqual(labels);
    expect(said.map(({ score }) => score)).toEqual(shares.map((share) => expect.closeTo(share, 6)));
    for (const share of said.flatMap(({ score, probabilities }) => [score, ...Object.values(probabilities)])) {
      expect(share).toBeLessThanOrEqual(1);
      expect(share).toBeGreaterThanOrEqual(0);
    }
  });
});
