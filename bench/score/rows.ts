import type pg from 'pg';
import type { ScorePlan } from '../plan.ts';
import { settled } from '../processes.ts';
import { FEATURES } from '../stage.ts';

/** A way to have many rows of one query scored, by an expression over a row `t` of a table. */
export type Way = {
  readonly name: string;
  readonly model: 'trees' | 'logistic';
  readonly table: 'bound' | 'loose' | 'documents';
  readonly expression: string;
  /** Measured over a part of the table. */
  readonly slow?: true;
  /** By a model in an experiment. */
  readonly split?: true;
};

const WEIGHTED = FEATURES.map((feature, index) => `${(index - 9.5) / 10}::double precision * t.${feature}`).join(' + ');

const SPLIT = 'score(), table bound, in an experiment';

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
  { name: SPLIT, model: 'trees', table: 'bound', expression: `pgscore.score('split_trees', t)`, split: true },
  { name: SPLIT, model: 'logistic', table: 'bound', expression: `pgscore.score('split_logistic', t)`, split: true },
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
async function secondsOf(client: pg.Client, text: string, rows: number): Promise<number> {
  const times: number[] = [];
  for (let turn = 0; turn < 2; turn += 1) {
    const began = performance.now();
    const { rows: answer } = await client.query<{ n: string }>(text);
    times.push((performance.now() - began) / 1000);
    if (Number(answer[0]?.n) !== rows) throw new Error(`${text} counted ${answer[0]?.n} of ${rows} rows`);
  }
  return Math.min(...times);
}

const LARGE = 'large';
const SCAN = `t.${FEATURES.at(-1)}`;

/** Those of WAYS that cost so little a row that it takes many rows to keep all cores busy. */
export const PARALLEL_WAYS: readonly Way[] = WAYS.filter(({ model, split }) => model === 'logistic' && split !== true);

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

const CALL = `select count(s.score) as n from pgscore.score_rows('trees', array(select t from loose t limit $1)) s`;

const WARM_UP_ROWS = 10_000;

/** Rows a second of calls of score_rows() over the service, one after the other, with each prediction logged or none. */
export async function measureRowsCall(
  client: pg.Client,
  owner: pg.Client,
  { rowsCall, seconds }: ScorePlan,
  logged: boolean,
): Promise<number> {
  await client.query('select pgscore.log_calls($1, $2)', ['trees', Number(logged)]);
  await client.query('set pgscore.execution = online');
  // The first are not measured, as of single calls: by then both sides have compiled what they run.
  await client.query(CALL, [WARM_UP_ROWS]);
  await settled(owner);
  const before = await keptRows(owner);
  const began = performance.now();
  let [scored, took] = [0, 0];
  while (took < seconds) {
    const { rows } = await client.query<{ n: string }>(CALL, [rowsCall]);
    if (Number(rows[0]?.n) !== rowsCall) throw new Error(`score_rows() scored ${rows[0]?.n} of ${rowsCall} rows`);
    scored += rowsCall;
    took = (performance.now() - began) / 1000;
  }
  await client.query('reset pgscore.execution');
  await settled(owner);
  const kept = (await keptRows(owner)) - before;
  const expected = logged ? scored : 0;
  if (kept !== expected) throw new Error(`of score_rows() ${kept} predictions were kept instead of ${expected}`);
  return scored / took;
}

async function keptRows(owner: pg.Client): Promise<number> {
  const { rows } = await owner.query<{ n: string }>(
    'select coalesce(sum(n_predictions), 0) as n from pgscore_data.online_batch',
  );
  return Number(rows[0]?.n);
}
