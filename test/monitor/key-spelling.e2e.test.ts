import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployBytes } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';
import { waitFor } from '../support/wait-for.ts';
import { weightedModel } from '../support/weighted-model.ts';

const database = await cloneDatabase();
const superuser = await database.client();
await startTestService(database, { PGSCORE_POLL: '0.4' });
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

const LABELS = `select array_to_string(e.key, '/') as key, e.label, e.score from pgscore_data.evaluation e join pgscore_data.model m using (model_id)
  where m.name = $1 order by 1`;

async function expectLabels(model: string, expected: [key: string, label: string, score: number | null][]) {
  let seen: unknown;
  await waitFor(
    async () => {
      const { rows } = await superuser.query<{ key: string; label: string; score: number | null }>(LABELS, [model]);
      seen = rows.map(({ key, label, score }) => [key, label, score]);
      return JSON.stringify(seen) === JSON.stringify(expected);
    },
    { message: 'the labels' },
  ).catch(() => expect(seen).toEqual(expected));
}

test.each([
  ['integers', 'bigint', 'numeric(10, 2)'],
  ['numbers', 'numeric(10, 3)', 'int'],
  ['scales', 'numeric(10, 3)', 'numeric(10, 1)'],
  ['codes', 'char(4)', 'text'],
  ['texts', 'text', 'char(4)'],
  ['lengths', 'char(4)', 'char(9)'],
])(
  'labels and predictions keyed by %s meet, whatever zeros or blanks a key ends with',
  async (model, predicted, labeled) => {
    await deployBytes(ada, model, weightedModel({ x: 'float64' }));
    const tables = `create table ${model}_source (id ${predicted} primary key, x float8);
    insert into ${model}_source values (1, 10), (20, 20), (3, 30);
    create table ${model}_truth (id ${labeled} primary key, y float8);
    insert into ${model}_truth values (1, 11)`;
    await alice.query(tables);
    expect(await scoreTable(alice, model, `${model}_source`)).toMatchObject({ state: 'done' });
    await alice.query(`select pgscore.set_labels($1, $2::regclass, label => 'y')`, [model, `${model}_truth`]);
    await expectLabels(model, [['1', '11', 10]]);
    const written = `insert into ${model}_truth values (20, 21); update ${model}_truth set y = 12 where id = '1'`;
    await alice.query(written);
    await alice.query(`select pgscore.record_label($1, '3', '33')`, [model]);
    await expectLabels(model, [
      ['1', '12', 10],
      ['20', '21', 20],
      ['3', '33', 30],
    ]);
    await superuser.query(`update pgscore_data.label_source set compare_after = now()`);
    await waitFor(
      async () => {
        const text = `select from pgscore.label_sources where model = $1 and is_settled and rows_compared = 2`;
        return (await superuser.query(text, [model])).rowCount === 1;
      },
      { message: 'the comparison' },
    );
    const removed = `delete from ${model}_truth where id = '20'`;
    await alice.query(removed);
    await expectLabels(model, [
      ['1', '12', 10],
      ['3', '33', 30],
    ]);
  },
);
