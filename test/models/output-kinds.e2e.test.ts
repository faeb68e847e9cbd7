import { describe, expect, test } from '@jest/globals';
import { ident, literal } from '../../src/lib/text.ts';
import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { outputCase } from './output-kinds.ts';

const database = await cloneDatabase();
await startTestService(database);
const [superuser, ada, alice] = await Promise.all([
  database.client(),
  database.client('ada'),
  database.client('alice'),
]);
await superuser.query('grant usage on schema alice to pgscore_owner');

type Row = Record<string, unknown>;

/** Deploys a case with its rows expected, and puts them into a table of its name, numbered. */
async function deployCase(name: string, more: Row = {}): Promise<void> {
  const { options, rows, bytes } = outputCase(name);
  await deployBytes(ada, name, bytes, { ...options, ...more, expect: rows });
  const columns = Object.keys(rows[0] ?? {});
  const typed = columns.map((column) => `${ident(column)} ${column === 'expected_label' ? 'text' : 'float8'}`);
  const create = `create table ${ident(name)} as select n::int as id, r.*
    from jsonb_array_elements(${literal(JSON.stringify(rows))}) with ordinality as x (x, n), jsonb_to_record(x) as r (${typed.join(', ')})`;
  await alice.query(create);
  const key = `alter table ${ident(name)} add primary key (id)`;
  await alice.query(key);
}

/** How many rows of a query, over s for what is said and t for what is expected, do not hold. */
async function wrong(name: string, said: string, condition: string): Promise<unknown> {
  const text = `select count(*) filter (where (${condition}) is not true)::int as wrong, count(*)::int as n
    from ${ident(name)} t cross join lateral (${said}) s`;
  return (await alice.query(text)).rows[0];
}

const near = (one: string, other: string): string => `abs(${one} - ${other}) <= 1e-5 * greatest(1, abs(${other}))`;
const ALL_RIGHT = { wrong: 0, n: 60 };

const WAYS = ['native', 'online'] as const;
const setWay = (way: (typeof WAYS)[number]) =>
  alice.query(`select set_config('pgscore.execution', $1, false)`, [way === 'native' ? '' : way]);

const models = async (name: string): Promise<Row> =>
  (await alice.query(`select task, outputs, execution from pgscore.models where model = $1 and state = 'ready'`, [name])).rows[0] as Row;

describe('logits', () => {
  test('of a network are scored as probabilities in all ways', async () => {
    await deployCase('torch_logit');
    expect(await models('torch_logit')).toMatchObject({
      task: 'binary',
      outputs: 'label, probability of malignant, benign (sigmoid of its logits)',
    });
    await scoreTable(alice, 'torch_logit', 'torch_logit');
    const stored = 'select p.* from torch_logit_scores p where p.id = t.id';
    expect(await wrong('torch_logit', stored, near('s.score', 't.expected_score'))).toEqual(ALL_RIGHT);
    expect(await wrong('torch_logit', stored, near('s.probability_benign', 't.expected_score'))).toEqual(ALL_RIGHT);
    for (const way of WAYS) {
      await setWay(way);
      const called = `select pgscore.score('torch_logit', t) as score, pgscore.predict('torch_logit', t) as p`;
      expect(await wrong('torch_logit', called, near('s.score', 't.expected_score'))).toEqual(ALL_RIGHT);
      const benign = `(s.p -> 'probabilities' ->> 'benign')::float8`;
      expect(await wrong('torch_logit', called, near(benign, 't.expected_score'))).toEqual(ALL_RIGHT);
    }
    await setWay('native');
  });

  test('without the option are refused with it as the remedy', async () => {
    const { bytes } = outputCase('torch_log_softmax');
    await expect(deployBytes(ada, 'torch_log_softmax', bytes)).rejects.toMatchObject({
      hint: expect.stringContaining('logits => true'),
    });
    await deployCase('torch_log_softmax');
    expect(await models('torch_log_softmax')).toMatchObject({ task: 'multiclass' });
    const called = `select pgscore.predict('torch_log_softmax', t) as p`;
    const probability = `(s.p -> 'probabilities' ->> 'class_1')::float8`;
    const fits = `${near(probability, 't.expected_probability_class_1')} and s.p ->> 'label' = t.expected_label`;
    expect(await wrong('torch_log_softmax', called, fits)).toEqual(ALL_RIGHT);
  });
});
