import type pg from 'pg';
import type { ScorePlan } from './plan.ts';
import { FEATURES } from './source-table.ts';

/** A way to have many rows of one query scored, by an expression over a row `t` of a table. */
export type Way = {
  readonly name: string;
  readonly model: 'trees' | 'logistic';
  readonly table: 'bound' | 'loose' | 'documents';
  readonly expression: string;
  /** Measured over a part of the table. */
  readonly slow?: true;
};

const WEIGHTED = FEATURES.map((feature, index) => `${(index - 9.5) / 10}::double precision * t.${feature}`).join(' + ');

export const WAYS: readonly Way[] = [
  { name: 'score(), table bound', model: 'trees', table: 'bound', expression: `pgscore.score('trees', t)` },
  { name: 'its typed function', model: 'trees', table: 'bound', expression: 'pgscore_models.trees(t)' },
  {
    name: 'score(), table not bound',
    model: 'trees',
    table: 'loose',
    expression: `pgscore.score('trees', t)`,
    slow: true,
  },
  {
    name: 'score() of jsonb',
    model: 'trees',
    table: 'documents',
    expression: `pgscore.score('trees', t.features)`,
    slow: true,
  },
  { name: 'score(), table bound', model: 'logistic', table: 'bound', expression: `pgscore.score('logistic', t)` },
  { name: 'its typed function', model: 'logistic', table: 'bound', expression: 'pgscore_models.logistic(t)' },
  { name: 'its limit: the bare sum of 20 products in SQL', model: 'logistic', table: 'bound', expression: WEIGHTED },
];

export function rowsOf({ slow }: Way, { tableRows, slowRows }: ScorePlan): number {
  return slow === true ? slowRows : tableRows;
}

/** Each of WAYS in turn, in one process; microseconds a row over the scan that reads the same rows to their last column. */
export async function measurePerRow(client: pg.Client, plan: ScorePlan): Promise<number[]> {
  const micros: number[] = [];
  for (const way of WAYS) micros.push(await microsOf(client, way, rowsOf(way, plan)));
  return micros;
}

/** Microseconds a row that an expression costs. */
export async function microsOf(
  client: pg.Client,
  { table, expression }: Way | { table: string; expression: string },
  rows: number,
): Promise<number> {
  const last = table === 'documents' ? 't.features' : `t.${FEATURES.at(-1)}`;
  const query = (value: string): string =>
    `select count(x) as n from (select ${value} as x from ${table} t limit ${rows}) s`;
  return (
    (((await secondsOf(client, query(expression), rows)) - (await secondsOf(client, query(last), rows))) / rows) * 1e6
  );
}

/** The better of two of a query that counts so many rows: the first may have to compile the functions of the session. */
export async function secondsOf(client: pg.Client, text: string, rows: number): Promise<number> {
  const times: number[] = [];
  for (let turn = 0; turn < 2; turn += 1) {
    const began = performance.now();
    const { rows: answer } = await client.query<{ n: string }>(text);
    times.push((performance.now() - began) / 1000);
    if (Number(answer[0]?.n) !== rows) throw new Error(`${text} counted ${answer[0]?.n} of ${rows} rows`);
  }
  return Math.min(...times);
}
