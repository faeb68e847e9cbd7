import { readFile } from 'node:fs/promises';

import { beforeAll, expect, test } from '@jest/globals';

import { loadFlights } from '../src/commands/demo/flights.ts';
import { cloneDatabase } from './support/database.ts';
import { deployBytes } from './support/deploy.ts';
import { startTestService } from './support/service.ts';

const README = await readFile(new URL('../README.md', import.meta.url), 'utf8');
const MODEL = new URL('../demo/models/arrival_delay.onnx', import.meta.url);
/** ONNX Runtime adds float32 up in another order on another processor. */
const DIGITS = 6;

const database = await cloneDatabase();
await startTestService(database);
const alice = await database.client('alice');

beforeAll(async () => {
  await loadFlights(alice);
  await deployBytes(await database.client('ada'), 'arrival_delay', await readFile(MODEL));
  await alice.query("set timezone = 'UTC'");
});

type Example = { readonly statements: string[]; readonly columns: string[]; readonly rows: string[][] };

/** Each block of SQL that is followed by what psql shows of its last statement. */
const EXAMPLES = [...README.matchAll(/^```sql\n(?<sql>.*?)^```\n\n```\n(?<shown>.*?)^```\n/gms)].map(
  ({ groups: { sql = '', shown = '' } = {} }): Example => {
    const [columns = [], , ...rows] = shown
      .trimEnd()
      .split('\n')
      .map((line) => line.split('|').map((cell) => cell.trim()));
    return { statements: sql.trimEnd().split('\n'), columns, rows };
  },
);

/** Runs a line of psql, one statement, with its variables; gives its rows as texts. */
async function run(line: string, variables: Map<string, string>): Promise<Record<string, string>[]> {
  const text = line
    .replace(/ \\gset$/, '')
    .replaceAll(/(?<!:):(\w+)/g, (_, name: string) => variables.get(name) ?? `no ${name}`);
  const { rows } = await alice.query<Record<string, string>>({ text, types: { getTypeParser: () => String } });
  if (line.endsWith('\\gset')) for (const [name, value] of Object.entries(rows[0] ?? {})) variables.set(name, value);
  return rows;
}

const isFraction = (cell: string): boolean => /^\d+\.\d+$/.test(cell);

/** What is shown, with room for the last digits of a number. */
function expected({ columns, rows }: Example): unknown[] {
  const cell = (shown: string): unknown => (isFraction(shown) ? expect.closeTo(Number(shown), DIGITS) : shown);
  return rows.map((cells) => Object.fromEntries(columns.map((name, at) => [name, cell(cells[at] ?? '')])));
}

test('README shows what a row and what a table is scored by', () => {
  expect(EXAMPLES.map(({ rows }) => rows.length)).toEqual([3, 3]);
});

test.each(EXAMPLES.map((example) => [example.statements[0] ?? '', example] as const))(
  '%s gives what README shows',
  async (_, example) => {
    const variables = new Map<string, string>();
    let answer: Record<string, string>[] = [];
    for (const line of example.statements) answer = await run(line, variables);
    const numbers = answer.map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, isFraction(cell) ? Number(cell) : cell])),
    );
    expect(numbers).toEqual(expected(example));
  },
);
