import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';

import { cloneDatabase } from '../support/database.ts';
import { deployModel } from '../support/deploy.ts';
import { scoreTable } from '../support/run.ts';
import { startTestService } from '../support/service.ts';

const database = await cloneDatabase();
await startTestService(database);
const [ada, alice] = await Promise.all([database.client('ada'), database.client('alice')]);

/** Of make_optimised.py: what ONNX Runtime, or scikit-learn, says of each row by itself. */
type Optimised = { name: string; rows: Record<string, string | number>[] };
const optimised = JSON.parse(readFileSync('test/models/optimised.json', 'utf8')) as Optimised[];

test.each(optimised.map(({ name, rows }) => [name, rows] as const))(
  '%s is scored by a run and by score() as it is there',
  async (name, rows) => {
    await deployModel(ada, name, `test/models/optimised/${name}.onnx`);
    const table = `of_${name}`;
    await createTable(table, rows);
    await scoreTable(alice, name, table, { key: 'id', target: `${table}_scores` });
    const both = `select s.score as written, score('${name}', t) as asked from ${table}_scores s join ${table} t using (id) order by id`;
    const { rows: scored } = await alice.query<{ written: number; asked: number }>(both);
    const expected = rows.map((row) => expect.closeTo(Number(row['expected_value'] ?? row['expected_score']), 4));
    expect(scored.map(({ written }) => written)).toEqual(expected);
    expect(scored.map(({ asked }) => asked)).toEqual(expected);
  },
);

async function createTable(table: string, rows: Optimised['rows']): Promise<void> {
  const [first = {}] = rows;
  const columns = Object.entries(first).map(([column, value]) => {
    const number = column.startsWith('token') ? 'int' : 'float8';
    return `"${column}" ${typeof value === 'string' ? 'text' : number}`;
  });
  const create = `create table ${table} (id int generated always as identity, ${columns.join(', ')})`;
  const names = Object.keys(first).map((column) => `"${column}"`);
  const insert = `insert into ${table} (${names.join(', ')}) select ${names.join(', ')} from jsonb_populate_recordset(null::${table}, $1)`;
  await alice.query(create);
  await alice.query(insert, [JSON.stringify(rows)]);
}
