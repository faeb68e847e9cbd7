import type pg from 'pg';
import { secondsOf, WAYS, type Way } from './per-row.ts';
import type { ScorePlan } from './plan.ts';
import { FEATURES } from './source-table.ts';

const LARGE = 'large';
const SCAN = `t.${FEATURES.at(-1)}`;

/** Those of WAYS that cost so little a row that it takes many rows to keep all cores busy. */
export const PARALLEL_WAYS: readonly Way[] = WAYS.filter(({ model }) => model === 'logistic');

/** One query over all of a large table, with the workers that PostgreSQL plans by itself. */
export type ParallelRows = {
  /** The workers of its plan, and the session's own process. */
  readonly processes: number;
  /** Of PARALLEL_WAYS: microseconds a row, by the clock, over the scan that reads the same rows to their last column. */
  readonly micros: readonly number[];
};

export async function measureParallelRows(client: pg.Client, { largeRows }: ScorePlan): Promise<ParallelRows> {
  const { rows } = await client.query<{ former: string }>(
    `select current_setting('max_parallel_workers_per_gather') as former`,
  );
  await client.query('reset max_parallel_workers_per_gather');
  try {
    const micros: number[] = [];
    for (const { expression } of PARALLEL_WAYS) {
      const scored = await secondsOf(client, query(expression), largeRows);
      micros.push(((scored - (await secondsOf(client, query(SCAN), largeRows))) / largeRows) * 1e6);
    }
    return { processes: 1 + (await workersOf(client, PARALLEL_WAYS[0]?.expression ?? SCAN)), micros };
  } finally {
    await client.query(`select set_config('max_parallel_workers_per_gather', $1, false)`, [rows[0]?.former]);
  }
}

/** By a filter: of a score that an aggregate takes, PostgreSQL carries the whole row up to it. */
function query(expression: string): string {
  return `select count(*) as n from ${LARGE} t where (${expression}) is not null`;
}

async function workersOf(client: pg.Client, expression: string): Promise<number> {
  const text = `explain (costs off) ${query(expression)}`;
  const { rows } = await client.query<{ 'QUERY PLAN': string }>(text);
  const planned = rows.map((row) => /Workers Planned: (\d+)/.exec(row['QUERY PLAN'])?.[1]).find(Boolean);
  return Number(planned ?? 0);
}
